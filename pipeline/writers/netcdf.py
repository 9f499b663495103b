"""The product as netCDF-4: 2-D variables, chunked, shuffle + deflate, complete or absent.

The netCDF library makes the file with its dimensions, variables and attributes; the chunks, which
come compressed, are stored beside it by h5py in the order of the blocks; the attributes that depend
on the counts come last. The file has a temporary name until it is complete.
"""

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import netCDF4
import numpy as np
import xarray as xr
from h5py._objects import phil

from pipeline.errors import OutputError, WriteError
from pipeline.scene.grid import BlockGrid
from pipeline.scene.quality import NO_CLASS, FlagTable
from pipeline.writers.chunks import FILL, ChunkEncoder, StoredChunk
from pipeline.writers.group import Group
from pipeline.writers.partial import partial_path
from pipeline.writers.tally import Tally

log = logging.getLogger(__name__)


# With less free space than this a failure is probably for want of space.
LITTLE_SPACE = 50_000_000
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# Of a disk that is read-only, gone or broken.
_UNUSABLE = (errno.EROFS, errno.EIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN)

# Lines and pixels of a chunk. Of a scene with storage chunks as wide as itself, as many lines as a
# block has are in memory, so blocks are wide rather than high; of many variables they are smaller,
# so that a block of all of them fits into memory.
CHUNK, CHUNK_OF_MANY = (256, 1024), (256, 256)
MANY = 30


def default_chunk(variables: int) -> tuple[int, int]:
    """Of a product with so many variables made by networks."""
    return CHUNK if variables <= MANY else CHUNK_OF_MANY


Block = Mapping[str, StoredChunk]
"""The chunks of all variables in one block."""


@dataclass(frozen=True)
class Layout:
    """How a product is stored; part of the science configuration, for it decides the bytes."""

    chunk: tuple[int, int]
    compression_level: int


def encoders_of(products: xr.Dataset, layout: Layout) -> dict[str, ChunkEncoder]:
    """What makes the chunks of each variable, in the order of the file."""
    tables = _flag_tables(products)
    made = {}
    for name, variable in products.data_vars.items():
        fill, flags = fill_of(variable), tables.get(str(name))
        made[str(name)] = ChunkEncoder(
            str(name),
            variable.dtype.newbyteorder("="),
            _chunk(products, layout),
            0 if fill is False else fill,
            layout.compression_level,
            flags,
        )
    return made


def write_product(
    products: xr.Dataset,
    target: Path,
    layout: Layout,
    blocks: Iterable[Block],
    describe: Callable[[Tally], Group],
    progress: Callable[[int, int], None] | None = None,
    lease: str = "",
) -> Tally:
    """Write a product from its blocks as they come.

    Args:
        products: the variables on (y, x) with their attributes, of which no value is used;
            coordinates of a map.
        target: final name of the file; a file of that name is replaced.
        layout: chunks and compression.
        blocks: the chunks of ``encoders_of``, block after block.
        describe: gives the file's attributes and groups once all pixels are counted.
        progress: told the number of written blocks and of all blocks.
        lease: part of the temporary name, by which the leavings of a dead process can be told.

    Returns:
        The counts.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
    """
    lines, pixels = products.sizes["y"], products.sizes["x"]
    grid = BlockGrid((0, 0), (lines, pixels), _chunk(products, layout))
    tally = Tally(lines * pixels, _flag_tables(products))
    report = progress or (lambda _done, _total: None)
    with _complete_or_absent(target, lease) as partial:
        with _named_failure(target):
            partial.touch(exist_ok=False)  # says what is wrong where the library says "denied"
        with _open(partial, "w") as file, _named_failure(target):
            _define(file, products, layout)
        with _open_chunks(partial) as datasets:
            report(0, grid.count)
            for number, block in enumerate(blocks):
                corner = tuple(part.start for part in grid.region(number))
                with _named_failure(target):
                    for name, chunk in block.items():
                        write_direct_chunk(datasets[name], corner, chunk.data)
                for name, chunk in block.items():
                    tally.merge(name, chunk.counts)
                report(number + 1, grid.count)
        root = describe(tally)
        with _open(partial, "a") as file, _named_failure(target):
            file.set_fill_off()
            _write_group(file, root)
    return tally


def write_direct_chunk(dataset: h5py.Dataset, corner: tuple[int, ...], data: bytes) -> None:
    """Store the bytes of a chunk; below h5py 3.16 the library does not lock this by itself."""
    with phil:
        dataset.id.write_direct_chunk(corner, data)


def _chunk(products: xr.Dataset, layout: Layout) -> tuple[int, int]:
    lines, pixels = (
        min(c, products.sizes[d]) for c, d in zip(layout.chunk, ("y", "x"), strict=True)
    )
    return lines, pixels


def _flag_tables(products: xr.Dataset) -> dict[str, FlagTable]:
    return {
        str(name): FlagTable.from_attributes(variable.attrs, variable.dtype)
        for name, variable in products.data_vars.items()
        if "flag_meanings" in variable.attrs
    }


@contextlib.contextmanager
def _complete_or_absent(target: Path, lease: str) -> Iterator[Path]:
    """A temporary path in the same folder, renamed at the end, removed on any failure."""
    partial = partial_path(target, lease)
    try:
        yield partial
        with _named_failure(target):
            _to_disk(partial)
            partial.replace(target)
            _to_disk(target.parent)
    finally:
        with contextlib.suppress(OSError):  # a read-only or vanished folder holds nothing of ours
            partial.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _open(path: Path, mode: Literal["w", "a"]) -> Iterator[netCDF4.Dataset]:
    with _named_failure(path):
        file = netCDF4.Dataset(path, mode, format="NETCDF4")
    with _closed_at_the_end(path, file):
        yield file


@contextlib.contextmanager
def _open_chunks(path: Path) -> Iterator[h5py.File]:
    with _named_failure(path):
        file = h5py.File(path, "r+")
    with _closed_at_the_end(path, file):
        yield file


@contextlib.contextmanager
def _closed_at_the_end(path: Path, file: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(RuntimeError, OSError):
            file.close()  # what it holds is thrown away; the first failure is the one to report
        raise
    with _named_failure(path):
        file.close()


@contextlib.contextmanager
def _named_failure(path: Path) -> Iterator[None]:
    """A failure of the file system or of the library as a WriteError that says what to do."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        kind, advice = _what_to_do(path.parent, getattr(error, "errno", None))
        raise kind(
            f"{path.parent}: the product cannot be written ({reason}). Nothing was left behind. "
            f"{advice}"
        ) from error


def _what_to_do(folder: Path, number: int | None) -> tuple[type[WriteError], str]:
    """Whether other products would fare as this one, and advice."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return OutputError, "The folder cannot be reached: choose another output folder."
    if free < LITTLE_SPACE or number in _NO_SPACE:
        advice = (
            f"Only {free / 1e6:.1f} MB are free. Free space there, or choose another output folder."
        )
        return OutputError, advice
    return OutputError if number in _UNUSABLE else WriteError, "Choose another output folder."


def _define(file: netCDF4.Dataset, products: xr.Dataset, layout: Layout) -> None:
    """Dimensions and variables with their attributes, before any data."""
    file.set_fill_off()  # every chunk is written
    for dim in ("y", "x"):
        file.createDimension(dim, products.sizes[dim])
    chunk = _chunk(products, layout)
    for name, variable in products.data_vars.items():
        dtype: Any = variable.dtype.newbyteorder("=")
        level: Any = layout.compression_level
        made = file.createVariable(
            str(name),
            dtype,
            ("y", "x"),
            chunksizes=chunk,
            zlib=level > 0,
            complevel=level,
            shuffle=True,
            fill_value=fill_of(variable),
        )
        made.set_auto_maskandscale(False)
        made.setncatts(variable.attrs)
    for name, axis in products.coords.items():
        made = file.createVariable(str(name), axis.dtype, axis.dims, fill_value=False)
        made.setncatts(storable(axis.attrs))
        made[...] = axis.values


def fill_of(variable: xr.DataArray) -> Any:
    """The fill value of a product variable; False for none."""
    if variable.dtype.kind == "f":
        return FILL
    return NO_CLASS if "flag_values" in variable.attrs else False


def _write_group(parent: Any, group: Group) -> None:
    parent.setncatts(storable(group.attributes))
    for name, (dim, values, attributes) in group.variables.items():
        if dim not in parent.dimensions:
            parent.createDimension(dim, len(values))
        variable = parent.createVariable(name, values.dtype, (dim,), fill_value=False)
        variable.setncatts(storable(attributes))
        variable[:] = values
    for name, child in group.groups.items():
        _write_group(parent.createGroup(name), child)


def storable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as netCDF can hold them: those carried over from a scene may be anything."""
    stored = {_storable_name(name): _storable_value(v) for name, v in attributes.items()}
    return {name: value for name, value in stored.items() if value is not None}


def _storable_name(name: str) -> str:
    return re.sub(r"[^\w.@+-]", "_", str(name).strip()) or "_"


def _storable_value(value: Any) -> Any:
    if value is None or getattr(value, "shape", ()) is None:  # h5py's empty values
        return None
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    if isinstance(value, str):
        # The library ends a text at its first NUL.
        return value.partition("\0")[0].encode(errors="backslashreplace").decode()
    array = np.asarray(value)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype == np.float16 or array.dtype.itemsize > 8:
        array = array.astype(np.float64) if array.dtype.kind == "f" else array
    if array.dtype.kind in "iuf":
        return array.reshape(-1) if array.ndim else array[()]
    if array.ndim == 0:
        return _storable_value(str(array[()]))
    return ", ".join(str(_storable_value(v)) for v in array.reshape(-1).tolist())
