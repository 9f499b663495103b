"""How well classes are told apart, as tables."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.classification import Classification
from pipeline.evaluation.formatting import (
    ALL_ROWS,
    DASH,
    Table,
    difference_text,
    interval_text,
    number,
    percent,
)
from pipeline.evaluation.report import Evaluation

CSV_HEAD = (
    *("part", "model", "rows", "group", "class", "n", "observed", "modelled", "precision"),
    *("recall", "f1", "accuracy", "mean_recall", "log_loss"),
)


def classification_sentence(result: Classification) -> str:
    """What is said of all classes together."""
    return (
        f"{result.n:,} rows with a known class, accuracy {_with(result.intervals.accuracy)}, mean "
        f"recall {_with(result.intervals.mean_recall)}, log loss {number(result.log_loss)}, "
        f"failed {percent(result.failures)}"
    )


def _with(one: Interval) -> str:
    """``0.710 (0.650 to 0.760)``."""
    inside = "" if not math.isfinite(one.low) else f" ({interval_text(one)})"
    return f"{number(one.value)}{inside}"


def class_rows(result: Classification) -> Table:
    """Head and lines of the classes."""
    rows = [
        [
            one.name,
            f"{one.observed:,}",
            f"{one.modelled:,}",
            number(one.precision),
            interval_text(precision),
            number(one.recall),
            interval_text(recall),
            number(one.f1),
        ]
        for one, precision, recall in zip(
            result.classes, result.intervals.precision, result.intervals.recall, strict=True
        )
    ]
    head = ["class", "observed", "modelled", "precision", "its interval", "recall", "its interval"]
    return [*head, "F1"], rows


def class_model_rows(evaluation: Evaluation) -> Table:
    """Head and lines of the models on common rows."""
    rows = [
        [
            one.model,
            f"{one.n:,}",
            number(one.accuracy.value),
            interval_text(one.accuracy),
            DASH if one.difference is None else difference_text(one.difference.accuracy),
            number(one.mean_recall.value),
            DASH if one.difference is None else difference_text(one.difference.mean_recall),
            percent(one.failures),
        ]
        for one in evaluation.class_comparison
    ]
    minus = f"minus {evaluation.model}'s"
    head = ["model", "n", "accuracy", "its interval", minus, "mean recall", minus, "failed"]
    return head, rows


def class_group_rows(result: Classification, most: int) -> Table | None:
    """Head and lines of the largest groups; None without groups."""
    order = sorted(result.by_group, key=lambda name: (-result.by_group[name].n, name))
    found = [(name, result.by_group[name]) for name in order if result.by_group[name].n]
    if not found:
        return None
    rows = [
        [name, f"{one.n:,}", number(one.accuracy), number(one.mean_recall), number(one.log_loss)]
        for name, one in found[:most]
    ]
    return ["group", "n", "accuracy", "mean recall", "log loss"], rows


def class_json(evaluation: Evaluation) -> dict[str, Any]:
    """All numbers, as plain data."""
    if evaluation.classification is None:
        return {}
    comparison = [asdict(one) for one in evaluation.class_comparison]
    return asdict(evaluation.classification) | {"comparison": comparison}


def class_csv_rows(evaluations: Sequence[Evaluation]) -> Iterator[Sequence[Any]]:
    """The head, and a line for each class, model and group of each part."""
    yield CSV_HEAD
    for evaluation in evaluations:
        if evaluation.classification is not None:
            for line in _csv_lines(evaluation, evaluation.classification):
                yield [_csv_cell(line.get(name, "")) for name in CSV_HEAD]


def _csv_lines(evaluation: Evaluation, result: Classification) -> Iterator[dict[str, Any]]:
    common = {"part": evaluation.part, "model": evaluation.model, "rows": "own"}
    common |= {"group": ALL_ROWS, "class": ALL_ROWS}
    whole = ("n", "accuracy", "mean_recall", "log_loss")
    yield common | {name: getattr(result, name) for name in whole}
    for one in result.classes:
        named = asdict(one)
        yield common | {"class": named.pop("name")} | named
    for group, numbers in result.by_group.items():
        yield common | {"group": group} | asdict(numbers)
    for model in evaluation.class_comparison:
        yield common | {
            "rows": "common",
            "model": model.model,
            "n": model.n,
            "accuracy": model.accuracy.value,
            "mean_recall": model.mean_recall.value,
        }


def _csv_cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.8g}" if math.isfinite(value) else ""
