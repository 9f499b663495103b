"""Writes files so that they appear when they are complete, and never through a link.

There may be a link at the path of an output, or at its temporary path. The content would then
replace another file. So a file is written under a new name in the same folder. No file with this
name may exist before. Then the file is renamed: a rename replaces a link and does not follow it.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.stopping import half_written

PARTIAL_SUFFIX = ".partial"
# A temporary name starts with at most this number of bytes of the name; file systems allow 255
# bytes for a whole name.
MOST_OF_NAME = 150


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give the path of an empty new file; rename it to ``target`` at the end.

    After a failure or a signal, the new file is removed, and ``target`` stays as it was.

    Raises:
        OSError: the file cannot be created, written or renamed.
    """
    head = start_of_hidden(target.name)
    partial = target.with_name(f"{head}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    with half_written(partial):
        create_new(partial)
        try:
            yield partial
            partial.replace(target)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


def start_of_hidden(name: str) -> str:
    """Return the start of a hidden name for a file; more bytes can be added to it."""
    if len(os.fsencode(name)) > MOST_OF_NAME:
        name = os.fsencode(name)[:MOST_OF_NAME].decode(errors="ignore")
    return f".{name}"


def create_new(path: Path) -> None:
    """Create an empty file; raise an OSError if a file or a link with this name exists."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


def replace_file(target: Path, content: bytes) -> Path:
    """Write a file so that it appears only when complete; a missing folder is created.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written ({error.strerror or error}). Check that the folder is "
            "writable and has free space."
        ) from error
    return target


def open_to_append(path: Path, access: int = os.O_WRONLY) -> int:
    """Open a file to append to it, and return its descriptor; a missing file is created.

    Args:
        path: the file.
        access: ``os.O_WRONLY``, or ``os.O_RDWR`` to read the file as well.

    Raises:
        OSError: the file cannot be opened, or is a link or no regular file.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for a reader of the pipe.
    flags = access | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a link, expected a file. Remove the link") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is not a regular file. Remove it")
    return descriptor
