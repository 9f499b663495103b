"""Bilinear interpolation of geolocation and angles from tie points, also across 180 degrees."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.readers.damage import check_size, rewritten
from pipeline.readers.layers import plane, possible
from pipeline.scene.lazy import Computed, Generated, LazyArray

# Scene names of variables in degrees that wrap at 360.
AZIMUTHS = ("sensor_azimuth", "solar_azimuth", "relative_azimuth", "sena", "sola")
WRAPPING = ("longitude", *AZIMUTHS)

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TiePoints:
    """The positions of tie points, in lines and pixels of the scene, counted from 0."""

    lines: Float64
    pixels: Float64
    shape: tuple[int, int]
    """Lines and pixels of the scene."""

    @classmethod
    def regular(
        cls,
        tie_shape: tuple[int, ...],
        interval: tuple[float, float],
        shape: tuple[int, int],
        offset: tuple[float, float] = (0.0, 0.0),
    ) -> "TiePoints":
        """Make tie points at regular intervals from ``offset`` on; they must cover the scene."""
        check_size(tie_shape[0], tie_shape[1])
        lines, pixels = (
            np.arange(count, dtype=np.float64) * step + start
            for count, step, start in zip(tie_shape[:2], interval, offset, strict=True)
        )
        return cls(lines, pixels, shape).checked()

    def checked(self) -> "TiePoints":
        """Return the tie points; refuse them if they do not cover the scene.

        Every pixel must lie between tie points, or less than one interval after the last tie point.
        """
        for what, ties, size in zip(
            ("lines", "pixels"), (self.lines, self.pixels), self.shape, strict=True
        ):
            if ties.size == size and np.array_equal(ties, np.arange(size)):
                continue
            increasing = ties.size > 1 and bool((np.diff(ties) > 0).all())
            step = float(np.diff(ties).max()) if increasing else 0.0
            if not increasing or ties[0] > 0 or ties[-1] + step <= size - 1:
                raise rewritten(f"tie points at {what} {_listed(ties)} do not cover {size} {what}")
        return self

    def everywhere(self, name: str, ties: LazyArray) -> LazyArray:
        """Interpolate values at the tie points to every pixel, float32.

        Args:
            name: name of the variable in the scene. Values that are impossible for this variable
                become NaN. Degrees that wrap at 360 (``WRAPPING``) become numbers in [-180, 180).
            ties: values with shape (lines, pixels). If one pixel is needed, all values are read.
        """
        wraps = name in WRAPPING
        ties = possible("relative_azimuth" if name in AZIMUTHS else name, ties)
        if tuple(ties.shape) != (self.lines.size, self.pixels.size):
            raise rewritten(
                f"values at tie points have shape {ties.shape}, expected {self.lines.size} lines x "
                f"{self.pixels.size} pixels"
            )
        once = _Once(lambda: ties.read((slice(None), slice(None))))
        return Generated(
            lambda lines, pixels: self._interpolate(once(), lines, pixels, wraps=wraps),
            self.shape,
            np.dtype(np.float32),
        )

    def _interpolate(
        self, ties: npt.NDArray[Any], lines: slice, pixels: slice, *, wraps: bool
    ) -> npt.NDArray[np.float32]:
        line, line_weight = _cells(self.lines, np.arange(lines.start, lines.stop))
        pixel, pixel_weight = _cells(self.pixels, np.arange(pixels.start, pixels.stop))
        corners = np.asarray(ties, dtype=np.float64)
        below = np.minimum(line + 1, len(ties) - 1)
        beside = np.minimum(pixel + 1, ties.shape[1] - 1)
        v, u = line_weight[:, np.newaxis], pixel_weight
        nearest = corners[
            np.ix_(np.where(line_weight < 0.5, line, below), np.where(u < 0.5, pixel, beside))
        ]
        values = nearest.copy()
        for rows, columns, weight in (
            (line, pixel, (1 - v) * (1 - u)),
            (line, beside, (1 - v) * u),
            (below, pixel, v * (1 - u)),
            (below, beside, v * u),
        ):
            away = corners[np.ix_(rows, columns)] - nearest
            # Neighbours differ by less than half a turn, even if their numbers wrap at 360.
            away = _wrapped(away) if wraps else away
            # A missing tie point is ignored if its weight is zero.
            values += np.where(weight == 0, 0.0, weight * away)
        return (_wrapped(values) if wraps else values).astype(np.float32)


def geometry_planes(layers: Mapping[str, LazyArray]) -> dict[str, xr.DataArray]:
    """Return geolocation and angles as variables of the scene.

    ``layers`` has the values by their names in the scene.

    The azimuths of sensor and sun become ``relative_azimuth``.
    """
    planes = dict(layers)
    sensor, sun = (planes.pop(name, None) for name in ("sensor_azimuth", "solar_azimuth"))
    if sensor is not None and sun is not None:
        planes["relative_azimuth"] = relative_azimuth(sensor, sun)
    return {name: plane(name, values, {}) for name, values in planes.items()}


def relative_azimuth(sensor: LazyArray, sun: LazyArray) -> LazyArray:
    """Return sensor - 180 - sun, in [-180, 180), of two azimuths in degrees."""
    return Computed(lambda view, light: (view - light) % 360 - 180, (sensor, sun), sensor.dtype)


class _Once:
    """Calls a function once, in the first thread that needs its result."""

    def __init__(self, function: Callable[[], npt.NDArray[Any]]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._result: npt.NDArray[Any] | None = None

    def __call__(self) -> npt.NDArray[Any]:
        with self._lock:
            if self._result is None:
                self._result = self._function()
            return self._result


def _cells(ties: Float64, positions: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], Float64]:
    """Return the cell of each position, and the position within the cell.

    A position within a cell is between 0 and 1; after the last cell, it is larger than 1.
    """
    cell = np.clip(np.searchsorted(ties, positions, side="right") - 1, 0, max(ties.size - 2, 0))
    if ties.size == 1:
        return cell, np.zeros(positions.size)
    return cell, (positions - ties[cell]) / (ties[cell + 1] - ties[cell])


def _wrapped(degrees: Float64) -> Float64:
    return np.asarray((degrees + 180.0) % 360.0 - 180.0)


def _listed(ties: Float64) -> str:
    return ", ".join(f"{tie:g}" for tie in (ties if ties.size < 7 else [*ties[:3], *ties[-3:]]))
