"""NASA PACE OCI Level-3 mapped Rrs, after a real sample: (lat, lon, wavelength), 1-D lat and lon.

Use a truth of ``map_of_coordinates``: only such a grid can be stored. The file has no flags.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from miniatures import obpg_parts as obpg
from miniatures.map_axes import axes_of
from miniatures.netcdf import variable
from miniatures.truth import Truth, Written

NAME = "PACE_OCI.20241221_20250320.L3m.SNWI.RRS.V3_1.Rrs.4km.nc"


def write(
    folder: Path,
    truth: Truth,
    *,
    counts: Mapping[float, np.ndarray] | None = None,
    chunk: tuple[int, ...] | None = None,
    name: str = NAME,
) -> Written:
    """Write the map in the direction of the truth; wavelengths are rounded to whole nm."""
    if truth.flags:
        raise ValueError("a Level-3 map has no flags")
    path = folder / name
    latitude, longitude = axes_of(truth, np.float32)
    wavelengths = np.array([round(nm) for nm in truth.rrs], np.int32)
    bands = [
        np.asarray(counts[nm]).astype(np.int16)
        if counts and nm in counts
        else obpg.stored_counts(rrs, truth.missing, truth.outside)
        for nm, rrs in truth.rrs.items()
    ]
    rrs = {float(nm): obpg.decoded(band) for nm, band in zip(wavelengths, bands, strict=True)}
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(_global_attributes(path.name, latitude, longitude, rrs))
        attributes = obpg.rrs_attributes("Remote sensing reflectance")
        display = {"display_scale": "linear"}
        display |= {"display_min": np.float32(0), "display_max": np.float32(0.025)}
        packing = {key: attributes.pop(key) for key in ("add_offset", "scale_factor")}
        variable(
            file,
            "Rrs",
            np.stack(bands, axis=-1),
            ("lat", "lon", "wavelength"),
            attributes | display | packing,
            fill=obpg.FILL,
            chunk=chunk,
        )
        palette = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
        variable(file, "palette", palette, ("rgb", "eightbitcolor"), deflate=False)
        described = {"long_name": "wavelengths", "units": "nm"}
        described |= {"valid_min": np.int32(0), "valid_max": np.int32(20000)}
        fill = np.int32(-32767)
        dims = ("wavelength",)
        variable(file, "wavelength", wavelengths, dims, described, fill=fill, deflate=False)
        for axis, values in (("lat", latitude), ("lon", longitude)):
            long_name = "Latitude" if axis == "lat" else "Longitude"
            named = obpg.angle_attributes(long_name)
            fill = obpg.NAVIGATION_FILL
            variable(file, axis, values, (axis,), named, fill=fill, deflate=False)
    grid = np.meshgrid(latitude.astype(np.float64), longitude.astype(np.float64), indexing="ij")
    return Written(
        path=path,
        rrs=rrs,
        latitude=grid[0],
        longitude=grid[1],
        flags={},
        missing=obpg.is_missing(bands),
        outside=obpg.is_outside(bands),
        saturated=np.zeros(truth.shape, bool),
        extra={"lat": latitude, "lon": longitude},
    )


def _global_attributes(
    name: str, latitude: np.ndarray, longitude: np.ndarray, rrs: dict[float, np.ndarray]
) -> dict[str, Any]:
    values = np.stack(list(rrs.values()))
    seen = values[np.isfinite(values)]
    step = np.abs(np.diff(latitude)).mean(), np.abs(np.diff(longitude[:2])).mean()
    bounds = {
        f"geospatial_{axis}_{end}": np.float32(getattr(np, end)(numbers))
        for axis, numbers in (("lat", latitude), ("lon", longitude))
        for end in ("max", "min")
    }
    return {
        "product_name": name,
        "instrument": "OCI",
        "title": "OCI Level-3 Standard Mapped Image",
        "project": "Ocean Biology Processing Group (NASA/GSFC/OBPG)",
        "platform": "PACE",
        "source": "satellite observations from OCI-PACE",
        "temporal_range": "3-month",
        "processing_version": "3.1",
        "date_created": "2025-09-29T16:16:51.000Z",
        "history": f"l3mapgen par={name}.param ",
        "l2_flag_names": (
            "ATMFAIL,LAND,HILT,HISATZEN,STRAYLIGHT,CLDICE,COCCOLITH,LOWLW,CHLWARN,CHLFAIL,"
            "NAVWARN,MAXAERITER,HISOLZEN,NAVFAIL,FILTER,HIGLINT"
        ),
        "time_coverage_start": "2024-12-21T00:38:39.203Z",
        "time_coverage_end": "2025-03-21T02:20:35.040Z",
        "map_projection": "Equidistant Cylindrical",
        "latitude_units": "degrees_north",
        "longitude_units": "degrees_east",
        "northernmost_latitude": bounds["geospatial_lat_max"],
        "southernmost_latitude": bounds["geospatial_lat_min"],
        "westernmost_longitude": bounds["geospatial_lon_min"],
        "easternmost_longitude": bounds["geospatial_lon_max"],
        **bounds,
        "latitude_step": np.float32(step[0]),
        "longitude_step": np.float32(step[1]),
        "sw_point_latitude": np.float32(latitude.min()),
        "sw_point_longitude": np.float32(longitude[0]),
        "spatialResolution": "4.638312 km",
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_units": "degrees_east",
        "number_of_lines": np.int32(len(latitude)),
        "number_of_columns": np.int32(len(longitude)),
        "measure": "Mean",
        "Conventions": "CF-1.6 ACDD-1.3",
        "naming_authority": "gov.nasa.gsfc.sci.oceandata",
        "id": f"3.1/L3/{name.replace('L3m', 'L3b')}",
        "processing_level": "L3 Mapped",
        "cdm_data_type": "grid",
        "keywords": "Earth Science > Oceans > Ocean Optics > Reflectance",
        "data_bins": np.int64(seen.size),
        "data_minimum": np.float32(seen.min() if seen.size else np.nan),
        "data_maximum": np.float32(seen.max() if seen.size else np.nan),
    }
