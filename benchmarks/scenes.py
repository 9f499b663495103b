"""Scenes to measure on: SGLI in the layout of NASA Level-2 files, of any size and chunking.

The fields are seeded noise with the spectrum of nature (not an observation): reflectances that a
network's training range holds, clouds and land over 42 % of the pixels, quantised as l2gen does.
Values repeat every 3072 lines and pixels in larger scenes, so that making them is quick.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SGLI_BANDS = (380, 412, 443, 490, 530, 565, 672)
# Typical Rrs (sr-1) of ocean water in these bands, and how much of its logarithm follows each of
# two fields: what absorbs (blue) and what scatters (all bands).
TYPICAL = np.array([5.5, 5.6, 5.0, 4.2, 2.6, 1.7, 0.25]) * 1e-3
ABSORBING = np.array([0.55, 0.50, 0.42, 0.25, 0.05, -0.05, -0.15])
SCATTERING = np.array([0.15, 0.15, 0.16, 0.18, 0.25, 0.3, 0.45])
NOISE = 2.5e-5  # sr-1, a pixel's own; the order of size of validated products

SCALE, OFFSET, FILL = np.float32(2e-6), np.float32(0.05), np.int16(-32767)
VALID_SHARE = 0.58
FLAGS = ("ATMFAIL", "LAND", "PRODWARN", "HIGLINT", "HILT", "HISATZEN", "COASTZ", "CLDICE")
PERIOD = 3072


def natural_noise(size: int, exponent: float, seed: int) -> Array:
    """A periodic field (size, size) of unit variance whose power falls as wavenumber**-exponent."""
    white = np.random.default_rng(seed).standard_normal((size, size))
    k = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size)) + 4 / size
    field = np.fft.irfft2(np.fft.rfft2(white) * k ** (-exponent / 2), s=white.shape)
    return np.asarray((field - field.mean()) / field.std())


class Fields:
    """What the water and the sky are like, on one period."""

    def __init__(self, period: int = PERIOD) -> None:
        self.absorbing = natural_noise(period, 3.2, 1)
        self.scattering = natural_noise(period, 3.0, 2)
        sky = natural_noise(period, 2.7, 3)
        self.covered = sky > np.quantile(sky, VALID_SHARE)

    def part(self, lines: slice, pixels: slice) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Absorbing, scattering and covered of a rectangle."""
        period = len(self.absorbing)
        at = np.ix_(
            np.arange(lines.start, lines.stop) % period,
            np.arange(pixels.start, pixels.stop) % period,
        )
        return self.absorbing[at], self.scattering[at], self.covered[at]


def write_sgli(
    path: Path, lines: int, pixels: int, chunk: tuple[int, int], fields: Fields | None = None
) -> Path:
    """A scene with 2-D Rrs bands, latitude, longitude and l2_flags, int16 and deflated."""
    fields = fields or Fields()
    with _level2(path, lines, pixels, "SGLI", "GCOM-C") as file:
        data, navigation = file["geophysical_data"], file["navigation_data"]
        bands = [_reflectance(data, f"Rrs_{nm}", chunk) for nm in SGLI_BANDS]
        words = _flags(data, chunk)
        places = _places(navigation, chunk)
        for top in range(0, lines, 1024):
            part = slice(top, min(top + 1024, lines))
            absorbing, scattering, covered = fields.part(part, slice(0, pixels))
            noise = np.random.default_rng(top)
            for band, typical, a, s in zip(bands, TYPICAL, ABSORBING, SCATTERING, strict=True):
                rrs = typical * np.exp(-a * absorbing + s * scattering)
                rrs += NOISE * noise.standard_normal(rrs.shape)
                band[part] = _counts(rrs, covered)
            words[part] = np.where(covered, np.int32(1 << 9), np.int32(0))
            _write_places(places, part, lines, pixels)
    return path


def write_cube(
    path: Path,
    lines: int,
    pixels: int,
    wavelengths: Sequence[float],
    chunk: tuple[int, int, int],
    fields: Fields | None = None,
) -> Path:
    """A scene with one 3-D Rrs (lines, pixels, wavelengths) as PACE OCI's files have it."""
    fields = fields or Fields(2048)
    centres = np.asarray(wavelengths, dtype=np.float64)
    typical, a, s = (np.interp(centres, SGLI_BANDS, of) for of in (TYPICAL, ABSORBING, SCATTERING))
    with _level2(path, lines, pixels, "OCI", "PACE") as file:
        file.createDimension("wavelength_3d", len(wavelengths))
        stored = file.createGroup("sensor_band_parameters").createVariable(
            "wavelength_3d", "f4", ("wavelength_3d",)
        )
        stored[:] = centres
        data = file["geophysical_data"]
        cube = _reflectance(data, "Rrs", chunk, ("wavelength_3d",))
        words = _flags(data, chunk[:2])
        places = _places(file["navigation_data"], chunk[:2])
        for top in range(0, lines, 64):
            part = slice(top, min(top + 64, lines))
            absorbing, scattering, covered = fields.part(part, slice(0, pixels))
            noise = np.random.default_rng(top).standard_normal((*absorbing.shape, centres.size))
            rrs = typical * np.exp(
                -a * absorbing[..., np.newaxis] + s * scattering[..., np.newaxis]
            )
            cube[part] = _counts(rrs + NOISE * noise, covered[..., np.newaxis])
            words[part] = np.where(covered, np.int32(1 << 9), np.int32(0))
            _write_places(places, part, lines, pixels)
    return path


def _level2(
    path: Path, lines: int, pixels: int, instrument: str, platform: str
) -> "netCDF4.Dataset":
    file = netCDF4.Dataset(path, "w")
    file.createDimension("number_of_lines", lines)
    file.createDimension("pixels_per_line", pixels)
    file.setncatts(
        {
            "title": f"{instrument} Level-2 Data (synthetic, for measuring)",
            "instrument": instrument,
            "platform": platform,
            "processing_level": "L2",
            "time_coverage_start": "2024-06-15T02:00:00.000Z",
            "time_coverage_end": "2024-06-15T02:05:00.000Z",
        }
    )
    for group in ("geophysical_data", "navigation_data"):
        file.createGroup(group)
    return file


def _image(
    group: Any,
    name: str,
    dtype: str,
    chunk: Sequence[int],
    attributes: Mapping[str, Any],
    fill: Any,
    more: tuple[str, ...] = (),
) -> Any:
    dims = ("number_of_lines", "pixels_per_line", *more)
    sizes = [len(group.parent.dimensions[dim]) for dim in dims]
    variable = group.createVariable(
        name,
        dtype,
        dims,
        zlib=True,
        complevel=4,
        shuffle=True,
        chunksizes=[min(c, n) for c, n in zip(chunk, sizes, strict=True)],
        fill_value=fill,
    )
    variable.setncatts(dict(attributes))
    variable.set_auto_maskandscale(False)
    return variable


def _reflectance(group: Any, name: str, chunk: Sequence[int], more: tuple[str, ...] = ()) -> Any:
    attributes = {
        "long_name": name.replace("_", " "),
        "units": "sr^-1",
        "scale_factor": SCALE,
        "add_offset": OFFSET,
        "valid_min": np.int16(-30000),
        "valid_max": np.int16(25000),
    }
    return _image(group, name, "i2", chunk, attributes, FILL, more)


def _flags(group: Any, chunk: Sequence[int]) -> Any:
    names = [*FLAGS[:7], "SPARE", "STRAYLIGHT", "CLDICE"]
    attributes = {
        "long_name": "Level-2 Processing Flags",
        "flag_masks": np.left_shift(np.int32(1), np.arange(len(names), dtype=np.int32)),
        "flag_meanings": " ".join(names),
    }
    return _image(group, "l2_flags", "i4", chunk, attributes, None)


def _places(group: Any, chunk: Sequence[int]) -> tuple[Any, Any]:
    made = [
        _image(group, name, "f4", chunk, {"units": units, "standard_name": name}, np.float32(-999))
        for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east"))
    ]
    return made[0], made[1]


def _counts(rrs: Array, covered: npt.NDArray[np.bool_]) -> npt.NDArray[np.int16]:
    counts = np.clip(np.round((rrs - float(OFFSET)) / float(SCALE)), -30000, 25000)
    return np.where(covered, FILL, counts).astype(np.int16)


def _write_places(places: tuple[Any, Any], part: slice, lines: int, pixels: int) -> None:
    """A swath that turns a little, so that no line or column is constant."""
    y = np.arange(part.start, part.stop)[:, np.newaxis] / max(lines, 1)
    x = np.arange(pixels) / max(pixels, 1)
    bow = 0.4 * np.sin(np.pi * x)
    places[0][part] = (40 - 8 * y - 1.5 * x + bow).astype(np.float32)
    places[1][part] = (130 + 9 * x + 1.2 * y - 0.6 * x * y).astype(np.float32)
