"""Draw waters from the distributions in ``configs/training/optics/waters.yaml``."""

import functools
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.config.strict import Strict
from pipeline.facts.optical_tables import Array
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.simulation.bio_optics import Water
from pipeline.simulation.optics import absorption, backscattering

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]


class LogNormal(Strict):
    """A log-normal quantity; the spread is the standard deviation of log10."""

    median: Positive
    spread: Positive


class Exponent(Strict):
    """The spread and limits of an exponent; its mean depends on the water."""

    spread: Positive
    lowest: float
    highest: float

    def around(self, mean: Array | float, normal: Array) -> Array:
        """Return values around a mean from standard normal deviates, clipped to the limits."""
        return np.clip(mean + self.spread * normal, self.lowest, self.highest)


class Normal(Exponent):
    """A normally distributed quantity with limits."""

    mean: float

    def values(self, normal: Array) -> Array:
        """Turn standard normal deviates into values, and clip the values to the limits."""
        return self.around(self.mean, normal)


class WaterType(Strict):
    """One type of water, with its share of all waters."""

    name: str
    share: Share
    chlorophyll: LogNormal
    river_cdom: LogNormal
    mineral: LogNormal


class Limits(Strict):
    """Limits of the simulated waters; waters outside these limits are left out."""

    chlorophyll: tuple[Positive, Positive]
    highest_cdom_443: Positive
    highest_mineral: Positive
    highest_rrs: Positive


class NoiseLevel(Strict):
    """The noise of one pixel; :mod:`pipeline.simulation.noise` applies it."""

    band_share: Share
    common_share: Share
    offset_412: Annotated[float, Field(ge=0)]
    offset_exponent: float
    lowest_share: Share


class WaterDistributions(Strict):
    """The content of ``waters.yaml``."""

    types: tuple[WaterType, ...]
    mineral_per_chlorophyll: float
    river_correlation: Correlation
    phytoplankton_spread: Positive
    shape: LogNormal
    shape_correlation: Correlation
    carotenoids: Normal
    violet: Normal
    marine_cdom_spread: Positive
    cdom_slope: Normal
    detritus: LogNormal
    non_algal_slope: Normal
    organic_backscattering: LogNormal
    background_backscattering: LogNormal
    organic_exponent: Exponent
    mineral_absorption_spread: Positive
    mineral_backscattering_spread: Positive
    mineral_exponent: Normal
    fluorescence_yield: LogNormal
    particle_factor_spread: Positive
    limits: Limits
    noise: NoiseLevel


@functools.cache
def shipped_waters() -> WaterDistributions:
    """Return the distributions that ship with the program."""
    path = shipped_configs() / "training" / "optics" / "waters.yaml"
    return WaterDistributions.model_validate(read_shipped(path))


def draw_water(count: int, rng: np.random.Generator, waters: WaterDistributions) -> Water:
    """Draw ``count`` waters; each field has shape (count,). The order of the draws is fixed."""
    shares = np.array([kind.share for kind in waters.types])
    kinds = rng.choice(len(waters.types), count, p=shares / shares.sum())
    river, own = rng.standard_normal((2, count))
    chlorophyll = _of_kind([t.chlorophyll for t in waters.types], kinds, rng.standard_normal(count))
    aph_443, shape = _phytoplankton(chlorophyll, waters, rng)
    mineral = _of_kind([t.mineral for t in waters.types], kinds, river)
    mineral = mineral * chlorophyll**waters.mineral_per_chlorophyll
    river_cdom = _of_kind(
        [t.river_cdom for t in waters.types],
        kinds,
        _correlated(river, own, waters.river_correlation),
    )
    normals = iter(rng.standard_normal((14, count)))
    marine_cdom = absorption.marine_cdom_443(chlorophyll, newer=rng.random(count))
    return Water(
        chlorophyll=chlorophyll,
        aph_443=aph_443,
        shape_chlorophyll=shape,
        cdom_443=river_cdom + _spread(marine_cdom, waters.marine_cdom_spread, next(normals)),
        detritus_443=_spread(
            aph_443 * waters.detritus.median, waters.detritus.spread, next(normals)
        ),
        organic_bbp_550=_organic_backscattering(chlorophyll, waters, next(normals), next(normals)),
        organic_exponent=waters.organic_exponent.around(
            backscattering.organic_exponent(shape), next(normals)
        ),
        mineral=mineral,
        cdom_slope=waters.cdom_slope.values(next(normals)),
        non_algal_slope=waters.non_algal_slope.values(next(normals)),
        mineral_absorption=_spread(
            absorption.MINERAL_ABSORPTION_443, waters.mineral_absorption_spread, next(normals)
        ),
        mineral_backscattering=_spread(
            backscattering.MINERAL_BACKSCATTERING_650,
            waters.mineral_backscattering_spread,
            next(normals),
        ),
        mineral_exponent=waters.mineral_exponent.values(next(normals)),
        fluorescence_yield=_spread(
            waters.fluorescence_yield.median, waters.fluorescence_yield.spread, next(normals)
        ),
        particle_factor=_spread(1.0, waters.particle_factor_spread, next(normals)),
        carotenoids=waters.carotenoids.values(next(normals)),
        violet=waters.violet.values(next(normals)),
    )


def _phytoplankton(
    chlorophyll: Array, waters: WaterDistributions, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return phytoplankton absorption at 443 nm, and chlorophyll that sets its spectral shape."""
    level, own = rng.standard_normal((2, len(chlorophyll)))
    mean = absorption.phytoplankton_443(chlorophyll, newer=rng.random(len(chlorophyll)))
    shape = _correlated(level, own, waters.shape_correlation)
    return (
        _spread(mean, waters.phytoplankton_spread, level),
        _spread(chlorophyll * waters.shape.median, waters.shape.spread, shape),
    )


def _organic_backscattering(
    chlorophyll: Array, waters: WaterDistributions, with_chlorophyll: Array, background: Array
) -> Array:
    """Return backscattering at 550 nm; one part depends on chlorophyll, the rest is background."""
    follows, stays = waters.organic_backscattering, waters.background_backscattering
    mean = backscattering.organic_backscattering_550(chlorophyll)
    varying = _spread(mean * follows.median, follows.spread, with_chlorophyll)
    return varying + _spread(stays.median, stays.spread, background)


def _of_kind(of_types: list[LogNormal], kinds: npt.NDArray[np.int64], normal: Array) -> Array:
    """Return a value for each water, from normal deviates and the distributions of the types."""
    medians = np.array([one.median for one in of_types])[kinds]
    spreads = np.array([one.spread for one in of_types])[kinds]
    return _spread(medians, spreads, normal)


def _spread(median: Array | float, spread: Array | float, normal: Array) -> Array:
    return np.asarray(median * 10.0 ** (spread * normal))


def _correlated(first: Array, second: Array, correlation: float) -> Array:
    """Return standard normal deviates that are correlated with ``first``."""
    return np.asarray(correlation * first + np.sqrt(1.0 - correlation**2) * second)
