"""Intervals from a studentised bootstrap over groups.

Percentiles of a bootstrap over groups are too narrow: draws of the same few groups vary less than
new measurements of other groups. So each draw is divided by the standard error of this draw
(bootstrap-t: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 5.2). The
standard error of all data comes from the jackknife over groups. This standard error may be too
large but is seldom too small.
If a few groups have most of the rows, the data contain only as much information as a few groups.
Therefore, the interval is multiplied by the ratio of Student's quantile to the normal one. The
degrees of freedom follow from the number of equally large groups with as much information (Kish
1965).

``benchmarks/interval_coverage.py`` measures how often these intervals contain the true value.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.scales import Array, Scale

Statistic = Callable[[Array], Array]
"""A function that takes sums with shape (..., sum), and returns one number for each (...)."""
STEP = 1e-4
"""Step of the numerical derivative, as a share of the spread of a sum."""
LEAST_ERROR = 0.25
"""Smallest standard error of a draw, as a share of the standard error of the whole. If the groups
of a draw happen to be alike, its standard error is near zero. Then its distance from the whole,
divided by this error, would be nearly infinite."""
BATCH_BYTES = 64_000_000
"""Memory (bytes) for the draws that are computed at the same time."""
_ANGLES = 20_001


@dataclass(frozen=True, eq=False)
class Draws:
    """Sums of units, and how often each draw has taken each unit."""

    by_unit: Array
    """Sums of each unit, with shape (unit, sum)."""
    times: npt.NDArray[np.uint16]
    """How often a draw has taken a unit, with shape (draw, unit)."""
    sizes: Array
    """Number of rows in each unit, with shape (unit,)."""

    @property
    def equal_units(self) -> float:
        """Number of equally large units with as much information as these."""
        return float(self.sizes.sum() ** 2 / np.square(self.sizes).sum())


def interval(statistic: Statistic, draws: Draws, scale: Scale, level: float) -> tuple[float, float]:
    """Return the ends of the interval of a statistic; NaN if the statistic cannot be computed.

    Args:
        statistic: must not change if all sums are multiplied by a number, such as a mean.
        draws: two units or more, and sums of draws.
        scale: the scale on which the interval is computed.
        level: nominal share of intervals that contain the true value.
    """

    def scaled(sums: Array) -> Array:
        return scale.of(statistic(sums))

    whole = draws.by_unit.sum(axis=0)
    # Draws may lack a class, or have constant values; then a statistic is NaN.
    with np.errstate(divide="ignore", invalid="ignore"):
        value, drawn = scaled(whole), _in_batches(draws, scaled)
        error = _jackknife_error(scaled, draws.by_unit, value)
        if error == 0:
            constant = float(statistic(whole))
            return constant, constant
        far = (drawn[0] - value) / np.maximum(drawn[1], LEAST_ERROR * error)
    far = far[np.isfinite(far)]
    if far.size == 0 or not math.isfinite(error):
        return math.nan, math.nan
    below, above = np.quantile(far, [(1 - level) / 2, (1 + level) / 2])
    wider = wider_for_few(draws.equal_units, level)
    # The distance of draws above the whole shows how far the whole may be above the true value.
    ends = value - wider * error * np.array([above, below])
    with np.errstate(over="ignore"):
        low, high = scale.back(ends)
    return float(low), float(high)


def _in_batches(draws: Draws, scaled: Statistic) -> Array:
    """Return the statistic of each draw and its standard error, with shape (2, draw)."""
    units, sums = draws.by_unit.shape
    batch = max(1, BATCH_BYTES // (8 * max(units, sums)))
    parts = [
        _draws_with_errors(draws.times[start : start + batch], draws.by_unit, scaled)
        for start in range(0, len(draws.times), batch)
    ]
    return np.concatenate(parts, axis=1)


def _draws_with_errors(times: npt.NDArray[np.uint16], by_unit: Array, scaled: Statistic) -> Array:
    """Return statistics and their standard errors from the infinitesimal jackknife."""
    weights = times.astype(np.float64)
    sums = weights @ by_unit
    steps = STEP * np.sqrt(weights @ np.square(by_unit))
    slopes = np.zeros_like(sums)
    for place in range(sums.shape[1]):
        # A sum that is zero in all units of a draw has no influence; its step would be zero.
        step = np.zeros_like(sums)
        step[:, place] = steps[:, place]
        slope = (scaled(sums + step) - scaled(sums - step)) / (2 * steps[:, place])
        slopes[:, place] = np.where(steps[:, place] > 0, slope, 0.0)
    influences = slopes @ by_unit.T
    count = by_unit.shape[0]
    variances = (weights * np.square(influences)).sum(axis=1) * count / (count - 1)
    return np.stack([scaled(sums), np.sqrt(variances)])


def _jackknife_error(scaled: Statistic, by_unit: Array, value: Array) -> float:
    """Return the standard error of the whole: leave out one unit after the other."""
    left_out = scaled(by_unit.sum(axis=0) - by_unit)
    # If only one unit has a class, the class has no metric without this unit.
    left_out = left_out[np.isfinite(left_out)]
    if left_out.size < 2:
        return math.nan
    share = (left_out.size - 1) / left_out.size
    return float(np.sqrt(share * np.square(left_out - value).sum()))


def wider_for_few(equal_units: float, level: float) -> float:
    """Return Student's quantile divided by the normal quantile, for a number of equal units."""
    upper = (1 + level) / 2
    return student_quantile(upper, max(equal_units - 1, 1.0)) / NormalDist().inv_cdf(upper)


def student_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution for a probability of at least 0.5.

    With t = sqrt(freedom) tan(angle), the density of the angle is cos(angle) ** (freedom - 1).
    """
    angles = np.linspace(0.0, np.pi / 2, _ANGLES)
    density = np.cos(angles[:-1] + angles[1] / 2) ** (freedom - 1)
    held = np.concatenate([[0.0], np.cumsum(density)])
    angle = np.interp((2 * probability - 1) * held[-1], held, angles)
    return float(math.sqrt(freedom) * math.tan(angle))
