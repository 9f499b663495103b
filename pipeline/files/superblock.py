"""Reads from the first bytes of an HDF5 file where the file ends, without the HDF5 library."""

import os

from pipeline.errors import SceneError
from pipeline.files.regular import open_regular

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Version of the superblock -> the byte with the size of an offset, the byte where the offsets
# begin, and the number of offsets before the address of the file's end (HDF5 File Format
# Specification).
_PLACES = {0: (13, 24, 2), 1: (13, 28, 2), 2: (9, 12, 2), 3: (9, 12, 2)}
_LONGEST = 64


def is_cut_short(path: str) -> bool:
    """Return whether a file is shorter than its superblock states, or is not an HDF5 file.

    A user block before the signature is not expected.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    try:
        with open_regular(path, SceneError) as file:
            size, start = os.fstat(file.fileno()).st_size, file.read(_LONGEST)
    except SceneError:  # a folder or a named pipe
        return True
    end = _end(start)
    return end is None or size < end


def _end(start: bytes) -> int | None:
    """Return the size of the file that its first bytes state; None if they are not a superblock."""
    if not start.startswith(SIGNATURE) or len(start) < _LONGEST:
        return None
    places = _PLACES.get(start[len(SIGNATURE)])
    if places is None:
        return None
    size = start[places[0]]
    at = places[1] + places[2] * size
    return int.from_bytes(start[at : at + size], "little")
