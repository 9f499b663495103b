"""Tables of the metrics of a classification."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.class_comparison import ClassifierComparison
from pipeline.evaluation.class_metrics import CLASSIFICATION_METRICS, ClassificationMetric
from pipeline.evaluation.classification import Classification, ClassificationMetrics, ClassMetrics
from pipeline.evaluation.columns import Column, TextTable, table
from pipeline.evaluation.formatting import ALL_ROWS, difference_text, interval_text, number, percent
from pipeline.evaluation.metrics import largest_first
from pipeline.evaluation.report import Evaluation


def class_csv_names() -> list[str]:
    """Return the heads of the columns of the CSV file."""
    rows = ("part", "model", "rows", "group", "class", "n", "observed", "modelled")
    return [*rows, "precision", "recall", "f1", *CLASSIFICATION_METRICS, "log_loss"]


def classification_sentence(result: Classification) -> str:
    """Return a sentence with the metrics of all classes together."""
    metrics = ", ".join(
        f"{metric.label} {_with_interval(result.intervals.metrics[name])}"
        for name, metric in CLASSIFICATION_METRICS.items()
    )
    return (
        f"{result.overall.n:,} rows with a known class, {metrics}, log loss "
        f"{number(result.overall.log_loss)}, failed {percent(result.failures)}"
    )


def _with_interval(one: Interval) -> str:
    """Return ``0.710 (0.650 to 0.760)``."""
    inside = "" if not math.isfinite(one.low) else f" ({interval_text(one)})"
    return f"{number(one.value)}{inside}"


def class_rows(result: Classification) -> TextTable:
    """Return the table of classes with their metrics."""
    columns: Sequence[Column[tuple[ClassMetrics, Interval, Interval]]] = (
        Column("class", lambda row: row[0].name),
        Column("observed", lambda row: f"{row[0].observed:,}"),
        Column("modelled", lambda row: f"{row[0].modelled:,}"),
        Column("precision", lambda row: number(row[0].precision)),
        Column("its interval", lambda row: interval_text(row[1])),
        Column("recall", lambda row: number(row[0].recall)),
        Column("its interval", lambda row: interval_text(row[2])),
        Column("F1", lambda row: number(row[0].f1)),
    )
    intervals = result.intervals
    return table(columns, zip(result.classes, intervals.precision, intervals.recall, strict=True))


def class_model_rows(evaluation: Evaluation) -> TextTable:
    """Return the table that compares the models on the rows they have in common."""
    minus = f"minus {evaluation.model}'s"
    columns: list[Column[ClassifierComparison]] = [
        Column("model", lambda one: one.model),
        Column("n", lambda one: f"{one.n:,}"),
        *(column for one in CLASSIFICATION_METRICS.values() for column in _compared(one, minus)),
        Column("failed", lambda one: percent(one.failures)),
    ]
    return table(columns, evaluation.class_comparison)


def _compared(metric: ClassificationMetric, minus: str) -> Iterator[Column[ClassifierComparison]]:
    name = metric.name
    yield Column(metric.label, lambda one: number(one.metrics[name].value))
    if metric.has_interval_column:
        yield Column("its interval", lambda one: interval_text(one.metrics[name]))
    yield Column(
        minus, lambda one: difference_text(one.difference[name] if one.difference else None)
    )


def class_group_rows(result: Classification, most: int) -> TextTable | None:
    """Return the table of the largest groups; None without groups."""
    names = largest_first({name: one.n for name, one in result.by_group.items()})
    columns: list[Column[tuple[str, ClassificationMetrics]]] = [
        Column("group", lambda pair: pair[0]),
        Column("n", lambda pair: f"{pair[1].n:,}"),
        *(_of_group(metric) for metric in CLASSIFICATION_METRICS.values()),
        Column("log loss", lambda pair: number(pair[1].log_loss)),
    ]
    return (
        table(columns, ((name, result.by_group[name]) for name in names[:most])) if names else None
    )


def _of_group(metric: ClassificationMetric) -> Column[tuple[str, ClassificationMetrics]]:
    return Column(metric.label, lambda pair: number(pair[1].metrics[metric.name]))


def class_json(
    result: Classification, comparison: Sequence[ClassifierComparison]
) -> dict[str, Any]:
    """Return all numbers as plain data."""
    overall = result.overall.numbers()
    intervals = asdict(result.intervals)
    return {
        "classes": [asdict(one) for one in result.classes],
        "confusion": result.confusion,
        "observed": result.observed,
        "n": overall.pop("n"),
        "failures": result.failures,
        **overall,
        "intervals": intervals.pop("metrics") | intervals,
        "by_group": {name: one.numbers() for name, one in result.by_group.items()},
        "comparison": [
            {
                "model": one.model,
                "n": one.n,
                "failures": one.failures,
                **{name: asdict(interval) for name, interval in one.metrics.items()},
                "difference": None
                if one.difference is None
                else {name: asdict(interval) for name, interval in one.difference.items()},
            }
            for one in comparison
        ],
    }


def class_records(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Return a record for each class, model and group, with the keys of the CSV file."""
    result = evaluation.classification
    if result is None:
        return
    common = {"part": evaluation.part, "model": evaluation.model, "rows": "own"}
    common |= {"group": ALL_ROWS, "class": ALL_ROWS}
    yield common | result.overall.numbers()
    for one in result.classes:
        named = asdict(one)
        yield common | {"class": named.pop("name")} | named
    for group, numbers in result.by_group.items():
        yield common | {"group": group} | numbers.numbers()
    for model in evaluation.class_comparison:
        values = {name: interval.value for name, interval in model.metrics.items()}
        yield common | {"rows": "common", "model": model.model, "n": model.n} | values
