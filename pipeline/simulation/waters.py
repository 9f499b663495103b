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

    def values(self, normal: Array) -> Array:
        """Turn standard normal deviates into values."""
        return _spread(self.median, self.spread, normal)


class Relation(LogNormal):
    """A log-normal factor on a published relation.

    Its median is ``median * chlorophyll ** exponent``, with chlorophyll in mg m-3.
    """

    exponent: float = 0.0

    def factors(self, chlorophyll: Array, normal: Array) -> Array:
        """Turn standard normal deviates into factors, one for each chlorophyll (mg m-3)."""
        return _spread(self.median * chlorophyll**self.exponent, self.spread, normal)


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
    phytoplankton: Relation
    shape: LogNormal
    shape_correlation: Correlation
    carotenoids: Normal
    violet: Normal
    marine_cdom: Relation
    marine_cdom_correlation: Correlation
    cdom_slope: Normal
    detritus: Relation
    detritus_correlation: Correlation
    non_algal_slope: Normal
    organic_backscattering: Relation
    background_backscattering: LogNormal
    organic_exponent: Exponent
    mineral_absorption_spread: Positive
    mineral_backscattering_spread: Positive
    mineral_exponent: Normal
    fluorescence_yield: LogNormal
    particle_factor: LogNormal
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
    # How much phytoplankton and organic particles there are at one chlorophyll; CDOM and detritus
    # of the ocean come from them.
    level, organic = rng.standard_normal((2, count))
    aph_443, shape = _phytoplankton(chlorophyll, waters, level, rng)
    mineral = _of_kind([t.mineral for t in waters.types], kinds, river)
    mineral = mineral * chlorophyll**waters.mineral_per_chlorophyll
    river_cdom = _of_kind(
        [t.river_cdom for t in waters.types],
        kinds,
        _correlated(river, own, waters.river_correlation),
    )
    marine_cdom = absorption.marine_cdom_443(chlorophyll, newer=rng.random(count))
    normals = iter(rng.standard_normal((13, count)))
    with_level = _correlated(level, next(normals), waters.marine_cdom_correlation)
    with_organic = _correlated(organic, next(normals), waters.detritus_correlation)
    return Water(
        chlorophyll=chlorophyll,
        aph_443=aph_443,
        shape_chlorophyll=shape,
        cdom_443=river_cdom + marine_cdom * waters.marine_cdom.factors(chlorophyll, with_level),
        detritus_443=aph_443 * waters.detritus.factors(chlorophyll, with_organic),
        organic_bbp_550=_organic_backscattering(chlorophyll, waters, organic, next(normals)),
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
        fluorescence_yield=waters.fluorescence_yield.values(next(normals)),
        particle_factor=waters.particle_factor.values(next(normals)),
        carotenoids=waters.carotenoids.values(next(normals)),
        violet=waters.violet.values(next(normals)),
    )


def _phytoplankton(
    chlorophyll: Array, waters: WaterDistributions, level: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return phytoplankton absorption at 443 nm, and chlorophyll that sets its spectral shape."""
    mean = absorption.phytoplankton_443(chlorophyll, newer=rng.random(len(chlorophyll)))
    own = rng.standard_normal(len(chlorophyll))
    shape = _correlated(level, own, waters.shape_correlation)
    return mean * waters.phytoplankton.factors(chlorophyll, level), _spread(
        chlorophyll * waters.shape.median, waters.shape.spread, shape
    )


def _organic_backscattering(
    chlorophyll: Array, waters: WaterDistributions, with_chlorophyll: Array, background: Array
) -> Array:
    """Return backscattering at 550 nm; one part depends on chlorophyll, the rest is background."""
    mean = backscattering.organic_backscattering_550(chlorophyll)
    varying = mean * waters.organic_backscattering.factors(chlorophyll, with_chlorophyll)
    return np.asarray(varying + waters.background_backscattering.values(background))


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
