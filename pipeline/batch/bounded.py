"""Calls a cluster in threads; if a call does not return in time, its thread is abandoned."""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


class UnansweredError(Exception):
    """A call did not return in time."""


def bounded(call: Callable[[], Answer], seconds: float) -> Answer:
    """Return what a call returns, or raise what it raises.

    Raises:
        UnansweredError: the call has not returned after ``seconds``.
    """
    answers: queue.SimpleQueue[tuple[list[Answer], BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(([call()], None))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            answers.put(([], error))

    threading.Thread(target=work, name="bounded call", daemon=True).start()
    try:
        found, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise UnansweredError(f"no answer after {seconds:g} s") from None
    if error is not None:
        raise error
    return found[0]


def in_background(call: Callable[[], object]) -> None:
    """Make a call whose result does not matter, without waiting for it."""

    def work() -> None:
        with contextlib.suppress(Exception):
            call()

    threading.Thread(target=work, name="background call", daemon=True).start()
