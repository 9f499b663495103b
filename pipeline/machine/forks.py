"""Runs work in several forks of this process and returns the results in order.

Because of Python's lock, only one thread at a time can run Python code. A fork costs almost
nothing, because all libraries are imported already. A fork that crashes loses only the piece of
work that it was doing.
"""

import contextlib
import os
import pickle
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Generic, TypeVar

from pipeline import stopping

T = TypeVar("T")

_LENGTH = struct.Struct("<q")


@dataclass(frozen=True)
class Died:
    """Replaces the result of a piece of work whose process ended without a result."""

    status: int
    """Exit code of the process, or the negative number of the signal that ended it."""

    def __str__(self) -> str:
        if self.status < 0:
            return f"its process was ended by {signal.Signals(-self.status).name}"
        return f"its process ended with exit code {self.status}"


def in_forks(work: Callable[[int], T], count: int, workers: int) -> Iterator[T | Died]:
    """Yield the results of ``work(0)``, ``work(1)`` and so on, in this order.

    Every worker does each ``workers``-th piece of work. A worker waits if its pipe is full of
    results that were not taken yet. Results are pickled. ``work`` must not raise errors. Only
    programs whose other threads hold no locks may call this function.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    alive, alive_here = os.pipe()
    pool = [_Worker(work, range(n, count, workers), alive, alive_here) for n in range(workers)]
    try:
        for number in range(count):
            yield pool[number % workers].next_result()
    finally:
        os.close(alive_here)  # forks that are still running end now
        os.close(alive)
        for worker in pool:
            worker.close()


@dataclass
class _Worker(Generic[T]):
    """A fork that does some pieces of work; it is replaced after a crash."""

    work: Callable[[int], T]
    left: range
    """Pieces of work whose results have not been taken yet."""
    alive: int
    """The forks read from this end of a pipe; a read returns when their parent process has ended.
    """
    alive_here: int
    _pid: int = field(default=0, init=False)
    _results: BinaryIO | None = field(default=None, init=False)

    def next_result(self) -> T | Died:
        """Return the next result; start a new fork if none is running."""
        if self._results is None:
            self._start()
        self.left = self.left[1:]
        results = self._results
        head = results.read(_LENGTH.size) if results is not None else b""
        if results is not None and len(head) == _LENGTH.size:
            body = results.read(_LENGTH.unpack(head)[0])
            with contextlib.suppress(EOFError, pickle.UnpicklingError):  # cut short
                made: T = pickle.loads(body)  # noqa: S301 - a fork of this process wrote it
                return made
        return Died(self.close())

    def close(self) -> int:
        """Wait until the fork has ended, and return how it ended."""
        if self._results is None:
            return 0
        self._results.close()
        self._results = None
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _start(self) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reading)
            os.close(self.alive_here)
            self._work_and_exit(writing)
        os.close(writing)
        self._results = os.fdopen(reading, "rb")

    def _work_and_exit(self, writing: int) -> None:
        """Do the work in the fork; this function does not return."""
        code = 1
        try:
            stopping.in_fork()
            threading.Thread(target=self._end_with_parent, daemon=True).start()
            with os.fdopen(writing, "wb") as results:
                for number in self.left:
                    body = pickle.dumps(self.work(number))
                    results.write(_LENGTH.pack(len(body)) + body)
                    results.flush()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            os._exit(code)

    def _end_with_parent(self) -> None:
        os.read(self.alive, 1)  # returns when the other end is closed everywhere
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(stopping.PATIENCE)
        os._exit(128 + signal.SIGTERM)
