"""Metrics of a classification from confusion matrices, with bootstrap intervals.

To add a metric, add a row to ``CLASSIFICATION_METRICS``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.bootstrap import Interval, Resampled, Statistic, resample, units_of
from pipeline.evaluation.metrics import Array
from pipeline.evaluation.scales import PLAIN, SHARE, Scale

ClassNumbers = npt.NDArray[np.int64]
"""Class number of each row, counted from 0, with shape (n,)."""
ClassCounts = npt.NDArray[np.int64] | Array
"""Confusion matrices with shape (..., observed, modelled)."""
NO_CLASS = -1
"""Class number of a row whose class is unknown."""


@dataclass(frozen=True)
class ClassificationMetric:
    """A number that measures how well classes are distinguished."""

    name: str
    """Key in JSON files, and head of the column in CSV files."""
    label: str
    """Name in tables and sentences."""
    of_counts: Callable[[ClassCounts], Array]
    """Returns the metric of each confusion matrix, or NaN if the matrix counts no rows."""
    scale: Scale = PLAIN
    """Scale on which the confidence interval is computed."""
    has_interval_column: bool = False
    """True if the interval of the metric has its own column in tables that compare models."""

    def of_one(self, counts: ClassCounts) -> float:
        """Compute the metric from one confusion matrix."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self.of_counts(counts))


def confusion_matrix(
    observed: ClassNumbers, modelled: ClassNumbers, count: int
) -> npt.NDArray[np.int64]:
    """Count rows by observed and modelled class; the result has shape (observed, modelled)."""
    pairs = np.bincount(observed * count + modelled, minlength=count * count)
    return pairs.reshape(count, count).astype(np.int64)


def precisions(counts: ClassCounts) -> Array:
    """Return the precision of each class, with shape (..., class)."""
    return np.asarray(_hits(counts) / counts.sum(axis=-2))


def recalls(counts: ClassCounts) -> Array:
    """Return the recall of each class, with shape (..., class)."""
    return np.asarray(_hits(counts) / counts.sum(axis=-1))


def _hits(counts: ClassCounts) -> npt.NDArray[Any]:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _accuracy(counts: ClassCounts) -> Array:
    return np.asarray(_hits(counts).sum(axis=-1) / counts.sum(axis=(-2, -1)))


def _mean_recall(counts: ClassCounts) -> Array:
    each = recalls(counts)
    seen = np.isfinite(each)
    return np.asarray(np.where(seen, each, 0.0).sum(axis=-1) / seen.sum(axis=-1))


_ROWS = (
    ClassificationMetric("accuracy", "accuracy", _accuracy, SHARE, has_interval_column=True),
    # The mean over the observed classes: rare and frequent classes have the same weight.
    ClassificationMetric("mean_recall", "mean recall", _mean_recall, SHARE),
)
CLASSIFICATION_METRICS: dict[str, ClassificationMetric] = {metric.name: metric for metric in _ROWS}
"""All metrics of a classification by name, in the order of tables and files."""


@dataclass(frozen=True)
class ClassIntervals:
    """The metrics of a classification with their bootstrap intervals."""

    metrics: dict[str, Interval]
    """Metrics of the classification as a whole, by name."""
    precision: tuple[Interval, ...]
    """The precision of each class."""
    recall: tuple[Interval, ...]
    """The recall of each class."""


def class_intervals(
    observed: ClassNumbers,
    modelled: ClassNumbers,
    count: int,
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> ClassIntervals:
    """Return the metrics of a classification, each with its confidence interval.

    ``observed`` and ``modelled`` are class numbers from 0, with shape (n,); ``count`` is the
    number of classes. The bootstrap draws groups, or rows if there are no groups.
    """
    drawn = _resample_counts(observed, [modelled], count, groups, seed)
    return ClassIntervals(
        metrics={
            name: drawn.interval(_of_first(metric.of_counts), scale=metric.scale)
            for name, metric in CLASSIFICATION_METRICS.items()
        },
        precision=tuple(
            drawn.interval(_of_first(precisions, c), scale=SHARE) for c in range(count)
        ),
        recall=tuple(drawn.interval(_of_first(recalls, c), scale=SHARE) for c in range(count)),
    )


def class_differences(
    observed: ClassNumbers,
    first: ClassNumbers,
    second: ClassNumbers,
    count: int,
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the paired difference of each metric: first model minus second model.

    Arguments are the same as in :func:`class_intervals`.
    """
    drawn = _resample_counts(observed, [first, second], count, groups, seed)

    def difference(of_counts: Callable[[Array], Array]) -> Statistic:
        return lambda counts: of_counts(counts[..., 0, :, :]) - of_counts(counts[..., 1, :, :])

    return {
        name: drawn.interval(difference(metric.of_counts))
        for name, metric in CLASSIFICATION_METRICS.items()
    }


def _of_first(of_counts: Callable[[Array], Array], place: int | None = None) -> Statistic:
    """Return a function that computes a metric of the first model from the counts of all models.

    If ``place`` is given, the metric has one value per class; the function returns the value of
    class number ``place``.
    """
    chosen = () if place is None else (place,)
    return lambda counts: np.asarray(of_counts(counts[..., 0, :, :])[(..., *chosen)])


def _resample_counts(
    observed: ClassNumbers,
    models: Sequence[ClassNumbers],
    count: int,
    groups: Iterable[object] | None,
    seed: int,
) -> Resampled:
    """Count rows in confusion matrices (model, observed, modelled), and resample the counts."""
    units, drawn_from = units_of(groups, np.ones(observed.size, dtype=bool), seed)
    unit_count = int(units.max()) + 1 if units.size else 0
    cells = count * count
    by_unit = np.empty((unit_count, len(models), count, count))
    for place, modelled in enumerate(models):
        cell = units * cells + observed * count + modelled
        counted = np.bincount(cell, minlength=unit_count * cells)
        by_unit[:, place] = counted.reshape(unit_count, count, count)
    sizes = np.bincount(units, minlength=unit_count).astype(np.float64)
    return resample(by_unit, sizes, drawn_from, seed)
