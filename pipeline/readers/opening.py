"""Open netCDF and HDF5 files without decoding them, and close them with their scene."""

import contextlib
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import xarray as xr

from pipeline.errors import SceneError
from pipeline.files.hdf5 import open_hdf5
from pipeline.files.long_attributes import cut_attributes
from pipeline.files.netcdf import open_groups_in_xarray, open_in_xarray
from pipeline.readers.cf_attributes import OF_FILE
from pipeline.readers.chunk_cache import ChunkCache
from pipeline.readers.damage import left_out
from pipeline.readers.hdf5_chunks import Hdf5Chunks
from pipeline.readers.stored import ChunkedArray, InOnePiece, Stored
from pipeline.scene.scene import GEOLOCATION, RECOMMENDED_MASKS, UNREAD


@contextlib.contextmanager
def opening() -> Iterator[list[Any]]:
    """Provide a list for opened files, and close all of them if the scene cannot be made.

    Otherwise, the garbage collector would close the files late, during the next scene.
    """
    opened: list[Any] = []
    try:
        yield opened
    except BaseException:
        for file in opened:
            file.close()
        raise


def assembled(
    layers: Mapping[str, xr.DataArray],
    attributes: Mapping[str, Any],
    opened: Sequence[Any],
    coords: Mapping[str, xr.DataArray] | None = None,
    unread: Mapping[str, str] = MappingProxyType({}),
    masks: str = "",
) -> xr.Dataset:
    """Make a scene of layers; closing the scene closes its files.

    ``unread``: name of each variable that cannot be read because of its attributes -> reason.
    ``masks``: name of the list in ``configs/masks`` that is recommended for the format.
    """
    scene = xr.Dataset(layers, coords, cut_attributes(attributes)).set_coords(list(GEOLOCATION))
    scene.encoding["chunk_caches"] = [
        file.encoding["chunk_cache"] for file in opened if "chunk_cache" in file.encoding
    ]
    scene.encoding[UNREAD] = dict(unread)
    scene.encoding[RECOMMENDED_MASKS] = masks
    closers = contextlib.ExitStack()
    for file in opened:
        closers.callback(file.close)
    scene.set_close(closers.close)
    return scene


def open_undecoded(
    path: Path,
    group: str | None = None,
    engine: str = "h5netcdf",
    stated_once: Collection[str] = OF_FILE,
) -> xr.Dataset:
    """Open the variables of a group without decoding them, for use with :func:`chunked`.

    ``stated_once``: names of attributes that a group or file may state for all its variables.
    """
    (opened,) = open_groups_undecoded(path, (group,), engine, stated_once)
    return opened


def open_groups_undecoded(
    path: Path,
    groups: Sequence[str | None],
    engine: str = "h5netcdf",
    stated_once: Collection[str] = OF_FILE,
) -> list[xr.Dataset]:
    """Open several groups of a file as :func:`open_undecoded` does; the file is opened once."""
    how: dict[str, Any] = {"cache": False, "decode_cf": False}  # see readers/decoding.py
    file: h5py.File | None = None
    with contextlib.ExitStack() as closers, warnings.catch_warnings():
        # A variable with the same dimension twice, such as a covariance, is not a layer.
        warnings.filterwarnings("ignore", "Duplicate dimension names", UserWarning)
        if engine == "h5netcdf":
            file = closers.enter_context(open_hdf5(path, SceneError))
            for group in groups:
                _check_group(file, group)
            opened = open_groups_in_xarray(path, groups, SceneError, **how)
        else:
            for group in groups:
                _check_group(None, group)
            opened = [open_in_xarray(path, SceneError, engine=engine, **how)]
        for dataset in opened:
            closers.callback(dataset._close or (lambda: None))  # noqa: SLF001 - replaced below
        close = closers.pop_all().close
    for group, dataset in zip(groups, opened, strict=True):
        dataset.set_close(close)
        _describe_pieces(dataset, file, group, stated_once)
    return opened


def _describe_pieces(
    opened: xr.Dataset, file: h5py.File | None, group: str | None, stated_once: Collection[str]
) -> None:
    """Add to each variable its storage chunks and the attributes that the file states for all."""
    opened.encoding["chunk_cache"] = cache = ChunkCache()
    opened.attrs = cut_attributes(opened.attrs)
    for variable in opened.variables.values():
        variable.attrs = cut_attributes(variable.attrs)
    of_file = _stated_once(file, group, opened.attrs, stated_once)
    for name, variable in opened.variables.items():
        place = f"{group}/{name}" if group else str(name)
        variable.encoding["pieces"] = (file, place, cache)
        variable.encoding["of_file"] = of_file


def _stated_once(
    file: h5py.File | None, group: str | None, attributes: Mapping[Any, Any], names: Collection[str]
) -> dict[str, Any]:
    """Return the attributes that apply to all variables of a group.

    An attribute of the group overrides the same attribute of the file.
    """
    owners: list[Mapping[Any, Any]] = [attributes]
    if file is not None and group is not None:
        owners.insert(0, file.attrs)  # only attributes with these names are read
    found: dict[str, Any] = {}
    for owner in owners:
        found |= {name: owner[name] for name in names if name in owner}
    return found


def _check_group(file: h5py.File | None, name: str | None) -> None:
    """Refuse a missing group; ``file`` is None for classic netCDF, which has no groups."""
    group = file if name is None or file is None else file.get(name)
    if name is not None and not isinstance(group, h5py.Group):
        raise left_out(f"the file has no group {name}")


def at_index(variable: xr.Variable, dim: str, index: int) -> xr.Variable:
    """Select one position of a dimension in a variable that ``open_undecoded`` returned."""
    chosen = variable.isel({dim: index})
    chosen.encoding = {**variable.encoding, "at": (variable.dims.index(dim), index)}
    return chosen


def chunked(variable: xr.Variable | xr.DataArray) -> Stored:
    """Change a variable of ``open_undecoded`` so that it is read by whole storage chunks."""
    file, place, cache = variable.encoding["pieces"]
    of_file = variable.encoding["of_file"]
    in_xarray = variable.variable if isinstance(variable, xr.DataArray) else variable
    dataset = file[place] if file is not None else in_xarray
    is_chunked = file is not None and dataset.chunks is not None
    chunks: ChunkedArray = Hdf5Chunks(dataset) if is_chunked else InOnePiece(place, dataset)
    dims = tuple(str(dim) for dim in variable.dims)
    # Flags and decoding tables read the bits, which must be in this machine's order.
    native = chunks.dtype.newbyteorder("=")
    axes = tuple(range(len(chunks.shape)))
    at: tuple[int, ...] = ()
    if "at" in variable.encoding and file is not None:
        fixed, index = variable.encoding["at"]
        at = tuple(index if axis == fixed else 0 for axis in axes)
        axes = tuple(axis for axis in axes if axis != fixed)
    return Stored(dims, variable.attrs, native, chunks, cache, axes, at, of_file)
