"""Arrays that are read region by region, and xarray variables made of them.

A scene consists of lazily indexed variables, which xarray reads when their values are needed.
``open_scene(..., chunks={})`` turns them into Dask arrays. A run reads its blocks without Dask,
because a Dask graph does not limit memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# xarray imports it when it first looks at an array. If two threads do that at the same time, one
# of them sees half of the module.
import dask.base  # noqa: F401
import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

Index = slice | npt.NDArray[np.intp]
Region = tuple[Index, ...]
"""Index of a region: slices with step 1 along y and x; an index of bands, if any, comes first."""


@dataclass(frozen=True)
class StoredChunks:
    """The size of the storage chunks of a layer, for estimates of memory."""

    name: str
    """Name of the array of chunks; layers with the same name are read from the same chunks."""
    lines: int
    pixels: int
    nbytes: int
    """Size of one chunk in memory, in bytes."""


class LazyArray(Protocol):
    """An array that is read region by region; safe to use from several threads."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along (y, x) or (bands, y, x)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        ...

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the values of a region as an array with as many dimensions as ``shape``."""
        ...

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks of some bands; a layer without bands is band 0."""
        ...


@dataclass(frozen=True, eq=False)
class Computed:
    """An array whose values are computed from other arrays, element by element."""

    function: Callable[..., npt.NDArray[Any]]
    arrays: tuple[LazyArray, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the arrays."""
        return self.arrays[0].shape

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read the region of every array, then compute."""
        return self.function(*(array.read(region) for array in self.arrays))

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks of every array."""
        for array in self.arrays:
            yield from array.storage(bands)


@dataclass(frozen=True, eq=False)
class Generated:
    """An array that is not in a file: a function computes its values from positions of pixels."""

    function: Callable[..., npt.NDArray[Any]]
    """(slice of lines, slice of pixels) -> values; an index of bands, if any, comes first."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Compute the values of a region."""
        return self.function(
            *(
                slice(*index.indices(size)) if isinstance(index, slice) else index
                for index, size in zip(region, self.shape, strict=True)
            )
        )

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """Yield nothing: no file stores these values."""
        return iter(())


@dataclass(frozen=True)
class Constant:
    """An array with the same value everywhere."""

    value: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the value, as often as the region has elements."""
        return np.full(region_shape(region, self.shape), self.value, self.dtype)

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """Yield nothing: no file stores these values."""
        return iter(())


def in_memory(values: npt.NDArray[Any]) -> Generated:
    """Wrap values that are in memory already."""
    return Generated(lambda *region: values[region], values.shape, values.dtype)


@dataclass(frozen=True, eq=False)
class StackedBands:
    """Layers (y, x) of one shape and type, stacked to (bands, y, x)."""

    layers: tuple[LazyArray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along (bands, y, x)."""
        return (len(self.layers), *self.layers[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the layers."""
        return self.layers[0].dtype

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read band by band."""
        values = np.empty(region_shape(region, self.shape), dtype=self.dtype)
        for position, band in enumerate(np.arange(len(self.layers))[region[0]]):
            values[position] = self.layers[band].read(region[1:])
        return values

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks of the chosen layers."""
        for band in bands:
            yield from self.layers[band].storage((0,))


def region_shape(region: Region, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a region of an array with the given shape."""
    return tuple(
        len(range(*index.indices(size))) if isinstance(index, slice) else index.size
        for index, size in zip(region, shape, strict=True)
    )


class _Indexable(BackendArray):
    """A lazy array with the interface that xarray requires."""

    def __init__(self, array: LazyArray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Indexable":
        """Return this object itself: it never changes, and an open file cannot be copied."""
        return self

    def __dask_tokenize__(self) -> tuple[str, Any]:
        token = getattr(self.array, "__dask_tokenize__", lambda: id(self.array))
        return type(self).__name__, token()

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        """Read the region around the wanted elements, then select them."""
        bands = len(self.shape) - 2
        parts = [
            _around(index, size, by_position=axis < bands)
            for axis, (index, size) in enumerate(zip(key, self.shape, strict=True))
        ]
        values = self.array.read(tuple(around for around, _ in parts))
        for axis in reversed(range(len(parts))):
            values = values[(slice(None),) * axis + (parts[axis][1],)]
        return values


def _around(index: Any, size: int, *, by_position: bool) -> tuple[Index, Any]:
    """Return the part to read along an axis, and the wanted elements within that part."""
    if isinstance(index, slice):
        start, stop, step = index.indices(size)
        if step == 1:
            return slice(start, max(start, stop)), slice(None)
        index = np.arange(start, stop, step)
    positions = np.asarray(index, dtype=np.intp) % max(size, 1)
    if positions.ndim == 0:
        return slice(int(positions), int(positions) + 1), 0
    if by_position:
        return positions, slice(None)
    first, stop = (positions.min(), positions.max() + 1) if positions.size else (0, 0)
    return slice(int(first), int(stop)), positions - first


def lazy(
    array: LazyArray,
    dims: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
    coords: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Wrap a lazy array in an xarray variable, which is read when its values are needed."""
    indexable = _Indexable(array)
    variable = xr.DataArray(indexing.LazilyIndexedArray(indexable), coords, dims, attrs=attributes)
    variable.encoding["lazy_array"] = indexable
    return variable


def lazy_array_of(variable: xr.Variable | xr.DataArray) -> LazyArray | None:
    """Return the lazy array in a variable that ``lazy`` made; None for other variables."""
    indexable = variable.encoding.get("lazy_array")
    return indexable.array if isinstance(indexable, _Indexable) else None


def in_dask(scene: xr.Dataset, sizes: Mapping[str, int]) -> xr.Dataset:
    """Return a scene whose lazy arrays are Dask arrays with chunks of these sizes."""
    chunked = scene.chunk(sizes)
    for variable in chunked.variables.values():
        if "lazy_array" in variable.encoding:
            variable.encoding["dask_name"] = getattr(variable.data, "name", None)
    return chunked


def undasked(scene: xr.Dataset) -> xr.Dataset:
    """Return a scene with lazy arrays instead of the Dask arrays that ``in_dask`` made.

    Dask arrays that were computed from these, or cut out of them, are not replaced.
    """
    found = {}
    for name, variable in scene.variables.items():
        made = variable.encoding.get("dask_name")
        if made is not None and variable.chunks and getattr(variable.data, "name", None) == made:
            array = variable.encoding["lazy_array"].array
            found[name] = lazy(array, [str(dim) for dim in variable.dims], variable.attrs).variable
    back = scene.assign(found)
    back.encoding = scene.encoding
    return back


def is_as_opened(variable: xr.Variable | xr.DataArray) -> bool:
    """Whether a variable is a whole lazy array that was not changed or cut."""
    inner = variable.variable if isinstance(variable, xr.DataArray) else variable
    data = inner._data  # noqa: SLF001 - looking at the values would read them
    return (
        isinstance(data, indexing.LazilyIndexedArray)
        and isinstance(data.array, _Indexable)
        and all(key == slice(None) for key in data.key.tuple)
    )


def strips(dataset: xr.Dataset, numbers: int = 4_000_000) -> Iterator[tuple[slice, xr.Dataset]]:
    """Load lazy variables on (..., y, x) and yield them, some lines at a time.

    Args:
        dataset: the variables.
        numbers: approximate number of values in memory at a time, all variables together.
    """
    per_line = sum(variable.size for variable in dataset.values()) // max(dataset.sizes["y"], 1)
    lines = max(1, numbers // max(per_line, 1))
    for start in range(0, dataset.sizes["y"], lines):
        part = slice(start, min(start + lines, dataset.sizes["y"]))
        yield part, dataset.isel(y=part).load()
