"""Older NASA OBPG Level-2: Rrs_<nm> in two dimensions, navigation on control points.

Latitude and longitude have the dimensions (number_of_lines, pixel_control_points);
``cntl_pt_cols`` gives the pixel of every control point, counted from 1, the first and the last
pixel among them (l2gen and l2extract of OCSSW). Public readers look for it in ``navigation_data``
or, as SNAP's reader does, in ``sensor_band_parameters``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import netCDF4
import numpy as np

from miniatures import obpg_parts as obpg
from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, packed_flags, unpacked_flags, unwrapped, wrapped

DIMS = ("number_of_lines", "pixels_per_line")
CONTROL_DIMS = ("number_of_lines", "pixel_control_points")
BITS = obpg.bits_of(obpg.OLDER_FLAG_NAMES)
NAME = "A2011253190500.L2_LAC_OC.nc"
GROUPS = ("navigation_data", "sensor_band_parameters")


def control_columns(pixels: int, every: int) -> list[int]:
    """Columns counted from 1, every so many pixels; the last pixel always among them."""
    columns = list(range(1, pixels + 1, every))
    return columns if columns[-1] == pixels else [*columns, pixels]


def write(
    folder: Path,
    truth: Truth,
    *,
    counts: Mapping[float, np.ndarray] | None = None,
    every: int = 8,
    columns: Sequence[int] | None = None,
    where: str | None = "navigation_data",
    chunk: tuple[int, int] | None = None,
    name: str = NAME,
    platform: str = "Aqua",
    instrument: str = "MODIS",
) -> Written:
    """Write the scene; wavelengths are named as whole nm.

    ``columns`` (counted from 1, the spacing may be irregular) takes the place of ``every``.
    ``where`` is the group of ``cntl_pt_cols``; None leaves the variable out. Navigation between
    control points is linear, which for the truth's swath differs from a spline by rounding only.
    """
    path = folder / name
    chosen = list(columns or control_columns(truth.shape[1], every))
    at = np.array(chosen, np.int32)
    bands = {
        round(nm): np.asarray(counts[nm]).astype(np.int16)
        if counts and nm in counts
        else obpg.stored_counts(rrs, truth.missing, truth.outside)
        for nm, rrs in truth.rrs.items()
    }
    flags = packed_flags(truth.flags, BITS, truth.shape, np.int32)
    latitude = truth.latitude[:, at - 1].astype(np.float32)
    longitude = truth.longitude[:, at - 1].astype(np.float32)
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(
            obpg.global_attributes(
                path,
                title=f"{instrument} Level-2 Data",
                instrument=instrument,
                platform=platform,
                latitude=latitude,
                longitude=longitude,
            )
        )
        sizes = (*truth.shape, len(at))
        for dim, size in zip((*DIMS, CONTROL_DIMS[1]), sizes, strict=True):
            file.createDimension(dim, size)
        data = file.createGroup("geophysical_data")
        for nm, stored in bands.items():
            attributes = obpg.rrs_attributes(f"Remote sensing reflectance at {nm} nm")
            variable(data, f"Rrs_{nm}", stored, DIMS, attributes, fill=obpg.FILL, chunk=chunk)
        described = obpg.flag_attributes(obpg.OLDER_FLAG_NAMES)
        variable(data, "l2_flags", flags, DIMS, described, chunk=chunk)
        _navigation(file, latitude, longitude, at, where)
        obpg.scan_line_attributes(file.createGroup("scan_line_attributes"), latitude, longitude)
        raised = unpacked_flags(flags, BITS)
        obpg.processing_control(file, path, "A2011253190500.L1B_LAC", raised)
    return Written(
        path=path,
        rrs={float(nm): obpg.decoded(stored) for nm, stored in bands.items()},
        latitude=_between(latitude.astype(np.float64), at, truth.shape[1]),
        longitude=wrapped(_between(unwrapped(longitude), at, truth.shape[1])),
        flags=raised,
        missing=obpg.is_missing(list(bands.values())),
        outside=obpg.is_outside(list(bands.values())),
        saturated=np.zeros(truth.shape, bool),
        extra={"latitude": latitude, "longitude": longitude, "cntl_pt_cols": at},
    )


def _between(values: np.ndarray, at: np.ndarray, pixels: int) -> np.ndarray:
    columns = np.arange(1, pixels + 1)
    return np.stack([np.interp(columns, at, line) for line in values])


def _navigation(
    file: netCDF4.Dataset,
    latitude: np.ndarray,
    longitude: np.ndarray,
    at: np.ndarray,
    where: str | None,
) -> None:
    groups = {name: file.createGroup(name) for name in GROUPS}
    for name, values in (("longitude", longitude), ("latitude", latitude)):
        attributes = obpg.angle_attributes(name.capitalize())
        variable(
            groups["navigation_data"],
            name,
            values,
            CONTROL_DIMS,
            attributes,
            fill=obpg.NAVIGATION_FILL,
        )
    if where is None:
        return
    rows = np.arange(1, len(latitude) + 1, dtype=np.int32)
    columns = {"long_name": "Pixel control points"}
    variable(groups[where], "cntl_pt_cols", at, CONTROL_DIMS[1:], columns)
    variable(groups[where], "cntl_pt_rows", rows, DIMS[:1], {"long_name": "Scan control points"})
