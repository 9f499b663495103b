"""Find the window to process: a rectangle of lines and pixels of a scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config.science import Window
from pipeline.errors import SceneError
from pipeline.scene.lazy import strips
from pipeline.scene.scene import AXES, GEOLOCATION

Bool = npt.NDArray[np.bool_]
Places = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Latitude and longitude."""

# Most bytes of geolocation kept after the search for a box; more than that is read again.
MOST_KEPT = 64_000_000


@dataclass(frozen=True, eq=False)
class Extent:
    """A rectangle of lines and pixels, counted from 0 in the whole scene."""

    first_line: int
    first_pixel: int
    shape: tuple[int, int]
    scene_shape: tuple[int, int]
    places: Places | None = None
    """Latitude and longitude of the rectangle, if they were kept during the search for it."""

    @classmethod
    def whole(cls, scene: xr.Dataset) -> "Extent":
        """Return the extent of a whole scene."""
        shape = (scene.sizes["y"], scene.sizes["x"])
        return cls(0, 0, shape, shape)

    def __str__(self) -> str:
        lines, pixels = self.slices["y"], self.slices["x"]
        return f"lines {lines.start}:{lines.stop}, pixels {pixels.start}:{pixels.stop}"

    @property
    def is_whole(self) -> bool:
        """Whether the rectangle is the whole scene."""
        return self.shape == self.scene_shape

    @property
    def slices(self) -> dict[str, slice]:
        """Lines and pixels as slices along ``y`` and ``x``."""
        lines, pixels = self.shape
        return {
            "y": slice(self.first_line, self.first_line + lines),
            "x": slice(self.first_pixel, self.first_pixel + pixels),
        }


def find_extent(scene: xr.Dataset, window: Window) -> Extent:
    """Find the rectangle of a window in a scene.

    For a bounding box, geolocation is read. If the window is small, its geolocation is kept.

    Raises:
        SceneError: no pixel of the scene is inside the window.
    """
    shape = (scene.sizes["y"], scene.sizes["x"])
    lines = _span(window.lines, shape[0], "lines")
    pixels = _span(window.pixels, shape[1], "pixels")
    places = None
    if window.bbox is not None:
        # Lines and pixels are cut first, so geolocation outside them is not read.
        part = scene[list(GEOLOCATION)].isel(y=slice(*lines), x=slice(*pixels))
        found = _inside_box(part.drop_vars(AXES, errors="ignore").reset_coords(), window.bbox)
        rows, columns, places = found
        lines = (lines[0] + rows.start, lines[0] + rows.stop)
        pixels = (pixels[0] + columns.start, pixels[0] + columns.stop)
    size = (lines[1] - lines[0], pixels[1] - pixels[0])
    return Extent(lines[0], pixels[0], size, shape, places)


def _span(span: tuple[int, int] | None, size: int, what: str) -> tuple[int, int]:
    if span is None:
        return 0, size
    if span[0] >= size:
        raise SceneError(
            f"the window's {what} {span[0]}:{span[1]} are outside the scene, which has {size} "
            f"{what}. Correct --{what} or science.window.{what}."
        )
    return span[0], min(span[1], size)


def _inside_box(
    part: xr.Dataset, bbox: tuple[float, float, float, float]
) -> tuple[slice, slice, Places | None]:
    """Return the lines and pixels around a box, and their geolocation (None if it is too large)."""
    rows = np.zeros(part.sizes["y"], dtype=bool)
    columns = np.zeros(part.sizes["x"], dtype=bool)
    kept: list[tuple[slice, Places]] | None = []
    spans: dict[str, list[float]] = {name: [] for name in GEOLOCATION}
    for strip, loaded in strips(part):
        latitude, longitude = (loaded[name].values for name in GEOLOCATION)
        inside = _inside(latitude, longitude, bbox)
        rows[strip] = inside.any(axis=1)
        columns |= inside.any(axis=0)
        for name, ends in spans.items():
            known = loaded[name].values[np.isfinite(loaded[name].values)]
            ends.extend([float(known.min()), float(known.max())] if known.size else [])
        if kept is not None and inside.any():
            kept.append((strip, (latitude, longitude)))
            held = sum(array.nbytes for _, places in kept for array in places)
            kept = kept if held <= MOST_KEPT else None
    if not rows.any():
        raise SceneError(_nothing_inside(spans, bbox))
    lines, pixels = _used(rows), _used(columns)
    return lines, pixels, None if kept is None else _joined(kept, lines, pixels)


def _joined(kept: list[tuple[slice, Places]], lines: slice, pixels: slice) -> Places | None:
    """Cut the geolocation of a window out of strips; None if any of the strips was not kept."""
    if any(strip.stop != following.start for (strip, _), (following, _) in pairwise(kept)):
        return None
    top = kept[0][0].start
    within = slice(lines.start - top, lines.stop - top)
    latitude, longitude = (
        np.concatenate([places[axis][:, pixels] for _, places in kept])[within] for axis in (0, 1)
    )
    return latitude, longitude


def _inside(
    latitude: npt.NDArray[np.float32],
    longitude: npt.NDArray[np.float32],
    bbox: tuple[float, float, float, float],
) -> Bool:
    """Whether the centre of each pixel (y, x) is in the box, edges included; NaN is outside.

    The box is rounded to float32, like the centres, so that centres on its edge are inside.
    """
    west, south, east, north = (float(np.float32(edge)) for edge in bbox)
    width = east - west if east - west >= 360 else (east - west) % 360
    inside = np.empty(latitude.shape, dtype=bool)
    for line in range(len(latitude)):  # one line at a time, to save memory for float64
        with np.errstate(invalid="ignore"):
            from_west = (longitude[line].astype(np.float64) - west) % 360
            in_longitude = (from_west <= width) | (width >= 360)
            in_longitude &= np.isfinite(longitude[line])
            inside[line] = in_longitude & (latitude[line] >= south) & (latitude[line] <= north)
    return inside


def _nothing_inside(
    found: Mapping[str, list[float]], bbox: tuple[float, float, float, float]
) -> str:
    west, south, east, north = bbox
    box = f"west {west:g}, south {south:g}, east {east:g}, north {north:g}"
    spans = [f"{name} {min(s):.3f} to {max(s):.3f}" for name, s in found.items() if s]
    place = f"covers {' and '.join(spans)}" if spans else "has no valid geolocation"
    return (
        f"no pixel of the scene is in the box {box}; the scene {place}. Correct --bbox or "
        "science.window.bbox (west, south, east, north; west > east crosses the antimeridian)."
    )


def _used(used: Bool) -> slice:
    """Return the range from the first to the last line (or pixel) that is used."""
    places = np.flatnonzero(used)
    return slice(int(places[0]), int(places[-1]) + 1)
