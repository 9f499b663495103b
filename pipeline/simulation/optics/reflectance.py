"""From absorption and backscattering to reflectance above the surface, in sr-1.

Deep, well mixed water, sun and view averaged: no bottom, no bidirectional effects.
"""

import numpy as np

from pipeline.facts.optical_tables import Array, interpolate, per_band

# Lee, Du, Voss, Zibordi, Lubac, Arnone and Weidemann 2011, Appl. Opt. 50, 3155; figures as in
# bio_optics (CMLandOcean/bio_optics, Rrs_deep), for a view to nadir. The step through the surface
# is included. Molecules scatter more to the sensor than particles do: each has its own factors.
MOLECULES = (0.05881474, 0.05062697)
PARTICLES = (0.03997009, 0.1398902)

RAMAN_BLUE_NM = 440.0
RAMAN_GREEN_NM = 550.0

# Gilerson et al. 2007, Opt. Express 15, 15702, from memory of the paper: radiance at 685 nm that
# chlorophyll fluoresces in coastal water, W m-2 um-1 sr-1; chlorophyll in mg m-3, CDOM at 400 nm in
# m-1, minerals in g m-3. The line is a Gaussian with a standard deviation of 10.6 nm (Mobley 1994,
# Light and Water). The irradiance that makes a reflectance of it is ours: a clear sky with the sun
# some 35 degrees from the zenith.
FLUORESCENCE_PER_CHLOROPHYLL = 0.0375
FLUORESCENCE_LOSS = (0.32, 0.01, 0.032)
FLUORESCENCE_NM = 685.0
FLUORESCENCE_WIDTH_NM = 10.6
IRRADIANCE_685 = 1100.0
"""W m-2 um-1"""


def elastic_reflectance(
    a: Array, bbw: Array, bbp: Array, particle_factor: Array | float = 1.0
) -> Array:
    """Rrs without inelastic light, with shape (..., band).

    Args:
        a: total absorption, m-1, with shape (..., band).
        bbw: backscattering of sea water, m-1, with shape (band,).
        bbp: backscattering of particles, m-1, with shape (..., band).
        particle_factor: how much more than on average particles scatter to the sensor, by the shape
            of their phase function; with shape (...).
    """
    molecules = bbw / (a + bbw + bbp)
    particles = bbp / (a + bbw + bbp)
    rrs: Array = (MOLECULES[0] + MOLECULES[1] * molecules) * molecules + per_band(
        particle_factor
    ) * (PARTICLES[0] + PARTICLES[1] * particles) * particles
    return rrs


def raman_share(wavelength_nm: Array, blue: Array, green: Array) -> Array:
    """Raman scattered light as a share of the elastic, with shape (..., band).

    Args:
        wavelength_nm: with shape (band,).
        blue: Rrs at 440 nm, with shape (...).
        green: Rrs at 550 nm, with shape (...).
    """
    alpha, beta_1, beta_2 = (
        interpolate("raman", name, wavelength_nm) for name in ("alpha", "beta_1", "beta_2")
    )
    share: Array = alpha * per_band(blue / green) + beta_1 * per_band(green) ** beta_2
    return share


def fluorescence(
    wavelength_nm: Array,
    chlorophyll: Array | float,
    cdom_400: Array | float,
    mineral: Array | float,
) -> Array:
    """Rrs by fluorescence of chlorophyll at a quantum yield of 1 %, with shape (..., band)."""
    loss = 1.0 + sum(
        factor * np.asarray(value)
        for factor, value in zip(FLUORESCENCE_LOSS, (cdom_400, mineral, chlorophyll), strict=True)
    )
    peak = FLUORESCENCE_PER_CHLOROPHYLL * np.asarray(chlorophyll) / loss / IRRADIANCE_685
    away = (wavelength_nm - FLUORESCENCE_NM) / FLUORESCENCE_WIDTH_NM
    line: Array = per_band(peak) * np.exp(-0.5 * away**2)
    return line
