"""Compute absorption, backscattering and Rrs of waters from their content.

The model is pure NumPy in float64, for wavelengths from 350 to 900 nm. The relations and sources
are in :mod:`pipeline.simulation.optics`, and the tables are in ``configs/training/optics``.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError
from pipeline.facts.optical_tables import Array
from pipeline.facts.sea_water import water_absorption, water_backscattering
from pipeline.simulation.optics import absorption, backscattering, reflectance

SHORTEST_NM = 350.0
LONGEST_NM = 900.0

REFERENCES = (
    "water: IOCCG 2018 (Pope and Fry 1997), Zhang, Hu and He 2009; "
    "phytoplankton: Bricaud et al. 1998, 2004; "
    "CDOM: Morel and Maritorena 2001, Morel and Gentili 2009, Babin et al. 2003; "
    "particles: Bricaud et al. 1998, Morel and Maritorena 2001, Babin et al. 2003, "
    "Loisel et al. 2006, Neukermans et al. 2012, Doxaran et al. 2007; "
    "reflectance: Lee et al. 2011 (sun 30 degrees from the zenith, nadir view); "
    "Raman: Lee et al. 2013; "
    "fluorescence: Gilerson et al. 2007"
)


@dataclass(frozen=True)
class Water:
    """The content of sea water; fields of different shapes are broadcast."""

    chlorophyll: Array
    """Chlorophyll-a concentration, mg m-3."""
    aph_443: Array
    """Absorption of phytoplankton at 443 nm, m-1."""
    shape_chlorophyll: Array
    """Chlorophyll (mg m-3) for which the mean absorption spectrum has the wanted shape."""
    cdom_443: Array
    """Absorption of coloured dissolved organic matter at 443 nm, m-1."""
    detritus_443: Array
    """Absorption at 443 nm of the non-algal particles that accompany phytoplankton, m-1."""
    organic_bbp_550: Array
    """Backscattering at 550 nm of all particles except minerals, m-1."""
    organic_exponent: Array
    """Spectral exponent of the backscattering of all particles except minerals."""
    carotenoids: Array | float = 0.0
    """ln(absorption / mean absorption) of phytoplankton around 490 nm."""
    violet: Array | float = 0.0
    """ln(absorption / mean absorption) of phytoplankton below 410 nm."""
    mineral: Array | float = 0.0
    """Concentration of mineral particles, g m-3."""
    cdom_slope: Array | float = absorption.CDOM_SLOPE
    """Exponential slope of CDOM absorption, nm-1."""
    non_algal_slope: Array | float = absorption.NON_ALGAL_SLOPE
    """Exponential slope of the absorption of detritus and minerals, nm-1."""
    mineral_absorption: Array | float = absorption.MINERAL_ABSORPTION_443
    """Absorption at 443 nm per mass of minerals, m2 g-1."""
    mineral_backscattering: Array | float = backscattering.MINERAL_BACKSCATTERING_650
    """Backscattering at 650 nm per mass of minerals, m2 g-1."""
    mineral_exponent: Array | float = backscattering.MINERAL_EXPONENT
    """Spectral exponent of the backscattering of minerals."""
    particle_factor: Array | float = 1.0
    """Factor on the scattering of particles towards the sensor; the average factor is 1."""
    fluorescence_yield: Array | float = 1.0
    """Quantum yield of chlorophyll fluorescence, percent."""


@dataclass(frozen=True)
class Optics:
    """Inherent optical properties in m-1 and reflectance in sr-1, with shape (..., band)."""

    wavelength_nm: Array
    """Wavelengths in nm, with shape (band,)."""
    a: Array
    """Total absorption, water included."""
    aph: Array
    """Absorption due to phytoplankton."""
    adg: Array
    """Absorption due to CDOM and non-algal particles."""
    bb: Array
    """Total backscattering, water included."""
    bbp: Array
    """Backscattering due to particles."""
    rrs: Array
    """Remote sensing reflectance above the surface, Raman and fluorescence included."""


def mean_water(chlorophyll: Array | float) -> Water:
    """Return the published mean properties of open ocean water at a chlorophyll (mg m-3)."""
    chl = np.asarray(chlorophyll, dtype=np.float64)
    aph_443 = absorption.phytoplankton_443(chl)
    return Water(
        chlorophyll=chl,
        aph_443=aph_443,
        shape_chlorophyll=chl,
        cdom_443=absorption.marine_cdom_443(chl),
        detritus_443=absorption.DETRITUS_PER_PHYTOPLANKTON * aph_443,
        organic_bbp_550=backscattering.organic_backscattering_550(chl),
        organic_exponent=backscattering.organic_exponent(chl),
    )


def forward(water: Water, wavelength_nm: Array) -> Optics:
    """Return the optical properties and Rrs of water; the last axis is the bands.

    Raises:
        ConfigError: a wavelength is below 350 or above 900 nm.
    """
    asked = np.asarray(wavelength_nm, dtype=np.float64)
    check_wavelengths(asked)
    # Raman scattering depends on Rrs at two wavelengths, which are appended as the last bands.
    bands = np.append(asked, (reflectance.RAMAN_BLUE_NM, reflectance.RAMAN_GREEN_NM))
    aph = phytoplankton(water, bands)
    adg = dissolved_and_non_algal(water, bands)
    bbp = particles(water, bands)
    a = water_absorption(bands) + aph + adg
    bbw = water_backscattering(bands)
    elastic = reflectance.elastic_reflectance(a, bbw, bbp, water.particle_factor)
    raman = reflectance.raman_share(bands, elastic[..., -2], elastic[..., -1])
    rrs = elastic * (1.0 + raman) + fluorescence(water, bands)
    return Optics(asked, *(spectrum[..., :-2] for spectrum in (a, aph, adg, bbw + bbp, bbp, rrs)))


def check_wavelengths(wavelength_nm: Array) -> None:
    """Raise a ConfigError if a wavelength is below 350 or above 900 nm."""
    outside = [f"{nm:g}" for nm in np.ravel(wavelength_nm) if not SHORTEST_NM <= nm <= LONGEST_NM]
    if outside:
        raise ConfigError(
            f"water cannot be simulated at {', '.join(outside)} nm: the coefficients reach from "
            f"{SHORTEST_NM:g} to {LONGEST_NM:g} nm. Leave these bands out."
        )


def phytoplankton(water: Water, bands: Array) -> Array:
    """Return the absorption of phytoplankton in m-1, with shape (..., band)."""
    return absorption.phytoplankton_absorption(
        water.aph_443, water.shape_chlorophyll, bands, water.carotenoids, water.violet
    )


def dissolved_and_non_algal(water: Water, bands: Array) -> Array:
    """Return the absorption of CDOM, detritus and minerals in m-1, with shape (..., band)."""
    non_algal_443 = water.detritus_443 + np.asarray(water.mineral) * water.mineral_absorption
    cdom = absorption.exponential_decay(water.cdom_443, water.cdom_slope, bands)
    return cdom + absorption.exponential_decay(non_algal_443, water.non_algal_slope, bands)


def particles(water: Water, bands: Array) -> Array:
    """Return the backscattering of all particles in m-1, with shape (..., band)."""
    mineral_650 = np.asarray(water.mineral) * water.mineral_backscattering
    organic = backscattering.power_law(
        water.organic_bbp_550, backscattering.ORGANIC_NM, water.organic_exponent, bands
    )
    return organic + backscattering.power_law(
        mineral_650, backscattering.MINERAL_NM, water.mineral_exponent, bands
    )


def fluorescence(water: Water, bands: Array) -> Array:
    """Return the contribution of chlorophyll fluorescence to Rrs in sr-1, shape (..., band)."""
    cdom_400 = absorption.exponential_decay(water.cdom_443, water.cdom_slope, np.array([400.0]))
    line = reflectance.fluorescence(bands, water.chlorophyll, cdom_400[..., 0], water.mineral)
    return np.asarray(np.asarray(water.fluorescence_yield)[..., np.newaxis] * line)
