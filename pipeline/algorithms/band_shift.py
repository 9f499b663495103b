"""Rrs at other wavelengths than those of the bands: band shifting of Mélin and Sclep 2015.

Opt. Express 23, 2262. The optical properties at the blue band come from the quasi-analytical
algorithm. Their spectral shapes give modelled Rrs at every wavelength.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.algorithms import qaa
from pipeline.algorithms.bands import reflectance, retrieved
from pipeline.algorithms.description import Array, BoundFormula
from pipeline.errors import NetworkError
from pipeline.facts.optical_tables import interpolate, per_band
from pipeline.facts.sea_water import water_absorption, water_backscattering


@dataclass(frozen=True)
class Spectrum:
    """What the model of Rrs needs to know about some wavelengths, one number for each."""

    wavelengths_nm: tuple[float, ...]
    water_absorption: tuple[float, ...]
    """Absorption by water in m-1."""
    water_backscattering: tuple[float, ...]
    """Backscattering by water in m-1."""
    amplitude: tuple[float, ...]
    """Absorption by phytoplankton in m-1 at 1 mg m-3 of chlorophyll."""
    exponent: tuple[float, ...]
    """Absorption by phytoplankton = amplitude * chlorophyll ** exponent."""

    @classmethod
    def at(cls, wavelengths_nm: Sequence[float]) -> "Spectrum":
        """Read the tables of optical properties at some wavelengths (nm)."""
        nm = np.array(wavelengths_nm, dtype=np.float64)
        columns = (
            nm,
            water_absorption(nm),
            water_backscattering(nm),
            interpolate("phytoplankton", "amplitude", nm),
            interpolate("phytoplankton", "exponent", nm),
        )
        return cls(*(tuple(column.tolist()) for column in columns))


@dataclass(frozen=True)
class BandShift:
    """Computes Rrs at wavelengths, each from one or two bands."""

    inversion: qaa.QuasiAnalytical
    """It computes aph, adg and bbp at the blue band from the first five inputs."""
    sources: Spectrum
    """The inputs; the first five are those of the inversion."""
    targets: Spectrum
    """The outputs."""
    weights: tuple[tuple[float, ...], ...]
    """Weight of each input for each output; the weights of an output have the sum 1."""

    def __call__(self, x: Array) -> Array:
        """Return Rrs with shape (n, outputs) from Rrs with shape (n, inputs)."""
        five = x[:, : len(qaa.ROLES)]
        at_blue = self.inversion(five).T
        below = self.inversion.below_surface(five)
        blue_to_green = below[:, qaa.BLUE] / below[:, qaa.GREEN]
        from_bands = self._modelled(self.sources, at_blue, blue_to_green)
        wanted = self._modelled(self.targets, at_blue, blue_to_green)
        # Rows without modelled Rrs keep the outputs that are bands themselves.
        found = np.empty_like(wanted)
        for output, weights in enumerate(self.weights):
            used = np.flatnonzero(weights)
            is_band = self._is_band(output, used)
            ratio = 1.0 if is_band else wanted[:, [output]] / from_bands[:, used]
            # Not a matrix product, so that a row does not depend on the other rows.
            found[:, output] = (x[:, used] * ratio * np.array(weights)[used]).sum(axis=1)
        return found

    def _is_band(self, output: int, used: npt.NDArray[np.intp]) -> bool:
        nm = np.array(self.sources.wavelengths_nm)[used]
        return bool((nm == self.targets.wavelengths_nm[output]).all())

    def _modelled(self, spectrum: Spectrum, at_blue: Array, blue_to_green: Array) -> Array:
        """Return Rrs in sr-1 with shape (n, wavelengths)."""
        aph, adg, bbp = at_blue
        amplitude, exponent = self.sources.amplitude[qaa.BLUE], self.sources.exponent[qaa.BLUE]
        chlorophyll = (aph / amplitude) ** (1.0 / exponent)
        nm, blue_nm = np.array(spectrum.wavelengths_nm), self.sources.wavelengths_nm[qaa.BLUE]
        slope = self.inversion.slope_of_absorption(blue_to_green)
        eta = self.inversion.exponent_of_backscattering(blue_to_green)
        absorption = (
            np.array(spectrum.water_absorption)
            + np.array(spectrum.amplitude) * per_band(chlorophyll) ** np.array(spectrum.exponent)
            + per_band(adg) * np.exp(-per_band(slope) * (nm - blue_nm))
        )
        backscattering = np.array(spectrum.water_backscattering) + per_band(bbp) * (
            blue_nm / nm
        ) ** per_band(eta)
        return self.inversion.above_surface(backscattering / (absorption + backscattering))


def bind(
    definition: Mapping[str, Any],
    inversion: Mapping[str, Any],
    sensor: str | None,
    wavelengths_nm: Sequence[float] | None,
    to_nm: Sequence[float],
) -> BoundFormula:
    """Return the algorithm for the bands of a sensor, or for given bands.

    Args:
        definition: the content of its file in ``configs/algorithms``.
        inversion: the content of the file of the quasi-analytical algorithm.
        sensor: name of the sensor.
        wavelengths_nm: the available bands; by default, the bands of the sensor.
        to_nm: the wanted wavelengths; by default, those of the file.

    Raises:
        NetworkError: a wanted wavelength has no band near it, or a band that the quasi-analytical
            algorithm needs is missing.
    """
    settled = {**inversion, "least_red": definition["least_red"], "outputs_at": ["blue"]}
    bands = qaa.bands_of(sensor, definition["name"]) if wavelengths_nm is None else wavelengths_nm
    bound = qaa.bind({**settled, "name": definition["name"]}, sensor, bands)
    formula = bound.formula
    if not isinstance(formula, qaa.QuasiAnalytical):  # the inversion of the shipped file
        raise TypeError(type(formula))
    targets = tuple(sorted({float(nm) for nm in to_nm or definition["to_nm"]}))
    who = definition["name"] if sensor is None else f"{definition['name']} on {sensor}"
    chosen = [_weights_for(nm, bands, definition, who) for nm in targets]
    others = sorted({nm for weights in chosen for nm in weights} - set(formula.wavelengths_nm))
    sources = (*formula.wavelengths_nm, *others)
    shift = BandShift(
        inversion=formula,
        sources=Spectrum.at(sources),
        targets=Spectrum.at(targets),
        weights=tuple(tuple(weights.get(nm, 0.0) for nm in sources) for weights in chosen),
    )
    inputs = (*bound.inputs, *(reflectance(nm, positive=False) for nm in others))
    outputs = tuple(retrieved("Rrs", nm) for nm in targets)
    return dataclasses.replace(bound, formula=shift, inputs=inputs, outputs=outputs)


def _weights_for(
    target: float, bands: Sequence[float], definition: Mapping[str, Any], who: str
) -> dict[float, float]:
    """Return the bands that a wavelength is computed from, with their weights."""
    near = min(map(float, bands), key=lambda nm: abs(nm - target))
    if abs(near - target) <= definition["alone_nm"]:
        pair = [near]
    else:
        below = max((nm for nm in map(float, bands) if nm < target), default=-np.inf)
        above = min((nm for nm in map(float, bands) if nm > target), default=np.inf)
        pair = [below, above]
    low, high = definition["range_nm"]
    distances = [abs(nm - target) for nm in pair]
    if max(distances) > definition["limit_nm"] or not low <= target <= high:
        listed = ", ".join(f"{nm:g}" for nm in sorted(bands))
        raise NetworkError(
            f"{who} cannot compute Rrs at {target:g} nm: it needs a wavelength from {low:g} to "
            f"{high:g} nm with a band within {definition['alone_nm']:g} nm, or bands on both sides "
            f"within {definition['limit_nm']:g} nm. Found bands at {listed} nm. Correct to_nm."
        )
    if len(pair) == 1:
        return {near: 1.0}
    total = sum(distances)
    return {nm: 1.0 - each / total for nm, each in zip(pair, distances, strict=True)}
