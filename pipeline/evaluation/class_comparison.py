"""Classifiers beside each other, on the rows where all of them name a class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.class_intervals import ClassDifferences, class_differences, class_intervals
from pipeline.evaluation.classification import NO_CLASS
from pipeline.evaluation.metrics import NAN

Classes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassModel:
    """One model on the rows where all name a class."""

    model: str
    n: int
    """Such rows."""
    failures: float
    """Share of the rows with a known class for which this model names none."""
    accuracy: Interval
    mean_recall: Interval
    """Mean over the classes that were observed."""
    difference: ClassDifferences | None
    """This model's shares minus the network's; None of the network itself."""


def compare_classes(
    observed: Classes,
    models: Mapping[str, Classes],
    count: int,
    groups: Iterable[object] | None = None,
    *,
    seed: int = 0,
) -> tuple[ClassModel, ...]:
    """Compare models with the first one, and all with the best that a constant answer can do.

    Args:
        observed: number of the class from 0, -1 where it is not known, with shape (n,).
        models: the same as modelled, -1 where no class is named.
        count: how many classes there are.
        groups: the group of each row; without, each row is one of its own.
        seed: of the bootstrap.

    Raises:
        ConfigError: a model does not have as many rows.
    """
    wrong = [name for name, named in models.items() if named.shape != observed.shape]
    if wrong:
        raise ConfigError(
            f"{', '.join(wrong)}: other rows than the {observed.size} observed. Give the same rows."
        )
    known = observed != NO_CLASS
    common = known & np.all([named != NO_CLASS for named in models.values()], axis=0)
    truth = observed[common]
    names = None if groups is None else np.array([str(group) for group in groups])[common]
    first = next(iter(models.values()))[common]
    compared: list[ClassModel] = []
    for model, named in models.items():
        chosen = named[common]
        intervals = class_intervals(truth, chosen, count, names, seed=seed)
        compared.append(
            ClassModel(
                model=model,
                n=truth.size,
                failures=float((named[known] == NO_CLASS).mean()) if known.any() else NAN,
                accuracy=intervals.accuracy,
                mean_recall=intervals.mean_recall,
                difference=class_differences(truth, chosen, first, count, names, seed=seed)
                if compared
                else None,
            )
        )
    return tuple(compared)


def most_frequent(observed: Classes, count: int) -> Classes:
    """A model that names the class that is there most often, whatever it sees."""
    seen = np.bincount(observed[observed != NO_CLASS], minlength=count)
    return np.full(observed.shape, seen.argmax(), dtype=np.int64)


def modelled_classes(probabilities: npt.NDArray[np.float64]) -> Classes:
    """The most probable class (n,) of probabilities (n, classes); -1 where they are not finite."""
    named: Classes = probabilities.argmax(axis=1).astype(np.int64)
    named[~np.isfinite(probabilities).all(axis=1)] = NO_CLASS
    return named
