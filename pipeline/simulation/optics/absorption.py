"""Absorption by phytoplankton, by dissolved matter and by non-algal particles, in m-1."""

import numpy as np

from pipeline.facts.optical_tables import Array, interpolate, per_band
from pipeline.facts.sea_water import water_absorption

REFERENCE_NM = 443.0

# Babin et al. 2003, J. Geophys. Res. 108, 3211: mean exponential slopes (nm-1) around Europe, and
# the absorption of suspended matter by mass at 443 nm (m2 g-1).
CDOM_SLOPE = 0.0176
NON_ALGAL_SLOPE = 0.0123
MINERAL_ABSORPTION_443 = 0.041

# Bricaud et al. 1998 (abstract): 25 to 30 % of particle absorption is by non-algal particles.
DETRITUS_PER_PHYTOPLANKTON = 0.275 / (1.0 - 0.275)

# Morel and Maritorena 2001, J. Geophys. Res. 106, 7163: at 440 nm, CDOM absorbs a fifth of what
# water and particles absorb; particles absorb 0.06 chl**0.65.
CDOM_SHARE = 0.2
PARTICLES_440 = (0.06, 0.65)

# Morel and Gentili 2009, Remote Sens. Environ. 113, 998: CDOM of the open ocean at 440 nm;
# both numbers are from memory of the paper.
MARINE_CDOM_AMPLITUDE = 0.032
MARINE_CDOM_EXPONENT = 0.63

# Wavelengths at which pigments other than chlorophyll a absorb, from the specific spectra that
# Bricaud et al. 2004 use (ocpy, data/phytoplankton/Bricaud_2004.csv); we set centres and widths.
CAROTENOID_NM = 490.0
CAROTENOID_WIDTH_NM = 22.0
VIOLET_NM = 405.0
VIOLET_WIDTH_NM = 18.0

# Bricaud, Claustre, Ras and Oubelkheir 2004, J. Geophys. Res. 109, C11010: phytoplankton at 440 nm
# in another, newer set of cruises; both numbers are from memory of the paper.
NEWER_AMPLITUDE = 0.0654
NEWER_EXPONENT = 0.728


def phytoplankton_443(chlorophyll: Array, newer: Array | float = 0.0) -> Array:
    """Return the mean absorption of phytoplankton at 443 nm, m-1.

    Args:
        chlorophyll: chlorophyll in mg m-3, of any shape.
        newer: weight of the newer relation. With 0, Bricaud et al. 1998 is used; with 1, Bricaud et
            al. 2004 (higher by a factor of 1.7 at 1 mg m-3). Between 0 and 1, the logarithm
            of the absorption is interpolated.
    """
    chlorophyll = np.asarray(chlorophyll, dtype=np.float64)
    older = phytoplankton_spectrum(chlorophyll, np.array([REFERENCE_NM]))[..., 0]
    # The newer relation is for 440 nm; the step to 443 nm is computed by the older relation.
    step = older / phytoplankton_spectrum(chlorophyll, np.array([440.0]))[..., 0]
    ratio = step * NEWER_AMPLITUDE * chlorophyll**NEWER_EXPONENT / older
    mean: Array = older * ratio**newer
    return mean


def phytoplankton_spectrum(chlorophyll: Array | float, wavelength_nm: Array) -> Array:
    """Return amplitude * chlorophyll ** exponent (Bricaud et al. 1998), with shape (..., band)."""
    amplitude = interpolate("phytoplankton", "amplitude", wavelength_nm)
    exponent = interpolate("phytoplankton", "exponent", wavelength_nm)
    return np.asarray(amplitude * per_band(chlorophyll) ** exponent)


def phytoplankton_absorption(
    at_443: Array | float,
    shape_chlorophyll: Array | float,
    wavelength_nm: Array,
    carotenoids: Array | float = 0.0,
    violet: Array | float = 0.0,
) -> Array:
    """Return the absorption of phytoplankton in m-1, with shape (..., band).

    Args:
        at_443: absorption at 443 nm, m-1.
        shape_chlorophyll: chlorophyll (mg m-3) at which the mean spectrum has the wanted shape.
            Spectra flatten as chlorophyll rises, due to pigments and the package effect of larger
            cells.
        wavelength_nm: wavelengths, with shape (band,).
        carotenoids: ln(absorption / mean absorption) around 490 nm.
        violet: ln(absorption / mean absorption) below 410 nm; it models phaeopigments and
            the substances that screen UV light.
    """
    bands = np.append(wavelength_nm, REFERENCE_NM)
    mean = phytoplankton_spectrum(shape_chlorophyll, bands)
    around_490 = np.exp(-0.5 * ((bands - CAROTENOID_NM) / CAROTENOID_WIDTH_NM) ** 2)
    from_violet = np.clip(bands - VIOLET_NM, 0.0, None)
    below_violet = np.exp(-0.5 * (from_violet / VIOLET_WIDTH_NM) ** 2)
    change = per_band(carotenoids) * around_490 + per_band(violet) * below_violet
    spectrum = mean * np.exp(change)
    return np.asarray(per_band(at_443) * spectrum[..., :-1] / spectrum[..., -1:])


def marine_cdom_443(chlorophyll: Array, newer: Array | float = 1.0) -> Array:
    """Return the mean absorption of CDOM at 443 nm in the open ocean, m-1.

    Args:
        chlorophyll: chlorophyll in mg m-3, of any shape.
        newer: weight of the newer relation. With 0, Morel and Maritorena 2001 is used; with 1,
            Morel and Gentili 2009 (about twice as high). Between 0 and 1, the logarithm of
            the absorption is interpolated.
    """
    chlorophyll = np.asarray(chlorophyll, dtype=np.float64)
    particles = PARTICLES_440[0] * chlorophyll ** PARTICLES_440[1]
    older = CDOM_SHARE * (water_absorption(np.array([440.0]))[0] + particles)
    ratio = MARINE_CDOM_AMPLITUDE * chlorophyll**MARINE_CDOM_EXPONENT / older
    mean: Array = older * ratio**newer * np.exp(-CDOM_SLOPE * (REFERENCE_NM - 440.0))
    return mean


def exponential_decay(at_443: Array | float, slope: Array | float, wavelength_nm: Array) -> Array:
    """Return the absorption of CDOM or non-algal particles in m-1, with shape (..., band).

    ``slope`` is in nm-1. The slope of CDOM was fitted from 350 to 500 nm, and the slope of
    particles from 380 to 730 nm. Outside these ranges the exponential law is extrapolated.
    """
    decayed: Array = per_band(at_443) * np.exp(-per_band(slope) * (wavelength_nm - REFERENCE_NM))
    return decayed
