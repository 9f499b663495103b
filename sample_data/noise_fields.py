"""Random fields that look like nature: spectral noise, and tracers stirred by a random flow.

All fields live on one periodic grid with a spacing of one kilometre, with shape (north, east).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """A periodic plane of 1 km cells."""

    north_km: int
    east_km: int

    def coordinates(self) -> tuple[Array, Array]:
        """Kilometres north and east of the south-western corner, each with shape (north, east)."""
        north, east = np.mgrid[0 : self.north_km, 0 : self.east_km].astype(np.float64)
        return north, east

    def wavenumber(self) -> Array:
        """Length of the wave vector in cycles per km, as numpy.fft.rfft2 orders it."""
        north = np.fft.fftfreq(self.north_km)[:, np.newaxis]
        east = np.fft.rfftfreq(self.east_km)[np.newaxis, :]
        length: Array = np.hypot(north, east)
        return length


def power_law_noise(
    plane: Plane, exponent: float, longest_km: float, rng: np.random.Generator
) -> Array:
    """Gaussian noise of zero mean and unit variance whose power falls as wavenumber**-exponent.

    An exponent near 3 gives coasts, 2.7 clouds (the 5/3 of a section plus one). Structures longer
    than longest_km are held back, so that one field does not become one gradient.
    """
    k = np.hypot(plane.wavenumber(), 1.0 / longest_km)
    amplitude = k ** (-exponent / 2.0)
    amplitude[0, 0] = 0.0
    white = rng.standard_normal((plane.north_km, plane.east_km))
    return _standardised(np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=white.shape))


def band_noise(plane: Plane, scale_km: float, rng: np.random.Generator) -> Array:
    """Gaussian noise of zero mean and unit variance with structures of about one size: eddies."""
    k = plane.wavenumber() * scale_km
    white = rng.standard_normal((plane.north_km, plane.east_km))
    return _standardised(np.fft.irfft2(np.fft.rfft2(white) * k * np.exp(-(k**2)), s=white.shape))


def blur(field: Array, scale_km: float) -> Array:
    """Smooth with a Gaussian of the given standard deviation."""
    plane = Plane(*field.shape)
    transfer = np.exp(-2.0 * (np.pi * scale_km * plane.wavenumber()) ** 2)
    return np.fft.irfft2(np.fft.rfft2(field) * transfer, s=field.shape)


def sample(field: Array, north: Array, east: Array) -> Array:
    """Bilinear values of a periodic field at positions in km, with the shape of the positions."""
    rows, columns = field.shape
    row, column = np.floor(north).astype(np.int64), np.floor(east).astype(np.int64)
    up, right = north - row, east - column
    row, column = row % rows, column % columns
    above, beside = (row + 1) % rows, (column + 1) % columns
    lower = field[row, column] * (1.0 - right) + field[row, beside] * right
    upper = field[above, column] * (1.0 - right) + field[above, beside] * right
    result: Array = lower * (1.0 - up) + upper * up
    return result


@dataclass(frozen=True)
class Flow:
    """A flow without divergence that turns from one stream function into another and back.

    Speeds are in km per step, with shape (north, east). Unsteadiness is what opens the closed
    streamlines of eddies and pulls a tracer into filaments.
    """

    first: tuple[Array, Array]
    second: tuple[Array, Array]
    steps_per_turn: float

    @classmethod
    def from_stream_functions(cls, first: Array, second: Array, steps_per_turn: float) -> Flow:
        """Northward and eastward speed from two stream functions in km2 per step."""
        return cls(_velocity(first), _velocity(second), steps_per_turn)

    def origins(self, steps: int) -> Iterator[tuple[Array, Array]]:
        """Where the water of every cell was 1, 2, ... steps ago: (north, east) in km.

        Midpoint rule backwards in time, after the semi-Lagrangian schemes of weather models
        (Staniforth and Cote 1991, Mon. Weather Rev. 119, 2206).
        """
        north, east = Plane(*self.first[0].shape).coordinates()
        for step in range(steps):
            northward, eastward = self._at(step, north, east)
            halfway = (north - 0.5 * northward, east - 0.5 * eastward)
            northward, eastward = self._at(step + 0.5, *halfway)
            north, east = north - northward, east - eastward
            yield north, east

    def _at(self, step: float, north: Array, east: Array) -> tuple[Array, Array]:
        angle = 2.0 * np.pi * step / self.steps_per_turn
        a, b = np.cos(angle) ** 2, np.sin(angle) ** 2
        northward = a * self.first[0] + b * self.second[0]
        eastward = a * self.first[1] + b * self.second[1]
        return sample(northward, north, east), sample(eastward, north, east)


def _velocity(stream_function: Array) -> tuple[Array, Array]:
    northward = 0.5 * (np.roll(stream_function, -1, 1) - np.roll(stream_function, 1, 1))
    eastward = -0.5 * (np.roll(stream_function, -1, 0) - np.roll(stream_function, 1, 0))
    return northward, eastward


def _standardised(field: Array) -> Array:
    standardised: Array = (field - field.mean()) / field.std()
    return standardised
