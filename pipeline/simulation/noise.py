"""Rrs as a sensor gives it: noise of the bands, of calibration, of what corrects the atmosphere."""

import numpy as np

from pipeline.facts.optical_tables import Array
from pipeline.simulation.waters import NoiseLevel

HIGHEST_FACTOR = 10.0
"""So many times the shipped noise at most: beyond, a share of the signal would be all of it."""
OFFSET_NM = 412.0


def add_noise(
    rrs: Array,
    wavelength_nm: Array,
    rng: np.random.Generator,
    level: NoiseLevel,
    factor: float = 1.0,
) -> Array:
    """Noisy Rrs in sr-1, in no band below ``lowest_share`` of what it is, (sample, band).

    A network takes the logarithm of Rrs, so it never sees a pixel with a band at or below zero: the
    noise of such a one is drawn again. The darkest waters therefore come out a little brighter, as
    they do among the valid pixels of a scene.

    Args:
        rrs: without noise, positive, sr-1, with shape (sample, band).
        wavelength_nm: with shape (band,).
        rng: drawn from, in an order that depends on the values.
        level: the noise.
        factor: how many times that, 0 for none.
    """
    if factor == 0.0:
        return rrs
    noisy = _noisy(rrs, wavelength_nm, rng, level, factor)
    lowest = level.lowest_share * rrs
    while (again := np.flatnonzero((noisy < lowest).any(axis=1))).size:
        noisy[again] = _noisy(rrs[again], wavelength_nm, rng, level, factor)
    return noisy


def _noisy(
    rrs: Array, wavelength_nm: Array, rng: np.random.Generator, level: NoiseLevel, factor: float
) -> Array:
    common, offset = rng.standard_normal((2, len(rrs), 1))
    share = level.band_share * rng.standard_normal(rrs.shape) + level.common_share * common
    residual = level.offset_412 * (wavelength_nm / OFFSET_NM) ** level.offset_exponent
    noisy: Array = rrs * (1.0 + factor * share) + factor * offset * residual
    return noisy
