"""Geolocation and angles on tie points -> every pixel, bilinear, safe across the antimeridian."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import SceneError
from pipeline.readers.stored import check_size
from pipeline.scene.lazy import Computed, Made, Source

Kind = Literal["plain", "angle"]
"""``angle`` is in degrees and wraps: longitude, azimuth. The result is in [-180, 180)."""

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TiePoints:
    """Where tie points lie, in lines and pixels of the scene, counted from 0."""

    lines: Float64
    pixels: Float64
    shape: tuple[int, int]
    """Lines and pixels of the scene."""

    @classmethod
    def regular(
        cls,
        tie_shape: tuple[int, int],
        interval: tuple[float, float],
        shape: tuple[int, int],
        offset: tuple[float, float] = (0.0, 0.0),
    ) -> "TiePoints":
        """Every so many lines and pixels, the first one at ``offset``.

        Raises:
            SceneError: the tie points do not cover the scene, or are too many for any.
        """
        check_size(*tie_shape)
        lines, pixels = (
            np.arange(count, dtype=np.float64) * step + start
            for count, step, start in zip(tie_shape, interval, offset, strict=True)
        )
        return cls(lines, pixels, shape).checked()

    def checked(self) -> "TiePoints":
        """The same, if every pixel is between tie points or less than one interval beyond them.

        Raises:
            SceneError: it is not.
        """
        for what, ties, size in zip(
            ("lines", "pixels"), (self.lines, self.pixels), self.shape, strict=True
        ):
            if ties.size == size and np.array_equal(ties, np.arange(size)):
                continue
            increasing = ties.size > 1 and bool((np.diff(ties) > 0).all())
            step = float(np.diff(ties).max()) if increasing else 0.0
            if not increasing or ties[0] > 0 or ties[-1] + step <= size - 1:
                raise SceneError(
                    f"tie points at {what} {_listed(ties)} do not cover {size} {what}. "
                    "The file is damaged or not of this format."
                )
        return self

    def everywhere(self, ties: Source, kind: Kind = "plain") -> Source:
        """Values at every pixel, float32.

        Args:
            ties: values at the tie points (lines, pixels); read whole, once, when a pixel is asked
                for.
            kind: whether the values wrap at 360 degrees.

        Raises:
            SceneError: the values are not of these tie points.
        """
        if tuple(ties.shape) != (self.lines.size, self.pixels.size):
            raise SceneError(
                f"values at tie points have shape {ties.shape}, expected {self.lines.size} lines x "
                f"{self.pixels.size} pixels. The file is damaged or not of this format."
            )
        once = _Once(lambda: ties.read((slice(None), slice(None))))
        return Made(
            lambda lines, pixels: self._interpolate(once(), lines, pixels, kind),
            self.shape,
            np.dtype(np.float32),
        )

    def _interpolate(
        self, ties: npt.NDArray[Any], lines: slice, pixels: slice, kind: Kind
    ) -> npt.NDArray[np.float32]:
        line, line_weight = _cells(self.lines, np.arange(lines.start, lines.stop))
        pixel, pixel_weight = _cells(self.pixels, np.arange(pixels.start, pixels.stop))
        corners = np.asarray(ties, dtype=np.float64)
        below, beside = (
            np.minimum(line + 1, len(ties) - 1),
            np.minimum(pixel + 1, ties.shape[1] - 1),
        )
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
            # Neighbours are less than half a turn apart, whichever way their numbers wrap.
            away = _wrapped(away) if kind == "angle" else away
            # A missing tie point without weight is no part of the sum.
            values += np.where(weight == 0, 0.0, weight * away)
        return (_wrapped(values) if kind == "angle" else values).astype(np.float32)


def relative_azimuth(sensor: Source, sun: Source) -> Source:
    """Relative azimuth from the azimuths of sensor and sun: sensor - 180 - sun, in [-180, 180)."""
    return Computed(lambda view, light: (view - light) % 360 - 180, (sensor, sun), sensor.dtype)


class _Once:
    """Calls a function once, whichever thread needs it first."""

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
    """The cell of each position, and how far into it; the last cell goes on beyond its end."""
    cell = np.clip(np.searchsorted(ties, positions, side="right") - 1, 0, max(ties.size - 2, 0))
    if ties.size == 1:
        return cell, np.zeros(positions.size)
    return cell, (positions - ties[cell]) / (ties[cell + 1] - ties[cell])


def _wrapped(degrees: Float64) -> Float64:
    return np.asarray((degrees + 180.0) % 360.0 - 180.0)


def _listed(ties: Float64) -> str:
    return ", ".join(f"{tie:g}" for tie in (ties if ties.size < 7 else [*ties[:3], *ties[-3:]]))
