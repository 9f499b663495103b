"""Classic netCDF files in which attributes mean something else than before."""

from pathlib import Path
from random import Random

import netCDF4
import numpy as np

from fuzz.outside import Outside

NUMBERS = (np.float32(-999), np.float64(0.002), np.int16(3), "0.002", "-999", np.float64(np.nan))
ATTRIBUTES = ("missing_value", "valid_min", "valid_max", "scale_factor", "add_offset", "fill_value")


def attribute(path: Path, draw: Random, _: Outside) -> str:
    """A number of a band, or of the file, as another number or as text."""
    with netCDF4.Dataset(path, "a") as file:
        bands = sorted(name for name in file.variables if name.startswith("Rrs_"))
        owner = draw.choice((file, *(file[name] for name in bands)))
        name, value = draw.choice(ATTRIBUTES), draw.choice(NUMBERS)
        owner.setncattr(name, value)
        return f"{name} of {getattr(owner, 'name', 'the file')} is {value!r}"
