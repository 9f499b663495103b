"""Variables as a file stores them -> lazy layers of a scene, read by the chunks of the file."""

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import DAMAGE, SceneError
from pipeline.facts.quantities import quantities
from pipeline.readers.chunk_cache import Chunk, ChunkCache
from pipeline.readers.decoding import Decoder
from pipeline.readers.hdf5_chunks import Hdf5Chunks, inside
from pipeline.scene.lazy import (
    Bands,
    Computed,
    Index,
    Region,
    Source,
    StoredChunks,
    lazy,
    region_shape,
)
from pipeline.scene.scene import state_name, wavelength_dim

Array = npt.NDArray[Any]

FETCH = "The file is damaged; fetch it again."

# Lines and pixels read at a time of a variable that is stored in one piece.
UNCHUNKED = 512
# Of a scene. Around the globe there are 10 million cells of 4 m; all of it has 15 billion of 250 m.
MOST_LINES, MOST_PIXELS = 10_000_000, 30_000_000_000
# Bytes of chunks that are held together while a region is put together.
AT_ONCE = 32_000_000


class Chunks(Protocol):
    """An array in pieces, each of which is read whole."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...]

    def load(self, offsets: tuple[int, ...]) -> Array:
        """A piece by the position of its first element; at the edge only what is inside."""
        ...


class InOnePiece:
    """A variable that has no storage chunks, or whose library reads them: read in regions."""

    def __init__(self, name: str, variable: Any, chunk: tuple[int, ...] | None = None) -> None:
        self._variable = variable
        self.name = name
        self.shape = tuple(variable.shape)
        self.dtype = np.dtype(variable.dtype)
        self.chunk = chunk or tuple(min(max(size, 1), UNCHUNKED) for size in self.shape)

    def load(self, offsets: tuple[int, ...]) -> Array:
        """A piece."""
        return np.asarray(self._variable[inside(offsets, self.chunk, self.shape)])


@dataclass(frozen=True, eq=False)
class Stored:
    """A variable as its file stores it; what is read of it are whole storage chunks, each once."""

    dims: tuple[str, ...]
    attrs: Mapping[str, Any]
    dtype: np.dtype[Any]
    chunks: Chunks
    cache: ChunkCache
    axes: tuple[int, ...]
    """The array's axis of each dimension."""
    at: tuple[int, ...] = ()
    """Of the axes that are no dimension, the place that is meant; the first where empty."""

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
        """Dimension -> size."""
        return dict(zip(self.dims, self.shape, strict=True))

    def on(self, *dims: str) -> "Stored":
        """The same with its dimensions in another order, those of size one left out."""
        return replace(self, dims=dims, axes=tuple(self.axes[self.dims.index(dim)] for dim in dims))

    @property
    def values(self) -> Array:
        """All of it, for what is small and not on the scene's lines and pixels.

        Raises:
            SceneError: it is not small.
        """
        if math.prod(self.chunks.shape) > MOST_LINES:
            raise SceneError(
                f"{self.chunks.name} has shape {self.chunks.shape}, more than a scene has lines or "
                f"pixels. {FETCH}"
            )
        places = (range(0, n, c) for n, c in zip(self.chunks.shape, self.chunks.chunk, strict=True))
        whole = np.empty(self.chunks.shape, dtype=self.chunks.dtype)
        for offsets in itertools.product(*places):
            piece = _loaded(self.chunks, offsets)
            whole[inside(offsets, self.chunks.chunk, whole.shape)] = piece
        return self._ordered(whole, whole.shape).astype(self.dtype, copy=False)

    def _ordered(self, piece: Array, size: tuple[int, ...]) -> Array:
        """A part of the array, of this size, with the axes of the dimensions in their order."""
        others = [axis for axis in range(piece.ndim) if axis not in self.axes]
        ordered = piece.transpose((*others, *self.axes))
        for axis in others:
            ordered = ordered[self._at(axis) % size[axis]]
        return ordered

    def _at(self, axis: int) -> int:
        return self.at[axis] if self.at else 0

    def read(self, region: Region) -> Array:
        """A region of (..., y, x), as stored."""
        out = np.empty(region_shape(region, self.shape), self.dtype)
        if out.size == 0:
            return out
        pieces = list(self._pieces(region))
        for first in range(0, len(pieces), self._at_once):
            some = pieces[first : first + self._at_once]
            arrays = self.cache.fetch([chunk for chunk, _, _ in some])
            for (_, source, target), array in zip(some, arrays, strict=True):
                out[target] = self._ordered(array, self.chunks.chunk)[source]
        return out

    @property
    def _at_once(self) -> int:
        """How many chunks are held together while a region is put together."""
        return max(1, AT_ONCE // (int(np.prod(self.chunks.chunk)) * self.chunks.dtype.itemsize))

    def _pieces(
        self, region: Region
    ) -> Iterator[tuple[Chunk, tuple[Index, ...], tuple[Index, ...]]]:
        """Each chunk that a region meets, where the region is in it, and where it is in that."""
        along = [
            list(_met(index, self.chunks.shape[axis], self.chunks.chunk[axis]))
            for index, axis in zip(region, self.axes, strict=True)
        ]
        for met in itertools.product(*along):
            offsets = [self._at(axis) // size * size for axis, size in enumerate(self.chunks.chunk)]
            for (start, _, _), axis in zip(met, self.axes, strict=True):
                offsets[axis] = start
            yield (
                self._chunk(tuple(offsets)),
                tuple(source for _, source, _ in met),
                tuple(target for _, _, target in met),
            )

    def _chunk(self, offsets: tuple[int, ...]) -> Chunk:
        lines, pixels = (
            slice(offsets[axis], min(offsets[axis] + self.chunks.chunk[axis], n))
            for axis, n in zip(self.axes[-2:], self.shape[-2:], strict=True)
        )
        return Chunk(
            (self.chunks.name, offsets), lines, pixels, lambda: _loaded(self.chunks, offsets)
        )

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """One array of chunks, or one for each chunk along the bands."""
        lines, pixels = (self.chunks.chunk[axis] for axis in self.axes[-2:])
        nbytes = int(np.prod(self.chunks.chunk)) * self.chunks.dtype.itemsize
        if self.ndim == 3:
            places = sorted({band // self.chunks.chunk[self.axes[0]] for band in bands})
        else:
            places = [self._at(0) // self.chunks.chunk[0] if 0 not in self.axes else 0]
        for place in places:
            yield StoredChunks(
                f"{id(self.cache)}:{self.chunks.name}:{place}", lines, pixels, nbytes
            )


def _loaded(chunks: Chunks, offsets: tuple[int, ...]) -> Array:
    """A piece; whatever a library raises on a damaged one as an OSError that names the variable."""
    try:
        return chunks.load(offsets)
    except DAMAGE as error:
        if chunks.name in str(error):
            raise
        raise OSError(f"{chunks.name}: {error}") from error


def _met(index: Index, size: int, chunk: int) -> Iterator[tuple[int, Index, Index]]:
    """Along one axis: first element of each chunk that is met, what of it, and for which places."""
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
    """Positions one after the other as a slice, which numpy copies much faster."""
    first, last = int(positions[0]), int(positions[-1])
    if np.array_equal(positions, np.arange(first, last + 1)):
        return slice(first, last + 1)
    return positions


@dataclass(frozen=True, eq=False)
class _Decoded:
    """Values (float32) of a stored array."""

    stored: Source
    decoder: Decoder

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    def read(self, region: Region) -> Array:
        return self.decoder.values(self.stored.read(region))

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        return self.stored.storage(bands)


@dataclass(frozen=True, eq=False)
class _States(_Decoded):
    """State bits (uint8) of a stored array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def read(self, region: Region) -> Array:
        if self.decoder.has_states:
            return self.decoder.states(self.stored.read(region))
        return np.zeros(region_shape(region, self.shape), dtype=np.uint8)


@dataclass(frozen=True)
class Layer:
    """Values (float32) and states (uint8) of one stored variable, of one shape."""

    values: Source
    states: Source


def open_undecoded(path: Path, group: str | None = None, engine: str = "h5netcdf") -> xr.Dataset:
    """The variables of a group as stored; those of two and more dimensions for ``chunked``.

    Raises:
        SceneError: the file has no such group.
    """
    options: dict[str, Any] = {"phony_dims": "sort"} if engine == "h5netcdf" else {}
    with contextlib.ExitStack() as on_failure:
        file = h5py.File(path, "r") if engine == "h5netcdf" else None
        if file is not None:
            on_failure.callback(file.close)
        _check_group(file, group)
        opened = xr.open_dataset(
            path,
            group=group,
            engine=engine,
            cache=False,
            decode_cf=False,  # decoding is ours, see readers/decoding.py
            **options,
        )
        on_failure.pop_all()
    cache = ChunkCache()
    for name, variable in opened.variables.items():
        place = f"{group}/{name}" if group else str(name)
        variable.encoding["pieces"] = (file, place, cache)
    opened.encoding["chunk_cache"] = cache
    opened.set_close(_both_closed(opened, file))
    return opened


def _check_group(file: h5py.File | None, name: str | None) -> None:
    """Refuse a group that is none, or has coordinates that are too long: xarray reads them whole.

    Without an HDF5 file it is one of classic netCDF, which has no groups.
    """
    group = file if name is None or file is None else file.get(name)
    if name is not None and not isinstance(group, h5py.Group):
        raise SceneError(f"no group {name} in the file. It is not what it seems to be.")
    for member in group.values() if group is not None else ():
        if isinstance(member, h5py.Dataset) and member.ndim == 1 and member.shape[0] > MOST_LINES:
            raise SceneError(
                f"{member.name} has {member.shape[0]} numbers, more than a scene has lines or "
                f"pixels. {FETCH}"
            )


def _both_closed(opened: xr.Dataset, file: h5py.File | None) -> Any:
    close_metadata = opened._close  # noqa: SLF001 - what xarray itself would have called

    def close() -> None:
        if close_metadata is not None:
            close_metadata()
        if file is not None:
            file.close()

    return close


def chunked(variable: xr.Variable | xr.DataArray) -> Stored:
    """A variable of ``open_undecoded``, to be read by its storage chunks."""
    file, place, cache = variable.encoding["pieces"]
    in_xarray = variable.variable if isinstance(variable, xr.DataArray) else variable
    dataset = file[place] if file is not None else in_xarray
    is_chunked = file is not None and dataset.chunks is not None
    chunks: Chunks = Hdf5Chunks(dataset) if is_chunked else InOnePiece(place, dataset)
    dims = tuple(str(dim) for dim in variable.dims)
    native = chunks.dtype.newbyteorder("=")  # bits and bytes are looked at by many
    return Stored(dims, variable.attrs, native, chunks, cache, tuple(range(len(dims))))


@contextlib.contextmanager
def opening() -> Iterator[list[xr.Dataset]]:
    """A list of opened files, which are closed if reading them fails.

    Left to the garbage collector they would stay open for any time, and be closed in the middle of
    the next scene.
    """
    opened: list[xr.Dataset] = []
    try:
        yield opened
    except BaseException:
        for file in opened:
            file.close()
        raise


@contextlib.contextmanager
def about(variable: str) -> Iterator[None]:
    """What is wrong with a variable, under its name."""
    try:
        yield
    except SceneError as error:
        raise SceneError(f"{variable}: {error}") from error


def decoded(stored: Source, decoder: Decoder) -> Layer:
    """Values and states of an array of stored numbers."""
    return Layer(_Decoded(stored, decoder), _States(stored, decoder))


def decode(stored: Stored) -> Layer:
    """A stored variable of a netCDF file decoded by its own CF attributes."""
    return decoded(stored, decoder_of(stored, stored.attrs))


def decoder_of(stored: Stored, attributes: Mapping[str, Any]) -> Decoder:
    """How a stored variable of a netCDF file is decoded by CF attributes."""
    with about(stored.chunks.name):
        decoder = Decoder.from_attributes(attributes, stored.dtype)
    return decoder.with_default_fill(stored.dtype)


def spectrum(
    quantity: str, wavelengths_nm: Sequence[float], layers: Sequence[Layer], **attributes: Any
) -> dict[str, xr.DataArray]:
    """A spectral quantity and its state from one layer (y, x) per band, by wavelength.

    Raises:
        SceneError: two bands have the same wavelength, or other shapes.
    """
    shapes = {layer.values.shape for layer in layers}
    if len(shapes) > 1:
        raise SceneError(
            f"the bands of {quantity} have the shapes {', '.join(map(str, sorted(shapes)))}. The "
            "file is damaged; fetch it again."
        )
    order = np.argsort(wavelengths_nm, kind="stable")
    stacked = Layer(
        Bands(tuple(layers[index].values for index in order)),
        Bands(tuple(layers[index].states for index in order)),
    )
    return cube(quantity, [wavelengths_nm[index] for index in order], stacked, **attributes)


def cube(
    quantity: str, wavelengths_nm: Sequence[float], layer: Layer, **attributes: Any
) -> dict[str, xr.DataArray]:
    """A spectral quantity and its state from one layer with shape (bands, y, x).

    Raises:
        SceneError: two bands have the same wavelength.
    """
    centres = np.asarray(wavelengths_nm, dtype=np.float64)
    if np.unique(centres).size < centres.size:
        listed = ", ".join(f"{nm:g}" for nm in centres)
        raise SceneError(
            f"two bands of {quantity} have the same wavelength; the file says {listed} nm. "
            "State the right ones in the reader's options."
        )
    dim = wavelength_dim(quantity)
    coords = {dim: (dim, centres, {"units": "nm"})}
    described = quantities()[quantity].attributes() | attributes
    dims = (dim, "y", "x")
    return {
        quantity: lazy(layer.values, dims, described, coords),
        state_name(quantity): lazy(layer.states, dims, None, coords),
    }


def plane(name: str, values: Source, attributes: Mapping[str, Any]) -> xr.DataArray:
    """A 2-D variable of the scene, with the attributes of its quantity if that is a known one.

    Longitude that counts to 360 is brought to [-180, 180].
    """
    known = quantities().get(name)
    if name == "longitude":
        values = Computed(_to_180, (values,), np.dtype(np.float32))
    described = known.attributes() if known else descriptive(attributes)
    return lazy(values, ("y", "x"), described)


def _to_180(longitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where((longitude > 180) & (longitude <= 360), longitude - np.float32(360), longitude)


def check_size(lines: int, pixels: int) -> None:
    """Refuse a scene of which only its description can be so large.

    Raises:
        SceneError: it has more lines or pixels than there are on the globe.
    """
    if max(lines, pixels) > MOST_LINES or lines * pixels > MOST_PIXELS:
        raise SceneError(f"{lines} lines x {pixels} pixels are more than any scene has. {FETCH}")


def descriptive(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those attributes that still hold once a variable is decoded."""
    kept = ("long_name", "units", "standard_name")
    return {key: attributes[key] for key in kept if isinstance(attributes.get(key), str)}


def source_flags(flags: Stored, name: str, **described: Any) -> xr.DataArray:
    """The file's own flags (y, x) with their masks and meanings, under the file's own name.

    Raises:
        SceneError: masks and meanings are none, or do not fit together.
    """
    kept = ("flag_masks", "flag_meanings", "_Unsigned")
    attributes = {key: flags.attrs[key] for key in kept if key in flags.attrs}
    attributes |= descriptive({"long_name": flags.attrs.get("long_name")}) | described
    _check_flags(name, flags.dtype, attributes)
    return lazy(flags, ("y", "x"), attributes | {"source_name": name})


def _check_flags(name: str, dtype: np.dtype[Any], attributes: Mapping[str, Any]) -> None:
    """Refuse what describes no bits; that it is there at all is asked of every scene."""
    if dtype.kind not in "iu":
        raise SceneError(f"{name} is {dtype}, expected integers. The file is damaged.")
    if not {"flag_masks", "flag_meanings"} <= set(attributes):
        return
    masks, meanings = np.asarray(attributes["flag_masks"]), attributes["flag_meanings"]
    if masks.dtype.kind not in "iu" or masks.ndim > 1:
        raise SceneError(f"flag_masks of {name} are {masks!r}, expected integers. {FETCH}")
    names = meanings.split() if isinstance(meanings, str) else []
    if not names or not all(flag.isprintable() for flag in names):
        raise SceneError(f"flag_meanings of {name} are {meanings!r}, expected names. {FETCH}")
    if len(names) != masks.size:
        raise SceneError(
            f"flag_meanings of {name} has {len(names)} names and flag_masks {masks.size} masks. "
            f"{FETCH}"
        )


def closing(scene: xr.Dataset, opened: Iterable[xr.Dataset | xr.DataArray]) -> xr.Dataset:
    """The scene, which closes the files it was made from when it is closed."""
    files = list(opened)
    scene.encoding["chunk_caches"] = [
        file.encoding["chunk_cache"] for file in files if "chunk_cache" in file.encoding
    ]

    def close() -> None:
        for file in files:
            file.close()

    scene.set_close(close)
    return scene
