"""What ACOLITE's L2R and L2W files have in common, after ACOLITE's public netCDF writer.

Dimensions (y, x); float32 with NaN and without _FillValue; lat and lon in two dimensions; a global
attribute for every setting and scene property. The optional projection variables are left out:
the truth's swath has none.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from miniatures.netcdf import variable
from miniatures.truth import Truth

DIMS = ("y", "x")
BANDS = {
    "S2A_MSI": (443, 492, 560, 665, 704, 740, 783, 833, 865),
    "S2B_MSI": (442, 492, 559, 665, 704, 739, 780, 833, 864),
    "L8_OLI": (443, 483, 561, 655, 865),
}
ISODATE = "2023-06-15T10:36:29.024000+00:00"


def path_of(folder: Path, sensor: str, level: str, name: str | None) -> Path:
    """The name ACOLITE gives: sensor, date and time, tile, level."""
    return folder / (name or f"{sensor}_2023_06_15_10_36_29_T32UME_{level}.nc")


def set_global_attributes(file: netCDF4.Dataset, path: Path, sensor: str, level: str) -> None:
    file.setncatts(
        {
            "generated_by": "ACOLITE",
            "generated_on": "2023-06-16 08:00:00 UTC",
            "contact": "Quinten Vanhellemont",
            "product_type": "NetCDF",
            "metadata_profile": "beam",
            "metadata_version": "0.5",
            "auto_grouping": "rhot:rhorc:rhos:rhow:Rrs:Lt",
            "Conventions": "CF-1.7",
            "sensor": sensor,
            "isodate": ISODATE,
            "sza": 30.5,
            "saa": 155.1,
            "vza": 5.2,
            "vaa": 104.0,
            "raa": 51.1,
            "se_distance": 1.0158,
            "mus": 0.8616,
            "tile_code": "T32UME",
            "acolite_file_type": level,
            "acolite_version": "Generic GitHub Clone",
            "oname": path.stem.removesuffix(f"_{level}"),
            "ofile": path.name,
        }
    )


def write_navigation(
    file: netCDF4.Dataset, truth: Truth, chunk: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Write lat and lon and return them as stored."""
    stored = truth.latitude.astype(np.float32), truth.longitude.astype(np.float32)
    for name, values, unit in zip(
        ("lat", "lon"), stored, ("degrees_north", "degrees_east"), strict=True
    ):
        long_name = "latitude" if name == "lat" else "longitude"
        attributes = {"long_name": long_name, "standard_name": long_name, "units": unit}
        variable(file, name, values, DIMS, attributes | {"parameter": name}, chunk=chunk)
    return stored


def stored_bands(
    truth: Truth, factor: float, values: Mapping[float, np.ndarray] | None
) -> dict[int, np.ndarray]:
    """Float32 of every band by whole nm, ``factor`` times Rrs, NaN where missing."""
    return {
        round(nm): np.asarray((values or {})[nm]).astype(np.float32)
        if nm in (values or {})
        else np.where(truth.missing, np.nan, rrs * factor).astype(np.float32)
        for nm, rrs in truth.rrs.items()
    }


def band_attributes(name: str, nm: int, long_name: str, standard_name: str) -> dict[str, Any]:
    return {
        "wavelength": float(nm),
        "long_name": long_name,
        "standard_name": standard_name,
        "units": "1",
        "parameter": name,
    }
