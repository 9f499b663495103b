"""Evaluate a network on one part of the data; the data are given as arrays, not as files."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.bootstrap import Interval, bootstrap_difference, bootstrap_metric
from pipeline.evaluation.class_comparison import (
    ClassifierComparison,
    compare_classes,
    modelled_classes,
    most_frequent,
)
from pipeline.evaluation.classification import Classification, checked_classes, classification
from pipeline.evaluation.coverage import IntervalCoverage, coverage
from pipeline.evaluation.metrics import (
    Array,
    Metrics,
    common_rows,
    metrics,
    metrics_by_group,
    usable,
)
from pipeline.evaluation.ranges import InputRange, input_ranges, is_log
from pipeline.networks.variable import Variable

METRIC = "mae"
"""Key of the metric by which models are compared."""
ALWAYS = "most frequent class"
"""Name of the baseline that predicts the most frequent class for every row."""


@dataclass(frozen=True, eq=False)
class EvaluationArrays:
    """The compared values; the pictures need them."""

    x: Array
    """Inputs in physical units, with shape (n, inputs)."""
    observed: Array
    """Observed values with shape (n, outputs); a missing observation is NaN."""
    modelled: Array
    """Modelled values with shape (n, outputs)."""
    groups: tuple[str, ...] | None
    """Group of each row."""
    baselines: Mapping[str, Array]
    """Name of each other model, and the values of that model with shape (n, outputs)."""
    deviation: Array | None
    """Standard deviations that the network states. If logarithms are compared, they are standard
    deviations of the decimal logarithm."""

    def column(self, i: int) -> tuple[Array, Array]:
        """Return the observed and modelled values of one output."""
        return self.observed[:, i], self.modelled[:, i]


@dataclass(frozen=True)
class ModelComparison:
    """Results of one model for one output."""

    model: str
    own: Metrics
    """Metrics on all rows in which this model gives a value."""
    common: Metrics
    """Metrics on the rows in which all models give a value."""
    interval: Interval
    """Mean absolute error on the common rows."""
    difference: Interval | None
    """Mean absolute error of this model minus the error of the network; above zero if the model
    is worse."""


@dataclass(frozen=True)
class OutputResult:
    """Results for one output of the network."""

    variable: Variable
    metrics: Metrics
    by_group: Mapping[str, Metrics]
    """Metrics of each group; empty if there are no groups."""
    comparison: tuple[ModelComparison, ...]
    """Results of the network and of the baselines that have this output; empty if there is no such
    baseline."""
    coverage: IntervalCoverage | None = None
    """Result of the check of stated uncertainties; None if the network states no uncertainty."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an evaluation on one part of the data."""

    part: str
    """``training``, ``validation`` or ``test``."""
    model: str
    rows: int
    groups: int | None
    """Number of groups."""
    inputs: tuple[InputRange, ...]
    outside_any: float | None
    """Share of the rows with any input outside its range; None if all ranges are unknown."""
    outputs: tuple[OutputResult, ...] = ()
    classification: Classification | None = None
    class_comparison: tuple[ClassifierComparison, ...] = ()
    """Results of the classifier, then of each model with which the classifier is compared."""
    arrays: EvaluationArrays | None = field(default=None, repr=False)


def evaluate_arrays(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    x: npt.ArrayLike,
    observed: npt.ArrayLike,
    modelled: npt.ArrayLike,
    *,
    groups: Iterable[object] | None = None,
    baselines: Mapping[str, npt.ArrayLike] | None = None,
    deviation: npt.ArrayLike | None = None,
    logs: Sequence[bool] | None = None,
    part: str = "test",
    model: str = "network",
    seed: int = 0,
) -> Evaluation:
    """Evaluate a network whose outputs are quantities.

    Args:
        inputs: the columns of ``x``.
        outputs: the columns of ``observed`` and ``modelled``.
        x: inputs in physical units, with shape (n, inputs).
        observed: observed values with shape (n, outputs), NaN where there is no observation.
        modelled: modelled values with shape (n, outputs).
        groups: the group of each row (cruise, site, date), with length n.
        baselines: the name of each other model, and its values with shape (n, outputs); where a
            model gives no value, the value is NaN.
        deviation: standard deviations that the network states, with shape (n, outputs); if
            logarithms are compared, they are standard deviations of the decimal logarithm.
        logs: which outputs are compared as logarithms; by default, these are the outputs whose
            logarithm the network computes.
        part: name of the part of the data.
        model: name of the network in tables.
        seed: seed of the bootstrap.

    Raises:
        ConfigError: the shapes do not fit each other, or a baseline has the name of the network.
    """
    inputs, outputs = tuple(inputs), tuple(outputs)
    _check_names(model, baselines or {})
    arrays = EvaluationArrays(
        x=_matrix("x", x, len(inputs)),
        observed=_matrix("observed", observed, len(outputs)),
        modelled=_matrix("modelled", modelled, len(outputs)),
        groups=_names(groups),
        baselines={
            name: _matrix(name, values, len(outputs)) for name, values in (baselines or {}).items()
        },
        deviation=None if deviation is None else _matrix("deviation", deviation, len(outputs)),
    )
    _check_rows(arrays)
    as_log = [is_log(variable) for variable in outputs] if logs is None else logs
    results = tuple(
        _output(variable, i, arrays, log, model, seed)
        for i, (variable, log) in enumerate(zip(outputs, as_log, strict=True))
    )
    return _evaluation(part, model, inputs, arrays.x, arrays.groups, outputs=results, arrays=arrays)


def evaluate_classes(
    inputs: Sequence[Variable],
    classes: Sequence[str],
    x: npt.ArrayLike,
    observed: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    *,
    groups: Iterable[object] | None = None,
    baselines: Mapping[str, npt.ArrayLike] | None = None,
    part: str = "test",
    model: str = "network",
    seed: int = 0,
) -> Evaluation:
    """Evaluate a network that names classes.

    A baseline is added: it names the most frequent class for every row.

    ``probabilities`` has shape (n, classes), with a column for each of ``classes``. Observed values
    and baselines are class numbers with shape (n,); the first class is 0. The number is -1 if no
    class is observed, or if a baseline names no class. Other arguments, and errors, are the same as
    in :func:`evaluate_arrays`.
    """
    _check_names(model, baselines or {})
    values = _matrix("x", x, len(inputs))
    names = _names(groups)
    truth, shares = checked_classes(observed, probabilities, tuple(classes))
    models = {model: modelled_classes(shares)}
    models |= {name: np.asarray(made, np.int64) for name, made in (baselines or {}).items()}
    models[ALWAYS] = most_frequent(truth, len(classes))
    result = classification(truth, shares, tuple(classes), names, seed=seed)
    compared = compare_classes(truth, models, len(classes), names, seed=seed)
    return _evaluation(
        part, model, inputs, values, names, classification=result, class_comparison=compared
    )


def _evaluation(
    part: str,
    model: str,
    inputs: Sequence[Variable],
    x: Array,
    groups: Sequence[str] | None,
    **results: Any,
) -> Evaluation:
    ranges, outside_any = input_ranges(tuple(inputs), x)
    count = None if groups is None else len(set(groups))
    return Evaluation(part, model, len(x), count, ranges, outside_any, **results)


def _output(
    variable: Variable, column: int, arrays: EvaluationArrays, log: bool, model: str, seed: int
) -> OutputResult:
    o, m = arrays.column(column)
    by_group = {} if arrays.groups is None else metrics_by_group(o, m, arrays.groups, log)
    others = {name: values[:, column] for name, values in arrays.baselines.items()}
    # With a baseline that lacks this output, the models would have no common rows.
    others = {name: values for name, values in others.items() if usable(values, log).any()}
    comparison = _compare(o, {model: m, **others}, arrays.groups, log, seed) if others else ()
    stated = None
    if arrays.deviation is not None:
        stated = coverage(o, m, arrays.deviation[:, column], log)
    return OutputResult(variable, metrics(o, m, log), by_group, comparison, stated)


def _compare(
    observed: Array,
    models: Mapping[str, Array],
    groups: tuple[str, ...] | None,
    log: bool,
    seed: int,
) -> tuple[ModelComparison, ...]:
    common = common_rows(observed, *models.values(), log=log)
    intervals = bootstrap_metric(observed, models, groups, metric=METRIC, log=log, seed=seed)
    # All models use the same common rows, not those of each pair, so that differences add up.
    on_common = np.where(common, observed, np.nan)
    first = next(iter(models))
    return tuple(
        ModelComparison(
            model=name,
            own=metrics(observed, values, log),
            common=metrics(on_common, values, log),
            interval=intervals[name],
            difference=None
            if name == first
            else bootstrap_difference(
                on_common, values, models[first], groups, metric=METRIC, log=log, seed=seed
            ),
        )
        for name, values in models.items()
    )


def _check_rows(arrays: EvaluationArrays) -> None:
    named: dict[str, Sized | None] = {"observed": arrays.observed, "modelled": arrays.modelled}
    named |= {**arrays.baselines, "deviation": arrays.deviation, "groups": arrays.groups}
    lengths = {name: len(values) for name, values in named.items() if values is not None}
    wrong = [f"{name} has {rows}" for name, rows in lengths.items() if rows != len(arrays.x)]
    if wrong:
        raise ConfigError(
            f"x has {len(arrays.x)} rows, but {', '.join(wrong)}. Give the same rows in all arrays."
        )


def _names(groups: Iterable[object] | None) -> tuple[str, ...] | None:
    return None if groups is None else tuple(str(group) for group in groups)


def _check_names(model: str, baselines: Mapping[str, object]) -> None:
    if model in baselines:
        raise ConfigError(
            f"found a baseline named {model!r}, which is the name of the network. Choose another "
            "name for the baseline."
        )


def _matrix(name: str, values: npt.ArrayLike, columns: int) -> Array:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise ConfigError(f"{name} has shape {matrix.shape}, expected (n, {columns}).")
    return matrix
