"""The part of a scene that is processed: a rectangle of its lines and pixels."""

from dataclasses import dataclass

import dask.base
import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import Window
from pipeline.errors import SceneError
from pipeline.scene import GEOLOCATION

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Extent:
    """A rectangle of lines and pixels, counted from 0 in the whole scene."""

    first_line: int
    first_pixel: int
    shape: tuple[int, int]
    scene_shape: tuple[int, int]
    places: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None
    """Latitude and longitude of the rectangle, where they had to be read to find it."""

    @classmethod
    def whole(cls, scene: xr.Dataset) -> "Extent":
        """All of a scene."""
        shape = (scene.sizes["y"], scene.sizes["x"])
        return cls(0, 0, shape, shape)

    def __str__(self) -> str:
        lines, pixels = self.slices["y"], self.slices["x"]
        return f"lines {lines.start}:{lines.stop}, pixels {pixels.start}:{pixels.stop}"

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the scene."""
        return self.shape == self.scene_shape

    @property
    def slices(self) -> dict[str, slice]:
        """Along ``y`` and ``x``."""
        lines, pixels = self.shape
        return {
            "y": slice(self.first_line, self.first_line + lines),
            "x": slice(self.first_pixel, self.first_pixel + pixels),
        }


def find_extent(scene: xr.Dataset, window: Window) -> Extent:
    """The rectangle that a window means in a scene.

    A bounding box needs geolocation: it is read once, and the window's part of it is kept.

    Raises:
        SceneError: nothing of the scene is inside.
    """
    shape = (scene.sizes["y"], scene.sizes["x"])
    lines = _span(window.lines, shape[0], "lines")
    pixels = _span(window.pixels, shape[1], "pixels")
    places = None
    if window.bbox is not None:
        # Lines and pixels first: geolocation outside of them is not even read.
        part = scene[list(GEOLOCATION)].isel(y=slice(*lines), x=slice(*pixels))
        (loaded,) = dask.base.compute(part.reset_coords())
        latitude, longitude = (loaded[name].values for name in GEOLOCATION)
        inside = _inside(latitude, longitude, window.bbox)
        if not inside.any():
            raise SceneError(_nothing_inside(loaded, window.bbox))
        rows = _used(np.asarray(inside.any(axis=1)))
        columns = _used(np.asarray(inside.any(axis=0)))
        places = (latitude[rows, columns].copy(), longitude[rows, columns].copy())
        lines = (lines[0] + rows.start, lines[0] + rows.stop)
        pixels = (pixels[0] + columns.start, pixels[0] + columns.stop)
    size = (lines[1] - lines[0], pixels[1] - pixels[0])
    return Extent(lines[0], pixels[0], size, shape, places)


def _span(span: tuple[int, int] | None, size: int, what: str) -> tuple[int, int]:
    if span is None:
        return 0, size
    if span[0] >= size:
        raise SceneError(
            f"the window's {what} {span[0]}:{span[1]} are outside the scene, which has {size}. "
            f"Correct --{what} or science.window.{what}."
        )
    return span[0], min(span[1], size)


def _inside(
    latitude: npt.NDArray[np.float32],
    longitude: npt.NDArray[np.float32],
    bbox: tuple[float, float, float, float],
) -> Bool:
    """Pixels whose centre is in the box, edges included; NaN is outside.

    The box is rounded to float32, as the centres are: one that goes through centres holds them.
    """
    west, south, east, north = (float(np.float32(edge)) for edge in bbox)
    width = east - west if east - west >= 360 else (east - west) % 360
    inside = np.empty(latitude.shape, dtype=bool)
    for line in range(len(latitude)):  # a line at a time: no float64 of the whole scene
        with np.errstate(invalid="ignore"):
            from_west = (longitude[line].astype(np.float64) - west) % 360
            in_longitude = (from_west <= width) | (width >= 360)
            in_longitude &= np.isfinite(longitude[line])
            inside[line] = in_longitude & (latitude[line] >= south) & (latitude[line] <= north)
    return inside


def _nothing_inside(part: xr.Dataset, bbox: tuple[float, float, float, float]) -> str:
    west, south, east, north = bbox
    box = f"west {west:g}, south {south:g}, east {east:g}, north {north:g}"
    spans = []
    for name in GEOLOCATION:
        values = part[name].values
        if np.isfinite(values).any():
            spans.append(f"{name} {np.nanmin(values):.3f} to {np.nanmax(values):.3f}")
    place = f"covers {' and '.join(spans)}" if spans else "has no geolocation"
    return (
        f"no pixel of the scene is in the box {box}; it {place}. Correct --bbox or "
        "science.window.bbox (west, south, east, north; west > east crosses the antimeridian)."
    )


def _used(used: Bool) -> slice:
    """From the first to the last that is used."""
    places = np.flatnonzero(used)
    return slice(int(places[0]), int(places[-1]) + 1)
