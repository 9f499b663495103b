"""All that is said about a trained network on one part of the data, from arrays alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.bootstrap import Interval, bootstrap_difference, bootstrap_metric
from pipeline.evaluation.class_comparison import (
    ClassModel,
    compare_classes,
    modelled_classes,
    most_frequent,
)
from pipeline.evaluation.classification import Classification, checked_classes, classification
from pipeline.evaluation.coverage import Coverage, coverage
from pipeline.evaluation.metrics import (
    Array,
    Metrics,
    common_rows,
    metrics,
    metrics_by_group,
    usable,
)
from pipeline.evaluation.ranges import InputRange, input_ranges
from pipeline.networks.variable import Variable

METRIC = "mae"
"""What models are compared by, with intervals."""
ALWAYS = "most frequent class"
"""The model that always names it: the least that a classifier has to do better."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What was compared, for the pictures."""

    x: Array
    """Inputs in physical units, with shape (n, inputs)."""
    observed: Array
    """With shape (n, outputs); NaN where there is no observation."""
    modelled: Array
    """With shape (n, outputs)."""
    groups: tuple[str, ...] | None
    """The group of each row."""
    baselines: Mapping[str, Array]
    deviation: Array | None = None
    """Standard deviations that the network states, of log10 for what is compared so."""


@dataclass(frozen=True)
class ModelComparison:
    """One model for one output."""

    model: str
    own: Metrics
    """On all rows where this model gives a value."""
    common: Metrics
    """On the rows where all models do."""
    interval: Interval
    """Of the mean absolute error on common rows."""
    difference: Interval | None
    """The mean absolute error minus the network's: above zero where this model is worse."""


@dataclass(frozen=True)
class OutputResult:
    """One output of the network."""

    variable: Variable
    metrics: Metrics
    by_group: Mapping[str, Metrics]
    """Empty without groups."""
    comparison: tuple[ModelComparison, ...]
    """The network first, then the baselines that give this output at all; empty without any."""
    coverage: Coverage | None = None
    """Of the uncertainty that the network states."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out on one part of the data."""

    part: str
    """``training``, ``validation`` or ``test``."""
    model: str
    rows: int
    groups: int | None
    """How many groups there are."""
    inputs: tuple[InputRange, ...]
    outside_any: float | None
    """Share of the rows with at least one input outside its range; None if all are unknown."""
    outputs: tuple[OutputResult, ...]
    classification: Classification | None = None
    class_comparison: tuple[ClassModel, ...] = ()
    """Of classifiers: the network first, then what it is compared with; empty without any."""
    samples: Samples | None = field(default=None, repr=False)


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
    """Evaluate a network that gives quantities.

    Args:
        inputs: what the columns of ``x`` are.
        outputs: what the columns of ``observed`` and ``modelled`` are.
        x: inputs in physical units, with shape (n, inputs).
        observed: NaN where there is no observation, with shape (n, outputs).
        modelled: with shape (n, outputs).
        groups: the group of each row (cruise, site, date), n of them.
        baselines: what other models give, by name, each with shape (n, outputs); NaN where nothing.
        deviation: standard deviations that the network states, of log10 for what is compared so,
            with shape (n, outputs).
        logs: which outputs are compared as logarithms; those whose logarithm the network gives,
            where not told.
        part: of the data.
        model: name of the network in tables.
        seed: of the bootstrap.

    Raises:
        ConfigError: the shapes do not fit each other, or a baseline has the name of the network.
    """
    inputs, outputs = tuple(inputs), tuple(outputs)
    samples = _samples(inputs, outputs, x, observed, modelled, groups, baselines or {}, model)
    if deviation is not None:
        samples = replace(samples, deviation=_matrix("deviation", deviation, len(outputs)))
    as_log = log_outputs(outputs) if logs is None else tuple(logs)
    results = tuple(
        _output(variable, i, samples, log, model, seed)
        for i, (variable, log) in enumerate(zip(outputs, as_log, strict=True))
    )
    ranges, outside_any = input_ranges(inputs, samples.x)
    return Evaluation(
        part=part,
        model=model,
        rows=len(samples.x),
        groups=None if samples.groups is None else len(set(samples.groups)),
        inputs=ranges,
        outside_any=outside_any,
        outputs=results,
        samples=samples,
    )


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
    """Evaluate a network that classifies, beside others and the most frequent class.

    Args:
        inputs: what the columns of ``x`` are.
        classes: their names, in the order of the columns of ``probabilities``.
        x: inputs in physical units, with shape (n, inputs).
        observed: number of the class from 0, -1 where it is not known, with shape (n,).
        probabilities: with shape (n, classes).
        groups: the group of each row (cruise, site, date), n of them.
        baselines: number of the class that other models name, -1 where none, by the name of the
            model, each with shape (n,).
        part: of the data.
        model: name of the network in tables.
        seed: of the bootstrap.

    Raises:
        ConfigError: the shapes do not fit each other, or a baseline has the name of the network.
    """
    _check_names(model, baselines or {})
    values = _matrix("x", x, len(inputs))
    names = None if groups is None else [str(group) for group in groups]
    truth, shares = checked_classes(observed, probabilities, tuple(classes))
    models = {model: modelled_classes(shares)}
    models |= {name: np.asarray(made, np.int64) for name, made in (baselines or {}).items()}
    models[ALWAYS] = most_frequent(truth, len(classes))
    ranges, outside_any = input_ranges(tuple(inputs), values)
    return Evaluation(
        part=part,
        model=model,
        rows=len(values),
        groups=None if names is None else len(set(names)),
        inputs=ranges,
        outside_any=outside_any,
        outputs=(),
        classification=classification(truth, shares, tuple(classes), names, seed=seed),
        class_comparison=compare_classes(truth, models, len(classes), names, seed=seed),
    )


def log_outputs(outputs: Sequence[Variable]) -> tuple[bool, ...]:
    """Which outputs are compared as logarithms: those of which the network gives the logarithm."""
    return tuple(variable.transform.ln_per_unit is not None for variable in outputs)


def _output(
    variable: Variable, column: int, samples: Samples, log: bool, model: str, seed: int
) -> OutputResult:
    o, m = samples.observed[:, column], samples.modelled[:, column]
    by_group = {} if samples.groups is None else metrics_by_group(o, m, samples.groups, log)
    others = {name: values[:, column] for name, values in samples.baselines.items()}
    # A baseline that does not give this output would leave no row in common.
    others = {name: values for name, values in others.items() if usable(values, log).any()}
    comparison = _compare(o, {model: m, **others}, samples.groups, log, seed) if others else ()
    stated = None
    if samples.deviation is not None:
        stated = coverage(o, m, samples.deviation[:, column], log)
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
    # Rows are those of all models here too, not of the pair, so that differences add up.
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


def _samples(
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
    x: npt.ArrayLike,
    observed: npt.ArrayLike,
    modelled: npt.ArrayLike,
    groups: Iterable[object] | None,
    baselines: Mapping[str, npt.ArrayLike],
    model: str,
) -> Samples:
    _check_names(model, baselines)
    count = len(outputs)
    samples = Samples(
        x=_matrix("x", x, len(inputs)),
        observed=_matrix("observed", observed, count),
        modelled=_matrix("modelled", modelled, count),
        groups=None if groups is None else tuple(str(group) for group in groups),
        baselines={name: _matrix(name, values, count) for name, values in baselines.items()},
    )
    lengths = {"observed": len(samples.observed), "modelled": len(samples.modelled)}
    lengths |= {name: len(values) for name, values in samples.baselines.items()}
    if samples.groups is not None:
        lengths["groups"] = len(samples.groups)
    wrong = [f"{name} has {rows}" for name, rows in lengths.items() if rows != len(samples.x)]
    if wrong:
        raise ConfigError(
            f"x has {len(samples.x)} rows, but {', '.join(wrong)}. Give the same rows of all."
        )
    return samples


def _check_names(model: str, baselines: Mapping[str, npt.ArrayLike]) -> None:
    if model in baselines:
        raise ConfigError(f"found a baseline named {model!r} as the network is. Name it otherwise.")


def _matrix(name: str, values: npt.ArrayLike, columns: int) -> Array:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise ConfigError(f"{name} has shape {matrix.shape}, expected (n, {columns}).")
    return matrix
