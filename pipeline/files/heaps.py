"""Finds global heaps of HDF5 files in which the HDF5 library would loop for ever.

Texts of variable length are in global heaps, which are lists of objects. The library (1.14) uses
the stored size of an object to find the next object, and does not check that it moves forward. If
the size was lost, for example overwritten by zeros, the library loops forever inside one call and
does not release its lock.
"""

import struct

# Heaps lie between the objects of a file, most often near its start.
MOST_BYTES = 16 * 2**20
_HDF5, _HEAP = b"\x89HDF\r\n\x1a\n", b"GCOL\x01\x00\x00\x00"
_HEADER = 16
_LENGTHS = {8: "<Q", 4: "<I"}


def endless_heap(content: bytes) -> int | None:
    """Return the position of a global heap without an end; None if all heaps are right.

    Args:
        content: the bytes of a file, or those at its start.
    """
    coded = _LENGTHS.get(_size_of_lengths(content))
    start = content.find(_HEAP) if coded is not None else -1
    while start >= 0 and coded is not None:
        if _is_endless(content, start, coded):
            return start
        start = content.find(_HEAP, start + 1)
    return None


def largest_heap(content: bytes) -> int:
    """Return the stated size (bytes) of the largest global heap; no text in it is longer."""
    coded = _LENGTHS.get(_size_of_lengths(content))
    largest, start = 0, content.find(_HEAP) if coded is not None else -1
    while start >= 0 and coded is not None:
        if start + _HEADER <= len(content):
            largest = max(largest, struct.unpack_from(coded, content, start + 8)[0])
        start = content.find(_HEAP, start + 1)
    return largest


def _size_of_lengths(content: bytes) -> int:
    """Return the number of bytes in which the file states sizes, from its superblock."""
    start = content.find(_HDF5)
    version = content[start + 8 : start + 9]
    place = start + (14 if version in (b"\x00", b"\x01") else 10)
    return content[place] if start >= 0 and place < len(content) else 0


def _is_endless(content: bytes, start: int, coded: str) -> bool:
    if start + _HEADER > len(content):
        return False
    (size,) = struct.unpack_from(coded, content, start + 8)
    end, place = start + size, start + _HEADER
    while place + _HEADER <= min(end, len(content)):
        (number,) = struct.unpack_from("<H", content, place)
        (size,) = struct.unpack_from(coded, content, place + 8)
        # Object 0 is the free space, whose size includes its header.
        step = size if number == 0 else _HEADER + (size + 7) // 8 * 8
        if step == 0 or place + step > end:
            return True
        place += step
    return False
