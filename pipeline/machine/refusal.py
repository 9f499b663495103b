"""Says whether the machine refused an operation: files, processes, threads or space on a disk.

Such a refusal is never the fault of a scene, because every other scene would meet it too.
"""

import ctypes
import errno
import functools
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from pipeline.errors import MachineError, OutputError
from pipeline.files.access import DISK_FAILURES, number_of

_FILES = {
    errno.EMFILE: (
        "this process has too many open files ({}). Raise the limit (ulimit -n), or process fewer "
        "scenes at the same time (--workers)"
    ),
    errno.ENFILE: (
        "the machine has too many open files ({}). End other programs, or ask the administrator "
        "to raise fs.file-max"
    ),
}
_PROCESSES = (
    "the machine starts no more processes or threads ({}). End other programs, or raise the limits "
    "of processes (ulimit -u) and of memory, also those of the job or container"
)
_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
AGAIN = ", then call again."


def refusal(error: BaseException) -> MachineError | None:
    """Return an error that names what the machine refused; None if ``error`` has another cause.

    The chain of causes is searched, too. A full or read-only output folder gives another error
    (OutputError). In the causes of such an error, only open files and threads are looked for.
    """
    if isinstance(error, MachineError):
        return error
    about_output = any(isinstance(each, OutputError) for each in _chain(error))
    for each in _chain(error):
        number, text = number_of(each), str(each)
        if number in _FILES or (number == 0 and os.strerror(errno.EMFILE) in text):
            return refused_files(number or errno.EMFILE)
        if isinstance(each, RuntimeError) and "start new thread" in text:
            return refused_process(errno.EAGAIN)
        if number in _SPACE and not about_output:
            return _refused_space(each, number)
    return None


def refused_by_machine(error: BaseException) -> MachineError | None:
    """Return the refusal outside a scene, where a broken disk is also an error of the machine."""
    return refusal(error) or broken_disk(error)


def broken_disk(error: BaseException) -> MachineError | None:
    """Return the error for a failed disk, if this caused ``error``; the scene is not the cause."""
    for each in _chain(error):
        number = number_of(each)
        if number in DISK_FAILURES:
            return _refused_disk(number, getattr(each, "filename", None))
    return None


def hidden_number() -> int:
    """Return the last error number if it means too many files, no space or a disk fault; or 0."""
    number = last_number()
    return number if number in (*_FILES, *_SPACE, *DISK_FAILURES) else 0


def hidden_refusal(number: int) -> MachineError | None:
    """Return the error for an error number that a library did not report."""
    if number in _FILES:
        return refused_files(number)
    return _refused_disk(number) if number in DISK_FAILURES else None


def _refused_disk(number: int, path: Any = None) -> MachineError:
    return MachineError(
        f"{path or 'a file of the program or of a network'}: its disk or network failed "
        f"({said(number)}). Check the disk{AGAIN}"
    )


def refused_files(number: int) -> MachineError:
    """Return the error for EMFILE or ENFILE."""
    return MachineError(_FILES[number].format(said(number)) + AGAIN)


def refused_process(number: int) -> MachineError:
    """Return the error for a process or thread that cannot be started."""
    return MachineError(_PROCESSES.format(said(number)) + AGAIN)


def refused_start(error: OSError) -> MachineError:
    """Return the error if a child process, its pipes or its memory cannot be made."""
    if error.errno in (errno.EAGAIN, errno.ENOMEM):
        return refused_process(error.errno)
    found = refusal(error)
    return found or MachineError(
        f"a process for the scenes cannot be started ({said(error.errno or 0)}). Remove the cause"
        f"{AGAIN}"
    )


def is_about_files(number: int) -> bool:
    """Return whether an error number says that there are too many open files."""
    return number in _FILES


def is_about_disk(number: int) -> bool:
    """Return whether an error number says that a disk or network failed."""
    return number in DISK_FAILURES


def said(number: int) -> str:
    """Return a system's error as text: ``No space left on device, ENOSPC 28``."""
    return f"{os.strerror(number)}, {errno.errorcode.get(number, 'errno')} {number}"


def said_of(error: OSError) -> str:
    """Return the system's error as text; the error's own text if it has no number."""
    return said(error.errno) if error.errno else str(error)


def forget_last_number() -> None:
    """Set the C library's number of the last error in this thread to 0."""
    place = _place_of_number()
    if place is not None:
        place.contents.value = 0


def last_number() -> int:
    """Return the C library's number of the last error in this thread, or 0 if it is unknown.

    The netCDF library reports every failure of a disk as ``HDF error``, without a number.
    """
    place = _place_of_number()
    return 0 if place is None else int(place.contents.value)


def _place_of_number() -> Any:
    find = _finder_of_place()
    return None if find is None else find()


@functools.cache
def _finder_of_place() -> Any:
    try:
        find = getattr(ctypes.CDLL("libc.so.6"), "__errno_location")
    except (OSError, AttributeError):  # another C library
        return None
    find.restype = ctypes.POINTER(ctypes.c_int)
    return find


def _refused_space(error: BaseException, number: int) -> MachineError:
    place = getattr(error, "filename", None)
    where = f"{os.fsdecode(place)}: " if isinstance(place, str | bytes) else ""
    return MachineError(
        f"{where}a file cannot be written ({said(number)}). Free some space on the disk. If this "
        f"is about temporary files ({_temporary()}), name another folder for them (TMPDIR){AGAIN}"
    )


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return "no usable folder was found"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, including causes that a traceback does not show."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
