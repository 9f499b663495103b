"""The product as netCDF-4: 2-D variables, chunked, shuffle + deflate, complete or absent.

All variables go through one store. Chunks are committed in block order and counted on the way; the
attributes that depend on the counts come last. The file has a temporary name until it is complete.
"""

import contextlib
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import netCDF4
import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends.locks import HDF5_LOCK

from pipeline.errors import WriteError
from pipeline.quality import NO_CLASS, FlagTable
from pipeline.writers.group import Group
from pipeline.writers.ordered import OrderedCommit
from pipeline.writers.tally import Tally

log = logging.getLogger(__name__)

PRODUCT_SUFFIX = ".nc"
FILL = np.float32(-32767.0)  # NASA's fill value of float products

# With less free space than this a failure is probably for want of space.
LITTLE_SPACE = 50_000_000


@dataclass(frozen=True)
class Layout:
    """How a product is stored; part of the science configuration, for it decides the bytes."""

    chunk: tuple[int, int]
    compression_level: int


def write_product(
    products: xr.Dataset,
    target: Path,
    layout: Layout,
    describe: Callable[[Tally], Group],
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Tally:
    """Compute the products and write them, in one pass.

    Args:
        products: lazy 2-D variables on (y, x), in blocks of ``layout.chunk``; coordinates of a map.
        target: final name of the file; a file of that name is replaced.
        layout: chunks and compression.
        describe: gives the file's attributes and groups once all pixels are counted.
        threads: how many blocks are computed at a time.
        progress: told the number of committed blocks and of all blocks.

    Returns:
        The counts.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
    """
    tally = Tally(products.sizes["y"] * products.sizes["x"], _flag_tables(products))
    arrays = [variable.data for variable in products.data_vars.values()]
    with _complete_or_absent(target) as partial, _open(partial) as file:
        with _named_failure(target):
            _define(file, products, layout)
        with OrderedCommit() as commit:
            order = _Order.of(products, layout, commit, progress)
            variables = [file.variables[str(name)] for name in products.data_vars]
            sinks: Any = [_Sink(v, number, order, tally) for number, v in enumerate(variables)]
            da.store(arrays, sinks, lock=False, scheduler="threads", num_workers=threads)
        root = describe(tally)
        with _named_failure(target):
            _write_group(file, root)
    return tally


def _flag_tables(products: xr.Dataset) -> dict[str, FlagTable]:
    return {
        str(name): FlagTable.from_attributes(variable.attrs, variable.dtype)
        for name, variable in products.data_vars.items()
        if "flag_meanings" in variable.attrs
    }


@contextlib.contextmanager
def _complete_or_absent(target: Path) -> Iterator[Path]:
    """A temporary path in the same folder, renamed at the end, removed on any failure."""
    partial = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
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
def _open(path: Path) -> Iterator[netCDF4.Dataset]:
    with _named_failure(path):
        path.touch(exist_ok=False)  # says what is wrong where the library says "Permission denied"
        file = netCDF4.Dataset(path, "w", format="NETCDF4")
    try:
        yield file
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
        raise WriteError(
            f"{path.parent}: the product cannot be written ({reason}). Nothing was left behind. "
            f"{_what_to_do(path.parent)}"
        ) from error


def _what_to_do(folder: Path) -> str:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return "The folder cannot be reached: choose another output folder."
    if free < LITTLE_SPACE:
        return (
            f"Only {free / 1e6:.1f} MB are free. Free space there, or choose another output folder."
        )
    return "Choose another output folder."


def _define(file: netCDF4.Dataset, products: xr.Dataset, layout: Layout) -> None:
    """Dimensions and variables with their attributes, before any data."""
    file.set_fill_off()  # every chunk is written
    for dim in ("y", "x"):
        file.createDimension(dim, products.sizes[dim])
    chunk = [min(c, products.sizes[d]) for c, d in zip(layout.chunk, ("y", "x"), strict=True)]
    for name, variable in products.data_vars.items():
        dtype: Any = variable.dtype
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
            # Each chunk is written whole, once: the default of 64 MB per variable would only keep
            # chunks in memory, and compress them all when the file is closed.
            chunk_cache=chunk[0] * chunk[1] * dtype.itemsize,
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


@dataclass(frozen=True)
class _Order:
    """The order in which chunks are committed: block by block, in each all variables.

    Dask takes the blocks in an order of its own, often the first one late: until then chunks wait
    in memory, up to all of a product (docs/design.md, "Limits").
    """

    chunk: tuple[int, int]
    columns: int
    blocks: int
    variables: int
    commit: OrderedCommit
    progress: Callable[[int, int], None]

    @classmethod
    def of(
        cls,
        products: xr.Dataset,
        layout: Layout,
        commit: OrderedCommit,
        progress: Callable[[int, int], None] | None,
    ) -> "_Order":
        columns = -(-products.sizes["x"] // layout.chunk[1])
        rows = -(-products.sizes["y"] // layout.chunk[0])
        report = progress or (lambda _done, _total: None)
        report(0, rows * columns)
        variables = len(products.data_vars)
        return cls(layout.chunk, columns, rows * columns, variables, commit, report)

    def submit(
        self, region: tuple[slice, slice], variable: int, action: Callable[[], None]
    ) -> None:
        row, column = (part.start // size for part, size in zip(region, self.chunk, strict=True))
        turn = row * self.columns + column

        def commit() -> None:
            action()
            if variable == self.variables - 1:
                self.progress(turn + 1, self.blocks)

        self.commit.submit(turn * self.variables + variable, commit)


@dataclass(frozen=True)
class _Sink:
    """Takes the chunks of one variable from ``da.store``; counts and writes them in order."""

    variable: Any
    number: int
    order: _Order
    tally: Tally

    def __setitem__(self, region: tuple[slice, slice], values: npt.NDArray[Any]) -> None:
        self.order.submit(region, self.number, lambda: self._write(region, values))

    def _write(self, region: tuple[slice, slice], values: npt.NDArray[Any]) -> None:
        stored = as_stored(values)
        self.tally.add(self.variable.name, values, stored)
        # Where h5py and netCDF4 share one HDF5 library, which is not safe for threads, readers and
        # this writer must take turns: xarray's readers hold this lock.
        with _named_failure(Path(self.variable.group().filepath())), HDF5_LOCK:
            self.variable[region] = stored


def as_stored(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers of any shape as the file holds them: the fill value where there is none."""
    return np.where(np.isfinite(values), values, FILL) if values.dtype.kind == "f" else values


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
