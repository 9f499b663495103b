"""Commits chunks in one fixed order, whatever order threads finish them in.

The order decides where chunks lie in the file: with it, two runs give the same bytes.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class OrderedCommit:
    """Runs numbered actions in the order of their numbers; early ones wait in memory.

    As a context manager it ends with the last action done: threads that are still busy after a
    failure, or an interrupt, commit nothing more, and the file can be closed under them.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._stopped = False
        self._lock = threading.Lock()

    def submit(self, number: int, action: Callable[[], None]) -> None:
        """Run the action once all lower numbers have run, now or on a later call.

        A failing action raises here and is the last one that runs.
        """
        with self._lock:
            if self._stopped:
                return
            self._waiting[number] = action
            while self._next in self._waiting:
                try:
                    self._waiting.pop(self._next)()
                except BaseException:
                    self._stop()
                    raise
                self._next += 1

    def _stop(self) -> None:
        self._stopped = True
        self._waiting.clear()

    @property
    def committed(self) -> int:
        """How many actions have run."""
        return self._next

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:  # waits for an action that is running
            self._stop()
