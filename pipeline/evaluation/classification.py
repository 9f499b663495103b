"""How well a network tells classes apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.class_intervals import ClassIntervals, class_intervals
from pipeline.evaluation.metrics import NAN, Array, rows_by_group

NO_CLASS = -1
LOWEST_PROBABILITY = 1e-15
"""A class held impossible that is there would cost an infinite loss."""


@dataclass(frozen=True)
class ClassMetrics:
    """One class against all others; NaN where it was never observed, or never modelled."""

    name: str
    observed: int
    modelled: int
    precision: float
    """Share of the rows modelled as this class that are of it."""
    recall: float
    """Share of the rows of this class that were modelled as it."""
    f1: float
    """Harmonic mean of the two."""


@dataclass(frozen=True)
class GroupMetrics:
    """What is said about the rows of one group; NaN where none can be compared."""

    n: int
    accuracy: float
    mean_recall: float
    """Mean over the classes that were observed in the group."""
    log_loss: float


@dataclass(frozen=True)
class Classification:
    """What is said about a classification."""

    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows by observed class (outer) and modelled class (inner)."""
    observed: int
    """Rows with a known class."""
    n: int
    """Those of them with finite probabilities, which all numbers but failures are about."""
    failures: float
    accuracy: float
    mean_recall: float
    """Mean over the classes that were observed: rare ones count as much as frequent ones."""
    log_loss: float
    """Mean of ``-ln`` of the probability of the observed class."""
    intervals: ClassIntervals
    """How sure the shares are, by a bootstrap over groups; without groups, over rows."""
    by_group: Mapping[str, GroupMetrics]
    """Empty without groups."""


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
        observed: number of the class, from 0, -1 where it is not known, with shape (n,).
        probabilities: with shape (n, classes).
        classes: their names.
        groups: the group of each row (cruise, site, date), n of them.
        seed: of the bootstrap.

    Raises:
        ConfigError: the shapes do not fit, or there is a class without a name.
    """
    truth, shares = checked_classes(observed, probabilities, classes)
    known = truth != NO_CLASS
    compared = known & np.isfinite(shares).all(axis=1)
    names = None if groups is None else np.array([str(group) for group in groups], dtype=np.str_)
    by_group = {} if names is None else _by_group(truth, shares, compared, names)
    names = None if names is None else names[compared]
    truth, shares = truth[compared], shares[compared]
    counts = confusion_matrix(truth, shares.argmax(axis=1), len(classes))
    of_class = tuple(_class_metrics(name, i, counts) for i, name in enumerate(classes))
    seen, n = int(known.sum()), truth.size
    return Classification(
        classes=of_class,
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
        observed=seen,
        n=n,
        failures=1.0 - n / seen if seen else NAN,
        accuracy=_share(int(np.trace(counts)), n),
        mean_recall=_mean_recall(counts),
        log_loss=_log_loss(truth, shares),
        intervals=class_intervals(truth, shares.argmax(axis=1), len(classes), names, seed=seed),
        by_group=by_group,
    )


def _by_group(
    truth: npt.NDArray[np.int64],
    shares: Array,
    compared: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.str_],
) -> dict[str, GroupMetrics]:
    found = {}
    for name, rows in zip(*rows_by_group(groups, truth.size), strict=True):
        chosen = rows[compared[rows]]
        counts = confusion_matrix(truth[chosen], shares[chosen].argmax(axis=1), shares.shape[1])
        found[name] = GroupMetrics(
            n=chosen.size,
            accuracy=_share(int(np.trace(counts)), chosen.size),
            mean_recall=_mean_recall(counts),
            log_loss=_log_loss(truth[chosen], shares[chosen]),
        )
    return found


def _mean_recall(counts: npt.NDArray[np.int64]) -> float:
    observed = counts.sum(axis=1)
    seen = observed > 0
    return float((np.diag(counts)[seen] / observed[seen]).mean()) if seen.any() else NAN


def confusion_matrix(
    observed: npt.NDArray[np.int64], modelled: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """How often which class was modelled as which, with shape (observed, modelled)."""
    pairs = np.bincount(observed * count + modelled, minlength=count * count)
    return pairs.reshape(count, count).astype(np.int64)


def checked_classes(
    observed: npt.ArrayLike, probabilities: npt.ArrayLike, classes: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], Array]:
    """Numbers of classes (n,) and probabilities (n, classes) as arrays that fit each other.

    Raises:
        ConfigError: the shapes do not fit, or there is a class without a name.
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
            f"classes {', '.join(classes)}, or {NO_CLASS} where none is known."
        )
    return truth, shares


def _class_metrics(name: str, index: int, counts: npt.NDArray[np.int64]) -> ClassMetrics:
    hits = int(counts[index, index])
    observed, modelled = int(counts[index].sum()), int(counts[:, index].sum())
    return ClassMetrics(
        name=name,
        observed=observed,
        modelled=modelled,
        precision=_share(hits, modelled),
        recall=_share(hits, observed),
        f1=_share(2 * hits, observed + modelled),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NAN


def _log_loss(truth: npt.NDArray[np.int64], shares: Array) -> float:
    if truth.size == 0:
        return NAN
    of_truth = shares[np.arange(truth.size), truth]
    return float(-np.log(np.maximum(of_truth, LOWEST_PROBABILITY)).mean())
