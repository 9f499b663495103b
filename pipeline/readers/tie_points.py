"""Geolocation and angles on tie points -> every pixel, bilinear, safe across the antimeridian."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.delayed import delayed

from pipeline.errors import SceneError

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
            SceneError: the tie points do not cover the scene.
        """
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

    def everywhere(
        self, stored: da.Array, chunks: Sequence[Sequence[int]], kind: Kind = "plain"
    ) -> da.Array:
        """Values at every pixel, float32.

        Args:
            stored: values at the tie points, with shape (lines, pixels) of the tie points.
            chunks: sizes of the result's chunks along lines and pixels.
            kind: whether the values wrap at 360 degrees.
        """
        places = da.empty(self.shape, dtype=np.uint8, chunks=tuple(map(tuple, chunks)))
        result: da.Array = da.map_blocks(
            self._interpolate,
            places,
            _once(stored),  # one block, which goes with every block of the scene
            chunks=places.chunks,
            dtype=np.float32,
            meta=np.empty((0, 0), np.float32),
            kind=kind,
        )
        return result

    def _interpolate(
        self, _: npt.NDArray[Any], ties: npt.NDArray[Any], kind: Kind, block_info: Any = None
    ) -> npt.NDArray[np.float32]:
        (top, bottom), (left, right) = block_info[None]["array-location"]
        line, line_weight = _cells(self.lines, np.arange(top, bottom))
        pixel, pixel_weight = _cells(self.pixels, np.arange(left, right))
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


def _once(stored: da.Array) -> da.Array:
    """The same in one block that is read once: Dask fuses what is blockwise into every user."""
    whole = delayed(np.asarray)(stored)
    result: da.Array = da.from_delayed(whole, stored.shape, stored.dtype)
    return result


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
