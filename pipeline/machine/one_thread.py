"""One thread per block: while blocks are computed, BLAS libraries may use one thread only.

Each block is computed in a separate thread. If each of these threads used as many BLAS threads as
there are cores, all would wait for each other. The limit applies to the whole process, so it ends
with the last of several overlapping runs.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import threadpoolctl


class _Limit:
    """The limit of the process, with the number of runs that need it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.runs = 0
        self.libraries: Any = None
        self.limited: Any = None

    def begin(self) -> None:
        with self.lock:
            if self.runs == 0:
                if self.libraries is None:  # found only once, because this takes some milliseconds
                    self.libraries = threadpoolctl.ThreadpoolController()
                _let_this_thread_decide()
                self.limited = self.libraries.limit(limits=1, user_api="blas")
            self.runs += 1

    def end(self) -> None:
        with self.lock:
            self.runs -= 1
            if self.runs == 0:
                _let_this_thread_decide()
                self.limited.restore_original_limits()
                self.limited = None


def _let_this_thread_decide() -> None:
    """Let any thread limit OpenBLAS; threadpoolctl 3.8 lets only the first thread do it."""
    controller = getattr(threadpoolctl, "OpenBLASController", None)
    clear = getattr(controller, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


_limit = _Limit()


@contextlib.contextmanager
def one_thread_per_block() -> Iterator[None]:
    """Limit BLAS to one thread for a ``with`` block; blocks of several threads may overlap."""
    limit = _limit
    limit.begin()
    try:
        yield
    finally:
        limit.end()


def _after_fork() -> None:
    """Reset the count after a fork, because the threads with runs are not in the new process."""
    global _limit  # noqa: PLW0603 - one limit for each process
    limited = _limit.limited
    _limit = _Limit()
    if limited is not None:
        _let_this_thread_decide()
        limited.restore_original_limits()


os.register_at_fork(after_in_child=_after_fork)
