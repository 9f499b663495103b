"""Find which dimensions of a netCDF file are lines and pixels, and which variables have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.readers.cf_attributes import PACKING, CfAttributes
from pipeline.readers.mapping import COLLOCATED, FileMapping
from pipeline.readers.opening import chunked
from pipeline.readers.stored import Stored


@dataclass(frozen=True)
class FileVariables:
    """The numeric variables of a netCDF file; variables of groups are called ``group/name``."""

    latitude: xr.Variable
    longitude: xr.Variable
    on_scene: Mapping[str, Stored]
    """Variables on lines and pixels, as (y, x) or (bands, y, x)."""
    all: Mapping[str, xr.Variable]
    """All variables, on any dimensions."""
    shape: tuple[int, int]
    """Lines and pixels."""
    suffix: str = ""
    """Ending that a collocation added to all names; the names in this object lack the ending."""

    def missing(self, name: str) -> tuple[float, ...]:
        """Return the numbers that mark missing values.

        In a collocated file, this is 0 in variables of floating type. Elsewhere there are no such
        numbers.
        """
        return (0.0,) if self.suffix and self.on_scene[name].dtype.kind == "f" else ()

    @classmethod
    def of(
        cls, groups: Mapping[str | None, Mapping[str, xr.Variable]], mapping: FileMapping
    ) -> "FileVariables":
        """Collect the variables of groups.

        The dimensions of latitude and longitude are the lines and pixels.
        """
        variables = {
            _name(group, name, named, mapping.suffix): variable
            for group, named in groups.items()
            for name, variable in named.items()
            if (variable.dtype.kind in "iuf" or variable.dtype.kind == "S")
            and not _is_of_another_product(name, mapping.suffix)
        }
        latitude, longitude = (
            mapped_variable(variables, name, what)
            for name, what in ((mapping.latitude, "latitude"), (mapping.longitude, "longitude"))
        )
        y, x, shape = _lines_and_pixels(latitude, longitude, mapping)
        on_scene = {
            name: placed
            for name, variable in variables.items()
            if variable.dtype.kind in "iuf"
            and (placed := _placed(variable, y, x, shape)) is not None
        }
        return cls(latitude, longitude, on_scene, variables, shape, mapping.suffix)


def _is_of_another_product(name: str, suffix: str) -> bool:
    """Whether a variable of a collocation belongs to a product that was not chosen."""
    ending = COLLOCATED.fullmatch(name)
    return bool(suffix) and ending is not None and ending[1] != suffix


def _name(group: str | None, name: str, others: Mapping[str, xr.Variable], suffix: str) -> str:
    """Return a variable's name with its group, and without the ending of a collocation."""
    short = name.removesuffix(suffix)
    if short and short not in others:
        name = short
    return f"{group}/{name}" if group else name


def mapped_variable(variables: Mapping[str, xr.Variable], name: str, what: str) -> xr.Variable:
    """Return a variable that the mapping names; refuse a file that does not have it."""
    if name not in variables:
        raise SceneError(
            f"the file has no variable {name!r} for {what}; its variables are "
            f"{listed(variables)}. If the file is a subset, make the subset again with this "
            "variable; otherwise correct reader.options.mapping."
        )
    return variables[name]


def listed(names: Mapping[str, Any]) -> str:
    """Return names for a message, at most 40 of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 40} more" if len(ordered) > 40 else ""
    return ", ".join(ordered[:40]) + more or "none"


def _lines_and_pixels(
    latitude: xr.Variable, longitude: xr.Variable, mapping: FileMapping
) -> tuple[str, str, tuple[int, int]]:
    flat = without_single(latitude), without_single(longitude)
    if flat[0].ndim == flat[1].ndim == 1 and flat[0].dims != flat[1].dims:
        return str(flat[0].dims[0]), str(flat[1].dims[0]), (flat[0].size, flat[1].size)
    is_2d = flat[0].ndim == flat[1].ndim == 2 and flat[0].shape == flat[1].shape
    if is_2d and flat[0].dims[0] != flat[0].dims[1]:
        return str(flat[0].dims[0]), str(flat[0].dims[1]), (flat[0].shape[0], flat[0].shape[1])
    raise SceneError(
        f"{mapping.latitude} is on {_dims(latitude)}, and {mapping.longitude} is on "
        f"{_dims(longitude)}. Expected 1-D variables on two different dimensions (a map), or 2-D "
        "variables on the same two dimensions (a swath). Station data cannot be read; for other "
        "files, correct reader.options.mapping."
    )


def _dims(variable: xr.Variable) -> str:
    return " x ".join(f"{dim} ({size})" for dim, size in variable.sizes.items()) or "no dimension"


def without_single(variable: xr.Variable) -> xr.Variable:
    """Drop dimensions of size one, but keep two dimensions: a scene may be one pixel wide."""
    spare = [dim for dim, size in variable.sizes.items() if size == 1]
    while spare and variable.ndim > 2:
        variable = variable.isel({spare.pop(0): 0})
    return variable


def _placed(variable: xr.Variable, y: str, x: str, shape: tuple[int, int]) -> Stored | None:
    """Return a variable as (y, x) or (bands, y, x); None if it has other dimensions."""
    if y not in variable.dims or x not in variable.dims:
        # Plain HDF5 has no names of dimensions, so the shape is used instead.
        is_plain = variable.shape == shape and str(variable.dims[0]).startswith("phony_dim")
        return chunked(variable) if is_plain else None
    bands = [str(dim) for dim, size in variable.sizes.items() if dim not in (y, x) and size != 1]
    return chunked(variable).on(*bands, y, x) if len(bands) < 2 else None


def axis_values(variable: xr.Variable) -> npt.NDArray[np.float64]:
    """Return the coordinates along an axis of a map as decoded float64 numbers."""
    numbers = np.asarray(variable.values, np.float64)
    if not any(name in variable.attrs for name in PACKING):
        return numbers
    packing = CfAttributes(variable.attrs, variable.dtype, {})
    return numbers * packing.scale + packing.offset


def axis_attributes(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the attributes that remain true after an axis is decoded."""
    return {name: value for name, value in attributes.items() if name not in PACKING}
