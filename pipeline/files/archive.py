"""Opens zip archives, and reads their members within limits."""

import contextlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pipeline.errors import PipelineError
from pipeline.files.limits import MEMBERS, Limit
from pipeline.files.regular import memory_in_words, open_regular

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SIGNATURE = b"PK\x03\x04"
# The record at the end of an archive: its signature, its length, and the comment that may follow.
_END, _END_LENGTH, _LONGEST_COMMENT = b"PK\x05\x06", 22, 65535
# The compression methods of Keras and NumPy. For other methods, zipfile cannot limit the size in
# advance.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# An entry in the list of members takes 46 bytes and its names.
_LIST_BYTES_PER_MEMBER = 512


@contextlib.contextmanager
def open_archive(path: Path, error: type[PipelineError]) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive with a plausible number of members; no member is read.

    Args:
        path: the file.
        error: the class of error to raise.

    Raises:
        PipelineError: the file is not regular, or has too many members. This exception has the
            class ``error``.
        zipfile.BadZipFile: the file is not a zip archive, or is damaged.
        OSError: the file cannot be read.
    """
    with open_regular(path, error) as file, memory_in_words(path.name, error):
        MEMBERS.check(_list_bytes(file) // _LIST_BYTES_PER_MEMBER, path.name, error)
        with zipfile.ZipFile(file) as archive:
            MEMBERS.check(len(archive.filelist), path.name, error)
            yield archive


def read_member(
    archive: zipfile.ZipFile, name: str, limit: Limit, error: type[PipelineError]
) -> bytes:
    """Return one member; refuse it if it is too large, even if its header states a small size."""
    info = archive.getinfo(name)
    limit.check(info.file_size, name, error)
    if info.compress_type not in _METHODS:
        raise error(
            f"{name}: compressed by method {info.compress_type} of zip, expected deflate or none. "
            "Write the file again with the program that made it."
        )
    with archive.open(info) as member, memory_in_words(name, error):
        content = member.read(limit.most + 1)
    limit.check(len(content), name, error)
    return content


def refuse_twins(archive: zipfile.ZipFile, what: str, error: type[PipelineError]) -> None:
    """Refuse an archive with two members of one name; programs differ in which one they read."""
    names = archive.namelist()
    if len(set(names)) != len(names):
        twin = next(name for name in names if names.count(name) > 1)
        raise error(f"{what} contains a member twice: {twin[:60]}. Fetch the file again.")


def read_arrays(
    path: Path, limit: Limit, error: type[PipelineError]
) -> "dict[str, npt.NDArray[np.generic]]":
    """Return the arrays of a file that ``numpy.savez`` wrote; never open a pickle.

    The errors are those of :func:`open_archive`; numpy raises other exceptions of DAMAGE, too.
    """
    import numpy as np

    with open_archive(path, error) as archive:
        limit.check(sum(info.file_size for info in archive.filelist), path.name, error)
        refuse_twins(archive, path.name, error)
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(read_member(archive, name, limit, error)), allow_pickle=False
            )
            for name in archive.namelist()
        }


def _list_bytes(file: BinaryIO) -> int:
    """Return the stated size (bytes) of the list of members; 0 if there is no such list."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - _END_LENGTH - _LONGEST_COMMENT))
    end = file.read()
    file.seek(0)
    # The record usually has no comment, so its place is tried first; a search could find its
    # signature elsewhere.
    start = len(end) - _END_LENGTH
    if not (end.startswith(_END, max(start, 0)) and end.endswith(b"\0\0")):
        start = end.rfind(_END)
    if start < 0 or len(end) < start + _END_LENGTH:
        return 0
    (stated,) = struct.unpack_from("<I", end, start + 12)
    return min(int(stated), size)
