"""Compute the reflectance above the surface, in sr-1, from absorption and backscattering.

Water is deep and well mixed. The sun is 30 degrees from the zenith, and the sensor looks straight
down. Other angles and reflection from the bottom are not modelled.
"""

import numpy as np

from pipeline.facts.optical_tables import Array, interpolate, per_band

# Lee, Du, Voss, Zibordi, Lubac, Arnone and Weidemann 2011, Appl. Opt. 50, 3155: the row of their
# table for the sun at 30 degrees from the zenith and a nadir view, with the transmission through
# the surface. Two independent programs have these numbers; one of them states the angles. Molecules
# scatter more to the sensor than particles do, so they have different factors.
MOLECULES = (0.05881474, 0.05062697)
PARTICLES = (0.03997009, 0.1398902)

RAMAN_BLUE_NM = 440.0
RAMAN_GREEN_NM = 550.0

# Gilerson et al. 2007, Opt. Express 15, 15702, from memory of the paper: radiance of chlorophyll
# fluorescence at 685 nm in coastal water, W m-2 um-1 sr-1; chlorophyll in mg m-3, CDOM at 400 nm in
# m-1, minerals in g m-3. The line is a Gaussian with a standard deviation of 10.6 nm (Mobley 1994,
# Light and Water). We set the irradiance that turns radiance into reflectance, for a clear sky
# with the sun about 35 degrees from the zenith.
FLUORESCENCE_PER_CHLOROPHYLL = 0.0375
FLUORESCENCE_LOSS = (0.32, 0.01, 0.032)
FLUORESCENCE_NM = 685.0
FLUORESCENCE_WIDTH_NM = 10.6
IRRADIANCE_685 = 1100.0
"""Downwelling irradiance at 685 nm, W m-2 um-1."""


def elastic_reflectance(
    a: Array, bbw: Array, bbp: Array, particle_factor: Array | float = 1.0
) -> Array:
    """Return Rrs without Raman scattering and fluorescence, with shape (..., band).

    Args:
        a: total absorption, m-1, with shape (..., band).
        bbw: backscattering of sea water, m-1, with shape (band,).
        bbp: backscattering of particles, m-1, with shape (..., band).
        particle_factor: factor, of shape (...), on the scattering of particles towards the sensor.
            The factor depends on the shape of the particles' phase function; the average is 1.
    """
    molecules = bbw / (a + bbw + bbp)
    particles = bbp / (a + bbw + bbp)
    by_molecules = (MOLECULES[0] + MOLECULES[1] * molecules) * molecules
    factor = per_band(particle_factor) * (PARTICLES[0] + PARTICLES[1] * particles)
    return np.asarray(by_molecules + factor * particles)


def raman_share(wavelength_nm: Array, blue: Array, green: Array) -> Array:
    """Return the ratio of the Raman part of Rrs to the elastic part, with shape (..., band).

    ``blue`` is Rrs at 440 nm and ``green`` is Rrs at 550 nm; both have shape (...).
    """
    alpha, beta_1, beta_2 = (
        interpolate("raman", name, wavelength_nm) for name in ("alpha", "beta_1", "beta_2")
    )
    return np.asarray(alpha * per_band(blue / green) + beta_1 * per_band(green) ** beta_2)


def fluorescence(
    wavelength_nm: Array,
    chlorophyll: Array | float,
    cdom_400: Array | float,
    mineral: Array | float,
) -> Array:
    """Return the Rrs of chlorophyll fluorescence at a quantum yield of 1 %, shape (..., band)."""
    loss = 1.0 + sum(
        factor * np.asarray(value)
        for factor, value in zip(FLUORESCENCE_LOSS, (cdom_400, mineral, chlorophyll), strict=True)
    )
    peak = FLUORESCENCE_PER_CHLOROPHYLL * np.asarray(chlorophyll) / loss / IRRADIANCE_685
    away = (wavelength_nm - FLUORESCENCE_NM) / FLUORESCENCE_WIDTH_NM
    return np.asarray(per_band(peak) * np.exp(-0.5 * away**2))
