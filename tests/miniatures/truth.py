"""What a miniature scene shows, and what the file written from it means.

The images' pixel values are their coordinates, and the navigation is rotated against the axes, so
that no symmetry hides a flip, a transposition or a wrong window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

LOWEST_RRS, RRS_SPAN = 0.0015, 0.028  # sr-1; every value lies between 0.001 and 0.03
# Degrees per line and per pixel, and per line times pixel. Two cross terms turn the swath, the
# product term makes the cells differ; all small enough to be monotonic in scenes of 300 x 300.
LATITUDE_STEP = (0.010, -0.003, 2e-6)
LONGITUDE_STEP = (0.004, 0.0125, -3e-6)
KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class Truth:
    """What a scene shows; every array has the shape (lines, pixels)."""

    rrs: dict[float, np.ndarray]
    """Remote sensing reflectance (sr-1, float64) by wavelength (nm); also where it is missing."""
    latitude: np.ndarray
    longitude: np.ndarray
    """Degrees, float64; longitude in [-180, 180)."""
    missing: np.ndarray
    """True where every band is to hold the fill value."""
    outside: np.ndarray
    """True where every band is to lie outside the valid range, in formats that state one."""
    saturated: np.ndarray
    """True where every band is to hold the saturation count, in formats that have one."""
    flags: dict[str, np.ndarray] = field(default_factory=dict)
    """True where a flag is raised, by the format's own name of it."""

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and pixels."""
        lines, pixels = self.latitude.shape
        return lines, pixels


@dataclass(frozen=True)
class Written:
    """What a file means, computed in float64 from the numbers and attributes stored in it."""

    path: Path
    rrs: dict[float, np.ndarray]
    """sr-1 by wavelength (nm) as the file names it; NaN where missing or outside."""
    latitude: np.ndarray
    longitude: np.ndarray
    """Degrees at every pixel, interpolated from stored tie points where there are such."""
    flags: dict[str, np.ndarray]
    """True where a flag is raised; of every flag the format has, not only of those given."""
    missing: np.ndarray
    """True where every band holds the fill value."""
    outside: np.ndarray
    """True where any band lies outside the valid range the file states."""
    saturated: np.ndarray
    """True where any band holds the saturation count."""
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    """Tie points, angles, uncertainties and the like, by their names in the file."""


def image_of_coordinates(
    lines: int,
    pixels: int,
    wavelengths: Sequence[float],
    *,
    center: tuple[float, float] = (34.6, 139.2),
    descending: bool = True,
    antimeridian: bool = False,
    pole: bool = False,
    defects: bool = True,
    all_missing: bool = False,
    flags: Sequence[str] = (),
) -> Truth:
    """A swath that says where it is.

    Latitude and longitude are bilinear in line and pixel, monotonic along both, and aligned with
    neither. ``descending`` lets the latitude fall with the line. ``antimeridian`` puts longitude
    180 into the middle of the scene. ``pole`` puts the North Pole into it, between pixels; then
    latitude and longitude are neither bilinear nor monotonic. Without ``defects`` no pixel is
    missing, outside or saturated. Each of ``flags`` has a pattern of its own.
    """
    line, pixel = np.mgrid[0:lines, 0:pixels].astype(np.float64)
    if pole:
        latitude, longitude = _around_the_pole(line, pixel)
    else:
        latitude, longitude = _swath(line, pixel, center, descending, antimeridian)
    return _truth(line, pixel, wavelengths, latitude, longitude, defects, all_missing, flags)


def map_of_coordinates(
    lines: int,
    pixels: int,
    wavelengths: Sequence[float],
    *,
    northwest: tuple[float, float] = (40.0, 5.0),
    step: tuple[float, float] = (1 / 24, 1 / 20),
    north_up: bool = True,
    antimeridian: bool = False,
    defects: bool = True,
    all_missing: bool = False,
    flags: Sequence[str] = (),
) -> Truth:
    """The same for mapped formats: latitude depends on the line only, longitude on the pixel only.

    Without ``north_up`` the first line is the southernmost. With ``antimeridian`` longitude passes
    180 in the middle of the map, where it jumps to -180.
    """
    line, pixel = np.mgrid[0:lines, 0:pixels].astype(np.float64)
    row = line if north_up else lines - 1 - line
    west = 180 - step[1] * (pixels / 2 + 0.25) if antimeridian else northwest[1]
    latitude = northwest[0] - step[0] * (row + 0.5)
    longitude = wrapped(west + step[1] * (pixel + 0.5))
    return _truth(line, pixel, wavelengths, latitude, longitude, defects, all_missing, flags)


def wrapped(longitude: np.ndarray) -> np.ndarray:
    """Longitudes (degrees) in [-180, 180)."""
    return (longitude + 180) % 360 - 180


def unwrapped(longitude: np.ndarray) -> np.ndarray:
    """Longitudes (degrees) without jumps, along the pixels and then along the lines."""
    along_pixels = np.unwrap(longitude.astype(np.float64), period=360, axis=1)
    first = np.unwrap(along_pixels[:, :1], period=360, axis=0)
    return along_pixels + (first - along_pixels[:, :1])


def packed_flags(
    flags: dict[str, np.ndarray], bits: dict[str, int], shape: tuple[int, int], dtype: type
) -> np.ndarray:
    """Flags as bits of one integer per pixel; ``bits`` gives each name's bit number."""
    unknown = sorted(set(flags) - set(bits))
    if unknown:
        raise ValueError(f"this format has no flag {', '.join(unknown)}; it has {', '.join(bits)}")
    stored = np.zeros(shape, np.uint64)
    for name, raised in flags.items():
        stored |= np.where(raised, np.uint64(1 << bits[name]), np.uint64(0))
    unsigned = np.dtype(dtype).str.replace("i", "u")
    return stored.astype(unsigned).view(dtype)


def unpacked_flags(stored: np.ndarray, bits: dict[str, int]) -> dict[str, np.ndarray]:
    """Every flag of a format, by name, from the stored integers."""
    unsigned = stored.view(stored.dtype.str.replace("i", "u")).astype(np.uint64)
    return {name: (unsigned >> np.uint64(bit)) & np.uint64(1) == 1 for name, bit in bits.items()}


def every(masks: Sequence[np.ndarray]) -> np.ndarray:
    """True where all bands agree."""
    return np.logical_and.reduce(list(masks))


def some(masks: Sequence[np.ndarray]) -> np.ndarray:
    """True where one band says so."""
    return np.logical_or.reduce(list(masks))


def _truth(
    line: np.ndarray,
    pixel: np.ndarray,
    wavelengths: Sequence[float],
    latitude: np.ndarray,
    longitude: np.ndarray,
    defects: bool,
    all_missing: bool,
    flags: Sequence[str],
) -> Truth:
    missing = (2 * line + 5 * pixel) % 13 == 4
    outside = ((3 * line + 4 * pixel) % 17 == 6) & ~missing
    saturated = ((5 * line + 2 * pixel) % 19 == 7) & ~missing & ~outside
    return Truth(
        rrs=_rrs_of_coordinates(line, pixel, wavelengths),
        latitude=latitude,
        longitude=longitude,
        missing=np.full(line.shape, True) if all_missing else missing & defects,
        outside=outside & (defects and not all_missing),
        saturated=saturated & (defects and not all_missing),
        flags={
            name: (line + 3 * pixel + number) % (4 + number) == 0
            for number, name in enumerate(flags)
        },
    )


def _rrs_of_coordinates(
    line: np.ndarray, pixel: np.ndarray, wavelengths: Sequence[float]
) -> dict[float, np.ndarray]:
    """Unique in every band and pixel; after packing at 2e-6 only up to some 14,000 values."""
    position = line * line.shape[1] + pixel
    step = RRS_SPAN / (len(wavelengths) * line.size)
    return {
        float(nm): LOWEST_RRS + step * (number * line.size + position + 0.5)
        for number, nm in enumerate(wavelengths)
    }


def _swath(
    line: np.ndarray,
    pixel: np.ndarray,
    center: tuple[float, float],
    descending: bool,
    antimeridian: bool,
) -> tuple[np.ndarray, np.ndarray]:
    middle = (line.shape[0] - 1) / 2, (line.shape[1] - 1) / 2
    y, x = line - middle[0], pixel - middle[1]
    per_line, per_pixel, product = LATITUDE_STEP
    latitude = center[0] + (-per_line if descending else per_line) * y + per_pixel * x
    per_line, per_pixel, lon_product = LONGITUDE_STEP
    # A quarter of a pixel off, so that no pixel lies on the antimeridian itself.
    longitude = (180 + per_pixel / 4 if antimeridian else center[1]) + per_line * y + per_pixel * x
    return latitude + product * y * x, wrapped(longitude + lon_product * y * x)


def _around_the_pole(line: np.ndarray, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuthal equidistant cells of 1.0 x 1.2 km, turned by 0.3 rad, the pole off corners."""
    y = 1.0 * (line - line.shape[0] / 2 + 0.3)
    x = 1.2 * (pixel - line.shape[1] / 2 + 0.2)
    east, north = x * np.cos(0.3) - y * np.sin(0.3), x * np.sin(0.3) + y * np.cos(0.3)
    latitude = 90 - np.hypot(east, north) / KM_PER_DEGREE
    return latitude, wrapped(np.rad2deg(np.arctan2(east, -north)))
