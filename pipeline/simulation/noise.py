"""Add noise to Rrs: noise of each band, of calibration and of atmospheric correction."""

import numpy as np

from pipeline.facts.optical_tables import Array
from pipeline.simulation.waters import NoiseLevel

HIGHEST_FACTOR = 10.0
"""Largest factor on the shipped noise; with larger factors, noise would exceed the signal."""
OFFSET_NM = 412.0


def add_noise(
    rrs: Array,
    wavelength_nm: Array,
    rng: np.random.Generator,
    level: NoiseLevel,
    factor: float = 1.0,
) -> Array:
    """Return noisy Rrs in sr-1; each value is at least ``lowest_share`` of the true value.

    If a band of a sample falls below ``lowest_share``, the noise of that sample is drawn again,
    because networks take the logarithm of Rrs. So the darkest waters become a little brighter
    on average. Real scenes have this bias, too: their valid pixels of dark waters are too bright.

    Args:
        rrs: positive Rrs without noise, sr-1, with shape (sample, band).
        wavelength_nm: wavelengths, with shape (band,).
        rng: random generator; the number of draws depends on the values of Rrs.
        level: size of the noise of one pixel.
        factor: factor on the noise; 0 for no noise.
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
    return np.asarray(rrs * (1.0 + factor * share) + factor * offset * residual)
