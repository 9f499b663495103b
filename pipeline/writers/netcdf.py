"""Writes a product as netCDF-4 with compressed chunks; a file appears only when complete.

The netCDF library creates the file with its dimensions, variables and attributes. Then h5py stores
the chunks, which are compressed already, in the order of the blocks. Attributes that depend on
counts are written last. The file has a temporary name until it is complete.
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
from typing import Any

import h5py
import netCDF4
import numpy as np
import xarray as xr
from h5py._objects import phil

from pipeline.errors import OutputError, WriteError
from pipeline.files.access import number_of
from pipeline.files.names import openable
from pipeline.files.netcdf_lock import NETCDF_LOCK
from pipeline.files.replacing import create_new
from pipeline.machine.refusal import (
    forget_last_number,
    hidden_number,
    is_about_files,
    refused_files,
    said,
)
from pipeline.machine.resources import in_words
from pipeline.scene.grid import BlockGrid
from pipeline.scene.quality import NO_CLASS, FlagTable
from pipeline.stopping import half_written
from pipeline.writers.chunks import FILL, ChunkEncoder, EncodedChunk
from pipeline.writers.group import Group
from pipeline.writers.partial import partial_path
from pipeline.writers.tally import Tally

log = logging.getLogger(__name__)

# If fewer bytes than this are free, a failure is probably due to lack of space.
LITTLE_SPACE = 50_000_000
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# Errors of a disk that is read-only, missing or broken.
_UNUSABLE = (errno.EROFS, errno.EIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN)

# Lines and pixels of a chunk. Chunks are wide rather than high: storage chunks of a scene may be as
# wide as the scene, and then all whole lines of a block are in memory. With many variables,
# chunks are smaller, so that a block of all variables fits into memory.
CHUNK, CHUNK_OF_MANY = (256, 1024), (256, 256)
MANY = 30


def default_chunk(variables: int) -> tuple[int, int]:
    """Return lines and pixels of a chunk for a product with this number of network outputs."""
    return CHUNK if variables <= MANY else CHUNK_OF_MANY


EncodedBlock = Mapping[str, EncodedChunk]
"""The chunks of all variables in one block."""


@dataclass(frozen=True)
class StorageLayout:
    """Chunks and compression of a product.

    Both settings are in the section ``science``, because they change the bytes of the product.
    """

    chunk: tuple[int, int]
    compression_level: int


def encoders_of(products: xr.Dataset, layout: StorageLayout) -> dict[str, ChunkEncoder]:
    """Return the chunk encoder of each variable, in the order of the file."""
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
    layout: StorageLayout,
    blocks: Iterable[EncodedBlock],
    describe: Callable[[Tally], Group],
    progress: Callable[[int, int], None] | None = None,
    lease: str = "",
) -> Tally:
    """Write a product block by block, in the order in which the blocks arrive.

    Args:
        products: coordinates of a map, and variables on (y, x); the values of these variables
            are not used.
        target: final name of the file; an existing file is replaced.
        layout: chunks and compression.
        blocks: encoded chunks of all variables, block after block.
        describe: called when all pixels are counted; returns the file's attributes and groups.
        progress: called with the number of written blocks and the number of all blocks.
        lease: text in the temporary name; it shows which files a dead process left behind.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
    """
    lines, pixels = products.sizes["y"], products.sizes["x"]
    grid = BlockGrid((0, 0), (lines, pixels), _chunk(products, layout))
    tally = Tally(lines * pixels, _flag_tables(products))
    report = progress or (lambda _done, _total: None)
    with _complete_or_absent(target, lease) as partial:
        with _write_errors(target):
            create_new(partial)  # its error is clearer than that of the netCDF library
        with NETCDF_LOCK, _opened(partial, netCDF4.Dataset, "w") as file, _write_errors(target):
            _define(file, products, layout)
        with _opened(partial, h5py.File, "r+") as datasets:
            report(0, grid.count)
            for number, block in enumerate(blocks):
                corner = tuple(part.start for part in grid.region(number))
                with _write_errors(target):
                    for name, chunk in block.items():
                        write_direct_chunk(datasets[name], corner, chunk.data)
                for name, chunk in block.items():
                    tally.merge(name, chunk.counts)
                report(number + 1, grid.count)
        root = describe(tally)
        with NETCDF_LOCK, _opened(partial, netCDF4.Dataset, "a") as file, _write_errors(target):
            file.set_fill_off()
            _write_group(file, root)
    return tally


def write_direct_chunk(dataset: h5py.Dataset, corner: tuple[int, ...], data: bytes) -> None:
    """Store the bytes of a chunk under h5py's lock; h5py below 3.16 does not lock this call."""
    with phil:
        dataset.id.write_direct_chunk(corner, data)


def _chunk(products: xr.Dataset, layout: StorageLayout) -> tuple[int, int]:
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
    """Give a temporary path in the same folder; rename it at the end, or remove it on failure."""
    partial = partial_path(target, lease)
    with half_written(partial):
        try:
            yield partial
            with _write_errors(target):
                _to_disk(partial)
                partial.replace(target)
                _to_disk(target.parent)
        finally:
            with contextlib.suppress(
                OSError
            ):  # a read-only or missing folder does not have the file
                partial.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(path: Path, library: Callable[..., Any], mode: str) -> Iterator[Any]:
    """Open a file with a class of netCDF4 or h5py; close it even if writing fails."""
    with contextlib.ExitStack() as stack:
        with _write_errors(path):
            file = library(stack.enter_context(openable(path)), mode)
        yield from _closing(file, path)


def _closing(file: Any, path: Path) -> Iterator[Any]:
    try:
        yield file
    except BaseException:
        with contextlib.suppress(RuntimeError, OSError):
            file.close()  # its content is discarded; the first failure is the one to report
        raise
    with _write_errors(path):
        file.close()


@contextlib.contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """Turn a failure of the file system or of the library into a WriteError with advice."""
    forget_last_number()
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        number = _number_behind(error)
        if isinstance(error, KeyError) and not number:
            raise
        if is_about_files(number):
            raise refused_files(number) from error
        reason = said(number) if number else str(error)
        kind, advice = _what_to_do(path.parent, number)
        raise kind(
            f"{path.parent}: the product cannot be written ({reason}). Nothing was left behind. "
            f"{advice}"
        ) from error


def _number_behind(error: Exception) -> int:
    """Return the number of the system's error, or 0.

    The netCDF library gives no number, or says "Permission denied" for every reason.
    """
    return hidden_number() or number_of(error)


def _what_to_do(folder: Path, number: int) -> tuple[type[WriteError], str]:
    """Return the class of the error (OutputError if it concerns all products), and advice."""
    if not folder.is_dir():
        return OutputError, "The folder no longer exists. Mount it or create it, then start again."
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return OutputError, "The folder cannot be reached. Choose another output folder."
    if number == errno.ENAMETOOLONG:
        advice = "Choose a shorter name for the product (execution.product), or for the scene."
        return WriteError, advice
    if free < LITTLE_SPACE or number in _NO_SPACE:
        advice = (
            f"{in_words(free)} are free (a quota may leave less). Free some disk space, or choose "
            "another output folder."
        )
        return OutputError, advice
    return OutputError if number in _UNUSABLE else WriteError, "Choose another output folder."


def _define(file: netCDF4.Dataset, products: xr.Dataset, layout: StorageLayout) -> None:
    """Create dimensions, and variables with their attributes, before any data are written."""
    file.set_fill_off()  # every chunk is written
    for dim in ("y", "x"):
        file.createDimension(dim, products.sizes[dim])
    chunk = _chunk(products, layout)
    for name, variable in products.data_vars.items():
        level: Any = layout.compression_level
        made = file.createVariable(
            str(name),
            variable.dtype.newbyteorder("="),
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
    """Return the fill value of a product variable; False if it has no fill value."""
    if variable.dtype.kind == "f":
        return FILL
    return NO_CLASS if "flag_values" in variable.attrs else False


def _write_group(parent: Any, group: Group) -> None:
    stored = storable(group.attributes)
    if parent.parent is not None:
        # The order of attributes of groups below the root cannot be read from a file. So they are
        # written in the order of their names, and the same attributes always give the same bytes.
        stored = dict(sorted(stored.items()))
    parent.setncatts(stored)
    for name, (dim, values, attributes) in group.variables.items():
        if dim not in parent.dimensions:
            parent.createDimension(dim, len(values))
        variable = parent.createVariable(name, values.dtype, (dim,), fill_value=False)
        variable.setncatts(storable(attributes))
        variable[:] = values
    for name, child in group.groups.items():
        _write_group(parent.createGroup(name), child)


def storable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert attributes of a scene, which may have any type, to types of netCDF."""
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
        # The netCDF library ends a text at its first NUL.
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
