"""Find the pixel of a scene that is nearest to a place, by great-circle distance.

Pixels are points on a sphere in three dimensions, so the antimeridian and the poles need no special
treatment. Each tile of pixels has a bounding box in three dimensions. A tile is searched only if
its box may contain a pixel nearer than the nearest one found so far.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.scene.lazy import strips
from pipeline.scene.scene import GEOLOCATION, Band
from pipeline.scene.selection import select_layers
from pipeline.tables.table import Array

EARTH_RADIUS_KM = 6371.0
"""Mean radius of the Earth."""
TILE = 32
"""Number of lines in a tile, and number of pixels in each line of a tile."""
NUMBERS_AT_ONCE = 1_000_000
"""Approximate number of values (latitudes plus longitudes) that are in memory at a time."""


@dataclass(frozen=True, eq=False)
class NearestPixels:
    """The nearest pixel to each place; every array has shape (places,)."""

    line: npt.NDArray[np.int64]
    """Line of the pixel; -1 if no pixel of the scene has a position."""
    pixel: npt.NDArray[np.int64]
    """Column of the pixel; -1 if no pixel of the scene has a position."""
    distance_km: Array
    """Distance to the pixel; infinite if no pixel of the scene has a position."""


def nearest_pixels(scene: xr.Dataset, latitude: Array, longitude: Array) -> NearestPixels:
    """Return the pixel nearest to each place (degrees).

    If several pixels are equally near, the first of them is returned.

    Geolocation is read some lines at a time; pixels without a position are skipped.
    """
    places = unit_vectors(latitude, longitude)
    best = np.full(len(places), np.inf)
    line, pixel = np.full((2, len(places)), -1, dtype=np.int64)
    for strip, loaded in strips(geolocation(scene), NUMBERS_AT_ONCE):
        pixels = unit_vectors(*(loaded[name].values.astype(np.float64) for name in GEOLOCATION))
        lowest, highest = _boxes(pixels)
        for number, place in enumerate(places):
            found = _search(pixels, lowest, highest, place, best[number])
            if found is not None:
                best[number], row, column = found
                line[number], pixel[number] = strip.start + row, column
    return NearestPixels(line, pixel, _arc_km(best))


def geolocation(scene: xr.Dataset) -> xr.Dataset:
    """Return latitude and longitude of a scene as plain lazy variables on (y, x)."""
    return select_layers(scene, list(map(Band, GEOLOCATION)))


def unit_vectors(latitude: Array, longitude: Array) -> Array:
    """Return points on the unit sphere, with x, y, z as the last dimension; NaN stays NaN."""
    up, east = np.radians(latitude), np.radians(longitude)
    across = np.cos(up)
    return np.stack([across * np.cos(east), across * np.sin(east), np.sin(up)], axis=-1)


def distances_km(one: Array, other: Array) -> Array:
    """Return the great-circle distances (km) between points on the unit sphere.

    Both arrays of points have x, y, z as the last dimension.
    """
    return _arc_km(((one - other) ** 2).sum(axis=-1))


def _arc_km(squared_chord: Array) -> Array:
    """Convert chords to distances along the sphere (arcsin is exact for short chords)."""
    half = np.sqrt(squared_chord) / 2
    return np.where(np.isinf(half), np.inf, 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(half, 1)))


def _boxes(pixels: Array) -> tuple[Array, Array]:
    """Return the lowest and the highest corner of the box around each tile.

    Both arrays have shape (tiles down, tiles across, 3).
    """
    starts = [np.arange(0, size, TILE) for size in pixels.shape[:2]]

    def reduced(function: np.ufunc) -> Array:
        return np.asarray(
            function.reduceat(function.reduceat(pixels, starts[0], axis=0), starts[1], axis=1)
        )

    return reduced(np.fmin), reduced(np.fmax)


def _search(
    pixels: Array, lowest: Array, highest: Array, place: Array, best: float
) -> tuple[float, int, int] | None:
    """Return the square of the chord to the nearest pixel, and line and column of this pixel.

    The result is None if no pixel has a chord whose square is smaller than ``best``.
    """
    outside = np.maximum(np.maximum(lowest - place, place - highest), 0)
    bounds = (outside**2).sum(axis=-1)
    found = None
    # Tiles without any position have NaN, which sorts to the end and never compares as nearer.
    for tile in np.argsort(bounds, axis=None, kind="stable"):
        down, across = np.unravel_index(tile, bounds.shape)
        if not bounds[down, across] <= best:
            break
        part = pixels[down * TILE : (down + 1) * TILE, across * TILE : (across + 1) * TILE]
        squared = ((part - place) ** 2).sum(axis=-1)
        row, column = np.unravel_index(np.nanargmin(squared), squared.shape)
        nearest = float(squared[row, column])
        at = int(down * TILE + row), int(across * TILE + column)
        if nearest < best or (nearest == best and found is not None and at < found[1:]):
            best, found = nearest, (nearest, *at)
    return found


def pixel_diagonal_km(scene: xr.Dataset, line: int, pixel: int) -> float:
    """Return the largest distance (km) between a pixel and one of its neighbours.

    NaN if no neighbour has a position.
    """
    rows, columns = (slice(max(at - 1, 0), at + 2) for at in (line, pixel))
    around = geolocation(scene).isel(y=rows, x=columns).load()
    points = unit_vectors(*(around[name].values.astype(np.float64) for name in GEOLOCATION))
    middle = points[line - rows.start, pixel - columns.start]
    distances = distances_km(points, middle)
    known = distances[np.isfinite(distances)]
    return float(known.max()) if known.size > 1 else float("nan")
