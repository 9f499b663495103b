"""Count the values of a storage chunk, and turn them into bytes: fill values, shuffle, deflate.

HDF5 compresses under one global lock. In ocpipe, the thread that computed a block also compresses
it. This thread uses ISA-L, which is several times faster than zlib at the same compressed size. The
result is the plain format that every netCDF library reads: a zlib stream of shuffled bytes.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from pipeline.scene.quality import FlagTable
from pipeline.writers.tally import ChunkCounts

FILL = np.float32(-32767.0)  # NASA's fill value of float products

# ISA-L's levels differ little: the highest level is slower, but the files are not smaller. For a
# level above this one, zlib is used, because it makes smaller files.
LAST_FAST_LEVEL = 6
ISAL_LEVEL = 2

# ISA-L (2.31 to 2.32.1) starts a long input by hashing a register that still contains an address
# instead of the third byte. A match found through that entry is valid, but another
# process has another address and so writes other bytes. A first block of a few bytes takes a
# different, correct routine and leaves a history for the rest. It costs 8 to 40 bytes a chunk and
# no time.
OPENING = 16


@dataclass(frozen=True)
class EncodedChunk:
    """One chunk of one variable, ready to be written, and counts of the values in it."""

    data: bytes
    counts: ChunkCounts


@dataclass(frozen=True)
class ChunkEncoder:
    """Encodes the chunks of one variable; it has no side effects, so any thread may use it."""

    name: str
    dtype: np.dtype[Any]
    chunk: tuple[int, int]
    padding: Any
    """Value in the part of an edge chunk that is outside the array."""
    level: int
    flags: FlagTable | None

    def encode(self, values: npt.NDArray[Any]) -> EncodedChunk:
        """Encode values (y, x) as a chunk; at an edge, they may fill only a part of the chunk."""
        stored = as_stored(values).astype(self.dtype, copy=False)
        counts = ChunkCounts.of(self.name, values, stored, self.flags)
        if stored.shape != self.chunk:
            whole = np.full(self.chunk, self.padding, dtype=self.dtype)
            whole[: stored.shape[0], : stored.shape[1]] = stored
            stored = whole
        return EncodedChunk(deflated(np.ascontiguousarray(stored), self.level), counts)


def as_stored(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values of any shape as the file stores them, with fill values for NaN."""
    if values.dtype.kind != "f":
        return values
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, FILL)


def deflated(numbers: npt.NDArray[Any], level: int) -> bytes:
    """Shuffle and deflate contiguous numbers as HDF5's filters do; level 0 keeps their bytes."""
    if level == 0:
        return numbers.tobytes()
    planes: Any = _shuffled(numbers)
    if level > LAST_FAST_LEVEL:
        return zlib.compress(planes, level)
    compressor = isal_zlib.compressobj(ISAL_LEVEL)
    opening = compressor.compress(planes[:OPENING]) + compressor.flush(isal_zlib.Z_SYNC_FLUSH)
    return b"".join((opening, compressor.compress(planes[OPENING:]), compressor.flush()))


def _shuffled(numbers: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the first bytes of all numbers, then the second bytes, and so on."""
    size = numbers.dtype.itemsize
    each = numbers.reshape(-1).view(np.uint8).reshape(-1, size)
    planes = np.empty((size, each.shape[0]), dtype=np.uint8)
    for byte in range(size):
        planes[byte] = each[:, byte]
    return planes.reshape(-1)


def encode_all(
    encoders: Mapping[str, ChunkEncoder], values: dict[str, npt.NDArray[Any]]
) -> dict[str, EncodedChunk]:
    """Encode all variables of a block; ``values`` is emptied meanwhile, to save memory."""
    return {name: encoder.encode(values.pop(name)) for name, encoder in encoders.items()}
