"""A published bio-optical forward model: what is in the water -> absorption, backscattering, Rrs.

Pure NumPy in float64. The model is a chain of regressions from the literature, each named at its
numbers. Left out on purpose: Raman scattering, chlorophyll fluorescence (which real 667 and 678 nm
bands carry), bottom reflection, and any dependence on the sun or the viewing direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Pure water absorption, m-1, at MODIS band centres. To 678 nm: Pope and Fry 1997, Appl. Opt. 36,
# 8710. From 748 nm: Kou, Labrie and Chylek 1993, Appl. Opt. 32, 3531. Both as interpolated to 1 nm
# in NASA OBPG's water_coef.txt (oceancolor.gsfc.nasa.gov/resources/docs/rsr_tables).
WATER_ABSORPTION: dict[int, float] = {
    412: 0.00455056,
    443: 0.00706914,
    469: 0.0104326,
    488: 0.0145167,
    531: 0.0439153,
    547: 0.0531686,
    555: 0.0596,
    645: 0.325,
    667: 0.434888,
    678: 0.462323,
    748: 2.856,
    859: 4.4326,
    869: 4.71356,
}

# Phytoplankton absorption aph = A chl**E, (A in m2 mg-1, E): columns Aphi and Ephi of Bricaud et
# al. 1998, J. Geophys. Res. 103, 31033; the table has even wavelengths, odd ones are the mean of
# their two neighbours. It ends at 700 nm with A = 0.0025; beyond it we take none.
PHYTOPLANKTON_ABSORPTION: dict[int, tuple[float, float]] = {
    412: (0.029655, 0.681803),
    443: (0.0371068, 0.614794),
    469: (0.0310743, 0.5962875),
    488: (0.0258937, 0.598583),
    531: (0.01006848, 0.857203),
    547: (0.00744608, 0.9236051),
    555: (0.00624844, 0.94396695),
    645: (0.007385925, 0.8298665),
    667: (0.0156109, 0.8156405),
    678: (0.0172436, 0.82082),
    748: (0.0, 1.0),
    859: (0.0, 1.0),
    869: (0.0, 1.0),
}

# Morel 1974, as summarised by Mobley 1994 (Light and Water): total scattering of sea water is
# 16.06 beta(90 deg), beta(90 deg) = 4.72e-4 m-1 sr-1 at 400 nm, falling as wavelength**-4.32.
SEAWATER_SCATTERING_400 = 16.06 * 4.72e-4
SEAWATER_EXPONENT = -4.32

# Babin et al. 2003, J. Geophys. Res. 108, 3211: mean exponential slopes (nm-1) around Europe and
# their standard deviations, and the absorption of suspended matter by mass (m2 g-1 at 443 nm).
CDOM_SLOPE = 0.0176
CDOM_SLOPE_SPREAD = 0.0020
MINERAL_SLOPE = 0.0123
MINERAL_SLOPE_SPREAD = 0.0013
MINERAL_ABSORPTION_443 = 0.041

# Bricaud et al. 1998 (abstract): in oceanic water non-algal particles are 25 to 30 % of the
# particle absorption at any chlorophyll, with a slope of 0.011 nm-1.
DETRITUS_SHARE = 0.275
DETRITUS_SLOPE = 0.011

# Neukermans et al. 2012, Limnol. Oceanogr. 57, 124: inorganic particles backscatter 0.012 m2 g-1
# (measured at 650 nm). The exponent is the middle of the 0.1 to 1.2 that Doxaran et al. 2007,
# Opt. Express 15, 12834, found for scattering in three estuaries.
MINERAL_BACKSCATTERING_650 = 0.012
MINERAL_EXPONENT = 0.65

# rrs = (g0 + g1 u) u below the surface: the mean of Gordon et al. 1988 (open ocean) and Lee et al.
# 1999 (coast) that Lee, Carder and Arnone 2002, Appl. Opt. 41, 5755, took for all waters; the step
# through the surface, 0.52 rrs / (1 - 1.7 rrs), is from the same paper.
G0 = 0.0895
G1 = 0.1247
SURFACE_TRANSMITTANCE = 0.52
SURFACE_REFLECTION = 1.7


@dataclass(frozen=True)
class Water:
    """What a body of sea water contains; every field has the same shape, or broadcasts to it."""

    chlorophyll: Array
    """Chlorophyll-a concentration, mg m-3."""
    cdom_443: Array
    """Absorption coefficient of coloured dissolved organic matter at 443 nm, m-1."""
    mineral: Array
    """Load of mineral particles, g m-3."""
    aph_factor: Array | float = 1.0
    """Phytoplankton absorption relative to the mean relation; nature spreads by a factor of 3."""
    bbp_factor: Array | float = 1.0
    """Particle backscattering relative to the mean relation."""
    cdom_slope: Array | float = CDOM_SLOPE
    """Exponential slope of CDOM absorption, nm-1."""
    mineral_slope: Array | float = MINERAL_SLOPE
    """Exponential slope of mineral absorption, nm-1."""


@dataclass(frozen=True)
class Optics:
    """Inherent optical properties in m-1 and reflectance in sr-1, with shape (..., band)."""

    wavelength_nm: tuple[int, ...]
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
    """Remote sensing reflectance above the surface, Rrs."""

    def at(self, name: str, wavelength_nm: int) -> Array:
        """One property at one band, with shape (...)."""
        spectrum: Array = getattr(self, name)
        return spectrum[..., self.wavelength_nm.index(wavelength_nm)]


def simulate(water: Water, wavelength_nm: tuple[int, ...]) -> Optics:
    """Optical properties and Rrs of the given water at MODIS band centres."""
    _require_known_bands(wavelength_nm)
    bands = np.array(wavelength_nm, dtype=np.float64)
    aph = phytoplankton_absorption(water, wavelength_nm)
    adg = dissolved_and_detrital_absorption(water, bands)
    a = np.array([WATER_ABSORPTION[band] for band in wavelength_nm]) + aph + adg
    bbp = particle_backscattering(water, bands)
    bb = seawater_backscattering(bands) + bbp
    return Optics(wavelength_nm, a, aph, adg, bb, bbp, reflectance(a, bb))


def seawater_backscattering(wavelength_nm: Array) -> Array:
    """Backscattering of pure sea water in m-1: half of its scattering, which is symmetric."""
    scattering: Array = SEAWATER_SCATTERING_400 * (wavelength_nm / 400.0) ** SEAWATER_EXPONENT
    return 0.5 * scattering


def phytoplankton_absorption(water: Water, wavelength_nm: tuple[int, ...]) -> Array:
    """Phytoplankton absorption in m-1, with shape (..., band)."""
    table = np.array([PHYTOPLANKTON_ABSORPTION[band] for band in wavelength_nm])
    mean: Array = table[:, 0] * _per_band(water.chlorophyll) ** table[:, 1]
    return _per_band(water.aph_factor) * mean


def dissolved_and_detrital_absorption(water: Water, wavelength_nm: Array) -> Array:
    """CDOM, the detritus that goes with phytoplankton, and minerals, in m-1; shape (..., band)."""
    cdom = _decay(water.cdom_443, water.cdom_slope, wavelength_nm)
    aph_443 = phytoplankton_absorption(water, (443,))[..., 0]
    detritus_443 = aph_443 * DETRITUS_SHARE / (1.0 - DETRITUS_SHARE)
    detritus = _decay(detritus_443, DETRITUS_SLOPE, wavelength_nm)
    mineral_443 = MINERAL_ABSORPTION_443 * np.asarray(water.mineral)
    return cdom + detritus + _decay(mineral_443, water.mineral_slope, wavelength_nm)


def particle_backscattering(water: Water, wavelength_nm: Array) -> Array:
    """Backscattering of phytoplankton with its company and of minerals, m-1; shape (..., band)."""
    algal = algal_backscattering(np.asarray(water.chlorophyll), wavelength_nm)
    shape = (wavelength_nm / 650.0) ** -MINERAL_EXPONENT
    mineral = MINERAL_BACKSCATTERING_650 * _per_band(water.mineral) * shape
    return _per_band(water.bbp_factor) * (algal + mineral)


def algal_backscattering(chlorophyll: Array, wavelength_nm: Array) -> Array:
    """Morel and Maritorena 2001, J. Geophys. Res. 106, 7163, for case 1 water; shape (..., band).

    Scattering 0.416 chl**0.766 at 550 nm times a backscattering ratio whose wavelength dependence
    fades with chlorophyll and is gone above 2 mg m-3.
    """
    log_chl = np.log10(_per_band(chlorophyll))
    exponent = np.minimum(0.5 * (log_chl - 0.3), 0.0)
    shape = (wavelength_nm / 550.0) ** exponent
    ratio = 0.002 + 0.01 * (0.50 - 0.25 * log_chl) * shape
    return ratio * 0.416 * 10.0 ** (0.766 * log_chl)


def case1_cdom_443(chlorophyll: Array) -> Array:
    """CDOM that goes with chlorophyll in the open ocean, m-1 at 443 nm.

    Morel and Maritorena 2001: a fifth of the absorption of water and particles at 440 nm, the
    latter 0.06 chl**0.65.
    """
    return 0.2 * (WATER_ABSORPTION[443] + 0.06 * chlorophyll**0.65)


def reflectance(a: Array, bb: Array) -> Array:
    """Remote sensing reflectance in sr-1 from total absorption and backscattering in m-1."""
    u = bb / (a + bb)
    below = (G0 + G1 * u) * u
    return SURFACE_TRANSMITTANCE * below / (1.0 - SURFACE_REFLECTION * below)


def _per_band(value: Array | float) -> Array:
    return np.asarray(value, dtype=np.float64)[..., np.newaxis]


def _decay(at_443: Array, slope: Array | float, wavelength_nm: Array) -> Array:
    return _per_band(at_443) * np.exp(-_per_band(slope) * (wavelength_nm - 443.0))


def _require_known_bands(wavelength_nm: tuple[int, ...]) -> None:
    unknown = [band for band in wavelength_nm if band not in WATER_ABSORPTION]
    if unknown:
        raise ValueError(
            f"no coefficients at {unknown} nm; the tables hold {sorted(WATER_ABSORPTION)}. "
            "Add the band to both tables, with its source."
        )
