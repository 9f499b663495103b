"""Layers of a scene that are read piece by piece, and what they are to xarray.

A scene is made of lazily indexed variables, which xarray reads where somebody asks for values.
Whoever wants Dask arrays gets them from these (``open_scene(..., chunks={})``); the blocks of a run
are read straight from here, for a graph of tasks says nothing about memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

Index = slice | npt.NDArray[np.intp]
Region = tuple[Index, ...]
"""A slice with step 1 along each of (y, x); along bands, in front, a slice or positions."""


@dataclass(frozen=True)
class StoredChunks:
    """The storage chunks in which a layer lies in its file, as far as memory is concerned."""

    name: str
    """Of one array of chunks: layers that share it are read from the same chunks."""
    lines: int
    pixels: int
    nbytes: int
    """Of one chunk in memory."""


class Source(Protocol):
    """An array of which regions can be read; safe to call from several threads."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(y, x), or (bands, y, x)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what ``read`` gives."""
        ...

    def read(self, region: Region) -> npt.NDArray[Any]:
        """The values of a region, with as many dimensions as ``shape``."""
        ...

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Where some bands are stored (a layer without bands is one); nothing for what is not."""
        ...


@dataclass(frozen=True, eq=False)
class Computed:
    """Values computed from other layers, element by element."""

    function: Callable[..., npt.NDArray[Any]]
    sources: tuple[Source, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the layers."""
        return self.sources[0].shape

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read them all, then compute."""
        return self.function(*(source.read(region) for source in self.sources))

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Those of the layers."""
        for source in self.sources:
            yield from source.storage(bands)


@dataclass(frozen=True, eq=False)
class Made:
    """Values that come from no chunk of a file: computed from where a pixel is."""

    function: Callable[[Any, Any], npt.NDArray[Any]]
    """(slice of lines, slice of pixels) -> values."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Compute them."""
        return self.function(*(_whole(i, n) for i, n in zip(region, self.shape, strict=True)))

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """None."""
        return iter(())


@dataclass(frozen=True, eq=False)
class InMemory:
    """Values that are there already."""

    values: npt.NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the values."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the values."""
        return self.values.dtype

    def read(self, region: Region) -> npt.NDArray[Any]:
        """A part of them."""
        return np.asarray(self.values[region])

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """None."""
        return iter(())


@dataclass(frozen=True, eq=False)
class Bands:
    """Layers (y, x) of the same shape and type as one, with the bands in front."""

    layers: tuple[Source, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(bands, y, x)."""
        return (len(self.layers), *self.layers[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the layers."""
        return self.layers[0].dtype

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Band by band."""
        chosen = np.arange(len(self.layers))[region[0]]
        lines, pixels = region[1:]
        sizes = region_shape((lines, pixels), self.shape[1:])
        values = np.empty((chosen.size, *sizes), dtype=self.dtype)
        for position, band in enumerate(chosen):
            values[position] = self.layers[band].read((lines, pixels))
        return values

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Those of the chosen layers."""
        for band in bands:
            yield from self.layers[band].storage((0,))


def _whole(index: Index, size: int) -> Index:
    """A slice with both ends."""
    return slice(*index.indices(size)) if isinstance(index, slice) else index


def region_shape(region: Region, shape: Sequence[int]) -> tuple[int, ...]:
    """Of what a region of an array of some shape holds."""
    return tuple(
        len(range(*index.indices(size))) if isinstance(index, slice) else index.size
        for index, size in zip(region, shape, strict=True)
    )


class _Indexable(BackendArray):
    """A source as xarray wants to index it."""

    def __init__(self, source: Source) -> None:
        self.source, self.shape, self.dtype = source, source.shape, source.dtype

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Indexable":
        """An open file cannot be copied, and is read only."""
        return self

    def __dask_tokenize__(self) -> tuple[str, int]:
        return type(self).__name__, id(self.source)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        """What a source cannot index is taken out of the region around it."""
        region: list[Index] = []
        then: list[Any] = []
        for axis, (index, size) in enumerate(zip(key, self.shape, strict=True)):
            wanted = index
            if isinstance(wanted, slice):
                start, stop, step = wanted.indices(size)
                places = range(start, stop, step)
                if step == 1:
                    region.append(slice(start, max(start, stop)))
                    then.append(slice(None))
                    continue
                wanted = np.arange(start, stop, step) if places else np.empty(0, np.intp)
            if np.ndim(wanted) == 0:
                position = int(wanted) % size
                region.append(slice(position, position + 1))
                then.append(0)
                continue
            positions = np.asarray(wanted, dtype=np.intp) % max(size, 1)
            if axis < len(self.shape) - 2:
                region.append(positions)
                then.append(slice(None))
            else:
                first = int(positions.min()) if positions.size else 0
                last = int(positions.max()) + 1 if positions.size else 0
                region.append(slice(first, last))
                then.append(positions - first)
        values = self.source.read(tuple(region))
        for axis in reversed(range(len(then))):
            if not isinstance(then[axis], slice):
                values = values[(slice(None),) * axis + (then[axis],)]
        return values


def lazy(
    source: Source,
    dims: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """A source as an array that is read where its values are asked for."""
    indexable = _Indexable(source)
    array = xr.DataArray(indexing.LazilyIndexedArray(indexable), coords, dims, attrs=attributes)
    array.encoding["layer"] = indexable
    return array


def source_of(variable: xr.Variable | xr.DataArray) -> Source | None:
    """What a variable that ``lazy`` made, or a part of one, is read from; else None."""
    indexable = variable.encoding.get("layer")
    return indexable.source if isinstance(indexable, _Indexable) else None


def strips(dataset: xr.Dataset, numbers: int = 4_000_000) -> Iterator[tuple[slice, xr.Dataset]]:
    """The lines of lazy variables on (..., y, x), some at a time, in memory.

    Args:
        dataset: the variables.
        numbers: about how many numbers of all variables are in memory together.
    """
    per_line = sum(variable.size for variable in dataset.values()) // max(dataset.sizes["y"], 1)
    lines = max(1, numbers // max(per_line, 1))
    for start in range(0, dataset.sizes["y"], lines):
        part = slice(start, min(start + lines, dataset.sizes["y"]))
        yield part, dataset.isel(y=part).load()
