"""Backscattering by particles, in m-1."""

import numpy as np

from pipeline.facts.optical_tables import Array, per_band

ORGANIC_NM = 550.0
MINERAL_NM = 650.0

# Neukermans et al. 2012, Limnol. Oceanogr. 57, 124: inorganic particles backscatter 0.012 m2 g-1
# (measured at 650 nm). The exponent is the middle of the range 0.1 to 1.2, which Doxaran et
# al. 2007, Opt. Express 15, 12834, found for scattering in three estuaries.
MINERAL_BACKSCATTERING_650 = 0.012
MINERAL_EXPONENT = 0.65


def organic_backscattering_550(chlorophyll: Array) -> Array:
    """Return the mean backscattering at 550 nm of phytoplankton and of particles that go with it.

    The scattering, 0.416 chl**0.766, is multiplied by a backscattering ratio, which falls as
    chlorophyll (mg m-3) rises (Morel and Maritorena 2001, J. Geophys. Res. 106, 7163).
    """
    log_chl = np.log10(np.asarray(chlorophyll, dtype=np.float64))
    ratio = 0.002 + 0.01 * (0.50 - 0.25 * log_chl)
    mean: Array = ratio * 0.416 * 10.0 ** (0.766 * log_chl)
    return mean


def organic_exponent(chlorophyll: Array) -> Array:
    """Return the mean spectral exponent: about 2 for small particles, lower as chlorophyll rises.

    The formula is ours. Loisel et al. 2006 found the same range (0 to 2) and trend for the
    ocean (J. Geophys. Res. 111, C09024; from memory of the paper).
    """
    mean: Array = 1.0 - 0.5 * np.log10(np.asarray(chlorophyll, dtype=np.float64))
    return np.clip(mean, 0.0, 2.0)


def power_law(
    value: Array | float, at_nm: float, exponent: Array | float, wavelength_nm: Array
) -> Array:
    """Extrapolate a value to wavelengths by a power law; the last axis is the wavelengths."""
    return np.asarray(per_band(value) * (wavelength_nm / at_nm) ** -per_band(exponent))
