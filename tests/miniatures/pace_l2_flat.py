"""PACE OCI Level-2 without groups, as subsets made with xarray (merged trees) are written.

Rrs is float32 (lines, pixels, bands) in sr^-1 with a coordinate ``wavelength_3d``; l2_flags, with
its masks and meanings, may have been left out by who made the subset.
"""

from pathlib import Path

import netCDF4
import numpy as np

from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, every, packed_flags, unpacked_flags

NAME = "PACE_OCI.20250305T160933.L2.OC_AOP.subset.nc"
DIMS = ("number_of_lines", "pixels_per_line")
BAND = "wavelength_3d"
FILL = np.float32(-32767)
BITS = {"ATMFAIL": 0, "LAND": 1, "HIGLINT": 3, "HILT": 4, "CLDICE": 9}


def write(
    folder: Path,
    truth: Truth,
    *,
    with_flags: bool = True,
    chunk: tuple[int, int] | None = None,
    name: str = NAME,
) -> Written:
    """Write the scene; without ``with_flags`` the file has no l2_flags."""
    path = folder / name
    stored = np.stack(
        [np.where(truth.missing, FILL, rrs).astype(np.float32) for rrs in truth.rrs.values()], -1
    )
    flags = packed_flags(truth.flags, BITS, truth.shape, np.int32)
    latitude, longitude = (
        values.astype(np.float32) for values in (truth.latitude, truth.longitude)
    )
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"title": "OCI Level-2 Data AOP", "platform": "PACE", "instrument": "OCI"})
        file.setncatts({"time_coverage_start": "2025-03-05T16:09:33.101Z"})
        variable(file, "Rrs", stored, (*DIMS, BAND), {"units": "sr^-1"}, fill=FILL, chunk=chunk)
        variable(file, BAND, np.array(list(truth.rrs), np.float64), (BAND,), {"units": "nm"})
        for axis, values in (("latitude", latitude), ("longitude", longitude)):
            variable(file, axis, values, DIMS, fill=FILL, chunk=chunk)
        if with_flags:
            described = {
                "flag_masks": np.array([1 << bit for bit in BITS.values()], np.int32),
                "flag_meanings": " ".join(BITS),
            }
            variable(file, "l2_flags", flags, DIMS, described, chunk=chunk)
    return Written(
        path=path,
        rrs={
            float(nm): np.where(stored[..., index] == FILL, np.nan, stored[..., index])
            for index, nm in enumerate(truth.rrs)
        },
        latitude=latitude.astype(np.float64),
        longitude=longitude.astype(np.float64),
        flags=unpacked_flags(flags, BITS) if with_flags else {},
        missing=every([stored[..., index] == FILL for index in range(stored.shape[-1])]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
    )
