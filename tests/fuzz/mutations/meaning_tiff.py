"""GeoTIFF files that every library reads, in which metadata mean something else than before."""

import warnings
from pathlib import Path
from random import Random

import numpy as np
import rasterio

from fuzz.outside import Outside


def scale(path: Path, draw: Random, _: Outside) -> str:
    """Each band has its own scale and offset, or none."""
    with rasterio.open(path, "r+") as file:
        file.scales = [draw.choice((1.0, 1.0, 0.5, 1e-4, -2e-6)) for _ in file.indexes]
        file.offsets = [draw.choice((0.0, 0.0, 0.05)) for _ in file.indexes]
        return f"scales {file.scales}, offsets {file.offsets}"


def nodata_as_a_value(path: Path, draw: Random, _: Outside) -> str:
    """A stored number means missing."""
    with rasterio.open(path, "r+") as file:
        stored = file.read(1)
        file.nodata = float(stored.reshape(-1)[draw.randrange(stored.size)])
        return f"nodata {file.nodata}"


def units(path: Path, draw: Random, _: Outside) -> str:
    """Bands have units, which the options override."""
    with rasterio.open(path, "r+") as file:
        file.units = [draw.choice(("sr-1", "percent", "1", "")) for _ in file.indexes]
        return f"units {file.units}"


def wavelengths(path: Path, draw: Random, _: Outside) -> str:
    """Wavelengths are in tags or descriptions, in every spelling, or lost."""
    texts = ("443", "443.0", "443 nm", "Rrs_443", "B1", "", "0.443", "560 nm", "Rrs_560.0")
    with rasterio.open(path, "r+") as file:
        band, text = draw.randint(1, file.count), draw.choice(texts)
        if draw.random() < 0.5:
            file.set_band_description(band, text)
        else:
            file.update_tags(band, wavelength=text)
        return f"band {band}: {text!r}"


def values_at_limits(path: Path, draw: Random, _: Outside) -> str:
    """Pixels hold the ends of the type and the number that means missing."""
    with rasterio.open(path, "r+") as file:
        stored = file.read(1)
        if stored.dtype.kind == "f":
            odd = [0.0, np.nan, np.inf, -999.0, 9.96921e36]
        else:
            info = np.iinfo(stored.dtype)
            odd = [info.min, info.min + 1, info.max - 1, info.max, 0]
        odd += [] if file.nodata is None else [file.nodata]
        flat = stored.reshape(-1)
        for at in draw.sample(range(flat.size), 40):
            flat[at] = draw.choice(odd)
        file.write(stored, 1)
    return "odd values in band 1"


def other_type(path: Path, draw: Random, _: Outside) -> str:
    """The same numbers in another type, as far as it holds them."""
    dtype = draw.choice(("uint16", "int16", "int32", "float32", "float64"))
    with rasterio.open(path) as file:
        stored, profile, described = file.read(), file.profile, file.descriptions
        scales, offsets, tags = file.scales, file.offsets, [file.tags(i) for i in file.indexes]
    profile.update(dtype=dtype, nodata=None)
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        made = np.nan_to_num(stored).astype(dtype)
    with rasterio.open(path, "w", **profile) as file:
        file.write(made)
        file.scales, file.offsets, file.descriptions = scales, offsets, described
        for index, of_band in enumerate(tags):
            file.update_tags(index + 1, **of_band)
    return f"stored as {dtype}"
