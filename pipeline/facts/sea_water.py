"""Optical properties of pure sea water: absorption from a table, scattering from thermodynamics.

Scattering comes from fluctuations of density and of salt: Zhang, Hu and He 2009, Opt. Express 17,
5698, based on Zhang and Hu 2009, Opt. Express 17, 1671. Functions for other properties of water
cite their own sources.
"""

import numpy as np

from pipeline.facts.optical_tables import Array, interpolate

SALINITY = 35.0
"""Salinity of the ocean surface in g kg-1."""
TEMPERATURE = 20.0
"""Temperature in degrees Celsius; the absorption was measured at the same temperature."""

DEPOLARIZATION = 0.039
"""Depolarization ratio: Farinato and Rowell 1976, J. Chem. Phys. 65, 593, as in Zhang and Hu
2009."""
BOLTZMANN = 1.380649e-23
AVOGADRO = 6.02214076e23
MOLAR_MASS_OF_WATER = 0.018
"""Molar mass of water in kg mol-1."""


def water_absorption(wavelength_nm: Array) -> Array:
    """Return the absorption of water in m-1, with shape (band,).

    From 350 to 900 nm, salt hardly changes the absorption.
    """
    return interpolate("pure_water", "absorption", wavelength_nm)


def water_backscattering(
    wavelength_nm: Array, temperature: float = TEMPERATURE, salinity: float = SALINITY
) -> Array:
    """Return the backscattering of sea water in m-1, with shape (band,).

    Half of the light that water scatters goes backwards.

    Args:
        wavelength_nm: wavelength in air.
        temperature: temperature in degrees Celsius.
        salinity: salinity in g kg-1; 0 for pure water.
    """
    at_90_degrees = scattering_at_90_degrees(wavelength_nm, temperature, salinity)
    ratio = (2.0 + DEPOLARIZATION) / (1.0 + DEPOLARIZATION)
    total: Array = 8.0 * np.pi / 3.0 * at_90_degrees * ratio
    return 0.5 * total


def scattering_at_90_degrees(wavelength_nm: Array, temperature: float, salinity: float) -> Array:
    """Return the volume scattering function at 90 degrees in m-1 sr-1, with shape (band,)."""
    index, index_per_salinity = refractive_index(wavelength_nm, temperature, salinity)
    kelvin = temperature + 273.15
    density_fluctuation = (
        0.5 * BOLTZMANN * kelvin * compressibility(temperature, salinity)
    ) * _density_derivative(index) ** 2
    salt_fluctuation = (
        2.0 * salinity * MOLAR_MASS_OF_WATER * (index * index_per_salinity) ** 2
    ) / (-_activity_slope(temperature, salinity) * density(temperature, salinity) * AVOGADRO)
    cabannes = (6.0 + 6.0 * DEPOLARIZATION) / (6.0 - 7.0 * DEPOLARIZATION)
    metres = wavelength_nm * 1e-9
    beta: Array = np.pi**2 / metres**4 * (density_fluctuation + salt_fluctuation) * cabannes
    return beta


def refractive_index(
    wavelength_nm: Array, temperature: float, salinity: float
) -> tuple[Array, Array]:
    """Return the refractive index relative to vacuum, and its change per g kg-1 of salinity.

    The index relative to air comes from Quan and Fry 1995, Appl. Opt. 34, 3477. The index of air
    comes from Ciddor 1996, Appl. Opt. 35, 1566.
    """
    t, s, nm = temperature, salinity, wavelength_nm
    per_micrometre = (1e3 / nm) ** 2
    air = 1.0 + 1e-8 * (
        5792105.0 / (238.0185 - per_micrometre) + 167917.0 / (57.362 - per_micrometre)
    )
    per_salinity = 1.779e-4 - 1.05e-6 * t + 1.6e-8 * t**2 + 0.01155 / nm
    fresh = 1.31405 - 2.02e-6 * t**2 + (15.868 - 0.00423 * t) / nm - 4382.0 / nm**2
    index = fresh + 1.1455e6 / nm**3 + per_salinity * s
    return index * air, per_salinity * air


def compressibility(temperature: float, salinity: float) -> float:
    """Return the isothermal compressibility in Pa-1, from Millero et al. 1980 (UNESCO)."""
    t, s = temperature, salinity
    pure = _polynomial(t, 19652.21, 148.4206, -2.327105, 1.360477e-2, -5.155288e-5)
    salt = _polynomial(t, 54.6746, -0.603459, 1.09987e-2, -6.167e-5)
    cross = _polynomial(t, 7.944e-2, 1.6483e-2, -5.3009e-4)
    bar = 1e5
    modulus: float = (pure + salt * s + cross * s**1.5) * bar
    return 1.0 / modulus


def density(temperature: float, salinity: float) -> float:
    """Return the density in kg m-3, as in UNESCO 1981, Technical Papers in Marine Science 38."""
    t, s = temperature, salinity
    pure = _polynomial(
        t, 999.842594, 6.793952e-2, -9.09529e-3, 1.001685e-4, -1.120083e-6, 6.536332e-9
    )
    salt = _polynomial(t, 8.24493e-1, -4.0899e-3, 7.6438e-5, -8.2467e-7, 5.3875e-9)
    cross = _polynomial(t, -5.72466e-3, 1.0227e-4, -1.6546e-6)
    kilograms: float = pure + salt * s + cross * s**1.5 + 4.8314e-4 * s**2
    return kilograms


def _activity_slope(temperature: float, salinity: float) -> float:
    """Return d ln(activity of water) / d(salinity), as in Zhang, Hu and He 2009."""
    t, s = temperature, salinity
    linear = _polynomial(t, -5.58651e-4, 2.40452e-7, -3.12165e-9, 2.40808e-11)
    root = _polynomial(t, 1.79613e-5, -9.9422e-8, 2.08919e-9, -1.39872e-11)
    square = _polynomial(t, -2.31065e-6, -1.37674e-9, -1.93316e-11)
    slope: float = linear + 1.5 * root * s**0.5 + 2.0 * square * s
    return slope


def _density_derivative(index: Array) -> Array:
    """Return rho d(n**2)/d(rho) for density rho and refractive index n (Proutiere et al. 1992)."""
    squared = index**2
    correction = 2.0 / 3.0 * (squared + 2.0) * ((index - 1.0 / index) / 3.0) ** 2
    result: Array = (squared - 1.0) * (1.0 + correction)
    return result


def _polynomial(x: float, *coefficients: float) -> float:
    return sum(c * x**power for power, c in enumerate(coefficients))
