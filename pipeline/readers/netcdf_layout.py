"""Which dimensions of a netCDF file are lines and pixels, and which variables lie on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from pipeline.errors import SceneError
from pipeline.readers.mapping import FileMapping
from pipeline.readers.stored import Stored, chunked


@dataclass(frozen=True)
class Layout:
    """The variables of a file, those on lines and pixels as (y, x) or (bands, y, x)."""

    latitude: xr.Variable
    longitude: xr.Variable
    on_scene: Mapping[str, Stored]
    others: Mapping[str, xr.Variable]
    shape: tuple[int, int]

    @classmethod
    def of(cls, opened: Mapping[str | None, xr.Dataset], mapping: FileMapping) -> "Layout":
        """Of opened groups, as the mapping names latitude and longitude."""
        variables = {
            f"{group}/{name}" if group else str(name): variable
            for group, dataset in opened.items()
            for name, variable in dataset.variables.items()
            if variable.dtype.kind in "iuf" or variable.dtype.kind == "S"
        }
        latitude, longitude = (
            named(variables, name, what)
            for name, what in ((mapping.latitude, "latitude"), (mapping.longitude, "longitude"))
        )
        y, x, shape = _lines_and_pixels(latitude, longitude, mapping)
        on_scene = {}
        for name, variable in variables.items():
            if variable.dtype.kind in "iuf":
                placed = _placed(variable, y, x, shape)
                if placed is not None:
                    on_scene[name] = placed
        return cls(latitude, longitude, on_scene, variables, shape)


def named(variables: Mapping[str, xr.Variable], name: str, what: str) -> xr.Variable:
    """A variable that the mapping names.

    Raises:
        SceneError: the file has none of that name.
    """
    if name not in variables:
        raise SceneError(
            f"no variable {name!r} for {what}; the file has {some(variables)}. Correct "
            "reader.options.mapping."
        )
    return variables[name]


def some(names: Mapping[str, Any]) -> str:
    """Names for a message, the first of very many."""
    listed = sorted(names)
    more = f" and {len(listed) - 40} more" if len(listed) > 40 else ""
    return ", ".join(listed[:40]) + more or "none"


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
        f"{mapping.latitude} is on {_dims(latitude)} and {mapping.longitude} on "
        f"{_dims(longitude)}, expected both 1-D or both 2-D: each on a dimension of its own (a "
        "map), or both on the same two (a swath). Stations are not read; correct "
        "reader.options.mapping."
    )


def _dims(variable: xr.Variable) -> str:
    return " x ".join(f"{dim} ({size})" for dim, size in variable.sizes.items()) or "no dimension"


def without_single(variable: xr.Variable) -> xr.Variable:
    """Without dimensions of size one, if two others are left (a scene may be one pixel wide)."""
    spare = [dim for dim, size in variable.sizes.items() if size == 1]
    while spare and variable.ndim > 2:
        variable = variable.isel({spare.pop(0): 0})
    return variable


def _placed(variable: xr.Variable, y: str, x: str, shape: tuple[int, int]) -> Stored | None:
    """On (y, x) or (bands, y, x); None if it is not of these."""
    if y not in variable.dims or x not in variable.dims:
        # Plain HDF5 names no dimensions: there the shape decides.
        is_plain = variable.shape == shape and str(variable.dims[0]).startswith("phony_dim")
        return chunked(variable) if is_plain else None
    bands = [str(dim) for dim, size in variable.sizes.items() if dim not in (y, x) and size != 1]
    return chunked(variable).on(*bands, y, x) if len(bands) < 2 else None
