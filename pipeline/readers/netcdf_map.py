"""The axes of a map in a netCDF file, and their reference system."""

import numpy as np
import xarray as xr

from pipeline.facts.quantities import quantities
from pipeline.readers.netcdf_layout import (
    FileVariables,
    axis_attributes,
    axis_values,
    without_single,
)
from pipeline.scene.scene import SPATIAL_REF, geographic_reference, is_projected


def map_reference(file: FileVariables) -> dict[str, xr.DataArray]:
    """Return a map's coordinates and their reference system; empty if the file is not a map."""
    if without_single(file.latitude).ndim == 1:
        return _geographic_axes(file)
    names = {
        str(v.attrs["grid_mapping"]) for v in file.on_scene.values() if "grid_mapping" in v.attrs
    }
    if len(names) != 1 or not names <= set(file.all):
        return {}
    grid = file.all[names.pop()]
    axes = [
        xr.DataArray(axis_values(v), dims=(dim,), attrs=axis_attributes(v.attrs))
        for dim, size in (("y", file.shape[0]), ("x", file.shape[1]))
        for v in file.all.values()
        if v.shape == (size,) and is_projected(v.attrs, dim)
    ]
    if len(axes) != 2:
        return {}
    return {"y": axes[0], "x": axes[1], SPATIAL_REF: xr.DataArray(np.int32(0), attrs=grid.attrs)}


def _geographic_axes(file: FileVariables) -> dict[str, xr.DataArray]:
    """Return the axes of a map; nothing if a latitude or longitude on the axes is missing.

    Without axes, the latitude and longitude of every pixel describe the scene.
    """
    latitude, longitude = (
        axis_values(without_single(variable)) for variable in (file.latitude, file.longitude)
    )
    known = quantities()
    has_places = known["latitude"].is_possible(latitude), known["longitude"].is_possible(longitude)
    if not all(each.all() for each in has_places):
        return {}
    return geographic_reference(latitude, longitude)
