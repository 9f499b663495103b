"""Chlorophyll-a by the maximum band ratio: OC2, OC3 and OC4.

O'Reilly et al. 1998, J. Geophys. Res. 103, 24937; the limits are those of NASA's l2gen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.algorithms.bands import choose, nearest, reflectance, retrieved
from pipeline.algorithms.description import Array, Bound
from pipeline.errors import NetworkError
from pipeline.networks import Variable

# How far a band may be from the one that coefficients were fitted for: 665 serves for 670.
TOLERANCE_NM = 6.0


@dataclass(frozen=True)
class BandRatio:
    """A polynomial of log10 of the largest blue Rrs over the green one."""

    coefficients: tuple[float, ...]
    """From the constant one up."""
    ratio_limits: tuple[float, float]
    """Outside of these there is no answer."""
    least_blue: float
    """Nor where a blue Rrs (sr-1) is below this."""
    chlorophyll_limits: tuple[float, float]
    """Answers (mg m-3) beyond these become these."""

    def __call__(self, x: Array) -> Array:
        """Chlorophyll (n, 1) of Rrs (n, blue bands and the green one)."""
        blue, green = x[:, :-1], x[:, -1]
        ratio = blue.max(axis=1) / green
        low, high = self.ratio_limits
        usable = (blue.min(axis=1) > self.least_blue) & (ratio > low) & (ratio < high)
        logarithm = np.polynomial.polynomial.polyval(np.log10(ratio), self.coefficients)
        chlorophyll = np.clip(10.0**logarithm, *self.chlorophyll_limits)
        return np.where(usable, chlorophyll, np.nan)[:, np.newaxis]


@dataclass(frozen=True)
class SensorBands:
    """The coefficients of one sensor and the bands (nm) that they are for."""

    sensor: str
    blue_nm: tuple[float, ...]
    green_nm: float
    coefficients: tuple[float, ...]
    red_nm: float | None = None
    """Only of algorithms that take a red band besides."""

    @property
    def bands_nm(self) -> tuple[float, ...]:
        """In the order of the inputs."""
        red = () if self.red_nm is None else (self.red_nm,)
        return (*self.blue_nm, self.green_nm, *red)


def bind(
    definition: Mapping[str, Any], sensor: str | None, wavelengths_nm: Sequence[float] | None
) -> Bound:
    """The algorithm of ``configs/algorithms`` on the bands of a sensor, or on given ones."""
    table = sensor_bands(definition)
    chosen, bands = on_bands(table, definition["name"], sensor, wavelengths_nm)
    formula = band_ratio(definition, chosen.coefficients)
    return Bound(formula, blue_and_green(bands), (chlorophyll(formula),), (chosen.sensor,))


def sensor_bands(definition: Mapping[str, Any]) -> dict[str, SensorBands]:
    """The table ``sensors`` of a definition."""
    return {
        name: SensorBands(
            sensor=name,
            blue_nm=tuple(map(float, entry["blue_nm"])),
            green_nm=float(entry["green_nm"]),
            coefficients=tuple(map(float, entry["coefficients"])),
        )
        for name, entry in definition["sensors"].items()
    }


def band_ratio(definition: Mapping[str, Any], coefficients: tuple[float, ...]) -> BandRatio:
    """The formula with the limits of a definition."""
    limits = definition["limits"]
    return BandRatio(
        coefficients=coefficients,
        ratio_limits=tuple(limits["ratio"]),
        least_blue=limits["least_blue"],
        chlorophyll_limits=tuple(limits["chlorophyll"]),
    )


def blue_and_green(bands_nm: Sequence[float]) -> tuple[Variable, ...]:
    """The inputs: only the longest of the blue bands must be positive, as in l2gen."""
    *blue, green = bands_nm
    return (
        *(reflectance(nm, positive=nm == blue[-1]) for nm in blue),
        reflectance(green, positive=True),
    )


def chlorophyll(formula: BandRatio) -> Variable:
    """The output."""
    low, high = np.log10(formula.chlorophyll_limits)
    return retrieved("chlor_a", log10_range=(float(low), float(high)))


def on_bands(
    table: Mapping[str, SensorBands],
    name: str,
    sensor: str | None,
    wavelengths_nm: Sequence[float] | None,
) -> tuple[SensorBands, tuple[float, ...]]:
    """The coefficients to use and the bands (nm) to use them on.

    Where no sensor is named they are those whose bands are nearest on average; of equals those
    with more bands, then those that stand first.

    Raises:
        NetworkError: there are none for the sensor, or none for these bands.
    """
    if sensor is not None:
        if sensor not in table:
            raise NetworkError(
                f"{name} has no coefficients for {sensor or 'an unknown sensor'}; it has for "
                f"{', '.join(table)}. Choose another algorithm, or set science.sensor if the scene "
                "is of one of these."
            )
        entry = table[sensor]
        if wavelengths_nm is None:
            return entry, entry.bands_nm
        wanted = [(nm, TOLERANCE_NM) for nm in entry.bands_nm]
        return entry, choose(wavelengths_nm, wanted, f"{name} of {sensor}")
    given = wavelengths_nm or ()
    fitting = [entry for entry in table.values() if _distance(entry, given) is not None]
    if not fitting:
        bands = "; ".join(
            f"{entry.sensor}: {', '.join(f'{nm:g}' for nm in entry.bands_nm)}"
            for entry in table.values()
        )
        raise NetworkError(
            f"{name} has no coefficients for bands at {', '.join(f'{nm:g}' for nm in given)} nm; "
            f"it has for {bands}."
        )
    best = min(fitting, key=lambda entry: (_distance(entry, given), -len(entry.bands_nm)))
    return on_bands(table, name, best.sensor, wavelengths_nm)


def _distance(entry: SensorBands, wavelengths_nm: Sequence[float]) -> float | None:
    """How far (nm) the nearest bands are on average; None where one is missing."""
    found = [nearest(wavelengths_nm, nm, TOLERANCE_NM) for nm in entry.bands_nm]
    if None in found or len(set(found)) < len(found):
        return None
    pairs = zip(found, entry.bands_nm, strict=True)
    return sum(abs((nm or 0.0) - wanted) for nm, wanted in pairs) / len(found)
