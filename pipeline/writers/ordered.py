"""Commits chunks in one fixed order, whatever order threads finish them in.

The order decides where chunks lie in the file: with it, two runs give the same bytes.
"""

import threading
from collections.abc import Callable


class OrderedCommit:
    """Runs numbered actions in the order of their numbers; early ones wait in memory."""

    def __init__(self) -> None:
        self._waiting: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._lock = threading.Lock()

    def submit(self, number: int, action: Callable[[], None]) -> None:
        """Run the action once all lower numbers have run, now or on a later call."""
        with self._lock:
            self._waiting[number] = action
            while self._next in self._waiting:
                self._waiting.pop(self._next)()
                self._next += 1

    @property
    def committed(self) -> int:
        """How many actions have run."""
        return self._next
