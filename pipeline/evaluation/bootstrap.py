"""Bootstrap intervals of metrics and of differences between models.

Rows of one cruise are alike, so intervals from single rows would be too narrow. Hence the bootstrap
draws whole groups. All models get the same groups, so differences between models are paired.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.metrics import (
    METRICS,
    NAN,
    Array,
    common_rows,
    comparable,
    group_index,
    moments,
)

MOST_UNITS = 2_000
"""The bootstrap draws units, at most this many. Usually, each group is a unit; if there are too
many groups, each unit consists of several groups, joined at random."""
BATCH_BYTES = 64_000_000
"""Memory (bytes) for the draws that are made at the same time."""
RESAMPLES = 2_000
LEVEL = 0.95

Statistic = Callable[[Array], Array]
"""A function that takes sums with shape (..., model, ...), and returns one number per resample."""


@dataclass(frozen=True)
class Interval:
    """A number with its percentile interval from the bootstrap."""

    value: float
    low: float
    high: float
    level: float
    """Share of the resampled values between low and high."""
    groups: int
    """Number of groups to draw from; with fewer than two groups, low and high are NaN."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Sums over all rows, and sums over groups drawn with replacement."""

    whole: Array
    """Sums over all rows, with shape (model, ...)."""
    resampled: Array
    """Sums over the groups of each draw, with shape (resample, model, ...)."""
    groups: int
    """Number of groups to draw from."""

    def interval(self, statistic: Statistic, level: float = LEVEL) -> Interval:
        """Return a statistic of all rows, and its interval from the resamples."""
        # Without rows, or with constant values, a statistic is NaN, and so is its interval.
        with np.errstate(divide="ignore", invalid="ignore"):
            value, resampled = float(statistic(self.whole)), statistic(self.resampled)
        known = resampled[np.isfinite(resampled)]
        if known.size == 0 or self.groups < 2:
            return Interval(value, NAN, NAN, level, self.groups)
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Interval(value, float(low), float(high), level, self.groups)


def bootstrap_metric(
    observed: npt.ArrayLike,
    models: Mapping[str, npt.ArrayLike],
    groups: Iterable[object] | None = None,
    *,
    metric: str = "mae",
    log: bool = True,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the metric and its interval for each model, on rows where all models have a value.

    Args:
        observed: observed values with shape (n,).
        models: modelled values by the name of the model, each with shape (n,).
        groups: the group of each row; without groups, each row is its own group.
        metric: a name in ``METRICS``.
        log: see :func:`pipeline.evaluation.metrics.metrics`.
        resamples: number of random samples of groups.
        level: share of the resampled values in the interval.
        seed: equal seeds give equal intervals.

    Raises:
        ConfigError: the metric cannot be resampled, or the shapes differ.
    """
    of_sums = _statistic(metric, log)
    drawn = _resample_moments(observed, models, groups, log, resamples, seed)

    def of_model(place: int) -> Statistic:
        return lambda sums: np.asarray(of_sums(sums)[..., place])

    return {name: drawn.interval(of_model(i), level) for i, name in enumerate(models)}


def bootstrap_difference(
    observed: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    groups: Iterable[object] | None = None,
    *,
    metric: str = "mae",
    log: bool = True,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Return the metric of the first model minus the metric of the second, on common rows.

    Arguments and errors are the same as in :func:`bootstrap_metric`.
    """
    of_sums = _statistic(metric, log)
    models = {"first": first, "second": second}
    drawn = _resample_moments(observed, models, groups, log, resamples, seed)

    def difference(sums: Array) -> Array:
        values = of_sums(sums)
        return np.asarray(values[..., 0] - values[..., 1])

    return drawn.interval(difference, level)


def _statistic(metric: str, log: bool) -> Statistic:
    of_sums = METRICS[metric].of_sums if metric in METRICS else None
    if of_sums is None:
        known = ", ".join(name for name, one in METRICS.items() if one.of_sums is not None)
        raise ConfigError(
            f"found the metric {metric!r} for bootstrap intervals, expected one of {known}."
        )
    return lambda sums: of_sums(sums, log)


def _resample_moments(
    observed: npt.ArrayLike,
    models: Mapping[str, npt.ArrayLike],
    groups: Iterable[object] | None,
    log: bool,
    resamples: int,
    seed: int,
) -> Resampled:
    rows = common_rows(observed, *models.values(), log=log)
    units, count = units_of(groups, rows, seed)
    o = comparable(np.asarray(observed, dtype=np.float64)[rows], log)
    by_unit = [
        _sum_by_unit(moments(o, comparable(np.asarray(model, dtype=np.float64)[rows], log)), units)
        for model in models.values()
    ]
    return resample(np.stack(by_unit, axis=1), count, seed, resamples)


def units_of(
    groups: Iterable[object] | None, rows: npt.NDArray[np.bool_], seed: int
) -> tuple[npt.NDArray[np.intp], int]:
    """Return an array with the unit number of each common row, and the number of groups."""
    if groups is None:
        index = np.arange(int(rows.sum()))
    else:
        _, index = np.unique(group_index(groups, rows.size)[1][rows], return_inverse=True)
    count = int(index.max()) + 1 if index.size else 0
    if count > MOST_UNITS:
        # Random pools of independent groups keep the spread: their sums vary as the groups do.
        index = (np.random.default_rng(seed).permutation(count) % MOST_UNITS)[index]
    return index.astype(np.intp), count


def _sum_by_unit(values: Array, units: npt.NDArray[np.intp]) -> Array:
    """Return the sums of ``values`` in each unit, with shape (unit, moment)."""
    count = int(units.max()) + 1 if units.size else 0
    sums = [np.bincount(units, weights=column, minlength=count) for column in values.T]
    return np.stack(sums, axis=1)


def resample(by_unit: Array, groups: int, seed: int, resamples: int = RESAMPLES) -> Resampled:
    """Draw units with replacement.

    ``by_unit`` holds the sums of each unit, with shape (unit, model, ...).
    """
    count, *rest = by_unit.shape
    flat = by_unit.reshape(count, math.prod(rest))
    sums = np.full((resamples, flat.shape[1]), np.nan)
    rng = np.random.default_rng(seed)
    batch = max(1, BATCH_BYTES // (8 * max(count, 1)))
    for start in range(0, resamples if count > 1 else 0, batch):
        size = min(batch, resamples - start)
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, np.newaxis]
        times = np.bincount(drawn.reshape(-1), minlength=size * count).reshape(size, count)
        sums[start : start + size] = times.astype(np.float64) @ flat
    return Resampled(by_unit.sum(axis=0), sums.reshape(resamples, *rest), groups)
