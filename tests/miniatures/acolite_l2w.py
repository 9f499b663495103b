"""ACOLITE L2W: Rrs_<nm>, and l2_flags without meanings.

The file says units "1" although the values are sr-1. The bits of l2_flags are ACOLITE's settings
flag_exponent_*; the names below are of this module, the file has none.
"""

from collections.abc import Mapping
from pathlib import Path

import netCDF4
import numpy as np

from miniatures import acolite_parts as acolite
from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, every, packed_flags, unpacked_flags

BITS = {
    "SWIR": 0,
    "CIRRUS": 1,
    "TOA": 2,
    "NEGATIVE": 3,
    "OUT_OF_SCENE": 4,
    "MIXED": 5,
    "DEM_SHADOW": 6,
}


def write(
    folder: Path,
    truth: Truth,
    *,
    sensor: str = "S2A_MSI",
    values: Mapping[float, np.ndarray] | None = None,
    chunk: tuple[int, int] | None = None,
    name: str | None = None,
) -> Written:
    """Write the scene; ``values`` replaces whole bands by raw float32."""
    path = acolite.path_of(folder, sensor, "L2W", name)
    bands = acolite.stored_bands(truth, 1.0, values)
    flags = packed_flags(truth.flags, BITS, truth.shape, np.int32)
    with netCDF4.Dataset(path, "w") as file:
        acolite.set_global_attributes(file, path, sensor, "L2W")
        latitude, longitude = acolite.write_navigation(file, truth, chunk)
        described = {"long_name": "L2 flags", "parameter": "l2_flags"}
        variable(file, "l2_flags", flags, acolite.DIMS, described, chunk=chunk)
        for nm, stored in bands.items():
            attributes = acolite.band_attributes(
                f"Rrs_{nm}",
                nm,
                "Remote sensing reflectance",
                "remote_sensing_reflectance",
            )
            variable(file, f"Rrs_{nm}", stored, acolite.DIMS, attributes, chunk=chunk)
    return Written(
        path=path,
        rrs={float(nm): stored.astype(np.float64) for nm, stored in bands.items()},
        latitude=latitude.astype(np.float64),
        longitude=longitude.astype(np.float64),
        flags=unpacked_flags(flags, BITS),
        missing=every([np.isnan(stored) for stored in bands.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
    )
