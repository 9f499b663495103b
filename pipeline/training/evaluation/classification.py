"""How well a network tells classes apart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.training.evaluation.metrics import NAN, Array

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


def classification(
    observed: npt.ArrayLike, probabilities: npt.ArrayLike, classes: tuple[str, ...]
) -> Classification:
    """Compare modelled probabilities with observed classes.

    Args:
        observed: number of the class, from 0, -1 where it is not known, with shape (n,).
        probabilities: with shape (n, classes).
        classes: their names.

    Raises:
        ConfigError: the shapes do not fit, or there is a class without a name.
    """
    truth, shares = _checked(observed, probabilities, classes)
    known = truth != NO_CLASS
    compared = known & np.isfinite(shares).all(axis=1)
    truth, shares = truth[compared], shares[compared]
    counts = confusion_matrix(truth, shares.argmax(axis=1), len(classes))
    of_class = tuple(_class_metrics(name, i, counts) for i, name in enumerate(classes))
    recalls = [one.recall for one in of_class if one.observed]
    seen, n = int(known.sum()), truth.size
    return Classification(
        classes=of_class,
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
        observed=seen,
        n=n,
        failures=1.0 - n / seen if seen else NAN,
        accuracy=_share(int(np.trace(counts)), n),
        mean_recall=float(np.mean(recalls)) if recalls else NAN,
        log_loss=_log_loss(truth, shares),
    )


def confusion_matrix(
    observed: npt.NDArray[np.int64], modelled: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """How often which class was modelled as which, with shape (observed, modelled)."""
    pairs = np.bincount(observed * count + modelled, minlength=count * count)
    return pairs.reshape(count, count).astype(np.int64)


def _checked(
    observed: npt.ArrayLike, probabilities: npt.ArrayLike, classes: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], Array]:
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
