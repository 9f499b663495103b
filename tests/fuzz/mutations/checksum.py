"""The checksum of HDF5's metadata: Bob Jenkins's hash lookup3, little endian, starting from 0."""

import struct

_WORD = 0xFFFFFFFF
_MIX = ((4, 0, 2, 1), (6, 1, 0, 2), (8, 2, 1, 0), (16, 0, 2, 1), (19, 1, 0, 2), (4, 2, 1, 0))
_FINAL = ((14, 2, 1), (11, 0, 2), (25, 1, 0), (16, 2, 1), (4, 0, 2), (14, 1, 0), (24, 2, 1))


def lookup3(data: bytes) -> int:
    """Of some bytes."""
    state = [(0xDEADBEEF + len(data)) & _WORD] * 3
    if not data:
        return state[2]
    last = (len(data) - 1) // 12 * 12
    for start in range(0, last, 12):
        _add(state, data[start : start + 12])
        for turn, changed, by, sum_with in _MIX:
            state[changed] = ((state[changed] - state[by]) ^ _turned(state[by], turn)) & _WORD
            state[by] = (state[by] + state[sum_with]) & _WORD
    _add(state, data[last:].ljust(12, b"\0"))
    for turn, changed, by in _FINAL:
        state[changed] = ((state[changed] ^ state[by]) - _turned(state[by], turn)) & _WORD
    return state[2]


def _add(state: list[int], block: bytes) -> None:
    for place, word in enumerate(struct.unpack("<3I", block)):
        state[place] = (state[place] + word) & _WORD


def _turned(word: int, by: int) -> int:
    return ((word << by) | (word >> (32 - by))) & _WORD
