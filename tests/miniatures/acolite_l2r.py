"""ACOLITE L2R: surface reflectance rhos_<nm> = pi Rrs and top-of-atmosphere rhot_<nm>, no flags."""

from collections.abc import Mapping
from pathlib import Path

import netCDF4
import numpy as np

from miniatures import acolite_parts as acolite
from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, every

ATMOSPHERE = np.float32(0.05)  # what rhot has on top of rhos


def write(
    folder: Path,
    truth: Truth,
    *,
    sensor: str = "S2A_MSI",
    values: Mapping[float, np.ndarray] | None = None,
    chunk: tuple[int, int] | None = None,
    name: str | None = None,
) -> Written:
    """Write the scene; ``values`` replaces whole bands of rhos by raw float32."""
    if truth.flags:
        raise ValueError("ACOLITE L2R has no flags")
    path = acolite.path_of(folder, sensor, "L2R", name)
    bands = acolite.stored_bands(truth, np.pi, values)
    with netCDF4.Dataset(path, "w") as file:
        acolite.set_global_attributes(file, path, sensor, "L2R")
        latitude, longitude = acolite.write_navigation(file, truth, chunk)
        for kind, added, long_name, standard_name in (
            ("rhot", ATMOSPHERE, "Top-of-atmosphere reflectance", "toa_bidirectional_reflectance"),
            ("rhos", 0, "Surface reflectance", "surface_bidirectional_reflectance"),
        ):
            for nm, stored in bands.items():
                name = f"{kind}_{nm}"
                attributes = acolite.band_attributes(name, nm, long_name, standard_name)
                shown = (stored + added).astype(np.float32)
                variable(file, name, shown, acolite.DIMS, attributes, chunk=chunk)
    return Written(
        path=path,
        rrs={float(nm): stored.astype(np.float64) / np.pi for nm, stored in bands.items()},
        latitude=latitude.astype(np.float64),
        longitude=longitude.astype(np.float64),
        flags={},
        missing=every([np.isnan(stored) for stored in bands.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
        extra={f"rhos_{nm}": stored for nm, stored in bands.items()},
    )
