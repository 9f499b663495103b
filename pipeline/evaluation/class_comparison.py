"""Comparison of classifiers on the rows for which all of them name a class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.class_metrics import (
    NO_CLASS,
    ClassNumbers,
    class_differences,
    class_intervals,
)
from pipeline.evaluation.metrics import NAN


@dataclass(frozen=True)
class ClassifierComparison:
    """Results of one model on the rows for which all models name a class."""

    model: str
    n: int
    """Number of rows for which all models name a class."""
    failures: float
    """Of the rows with a known class, the share for which this model names no class."""
    metrics: dict[str, Interval]
    """Metrics of this model, by name."""
    difference: dict[str, Interval] | None
    """For each metric, the value of this model minus the value of the network; None if this model
    is the network itself."""


def compare_classes(
    observed: ClassNumbers,
    models: Mapping[str, ClassNumbers],
    count: int,
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> tuple[ClassifierComparison, ...]:
    """Compare each model with the first model.

    Class numbers are -1 where no class is known, or where a model names no class. Other arguments
    are the same as in :func:`pipeline.evaluation.class_metrics.class_intervals`.

    Raises:
        ConfigError: a model and the observations differ in their number of rows.
    """
    wrong = [
        f"{name} has shape {named.shape}"
        for name, named in models.items()
        if named.shape != observed.shape
    ]
    if wrong:
        raise ConfigError(
            f"the observed classes have shape {observed.shape}, but {', '.join(wrong)}. Give the "
            "same rows to all models."
        )
    known = observed != NO_CLASS
    common = known & np.all([named != NO_CLASS for named in models.values()], axis=0)
    truth = observed[common]
    names = None if groups is None else np.array([str(group) for group in groups])[common]
    first = next(iter(models.values()))[common]
    compared: list[ClassifierComparison] = []
    for model, named in models.items():
        chosen = named[common]
        compared.append(
            ClassifierComparison(
                model=model,
                n=truth.size,
                failures=float((named[known] == NO_CLASS).mean()) if known.any() else NAN,
                metrics=class_intervals(truth, chosen, count, names, seed=seed).metrics,
                difference=class_differences(truth, chosen, first, count, names, seed=seed)
                if compared
                else None,
            )
        )
    return tuple(compared)


def most_frequent(observed: ClassNumbers, count: int) -> ClassNumbers:
    """Return a model that always names the class observed most often."""
    seen = np.bincount(observed[observed != NO_CLASS], minlength=count)
    return np.full(observed.shape, seen.argmax(), dtype=np.int64)


def modelled_classes(probabilities: npt.NDArray[np.float64]) -> ClassNumbers:
    """Return the most probable class of each row, with shape (n,).

    ``probabilities`` has shape (n, classes). The class is -1 if a probability is not finite.
    """
    named: ClassNumbers = probabilities.argmax(axis=1).astype(np.int64)
    named[~np.isfinite(probabilities).all(axis=1)] = NO_CLASS
    return named
