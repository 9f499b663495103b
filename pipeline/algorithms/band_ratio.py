"""Chlorophyll-a from the maximum band ratio: OC2, OC3 and OC4.

O'Reilly et al. 1998, J. Geophys. Res. 103, 24937. The limits of chlorophyll and of the
band ratio are taken from NASA's l2gen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.algorithms.bands import choose, nearest, reflectance, retrieved
from pipeline.algorithms.description import Array, BoundFormula
from pipeline.errors import NetworkError
from pipeline.networks import Variable

# Largest distance of a red band from its nominal wavelength, so that 665 nm serves for 670. Blue
# and green bands have a smaller limit, because the coefficients depend on them.
TOLERANCE_NM = 6.0


@dataclass(frozen=True)
class BandRatio:
    """Chlorophyll from a polynomial in log10 of the ratio: largest blue Rrs / green Rrs."""

    coefficients: tuple[float, ...]
    """Coefficients of the polynomial; the constant term comes first."""
    ratio_limits: tuple[float, float]
    """Lowest and highest ratio; outside these limits, chlorophyll is NaN."""
    least_blue: float
    """Lowest blue Rrs (sr-1) for which chlorophyll is computed."""
    chlorophyll_limits: tuple[float, float]
    """Lowest and highest chlorophyll (mg m-3); a value beyond a limit is set to that limit."""

    def __call__(self, x: Array) -> Array:
        """Return chlorophyll with shape (n, 1); ``x`` has the blue bands, then the green band."""
        blue, green = x[:, :-1], x[:, -1]
        ratio = blue.max(axis=1) / green
        low, high = self.ratio_limits
        usable = (blue.min(axis=1) > self.least_blue) & (ratio > low) & (ratio < high)
        logarithm = np.polynomial.polynomial.polyval(np.log10(ratio), self.coefficients)
        chlorophyll = np.clip(10.0**logarithm, *self.chlorophyll_limits)
        return np.where(usable, chlorophyll, np.nan)[:, np.newaxis]


@dataclass(frozen=True)
class SensorBands:
    """The coefficients of one sensor, and the bands (nm) for which they were fitted."""

    sensor: str
    blue_nm: tuple[float, ...]
    green_nm: float
    coefficients: tuple[float, ...]
    red_nm: float | None = None
    """Red band (nm); None if the algorithm has no red band."""
    like: str = ""
    """Sensor for which the coefficients were fitted, if it is not ``sensor``; otherwise empty."""
    within_nm: float = TOLERANCE_NM
    """Largest distance (nm) of a blue or green band from the band for which they were fitted."""
    other_bands: str = ""
    """A sentence about the result if the bands are farther away; may be empty."""

    @property
    def note(self) -> str:
        """Words for the title, if the coefficients were fitted for another sensor."""
        return f" (coefficients of {self.like})" if self.like else ""

    @property
    def bands_nm(self) -> tuple[float, ...]:
        """All bands (nm), in the order of the inputs."""
        red = () if self.red_nm is None else (self.red_nm,)
        return (*self.blue_nm, self.green_nm, *red)

    @property
    def limits_nm(self) -> tuple[float, ...]:
        """Largest distance (nm) of each of :attr:`bands_nm` from the band that is used for it."""
        red = () if self.red_nm is None else (TOLERANCE_NM,)
        return (*(self.within_nm for _ in (*self.blue_nm, self.green_nm)), *red)


def bind(
    definition: Mapping[str, Any], sensor: str | None, wavelengths_nm: Sequence[float] | None
) -> BoundFormula:
    """Return an algorithm of ``configs/algorithms`` for a sensor's bands or for given bands."""
    table = sensor_bands(definition)
    chosen, bands = on_bands(table, definition["name"], sensor, wavelengths_nm)
    formula = band_ratio(definition, chosen.coefficients)
    return BoundFormula(
        formula=formula,
        inputs=blue_and_green(bands),
        outputs=(chlorophyll(formula),),
        sensors=(chosen.sensor,),
        note=chosen.note,
        limits_nm=chosen.limits_nm,
        other_bands=chosen.other_bands,
    )


def sensor_bands(definition: Mapping[str, Any]) -> dict[str, SensorBands]:
    """Read the table ``sensors`` of a definition."""
    return {
        name: SensorBands(
            sensor=name,
            blue_nm=tuple(map(float, entry["blue_nm"])),
            green_nm=float(entry["green_nm"]),
            coefficients=tuple(map(float, entry["coefficients"])),
            like=entry.get("like", ""),
            within_nm=float(definition["bands_within_nm"]),
            other_bands=entry.get("other_bands", ""),
        )
        for name, entry in definition["sensors"].items()
    }


def band_ratio(definition: Mapping[str, Any], coefficients: tuple[float, ...]) -> BandRatio:
    """Return the formula with the limits that a definition states."""
    limits = definition["limits"]
    return BandRatio(
        coefficients=coefficients,
        ratio_limits=tuple(limits["ratio"]),
        least_blue=limits["least_blue"],
        chlorophyll_limits=tuple(limits["chlorophyll"]),
    )


def blue_and_green(bands_nm: Sequence[float]) -> tuple[Variable, ...]:
    """Return the inputs.

    As in l2gen, Rrs of the longest blue band and Rrs of the green band must be positive.
    """
    *blue, green = bands_nm
    return (
        *(reflectance(nm, positive=nm == blue[-1]) for nm in blue),
        reflectance(green, positive=True),
    )


def chlorophyll(formula: BandRatio) -> Variable:
    """Return the description of chlorophyll, which is the only output."""
    low, high = np.log10(formula.chlorophyll_limits)
    return retrieved("chlor_a", log10_range=(float(low), float(high)))


def on_bands(
    table: Mapping[str, SensorBands],
    name: str,
    sensor: str | None,
    wavelengths_nm: Sequence[float] | None,
) -> tuple[SensorBands, tuple[float, ...]]:
    """Choose coefficients, and the bands (nm) to which they are applied.

    Without a sensor, choose the coefficients whose bands are on average nearest to the given bands.
    If several coefficients are equally near, choose those with the most bands. If several of these
    have equally many bands, choose the first ones in the table.

    Raises:
        NetworkError: the table has no coefficients for the sensor or for these bands.
    """
    if sensor is not None:
        if sensor not in table:
            raise NetworkError(
                f"{name} has no coefficients for {sensor or 'an unknown sensor'}, only for "
                f"{', '.join(table)}. Choose another algorithm, or set science.sensor if the scene "
                "is from one of these sensors."
            )
        entry = table[sensor]
        if wavelengths_nm is None:
            return entry, entry.bands_nm
        wanted = list(zip(entry.bands_nm, entry.limits_nm, strict=True))
        return entry, choose(wavelengths_nm, wanted, f"{name} of {sensor}", entry.other_bands)
    given = wavelengths_nm or ()
    fitted = [entry for entry in table.values() if not entry.like]
    fitting = [entry for entry in fitted if _distance(entry, given) is not None]
    if not fitting:
        bands = "; ".join(
            f"{entry.sensor}: {', '.join(f'{nm:g}' for nm in entry.bands_nm)}" for entry in fitted
        )
        raise NetworkError(
            f"{name} has no coefficients for bands at {', '.join(f'{nm:g}' for nm in given)} nm, "
            f"only for {bands}. Choose another algorithm, or data with these bands."
        )
    best = min(fitting, key=lambda entry: (_distance(entry, given), -len(entry.bands_nm)))
    return on_bands(table, name, best.sensor, wavelengths_nm)


def _distance(entry: SensorBands, wavelengths_nm: Sequence[float]) -> float | None:
    """Return the mean distance (nm) between fitted and given bands; None if a band is missing."""
    wanted = zip(entry.bands_nm, entry.limits_nm, strict=True)
    found = [nearest(wavelengths_nm, nm, limit) for nm, limit in wanted]
    if None in found or len(set(found)) < len(found):
        return None
    pairs = zip(found, entry.bands_nm, strict=True)
    return sum(abs((nm or 0.0) - wanted) for nm, wanted in pairs) / len(found)
