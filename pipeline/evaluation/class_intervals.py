"""How sure the shares of a classification are: groups drawn again with replacement."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.bootstrap import (
    LEVEL,
    RESAMPLES,
    Interval,
    interval_of,
    resampled_sums,
    units_of,
)
from pipeline.evaluation.metrics import Array

Classes = npt.NDArray[np.int64]
Statistic = Callable[[Array], Array]
"""Confusion matrices (..., model, observed, modelled) -> a number of each, with shape (...)."""


@dataclass(frozen=True)
class ClassIntervals:
    """Shares with the percentile intervals of their bootstrap."""

    accuracy: Interval
    mean_recall: Interval
    """Mean over the classes that are there."""
    precision: tuple[Interval, ...]
    """Of each class."""
    recall: tuple[Interval, ...]
    """Of each class."""


@dataclass(frozen=True)
class ClassDifferences:
    """What a classification has more than another one of the same rows, paired."""

    accuracy: Interval
    mean_recall: Interval


def class_intervals(
    observed: Classes,
    modelled: Classes,
    count: int,
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> ClassIntervals:
    """Accuracy, mean recall and the shares of each class, with intervals.

    Args:
        observed: number of the class from 0, with shape (n,).
        modelled: the same.
        count: how many classes there are.
        groups: the group of each row; without, each row is one of its own.
        seed: equal seeds give equal intervals.
    """
    drawn = _draw(observed, [modelled], count, groups, seed)
    return ClassIntervals(
        accuracy=drawn.interval(lambda counts: _accuracy(counts, 0)),
        mean_recall=drawn.interval(lambda counts: _mean_recall(counts, 0)),
        precision=tuple(drawn.interval(_precision_of(place)) for place in range(count)),
        recall=tuple(drawn.interval(_recall_of(place)) for place in range(count)),
    )


def class_differences(
    observed: Classes,
    first: Classes,
    second: Classes,
    count: int,
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> ClassDifferences:
    """Shares of the first minus those of the second; arguments as for :func:`class_intervals`."""
    drawn = _draw(observed, [first, second], count, groups, seed)
    return ClassDifferences(
        accuracy=drawn.interval(lambda counts: _accuracy(counts, 0) - _accuracy(counts, 1)),
        mean_recall=drawn.interval(
            lambda counts: _mean_recall(counts, 0) - _mean_recall(counts, 1)
        ),
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Confusion matrices of each model: of all rows, and of groups drawn again."""

    whole: Array
    """With shape (model, observed, modelled)."""
    resampled: Array
    """With shape (resample, model, observed, modelled)."""
    groups: int

    def interval(self, statistic: Statistic) -> Interval:
        # A class that is not there has no share, which the caller is told by NaN.
        with np.errstate(divide="ignore", invalid="ignore"):
            value, resampled = statistic(self.whole), statistic(self.resampled)
        return interval_of(float(value), resampled, LEVEL, self.groups)


def _draw(
    observed: Classes,
    models: Sequence[Classes],
    count: int,
    groups: Iterable[object] | None,
    seed: int,
) -> _Drawn:
    units, drawn_from = units_of(groups, np.ones(observed.size, dtype=bool), seed)
    unit_count = int(units.max()) + 1 if units.size else 0
    cells = count * count
    by_unit = np.empty((unit_count, len(models), cells))
    for place, modelled in enumerate(models):
        cell = units * cells + observed * count + modelled
        counted = np.bincount(cell, minlength=unit_count * cells)
        by_unit[:, place] = counted.reshape(unit_count, cells)
    sums = resampled_sums(by_unit, RESAMPLES, np.random.default_rng(seed))
    shape = (len(models), count, count)
    return _Drawn(by_unit.sum(axis=0).reshape(shape), sums.reshape(-1, *shape), drawn_from)


def _accuracy(counts: Array, model: int) -> Array:
    own = counts[..., model, :, :]
    return np.asarray(np.trace(own, axis1=-2, axis2=-1) / own.sum(axis=(-2, -1)))


def _mean_recall(counts: Array, model: int) -> Array:
    recalls = _shares(counts[..., model, :, :], axis=-1)
    seen = np.isfinite(recalls)
    return np.asarray(np.where(seen, recalls, 0.0).sum(axis=-1) / seen.sum(axis=-1))


def _precision_of(place: int) -> Statistic:
    return lambda counts: np.asarray(_shares(counts[..., 0, :, :], axis=-2)[..., place])


def _recall_of(place: int) -> Statistic:
    return lambda counts: np.asarray(_shares(counts[..., 0, :, :], axis=-1)[..., place])


def _shares(counts: Array, axis: int) -> Array:
    """Hits of each class over its sum along an axis, with shape (..., class)."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.asarray(hits / counts.sum(axis=axis))
