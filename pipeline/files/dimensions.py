"""Finds variables of netCDF-4 files whose dimensions are lost.

The netCDF library (4.9) ends the process when such a variable is read.
"""

import h5py

# Largest number of dimensions of one axis; the netCDF library writes one.
_MOST_SCALES = 10
_SCALES, _CLASS = "DIMENSION_LIST", b"DIMENSION_SCALE"


def lost_dimension(file: h5py.File) -> str | None:
    """Return the name of a variable with a lost dimension; None if all references are right."""

    def of_object(name: str, found: h5py.Group | h5py.Dataset) -> str | None:
        is_variable = isinstance(found, h5py.Dataset) and _SCALES in found.attrs
        return name if is_variable and not _has_dimensions(file, found) else None

    lost: str | None = file.visititems(of_object)
    return lost


def _has_dimensions(file: h5py.File, variable: h5py.Dataset) -> bool:
    """Return whether each reference of each axis is a dimension; an axis may have no references."""
    stated = variable.attrs.get_id(_SCALES)
    if stated.shape != (variable.ndim,):
        return False
    references = variable.attrs[_SCALES]
    return all(
        len(axis) <= _MOST_SCALES and all(_is_dimension(file, each) for each in axis)
        for axis in references
    )


def _is_dimension(file: h5py.File, reference: h5py.Reference) -> bool:
    try:
        found = file[reference]
        return isinstance(found, h5py.Dataset) and found.attrs.get("CLASS") == _CLASS
    except (ValueError, KeyError, OSError, RuntimeError, TypeError):
        return False
