"""How sure a metric is, and a difference of two: groups drawn again with replacement.

Rows of one cruise are alike, so rows drawn one by one would promise too much. What is drawn are
whole groups, the same ones for every model (paired).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.metrics import NAN, Array, common_rows, comparable, group_index

MOST_UNITS = 2_000
"""Drawn at a time at most; more groups are put together at random, which leaves the spread."""
BATCH_BYTES = 64_000_000
RESAMPLES = 2_000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A number and the percentile interval of its bootstrap."""

    value: float
    low: float
    high: float
    level: float
    """Share of the resampled values between low and high."""
    groups: int
    """How many groups there were to draw from; below two there is no interval (NaN)."""

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference is one, at this level."""
        return self.low > 0 or self.high < 0


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
    """The metric of each model on the rows where all give a value, with its interval.

    Args:
        observed: with shape (n,).
        models: modelled values by name, each with shape (n,).
        groups: the group of each row; without, each row is one of its own.
        metric: of :data:`METRICS`.
        log: as for :func:`pipeline.evaluation.metrics.metrics`.
        resamples: how many times groups are drawn.
        level: share of the resampled values in the interval.
        seed: equal seeds give equal intervals.

    Raises:
        ConfigError: the metric is not known here, or shapes differ.
    """
    drawn = _draw(observed, models, groups, metric, log, resamples, seed)
    return {
        name: interval_of(drawn.values[name], drawn.resampled[name], level, drawn.groups)
        for name in models
    }


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
    """The metric of the first model minus that of the second, on common rows, with its interval.

    Arguments and errors are those of :func:`bootstrap_metric`.
    """
    models = {"first": first, "second": second}
    drawn = _draw(observed, models, groups, metric, log, resamples, seed)
    value = drawn.values["first"] - drawn.values["second"]
    difference = drawn.resampled["first"] - drawn.resampled["second"]
    return interval_of(value, difference, level, drawn.groups)


@dataclass(frozen=True)
class _Drawn:
    values: dict[str, float]
    resampled: dict[str, Array]
    """By model, with shape (resamples,)."""
    groups: int


def _draw(
    observed: npt.ArrayLike,
    models: Mapping[str, npt.ArrayLike],
    groups: Iterable[object] | None,
    metric: str,
    log: bool,
    resamples: int,
    seed: int,
) -> _Drawn:
    statistic = _statistic(metric)
    rows = common_rows(observed, *models.values(), log=log)
    units, count = units_of(groups, rows, seed)
    o = comparable(np.asarray(observed, dtype=np.float64)[rows], log)
    moments = [
        _moments(o, comparable(np.asarray(model, dtype=np.float64)[rows], log))
        for model in models.values()
    ]
    by_unit = np.stack([_sum_by_unit(moment, units) for moment in moments], axis=1)
    totals = statistic(by_unit.sum(axis=0), log)
    resampled = statistic(resampled_sums(by_unit, resamples, np.random.default_rng(seed)), log)
    return _Drawn(
        values={name: float(value) for name, value in zip(models, totals, strict=True)},
        resampled=dict(zip(models, resampled.T, strict=True)),
        groups=count,
    )


def units_of(
    groups: Iterable[object] | None, rows: npt.NDArray[np.bool_], seed: int
) -> tuple[npt.NDArray[np.intp], int]:
    """The unit that is drawn for each common row, and how many groups there are."""
    if groups is None:
        index = np.arange(int(rows.sum()))
    else:
        _, index = np.unique(group_index(groups, rows.size)[1][rows], return_inverse=True)
    count = int(index.max()) + 1 if index.size else 0
    if count > MOST_UNITS:
        # Sums over random handfuls of independent groups vary as the groups do.
        index = (np.random.default_rng(seed).permutation(count) % MOST_UNITS)[index]
    return index.astype(np.intp), count


def _moments(a: Array, b: Array) -> Array:
    """What the statistics are made of, with shape (row, moment)."""
    difference = b - a
    # Centred, for the sums of squares below lose digits far from zero.
    x, y = (a - a.mean(), b - b.mean()) if a.size else (a, b)
    columns = (np.ones_like(a), difference, np.abs(difference), np.square(difference))
    return np.stack((*columns, x, y, x * x, y * y, x * y), axis=1)


def _sum_by_unit(moments: Array, units: npt.NDArray[np.intp]) -> Array:
    """With shape (unit, moment)."""
    count = int(units.max()) + 1 if units.size else 0
    sums = [np.bincount(units, weights=column, minlength=count) for column in moments.T]
    return np.stack(sums, axis=1)


def resampled_sums(by_unit: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Sums over units drawn with replacement, with shape (resample, model, moment)."""
    count, *rest = by_unit.shape
    flat = by_unit.reshape(count, math.prod(rest))
    sums = np.full((resamples, flat.shape[1]), np.nan)
    if count < 2:
        return sums.reshape(resamples, *rest)
    batch = max(1, BATCH_BYTES // (8 * count))
    for start in range(0, resamples, batch):
        size = min(batch, resamples - start)
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, np.newaxis]
        times = np.bincount(drawn.reshape(-1), minlength=size * count).reshape(size, count)
        sums[start : start + size] = times.astype(np.float64) @ flat
    return sums.reshape(resamples, *rest)


def interval_of(value: float, resampled: Array, level: float, groups: int) -> Interval:
    """The value with the percentiles of what resamples gave; NaN of fewer than two groups."""
    known = resampled[np.isfinite(resampled)]
    if known.size == 0 or groups < 2:
        return Interval(value, NAN, NAN, level, groups)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, groups)


def _statistic(metric: str) -> Callable[[Array, bool], Array]:
    if metric not in METRICS:
        raise ConfigError(f"found the metric {metric!r}, expected one of {', '.join(METRICS)}.")
    statistic = METRICS[metric]

    def quiet(sums: Array, log: bool) -> Array:
        # Without a row or with constant values a metric is NaN, which is what the caller is told.
        with np.errstate(divide="ignore", invalid="ignore"):
            return statistic(sums, log)

    return quiet


def _bias(sums: Array, log: bool) -> Array:
    mean: Array = sums[..., 1] / sums[..., 0]
    return 10.0**mean if log else mean


def _mae(sums: Array, log: bool) -> Array:
    mean: Array = sums[..., 2] / sums[..., 0]
    return 10.0**mean if log else mean


def _rmse(sums: Array, log: bool) -> Array:  # noqa: ARG001  (decades or units, as they come)
    root: Array = np.sqrt(sums[..., 3] / sums[..., 0])
    return root


def _r2(sums: Array, log: bool) -> Array:  # noqa: ARG001
    n, x, y = sums[..., 0], sums[..., 4], sums[..., 5]
    covariance = n * sums[..., 8] - x * y
    variances = (n * sums[..., 6] - x * x) * (n * sums[..., 7] - y * y)
    square: Array = np.square(covariance) / variances
    return square


METRICS: dict[str, Callable[[Array, bool], Array]] = {
    "bias": _bias,
    "mae": _mae,
    "rmse": _rmse,
    "r2": _r2,
}
"""What can be resampled: all that follows from sums over rows, so that a resample is a product."""
