"""Read variables region by region from the storage chunks of their file, each chunk once."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import DAMAGE
from pipeline.readers.chunk_cache import Chunk, ChunkCache
from pipeline.readers.damage import MOST_LINES, damaged
from pipeline.readers.hdf5_chunks import inside
from pipeline.scene.lazy import Index, Region, StoredChunks, region_shape

Array = npt.NDArray[Any]

# Lines and pixels read at a time from a variable that is stored in one piece.
UNCHUNKED = 512
# Bytes of chunks in memory at a time while one region is copied together.
AT_ONCE = 32_000_000


class ChunkedArray(Protocol):
    """An array that is stored in chunks, each of which is read whole."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...]

    def load(self, offsets: tuple[int, ...]) -> Array:
        """Read the chunk that begins at these offsets, without its part beyond the array."""
        ...


class InOnePiece:
    """A variable that is not chunked, or whose chunks only a library such as GDAL can read."""

    def __init__(self, name: str, variable: Any, chunk: tuple[int, ...] | None = None) -> None:
        self._variable = variable
        self.name = name
        self.shape = tuple(variable.shape)
        self.dtype = np.dtype(variable.dtype)
        self.chunk = chunk or tuple(min(max(size, 1), UNCHUNKED) for size in self.shape)

    def load(self, offsets: tuple[int, ...]) -> Array:
        """Read the region that begins at these offsets."""
        return np.asarray(self._variable[inside(offsets, self.chunk, self.shape)])


@dataclass(frozen=True, eq=False)
class Stored:
    """A variable as its file stores it; whole storage chunks are read, each of them once."""

    dims: tuple[str, ...]
    attrs: Mapping[str, Any]
    dtype: np.dtype[Any]
    chunks: ChunkedArray
    cache: ChunkCache
    axes: tuple[int, ...]
    """For each dimension, its axis in the stored array."""
    at: tuple[int, ...] = ()
    """Position on each stored axis; only used if the axis is not a dimension. () means all 0."""
    of_file: Mapping[str, Any] = field(default_factory=dict)
    """Attributes about stored numbers that the file or group states once for all variables."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return tuple(self.chunks.shape[axis] for axis in self.axes)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.dims)

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each dimension, by its name."""
        return dict(zip(self.dims, self.shape, strict=True))

    def on(self, *dims: str) -> "Stored":
        """Return the variable with its dimensions in this order, without dimensions of size one."""
        return replace(self, dims=dims, axes=tuple(self.axes[self.dims.index(dim)] for dim in dims))

    @property
    def values(self) -> Array:
        """The whole array of a small variable, such as wavelengths; a large variable is refused."""
        shape, chunk = self.chunks.shape, self.chunks.chunk
        if math.prod(shape) > MOST_LINES:
            raise damaged(
                f"{self.chunks.name} has shape {shape}, expected at most {MOST_LINES} numbers"
            )
        whole = np.empty(shape, dtype=self.chunks.dtype)
        starts = (range(0, size, step) for size, step in zip(shape, chunk, strict=True))
        for offsets in itertools.product(*starts):
            whole[inside(offsets, chunk, shape)] = _loaded(self.chunks, offsets)
        return self._ordered(whole, shape).astype(self.dtype, copy=False)

    def _ordered(self, piece: Array, size: tuple[int, ...]) -> Array:
        """Put the axes of a chunk or of the whole array in the order of the dimensions.

        ``size`` is the shape of a full chunk or of the whole array.
        """
        others = [axis for axis in range(piece.ndim) if axis not in self.axes]
        ordered = piece.transpose((*others, *self.axes))
        for axis in others:
            ordered = ordered[self._at(axis) % size[axis]]
        return ordered

    def _at(self, axis: int) -> int:
        return self.at[axis] if self.at else 0

    def read(self, region: Region) -> Array:
        """Return the stored numbers of a region, with dimensions (..., y, x)."""
        out = np.empty(region_shape(region, self.shape), self.dtype)
        if out.size == 0:
            return out
        pieces = list(self._pieces(region))
        at_once = max(1, AT_ONCE // self._chunk_nbytes)
        for first in range(0, len(pieces), at_once):
            some = pieces[first : first + at_once]
            arrays = self.cache.fetch([chunk for chunk, _, _ in some])
            for (_, source, target), array in zip(some, arrays, strict=True):
                out[target] = self._ordered(array, self.chunks.chunk)[source]
        return out

    @property
    def _chunk_nbytes(self) -> int:
        return math.prod(self.chunks.chunk) * self.chunks.dtype.itemsize

    def _pieces(
        self, region: Region
    ) -> Iterator[tuple[Chunk, tuple[Index, ...], tuple[Index, ...]]]:
        """Yield each chunk that overlaps a region, and the overlap's place in chunk and region."""
        along = [
            list(_met(index, self.chunks.shape[axis], self.chunks.chunk[axis]))
            for index, axis in zip(region, self.axes, strict=True)
        ]
        for met in itertools.product(*along):
            offsets = [self._at(axis) // size * size for axis, size in enumerate(self.chunks.chunk)]
            for (start, _, _), axis in zip(met, self.axes, strict=True):
                offsets[axis] = start
            _, sources, targets = zip(*met, strict=True)
            yield self._chunk(tuple(offsets)), sources, targets

    def _chunk(self, offsets: tuple[int, ...]) -> Chunk:
        place = inside(offsets, self.chunks.chunk, self.chunks.shape)
        lines, pixels = (place[axis] for axis in self.axes[-2:])
        return Chunk(
            (self.chunks.name, offsets), lines, pixels, lambda: _loaded(self.chunks, offsets)
        )

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks with these bands, for estimates of memory."""
        lines, pixels = (self.chunks.chunk[axis] for axis in self.axes[-2:])
        if self.ndim == 3:
            places = sorted({band // self.chunks.chunk[self.axes[0]] for band in bands})
        else:
            places = [self._at(0) // self.chunks.chunk[0] if 0 not in self.axes else 0]
        for place in places:
            name = f"{id(self.cache)}:{self.chunks.name}:{place}"
            yield StoredChunks(name, lines, pixels, self._chunk_nbytes)


def _loaded(chunks: ChunkedArray, offsets: tuple[int, ...]) -> Array:
    """Read a chunk; turn any error about damage into an OSError that names the variable."""
    try:
        return chunks.load(offsets)
    except DAMAGE as error:
        if chunks.name in str(error):
            raise
        raise OSError(f"{chunks.name}: {error}") from error


def _met(index: Index, size: int, chunk: int) -> Iterator[tuple[int, Index, Index]]:
    """Yield, along one axis, each chunk with wanted elements.

    Yields:
        The start of the chunk, the wanted part of the chunk, and the place of this part in the
        region.
    """
    if isinstance(index, slice):
        start, stop, _ = index.indices(size)
        for first in range(start // chunk * chunk, stop, chunk):
            begin, end = max(start, first), min(stop, first + chunk)
            yield first, slice(begin - first, end - first), slice(begin - start, end - start)
        return
    for first in np.unique(index // chunk) * chunk:
        places = np.flatnonzero((index >= first) & (index < first + chunk))
        yield int(first), _as_slice(index[places] - first), _as_slice(places)


def _as_slice(positions: npt.NDArray[np.intp]) -> Index:
    """Return positions as a slice if they are consecutive: NumPy copies slices much faster."""
    first, last = int(positions[0]), int(positions[-1])
    if np.array_equal(positions, np.arange(first, last + 1)):
        return slice(first, last + 1)
    return positions
