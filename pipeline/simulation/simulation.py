"""Simulate tables of waters: their properties, and the Rrs that a sensor measures."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError, repeated
from pipeline.facts.optical_tables import Array
from pipeline.facts.quantities import Quantity, band_name, quantities
from pipeline.simulation.bio_optics import REFERENCES, Optics, Water, check_wavelengths, forward
from pipeline.simulation.noise import HIGHEST_FACTOR, add_noise
from pipeline.simulation.waters import WaterDistributions, draw_water, shipped_waters
from pipeline.tables.writing import SampleTable
from pipeline.version import __version__

Column = npt.NDArray[np.float32]
Kept = npt.NDArray[np.bool_]

BATCH = 10_000
"""Number of waters that are drawn at a time. It is fixed, so that a small table equals the first
rows of a large table with the same seed."""
SPECTRAL = ("aph", "adg", "bbp")
OUTPUTS = (*SPECTRAL, "chlor_a")
# Fields of ``Water`` that are written as columns, with their units and long names.
CONSTITUENTS = {
    "chlorophyll": ("mg m-3", "chlorophyll-a concentration"),
    "aph_443": ("m-1", "absorption by phytoplankton at 443 nm"),
    "cdom_443": ("m-1", "absorption by coloured dissolved organic matter at 443 nm"),
    "detritus_443": ("m-1", "absorption by non-algal particles that go with phytoplankton, 443 nm"),
    "mineral": ("g m-3", "load of mineral particles"),
}


def simulate_samples(
    count: int,
    wavelength_nm: Sequence[float],
    *,
    seed: int = 1,
    noise: float = 1.0,
    outputs: Sequence[str] = OUTPUTS,
    waters: WaterDistributions | None = None,
) -> SampleTable:
    """Simulate samples of water; a call with the same arguments returns the same numbers.

    Args:
        count: number of samples.
        wavelength_nm: bands of all spectral columns, from 350 to 900 nm.
        seed: seed of the random numbers.
        noise: factor on the shipped noise of Rrs; 0 for no noise.
        outputs: columns in addition to Rrs; they can be aph, adg, bbp and chlor_a.
        waters: distributions to draw from, or None for the shipped distributions.

    Raises:
        ConfigError: a band is out of range or given twice, or another argument is invalid.
    """
    bands = _checked_bands(wavelength_nm)
    _check_request(count, seed, noise, outputs)
    waters = waters or shipped_waters()
    meanings = _meanings(bands, outputs)
    columns = {name: np.empty(count, dtype=np.float32) for name in meanings}
    filled = 0
    for batch in _batches(bands, seed, noise, outputs, waters):
        rows = min(count - filled, len(batch["water_chlorophyll"]))
        for name, values in batch.items():
            columns[name][filled : filled + rows] = values[:rows]
        filled += rows
        if filled == count:
            break
    return SampleTable(columns, meanings, _attributes(count, bands, seed, noise))


def _batches(
    bands: Array, seed: int, noise: float, outputs: Sequence[str], waters: WaterDistributions
) -> Iterator[dict[str, Array]]:
    """Yield one batch of columns after the other, without end."""
    # Noise has its own random generator, so waters stay the same if noise or bands change.
    water_rng, noise_rng = (np.random.default_rng((seed, part)) for part in (0, 1))
    while True:
        drawn = draw_water(BATCH, water_rng, waters)
        within = _within_limits(drawn, waters)
        water = select(drawn, within)
        optics = forward(water, bands)
        rrs = add_noise(optics.rrs, bands, noise_rng, waters.noise, noise)
        yield _columns(water, optics, rrs, outputs)


def select(water: Water, kept: Kept) -> Water:
    """Return the waters for which ``kept`` is true; scalar fields stay as they are."""
    values = {field.name: np.asarray(getattr(water, field.name)) for field in fields(water)}
    return Water(**{name: value[kept] if value.ndim else value for name, value in values.items()})


def _within_limits(water: Water, waters: WaterDistributions) -> Kept:
    """Return True for waters within the limits; Rrs is checked at 490 to 600 nm, where it peaks."""
    lowest, highest = waters.limits.chlorophyll
    green = forward(water, np.array([490.0, 560.0, 580.0, 600.0])).rrs.max(axis=-1)
    return np.asarray(
        (water.chlorophyll >= lowest)
        & (water.chlorophyll <= highest)
        & (water.cdom_443 <= waters.limits.highest_cdom_443)
        & (np.asarray(water.mineral) <= waters.limits.highest_mineral)
        & (green <= waters.limits.highest_rrs)
    )


def _columns(water: Water, optics: Optics, rrs: Array, outputs: Sequence[str]) -> dict[str, Array]:
    """Return a dictionary from names to the columns of a batch, each with shape (sample,)."""
    spectra = {"Rrs": rrs} | {name: getattr(optics, name) for name in SPECTRAL if name in outputs}
    columns = {
        band_name(quantity, nm): spectrum[:, index]
        for quantity, spectrum in spectra.items()
        for index, nm in enumerate(optics.wavelength_nm)
    }
    if "chlor_a" in outputs:
        columns["chlor_a"] = water.chlorophyll
    return columns | {f"water_{name}": getattr(water, name) for name in CONSTITUENTS}


def _meanings(bands: Array, outputs: Sequence[str]) -> dict[str, Quantity]:
    """Return the name, units and long name of each column, in the order of the columns."""
    known = quantities()
    meanings = {
        band_name(name, nm): Quantity(
            band_name(name, nm), known[name].units, f"{known[name].long_name} at {nm:g} nm"
        )
        for name in ("Rrs", *(name for name in SPECTRAL if name in outputs))
        for nm in bands
    }
    if "chlor_a" in outputs:
        meanings["chlor_a"] = known["chlor_a"]
    for name, (units, long_name) in CONSTITUENTS.items():
        column = f"water_{name}"
        meanings[column] = Quantity(column, units, long_name)
    return meanings


def _attributes(count: int, bands: Array, seed: int, noise: float) -> dict[str, str | int | float]:
    return {
        "title": "Simulated water: remote sensing reflectance and optical properties",
        "source": f"bio-optical forward model of ocpipe {__version__}",
        "references": REFERENCES,
        "samples": count,
        "wavelength_nm": ", ".join(f"{nm:g}" for nm in bands),
        "seed": seed,
        "noise": float(noise),
    }


def _checked_bands(wavelength_nm: Sequence[float]) -> Array:
    bands = np.asarray(wavelength_nm, dtype=np.float64)
    if bands.size == 0:
        raise ConfigError("no bands to simulate; give at least one wavelength in nm.")
    check_wavelengths(bands)
    twice = repeated([band_name("Rrs", nm) for nm in bands])
    if twice:
        raise ConfigError(
            f"several bands would share the names {twice}, because wavelengths in names are whole "
            "nm. Keep only one band for each name."
        )
    return bands


def _check_request(count: int, seed: int, noise: float, outputs: Sequence[str]) -> None:
    if count < 1:
        raise ConfigError(f"found {count} samples, expected 1 or more. Give a larger number.")
    if seed < 0:
        raise ConfigError(f"found seed {seed}, expected 0 or more. Give another seed.")
    if not 0.0 <= noise <= HIGHEST_FACTOR:
        raise ConfigError(
            f"found noise {noise:g}, expected a factor on the usual noise, from 0 to "
            f"{HIGHEST_FACTOR:g}. Give another factor."
        )
    unknown = [name for name in outputs if name not in OUTPUTS]
    if unknown:
        raise ConfigError(f"unknown outputs {', '.join(unknown)}; known are {', '.join(OUTPUTS)}.")
