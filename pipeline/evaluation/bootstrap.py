"""Bootstrap intervals of metrics and of differences between models.

Rows of one cruise are alike, so intervals from single rows would be too narrow. Therefore, the
bootstrap draws whole groups. All models get the same groups, so differences between models are
paired. ``studentised.py`` makes an interval from the draws.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation import studentised
from pipeline.evaluation.metrics import (
    COUNT,
    METRICS,
    NAN,
    Array,
    Metric,
    common_rows,
    comparable,
    group_index,
    moments,
)
from pipeline.evaluation.scales import PLAIN, Scale

MOST_UNITS = 2_000
"""The bootstrap draws units, at most this many. Usually, each group is a unit; if there are too
many groups, each unit consists of several groups, joined at random."""
RESAMPLES = 2_000
LEVEL = 0.95
"""Nominal share of intervals with the true value; docs/training.md has measured shares."""
FEW_GROUPS = 50
"""With fewer groups, reports warn that intervals may contain the true value less often."""

Statistic = Callable[[Array], Array]
"""A function that takes sums with shape (..., model, ...), and returns one number per resample."""


@dataclass(frozen=True)
class Interval:
    """A number with its interval from the studentised bootstrap."""

    value: float
    low: float
    high: float
    level: float
    """Nominal share of such intervals that contain the true value."""
    groups: int
    """Number of groups to draw from; with fewer than two groups, low and high are NaN."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Sums of units, which are groups of rows, and draws of units with replacement."""

    by_unit: Array
    """Sums over the rows of each unit, with shape (unit, model, ...)."""
    times: npt.NDArray[np.uint16]
    """How often each draw takes each unit, with shape (draw, unit)."""
    sizes: Array
    """Number of rows in each unit, with shape (unit,)."""
    groups: int
    """Number of groups to draw from."""

    def of_models(self, *places: int) -> "Resampled":
        """Return the same draws with some of the models."""
        return Resampled(self.by_unit[:, places], self.times, self.sizes, self.groups)

    def interval(
        self, statistic: Statistic, level: float = LEVEL, scale: Scale = PLAIN
    ) -> Interval:
        """Return a statistic of all rows, and its interval.

        The statistic must not change if all sums are multiplied by the same number. The interval
        is computed on ``scale``.
        """
        count, *rest = self.by_unit.shape
        # Without rows, or with constant values, a statistic is NaN, and so is its interval.
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(self.by_unit.sum(axis=0)))
        if count < 2 or self.groups < 2 or not np.isfinite(value):
            return Interval(value, NAN, NAN, level, self.groups)

        def of_flat(sums: Array) -> Array:
            return statistic(sums.reshape(*sums.shape[:-1], *rest))

        draws = studentised.Draws(self.by_unit.reshape(count, -1), self.times, self.sizes)
        low, high = studentised.interval(of_flat, draws, scale, level)
        return Interval(value, low, high, level, self.groups)


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
        level: nominal share of intervals that contain the true value.
        seed: equal seeds give equal intervals.

    Raises:
        ConfigError: the metric cannot be resampled, or the shapes differ.
    """
    of_sums, scale = _statistic(metric, log)
    drawn = _resample_moments(observed, models, groups, log, resamples, seed)

    def of_first(sums: Array) -> Array:
        return np.asarray(of_sums(sums)[..., 0])

    return {
        name: drawn.of_models(i).interval(of_first, level, scale) for i, name in enumerate(models)
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
    """Return the metric of the first model minus the metric of the second, on common rows.

    Arguments and errors are the same as in :func:`bootstrap_metric`.
    """
    of_sums, _ = _statistic(metric, log)
    models = {"first": first, "second": second}
    drawn = _resample_moments(observed, models, groups, log, resamples, seed)

    def difference(sums: Array) -> Array:
        values = of_sums(sums)
        return np.asarray(values[..., 0] - values[..., 1])

    return drawn.interval(difference, level)


def _statistic(metric: str, log: bool) -> tuple[Statistic, Scale]:
    """Return the function that computes a metric from sums, and the scale of its interval."""
    chosen: Metric | None = METRICS.get(metric)
    of_sums = None if chosen is None else chosen.of_sums
    if chosen is None or of_sums is None:
        known = ", ".join(name for name, one in METRICS.items() if one.of_sums is not None)
        raise ConfigError(
            f"found the metric {metric!r} for bootstrap intervals, expected one of {known}."
        )
    return lambda sums: of_sums(sums, log), chosen.scale_of_log if log else chosen.scale


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
    sums = np.stack(by_unit, axis=1)
    return resample(sums, sums[:, 0, COUNT], count, seed, resamples)


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
        # Random pools of independent groups vary as much as the groups, so the intervals are still
        # right.
        index = (np.random.default_rng(seed).permutation(count) % MOST_UNITS)[index]
    return index.astype(np.intp), count


def _sum_by_unit(values: Array, units: npt.NDArray[np.intp]) -> Array:
    """Return the sums of ``values`` in each unit, with shape (unit, moment)."""
    count = int(units.max()) + 1 if units.size else 0
    sums = [np.bincount(units, weights=column, minlength=count) for column in values.T]
    return np.stack(sums, axis=1)


def resample(
    by_unit: Array, sizes: Array, groups: int, seed: int, resamples: int = RESAMPLES
) -> Resampled:
    """Draw units with replacement.

    ``by_unit`` has the sums of each unit, with shape (unit, model, ...); ``sizes`` has the number
    of rows in each unit, with shape (unit,).
    """
    count = len(by_unit)
    times = np.zeros((resamples, count), dtype=np.uint16)
    rng = np.random.default_rng(seed)
    if count > 1:
        for draw in times:
            draw[:] = np.bincount(rng.integers(count, size=count), minlength=count)
    return Resampled(by_unit, times, sizes, groups)
