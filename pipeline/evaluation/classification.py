"""Metrics of a network that is a classifier."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.class_metrics import (
    CLASSIFICATION_METRICS,
    NO_CLASS,
    ClassIntervals,
    ClassNumbers,
    class_intervals,
    confusion_matrix,
    precisions,
    recalls,
)
from pipeline.evaluation.metrics import NAN, Array, rows_by_group

LOWEST_PROBABILITY = 1e-15
"""The log loss replaces lower probabilities by this value, because log(0) is infinite."""


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class against all others; NaN if the class was never observed or modelled."""

    name: str
    observed: int
    modelled: int
    precision: float
    """Of the rows modelled as this class, the share that is also observed as this class."""
    recall: float
    """Of the rows observed as this class, the share that is also modelled as this class."""
    f1: float
    """Harmonic mean of precision and recall."""


@dataclass(frozen=True)
class ClassificationMetrics:
    """Metrics of a set of rows; NaN if no row can be compared."""

    n: int
    metrics: dict[str, float]
    """Metrics by name."""
    log_loss: float

    def numbers(self) -> dict[str, float]:
        """Return all numbers by name, in the order of the JSON and CSV files."""
        return {"n": self.n, **self.metrics, "log_loss": self.log_loss}


@dataclass(frozen=True)
class Classification:
    """The metrics of a classification."""

    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Number of rows by observed class (outer) and modelled class (inner)."""
    observed: int
    """Number of rows with a known class."""
    failures: float
    """Of the rows with a known class, the share whose probabilities are not finite."""
    overall: ClassificationMetrics
    """Metrics of all rows with a known class and finite probabilities."""
    intervals: ClassIntervals
    """Intervals from a bootstrap over groups, or over rows if there are no groups."""
    by_group: Mapping[str, ClassificationMetrics]
    """Metrics of each group; empty if there are no groups."""


def classification(
    observed: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    classes: tuple[str, ...],
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> Classification:
    """Compare modelled probabilities with observed classes.

    Args:
        observed: class numbers with shape (n,); the first class is 0, an unknown class is -1.
        probabilities: modelled probabilities with shape (n, classes).
        classes: names of the classes.
        groups: the group of each row (cruise, site, date), with length n.
        seed: seed of the bootstrap.

    Raises:
        ConfigError: the shapes do not fit, or an observed class has no name.
    """
    truth, shares = checked_classes(observed, probabilities, classes)
    known = truth != NO_CLASS
    compared = known & np.isfinite(shares).all(axis=1)
    names = None if groups is None else np.array([str(group) for group in groups], dtype=np.str_)
    by_group = {}
    if names is not None:
        for name, rows in rows_by_group(names, truth.size).items():
            chosen = rows[compared[rows]]
            by_group[name] = _together(truth[chosen], shares[chosen])
        names = names[compared]
    truth, shares = truth[compared], shares[compared]
    modelled = shares.argmax(axis=1)
    counts = confusion_matrix(truth, modelled, len(classes))
    seen = int(known.sum())
    return Classification(
        classes=_each_class(classes, counts),
        confusion=tuple(tuple(row) for row in counts.tolist()),
        observed=seen,
        failures=1.0 - truth.size / seen if seen else NAN,
        overall=_together(truth, shares),
        intervals=class_intervals(truth, modelled, len(classes), names, seed=seed),
        by_group=by_group,
    )


def _together(truth: ClassNumbers, shares: Array) -> ClassificationMetrics:
    """Return the metrics of rows with a known class and finite probabilities."""
    counts = confusion_matrix(truth, shares.argmax(axis=1), shares.shape[1])
    log_loss = NAN
    if truth.size:
        of_truth = shares[np.arange(truth.size), truth]
        log_loss = float(-np.log(np.maximum(of_truth, LOWEST_PROBABILITY)).mean())
    found = {name: metric.of_one(counts) for name, metric in CLASSIFICATION_METRICS.items()}
    return ClassificationMetrics(truth.size, found, log_loss)


def checked_classes(
    observed: npt.ArrayLike, probabilities: npt.ArrayLike, classes: tuple[str, ...]
) -> tuple[ClassNumbers, Array]:
    """Return class numbers with shape (n,), and probabilities with shape (n, classes).

    Raises:
        ConfigError: the shapes do not fit, or an observed class has no name.
    """
    truth = np.asarray(observed, dtype=np.int64)
    shares = np.asarray(probabilities, dtype=np.float64)
    if truth.ndim != 1 or shares.shape != (truth.size, len(classes)):
        raise ConfigError(
            f"observed classes have shape {truth.shape} and probabilities {shares.shape}, expected "
            f"(n,) and (n, {len(classes)}) for the classes {', '.join(classes)}."
        )
    strange = np.unique(truth[(truth < NO_CLASS) | (truth >= len(classes))])
    if strange.size:
        raise ConfigError(
            f"found the class number {strange[0]}, expected 0 to {len(classes) - 1} for the "
            f"classes {', '.join(classes)}, or {NO_CLASS} for an unknown class."
        )
    return truth, shares


def _each_class(names: tuple[str, ...], counts: ClassNumbers) -> tuple[ClassMetrics, ...]:
    observed, modelled = counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 2 * np.diagonal(counts) / (observed + modelled)
        shares = (precisions(counts), recalls(counts), f1)
    columns = zip(
        names, *(column.tolist() for column in (observed, modelled, *shares)), strict=True
    )
    return tuple(ClassMetrics(*column) for column in columns)
