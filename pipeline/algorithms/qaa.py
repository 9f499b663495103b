"""Absorption and backscattering from the quasi-analytical algorithm, version 6.

Lee, Carder and Arnone 2002, Appl. Opt. 41, 5755; Lee et al. 2009 and 2014, the updates QAA_v5 and
QAA_v6 in the software collection of the IOCCG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.algorithms.bands import choose, reflectance, retrieved
from pipeline.algorithms.description import Array, BoundFormula
from pipeline.errors import NetworkError
from pipeline.facts.sea_water import water_absorption, water_backscattering
from pipeline.facts.sensors import sensors
from pipeline.networks import Variable

# Columns of the inputs; green is 55x nm and red is 67x nm.
VIOLET, BLUE, CYAN, GREEN, RED = range(5)
ROLES = ("violet", "blue", "cyan", "green", "red")


@dataclass(frozen=True)
class QuasiAnalytical:
    """Computes aph, adg and bbp (absorption and backscattering) from Rrs at five bands."""

    wavelengths_nm: tuple[float, ...]
    water_absorption: tuple[float, ...]
    """Absorption by water at these wavelengths, in m-1."""
    water_backscattering: tuple[float, ...]
    """Backscattering by water at these wavelengths, in m-1."""
    surface: tuple[float, float]
    """s0 and s1 in Rrs = s0 rrs / (1 - s1 rrs), where rrs is the reflectance below the surface."""
    reflectance: tuple[float, float]
    """g0 and g1 in rrs = g0 u + g1 u**2, where u = bb / (a + bb)."""
    least_red: float | tuple[float, float]
    """If red Rrs (sr-1) is below this limit, the green band is the reference, else the red one. If
    there are two limits, both bands are used between them: see :meth:`weight_of_green`."""
    green_reference: tuple[float, float, float]
    """Polynomial in chi that gives log10 of the non-water absorption at the green band."""
    green_reference_red: float
    """Weight of the red band in chi."""
    red_reference: tuple[float, float]
    """Factor and exponent of the power law that gives absorption at the red band from Rrs."""
    backscattering_exponent: tuple[float, float, float]
    """e0, e1 and e2 in eta = e0 (1 - e1 exp(-e2 rrs(blue) / rrs(green)))."""
    phytoplankton_ratio: tuple[float, float, float]
    """z0, z1 and z2 in aph(violet) / aph(blue) = z0 + z1 / (z2 + rrs(blue) / rrs(green))."""
    slope: tuple[float, float, float]
    """n0, n1 and n2 in slope of adg (nm-1) = n0 + n1 / (n2 + rrs(blue) / rrs(green))."""
    bands: tuple[int, ...]
    """Indices of input columns; the outputs are computed at the wavelengths of these columns."""

    def __call__(self, x: Array) -> Array:
        """Return aph, adg and bbp at each of ``bands``; the shape is (n, 3 x number of bands).

        The argument is Rrs with shape (n, 5).
        """
        rrs = self.below_surface(x)
        g0, g1 = self.reflectance
        u: Array = (-g0 + np.sqrt(g0**2 + 4.0 * g1 * rrs)) / (2.0 * g1)
        blue_to_green = rrs[:, BLUE] / rrs[:, GREEN]
        bbp = self._particles(x, rrs, u, blue_to_green)
        a = (1.0 - u) * (np.array(self.water_backscattering) + bbp) / u
        adg = self._dissolved_and_detrital(a, blue_to_green)
        aph = a - adg - np.array(self.water_absorption)
        chosen = list(self.bands)
        return np.hstack([aph[:, chosen], adg[:, chosen], bbp[:, chosen]])

    def below_surface(self, x: Array) -> Array:
        """Return reflectance below the surface (sr-1) from Rrs."""
        below: Array = x / (self.surface[0] + self.surface[1] * x)
        return below

    def above_surface(self, u: Array) -> Array:
        """Return Rrs (sr-1) from u = bb / (a + bb)."""
        below = (self.reflectance[0] + self.reflectance[1] * u) * u
        above: Array = self.surface[0] * below / (1.0 - self.surface[1] * below)
        return above

    def exponent_of_backscattering(self, blue_to_green: Array) -> Array:
        """Return the exponent eta: backscattering by particles follows wavelength ** -eta."""
        factor, share, rate = self.backscattering_exponent
        eta: Array = factor * (1.0 - share * np.exp(-rate * blue_to_green))
        return eta

    def slope_of_absorption(self, blue_to_green: Array) -> Array:
        """Return the slope (nm-1) of absorption by dissolved and detrital matter."""
        return _hyperbola(self.slope, blue_to_green)

    def _particles(self, x: Array, rrs: Array, u: Array, blue_to_green: Array) -> Array:
        """Return backscattering by particles in m-1, with shape (n, 5)."""
        eta = self.exponent_of_backscattering(blue_to_green)
        by_green = self._from_reference(GREEN, self._at_green(rrs), u, eta)
        by_red = self._from_reference(RED, self._at_red(x), u, eta)
        weight = self.weight_of_green(x[:, RED])[:, np.newaxis]
        mean = weight * by_green + (1.0 - weight) * by_red
        # At the ends, the other reference is not used, because it may have no value.
        return np.where(weight == 1.0, by_green, np.where(weight == 0.0, by_red, mean))

    def weight_of_green(self, red: Array) -> Array:
        """Return the weight of the green band as the reference, for red Rrs (sr-1), shape (n,).

        With one limit, the weight is 1 or 0. Between two limits, it decreases linearly with log10
        of red Rrs from 1 to 0.
        """
        if not isinstance(self.least_red, tuple):
            return np.where(red < self.least_red, 1.0, 0.0)
        low, high = self.least_red
        share = np.log(np.maximum(red, low) / low) / np.log(high / low)
        weight: Array = 1.0 - np.clip(share, 0.0, 1.0)
        return weight

    def _from_reference(self, band: int, absorption: Array, u: Array, eta: Array) -> Array:
        """Return backscattering by particles, with shape (n, 5), from a reference band."""
        at_reference = (
            u[:, band] * absorption / (1.0 - u[:, band]) - self.water_backscattering[band]
        )
        ratio = self.wavelengths_nm[band] / np.array(self.wavelengths_nm)
        spectrum: Array = at_reference[:, np.newaxis] * ratio ** eta[:, np.newaxis]
        return spectrum

    def _at_green(self, rrs: Array) -> Array:
        """Return the absorption at the green band in m-1, with shape (n,)."""
        red_term = self.green_reference_red * rrs[:, RED] ** 2 / rrs[:, CYAN]
        chi = np.log10((rrs[:, BLUE] + rrs[:, CYAN]) / (rrs[:, GREEN] + red_term))
        logarithm = np.polynomial.polynomial.polyval(chi, self.green_reference)
        absorption: Array = self.water_absorption[GREEN] + np.float64(10.0) ** logarithm
        return absorption

    def _at_red(self, x: Array) -> Array:
        """Return the absorption at the red band in m-1, from Rrs above the surface."""
        factor, exponent = self.red_reference
        ratio = x[:, RED] / (x[:, BLUE] + x[:, CYAN])
        absorption: Array = self.water_absorption[RED] + factor * ratio**exponent
        return absorption

    def _dissolved_and_detrital(self, a: Array, blue_to_green: Array) -> Array:
        """Return absorption by dissolved and detrital matter in m-1, with shape (n, 5)."""
        nm, water = np.array(self.wavelengths_nm), np.array(self.water_absorption)
        zeta = _hyperbola(self.phytoplankton_ratio, blue_to_green)
        slope = self.slope_of_absorption(blue_to_green)
        xi = np.exp(slope * (nm[BLUE] - nm[VIOLET]))
        beside_water = a - water
        at_blue = (beside_water[:, VIOLET] - zeta * beside_water[:, BLUE]) / (xi - zeta)
        spectrum: Array = at_blue[:, np.newaxis] * np.exp(slope[:, np.newaxis] * (nm[BLUE] - nm))
        return spectrum


def _hyperbola(parameters: tuple[float, float, float], x: Array) -> Array:
    constant, factor, shift = parameters
    return constant + factor / (shift + x)


def bind(
    definition: Mapping[str, Any], sensor: str | None, wavelengths_nm: Sequence[float] | None
) -> BoundFormula:
    """Return an algorithm of ``configs/algorithms`` for the bands of a sensor, or for given bands.

    Raises:
        NetworkError: one of the five bands is missing, or the sensor is unknown.
    """
    wanted = [tuple(map(float, definition["bands"][role])) for role in ROLES]
    if wavelengths_nm is None:
        wavelengths_nm = bands_of(sensor, definition["name"])
    who = definition["name"] if sensor is None else f"{definition['name']} on {sensor}"
    bands = choose(wavelengths_nm, [(target, near) for target, near in wanted], who)
    formula = QuasiAnalytical(
        wavelengths_nm=bands,
        water_absorption=tuple(water_absorption(np.array(bands)).tolist()),
        water_backscattering=tuple(water_backscattering(np.array(bands)).tolist()),
        least_red=_limits(definition["least_red"]),
        green_reference_red=definition["green_reference_red"],
        bands=tuple(ROLES.index(role) for role in definition["outputs_at"]),
        **{name: tuple(definition[name]) for name in _TUPLES},
    )
    inputs = tuple(reflectance(nm, positive=nm != bands[RED]) for nm in bands)
    return BoundFormula(formula, inputs, _outputs(formula), () if sensor is None else (sensor,))


def _limits(stated: float | list[float]) -> float | tuple[float, float]:
    if not isinstance(stated, list):
        return stated
    low, high = stated
    return low, high


_TUPLES = (
    "surface",
    "reflectance",
    "green_reference",
    "red_reference",
    "backscattering_exponent",
    "phytoplankton_ratio",
    "slope",
)


def _outputs(formula: QuasiAnalytical) -> tuple[Variable, ...]:
    wavelengths = [formula.wavelengths_nm[band] for band in formula.bands]
    return tuple(retrieved(name, nm) for name in ("aph", "adg", "bbp") for nm in wavelengths)


def bands_of(sensor: str | None, name: str) -> tuple[float, ...]:
    """Return the wavelengths (nm) of the Rrs bands in the sensor's table."""
    if sensor not in sensors():
        raise NetworkError(
            f"{name} needs the bands of a sensor, but the sensor of the scene is unknown. Set "
            f"science.sensor to one of {', '.join(sensors())}."
        )
    return sensors()[sensor].rrs_bands_nm
