"""The lock for the netCDF library, which crashes if two threads use it at the same time.

xarray uses the same lock, so files that a user reads with xarray are protected, too. A thread has
the lock from the time when it opens a file until it closes the file. A process is forked only while
no thread has the lock, because the forked process would inherit a library in the middle of its
work.
"""

import os
import sys
import threading
from types import TracebackType
from typing import Any


class _NetcdfLock:
    """The locks of xarray's netCDF4 backend; a thread that has them may take them again."""

    def __init__(self) -> None:
        self._outer = threading.RLock()
        self._depth = 0
        self._inner: Any = None

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; without ``blocking``, return False if another thread has it."""
        if not self._outer.acquire(blocking=blocking):
            return False
        try:
            if self._depth == 0:
                inner = _of_xarray()
                if inner is not None and not inner.acquire(blocking):
                    self._outer.release()
                    return False
                self._inner = inner
            self._depth += 1
        except BaseException:
            self._outer.release()
            raise
        return True

    def release(self) -> None:
        """Release the lock once."""
        self._depth -= 1
        if self._depth == 0 and self._inner is not None:
            self._inner.release()
        self._outer.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def __reduce__(self) -> str:
        return "NETCDF_LOCK"  # each process has its own lock

    def locked(self) -> bool:
        """Whether any thread has the lock."""
        return self._depth > 0


def _of_xarray() -> Any:
    """Return xarray's lock, or None if xarray has not been imported (the import would take long).

    It consists of two locks. Their order differs from process to process. A thread that takes them
    in another order than xarray could wait for ever.
    """
    module = sys.modules.get("xarray.backends.netCDF4_")
    return getattr(module, "NETCDF4_PYTHON_LOCK", None)


NETCDF_LOCK = _NetcdfLock()
os.register_at_fork(
    before=NETCDF_LOCK.acquire,
    after_in_parent=NETCDF_LOCK.release,
    after_in_child=NETCDF_LOCK.release,
)
