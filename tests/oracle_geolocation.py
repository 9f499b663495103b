"""Independent float64 answers for geolocation and neighbourhoods, one pixel at a time.

Written from the sources alone and shares no code with the product: plain loops over pixels, so
that agreement with vectorised code means something. "Facts" is as in `oracle`; tie points are
section 3 (GCOM-C/SGLI Level-2). Latitude and longitude are in degrees.
"""

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike
from oracle import Bool, Float64


def wrap_longitude(longitude: float) -> float:
    """Bring a longitude in degrees into [-180, 180)."""
    while longitude >= 180.0:
        longitude -= 360.0
    while longitude < -180.0:
        longitude += 360.0
    return longitude


def interpolate_tie_points(
    tie_latitude: ArrayLike,
    tie_longitude: ArrayLike,
    interval_y: int,
    interval_x: int,
    lines: int,
    pixels: int,
) -> tuple[Float64, Float64]:
    """Interpolate tie points (ty, tx) bilinearly to (lines, pixels), both in degrees (facts 3).

    Tie point (i, j) is the centre of pixel (i interval_y, j interval_x). Pixels past the last tie
    point continue the last cell in a straight line. The longitudes of a cell's corners are taken
    within 180 degrees of the first one's that has a weight, so that a cell across the antimeridian
    is as good as any other, wherever else in the grid the antimeridian or a pole lies. Longitude
    comes back in [-180, 180). In a cell that holds a pole (`cell_holds_pole`) it means nothing.

    A pixel on an edge of a cell depends on the ends of that edge only: NaN at a tie point spreads
    to the pixels strictly nearer than one interval, in both directions.
    """
    latitude = np.asarray(tie_latitude, dtype=np.float64)
    longitude = np.asarray(tie_longitude, dtype=np.float64)
    if latitude.shape != longitude.shape or min(latitude.shape) < 2:
        raise ValueError(f"tie points have shapes {latitude.shape} and {longitude.shape}")
    result_latitude = np.full((lines, pixels), np.nan)
    result_longitude = np.full((lines, pixels), np.nan)
    for line in range(lines):
        i = min(line // interval_y, latitude.shape[0] - 2)
        down = (line - i * interval_y) / interval_y
        for pixel in range(pixels):
            j = min(pixel // interval_x, latitude.shape[1] - 2)
            right = (pixel - j * interval_x) / interval_x
            corners = [
                (i, j, (1.0 - down) * (1.0 - right)),
                (i, j + 1, (1.0 - down) * right),
                (i + 1, j, down * (1.0 - right)),
                (i + 1, j + 1, down * right),
            ]
            used = [corner for corner in corners if corner[2] != 0.0]
            origin = float(longitude[used[0][0], used[0][1]])
            here, offset = 0.0, 0.0
            for row, column, weight in used:
                here += weight * float(latitude[row, column])
                turn = math.remainder(float(longitude[row, column]) - origin, 360.0)
                offset += weight * turn
            result_latitude[line, pixel] = here
            result_longitude[line, pixel] = wrap_longitude(origin + offset)
    return result_latitude, result_longitude


def cell_holds_pole(tie_longitude: ArrayLike) -> Bool:
    """Tell which cells (ty - 1, tx - 1) of a grid in degrees go round a pole.

    Walking round their four corners, longitude comes back a whole turn away.
    """
    longitude = np.asarray(tie_longitude, dtype=np.float64)
    result = np.zeros((longitude.shape[0] - 1, longitude.shape[1] - 1), dtype=np.bool_)
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            loop = [(i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j), (i, j)]
            turned = 0.0
            for start, stop in itertools.pairwise(loop):
                turned += math.remainder(float(longitude[stop] - longitude[start]), 360.0)
            result[i, j] = abs(turned) > 180.0
    return result


def window_of_bbox(
    latitude: ArrayLike,
    longitude: ArrayLike,
    west: float,
    south: float,
    east: float,
    north: float,
) -> tuple[int, int, int, int] | None:
    """Find the smallest rectangle with all pixel centres of (y, x) grids inside a box, in degrees.

    Gives (first line, stop line, first pixel, stop pixel), stops exclusive, or None where no
    centre is inside. Edges belong to the box. West above east goes across the antimeridian (or
    Greenwich, from 350 to 10). Grid and box may each count longitude from -180 to 180 or from 0
    to 360. A centre that is NaN in either coordinate is outside.
    """
    if south > north:
        raise ValueError(f"south {south} is above north {north}")
    latitudes = np.asarray(latitude, dtype=np.float64)
    longitudes = np.asarray(longitude, dtype=np.float64)
    end = east + 360.0 if west > east else east
    lines: list[int] = []
    columns: list[int] = []
    for line in range(latitudes.shape[0]):
        for pixel in range(latitudes.shape[1]):
            if not south <= float(latitudes[line, pixel]) <= north:
                continue
            here = float(longitudes[line, pixel])
            if any(west <= here + 360.0 * turn <= end for turn in (-2, -1, 0, 1, 2)):
                lines.append(line)
                columns.append(pixel)
    if not lines:
        return None
    return min(lines), max(lines) + 1, min(columns), max(columns) + 1


def dilate(mask: ArrayLike, radius: int) -> Bool:
    """Tell which pixels of (y, x) have a set one within a Chebyshev distance in pixels.

    Radius 0 gives the mask itself; nothing enters from beyond the edges.
    """
    source = np.asarray(mask, dtype=np.bool_)
    result = np.zeros(source.shape, dtype=np.bool_)
    for line in range(source.shape[0]):
        for pixel in range(source.shape[1]):
            if not source[line, pixel]:
                continue
            for near_line in range(line - radius, line + radius + 1):
                for near_pixel in range(pixel - radius, pixel + radius + 1):
                    if 0 <= near_line < source.shape[0] and 0 <= near_pixel < source.shape[1]:
                        result[near_line, near_pixel] = True
    return result
