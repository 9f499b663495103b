"""Opens regular files only: a named pipe, a device or a socket could block for ever.

Identities are taken from open descriptors, because a path may name another file a moment later.
"""

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.errors import PipelineError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# Without O_NONBLOCK, opening a named pipe waits for a writer. Regular files ignore the flag.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True)
class FileIdentity:
    """Identifies a file, and a state of its content, on this machine."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """Take the identity from the status of an open file."""
        times = found.st_mtime_ns, found.st_ctime_ns
        return cls(found.st_dev, found.st_ino, found.st_size, *times)


def open_regular(path: str | Path, error: type[PipelineError]) -> io.BufferedReader:
    """Open a regular file to read its bytes; ``os.fstat`` of the result identifies the file.

    Args:
        path: the file; links are followed.
        error: the class of error to raise.

    Raises:
        PipelineError: the path is not a regular file. This exception has the class
            ``error``.
        OSError: the file cannot be opened.
    """
    check_kind(path, os.stat(path), error)  # noqa: PTH116 - opening some devices changes them
    descriptor = os.open(path, _FLAGS)
    try:
        check_kind(path, os.fstat(descriptor), error)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str | Path, error: type[PipelineError]) -> FileIdentity:
    """Return the identity of a regular file for a library that opens the path itself.

    The errors are those of :func:`open_regular`.
    """
    with open_regular(path, error) as file:
        return FileIdentity.of(os.fstat(file.fileno()))


def first_bytes(path: str | Path, count: int, error: type[PipelineError]) -> bytes:
    """Return the bytes at the start of a regular file; the errors are as for open_regular."""
    with open_regular(path, error) as file:
        return file.read(count)


def check_kind(path: str | Path, found: os.stat_result, error: type[PipelineError]) -> None:
    """Raise ``error`` if this is not the status of a regular file."""
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "neither a file nor a folder")
        raise error(f"{Path(path).name}: {kind}, expected a regular file. Give the path of a file.")


@contextlib.contextmanager
def memory_in_words(name: str, error: type[PipelineError]) -> Iterator[None]:
    """Turn a lack of memory inside a ``with`` block into an error of the file that is read.

    Args:
        name: the file, or the part of a file, that is read.
        error: the class of error to raise.
    """
    try:
        yield
    except MemoryError as failure:
        detail = f" ({failure})" if str(failure) else ""
        raise error(
            f"{name}: there is not enough memory to read it{detail}. Check its sizes. If they are "
            "right, free memory or use a computer with more."
        ) from failure
