"""Opens netCDF files of both kinds, netCDF-4 (which is HDF5) and classic, after the checks."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py

from pipeline.errors import PipelineError
from pipeline.files.dimensions import lost_dimension
from pipeline.files.hdf5 import check_hdf5, has_hdf5_signature, open_hdf5
from pipeline.files.limits import COORDINATE_BYTES
from pipeline.files.names import openable
from pipeline.files.netcdf_lock import NETCDF_LOCK
from pipeline.files.regular import first_bytes, memory_in_words
from pipeline.files.superblock import SIGNATURE

CLASSIC = b"CDF"


def check_netcdf(path: Path, error: type[PipelineError]) -> None:
    """Check a file for a library that opens the path itself.

    Other formats are refused, because the netCDF library also follows addresses and reads formats
    that lead to other files. The errors are those of :func:`open_netcdf`.
    """
    start = first_bytes(path, len(SIGNATURE), error)
    if start == SIGNATURE:
        check_hdf5(path, error)
    elif not start.startswith(CLASSIC):
        raise error(
            f"{path.name}: neither netCDF-4 nor classic netCDF. Give a file in one of these "
            "formats."
        )


@contextlib.contextmanager
def open_netcdf(path: Path, error: type[PipelineError]) -> Iterator[Any]:
    """Open a netCDF file for a ``with`` block, during which no other thread uses the library.

    The errors are those of :func:`netcdf_file`.
    """
    with NETCDF_LOCK, contextlib.closing(netcdf_file(path, error)) as file:
        yield file


def netcdf_file(path: Path, error: type[PipelineError]) -> Any:
    """Open a netCDF file that leads to no other file, with the netCDF library.

    The caller must have NETCDF_LOCK whenever it uses the file, must close the file, and must check
    the declared size of a variable before it reads the variable.

    Args:
        path: the file.
        error: the class of error to raise.

    Raises:
        PipelineError: the file is not regular, not netCDF or not enclosed. This exception has the
            class ``error``.
        OSError: the file cannot be opened; the libraries raise other exceptions of DAMAGE, too.
    """
    import netCDF4

    check_netcdf(path, error)
    _check_dimensions(path, error)
    with memory_in_words(path.name, error), openable(path.absolute()) as name:
        return netCDF4.Dataset(name)


def _check_dimensions(path: Path, error: type[PipelineError]) -> None:
    if first_bytes(path, len(SIGNATURE), error) != SIGNATURE:
        return
    with open_hdf5(path, error) as file, memory_in_words(path.name, error):
        lost = lost_dimension(file)
    if lost is not None:
        raise error(
            f"{path.name}: {lost} has a dimension that the file lacks. The file is damaged; fetch "
            "or make it again."
        )


def open_in_xarray(path: Path, error: type[PipelineError], **options: Any) -> Any:
    """Open a netCDF file that leads to no other file as a lazy Dataset of xarray.

    Args:
        path: the file.
        error: the class of error to raise; the errors are those of :func:`open_netcdf`.
        options: for ``xr.open_dataset``.
    """
    import xarray as xr

    check_netcdf(path, error)
    _check_coordinates(path, options.get("group"), error)
    with memory_in_words(path.name, error):
        # xarray takes a relative path that begins with ~ for a path in the home folder.
        # The lock is xarray's own lock; a thread that has it may take it again.
        return xr.open_dataset(path.absolute(), lock=NETCDF_LOCK, **options)


def open_groups_in_xarray(
    path: Path, groups: Sequence[str | None], error: type[PipelineError], **options: Any
) -> list[Any]:
    """Open groups of a netCDF-4 file as lazy Datasets of xarray; the file itself is opened once.

    h5netcdf looks at all groups of a file whenever it opens it.

    Args:
        path: the file.
        groups: names of the groups; None stands for the root group.
        error: the class of error to raise; the errors are those of :func:`open_netcdf`.
        options: for ``xr.open_dataset``.
    """
    import xarray as xr
    from xarray.backends import H5NetCDFStore

    check_netcdf(path, error)
    for group in groups:
        _check_coordinates(path, group, error)
    with memory_in_words(path.name, error):
        store = H5NetCDFStore.open(str(path.absolute()), lock=NETCDF_LOCK, phony_dims="sort")
        opened: list[Any] = []
        try:
            for group in groups:
                of_group = store if group is None else store.get_child_store(group)
                opened.append(xr.open_dataset(of_group, **options))
        except BaseException:
            store.close()
            raise
        return opened


def _check_coordinates(path: Path, group: str | None, error: type[PipelineError]) -> None:
    """Refuse large 1-D variables: xarray reads the whole array of a coordinate when it opens."""
    if has_hdf5_signature(path, error):
        with open_hdf5(path, error) as file:
            within = file.get(group or "/")
            members = within.values() if isinstance(within, h5py.Group) else ()
            arrays = [m for m in members if isinstance(m, h5py.Dataset) and m.ndim == 1]
            sizes = {str(array.name): array.size * array.dtype.itemsize for array in arrays}
    else:
        with open_netcdf(path, error) as file:
            arrays = [v for v in file.variables.values() if v.ndim == 1]
            sizes = {array.name: array.size * array.dtype.itemsize for array in arrays}
    for name, size in sizes.items():
        COORDINATE_BYTES.check(size, f"{path.name}: the variable {name}", error)
