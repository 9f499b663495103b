"""An evaluation as text: JSON, CSV, and aligned tables for a terminal."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from pipeline.evaluation.class_tables import (
    class_csv_rows,
    class_json,
    class_model_rows,
    class_rows,
    classification_sentence,
)
from pipeline.evaluation.formatting import (
    ALL_ROWS,
    DASH,
    Table,
    aligned,
    difference_text,
    interval_text,
    number,
    percent,
    range_text,
)
from pipeline.evaluation.metrics import Metrics
from pipeline.evaluation.ranges import InputRange
from pipeline.evaluation.report import Evaluation, OutputResult

CSV_HEAD = ("part", "output", "units", "model", "rows", "group")


def to_json(evaluations: Sequence[Evaluation]) -> str:
    """All numbers of each part, by its name; null where one is not known."""
    content = {evaluation.part: as_dict(evaluation) for evaluation in evaluations}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """What :func:`to_json` writes."""
    content = {
        "part": evaluation.part,
        "model": evaluation.model,
        "rows": evaluation.rows,
        "groups": evaluation.groups,
        "outside_training_range": evaluation.outside_any,
        "inputs": [_input(one) for one in evaluation.inputs],
        "outputs": [_output(one) for one in evaluation.outputs],
    }
    if evaluation.classification is not None:
        content["classification"] = class_json(evaluation)
    cleaned: dict[str, Any] = _without_nan(content)
    return cleaned


def _input(one: InputRange) -> dict[str, Any]:
    low, high = one.variable.physical_range
    return {
        "name": one.variable.name,
        "units": one.variable.units,
        "training_range": [low, high],
        "lowest": one.lowest,
        "highest": one.highest,
        "missing": one.missing,
        "outside_training_range": one.outside,
    }


def _output(one: OutputResult) -> dict[str, Any]:
    return {
        "name": one.variable.name,
        "units": one.variable.units,
        "metrics": one.metrics.numbers(),
        "uncertainty": None if one.coverage is None else asdict(one.coverage),
        "by_group": {name: numbers.numbers() for name, numbers in one.by_group.items()},
        "comparison": [
            {
                "model": model.model,
                "own_rows": model.own.numbers(),
                "common_rows": model.common.numbers(),
                "mae_interval": asdict(model.interval),
                "mae_difference": None if model.difference is None else asdict(model.difference),
            }
            for model in one.comparison
        ],
    }


def _without_nan(value: Any) -> Any:
    """None for what JSON cannot say: not a number, and infinite for an unknown end of a range."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_csv(evaluations: Sequence[Evaluation]) -> str:
    """One line for each output, model and group of each part; empty where a number is not known.

    Of a classifier one line for each class, model and group.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if any(evaluation.classification is not None for evaluation in evaluations):
        writer.writerows(class_csv_rows(evaluations))
        return buffer.getvalue()
    writer.writerow([*CSV_HEAD, *(one.name for one in fields(Metrics))])
    for evaluation in evaluations:
        for head, numbers in _csv_rows(evaluation):
            writer.writerow([*head, *(_csv_number(value) for value in numbers.numbers().values())])
    return buffer.getvalue()


def _csv_rows(evaluation: Evaluation) -> Iterator[tuple[tuple[str, ...], Metrics]]:
    for output in evaluation.outputs:
        what = (evaluation.part, output.variable.name, output.variable.units)
        yield (*what, evaluation.model, "own", ALL_ROWS), output.metrics
        for name, numbers in output.by_group.items():
            yield (*what, evaluation.model, "own", name), numbers
        for model in output.comparison:
            if model.difference is not None:
                yield (*what, model.model, "own", ALL_ROWS), model.own
            yield (*what, model.model, "common", ALL_ROWS), model.common


def _csv_number(value: float | bool) -> str:
    if isinstance(value, (bool, int)):
        return str(value).lower()
    return f"{value:.8g}" if math.isfinite(value) else ""


def to_text(evaluation: Evaluation) -> str:
    """Aligned tables: outputs, models on common rows, inputs beside their training range."""
    groups = "" if evaluation.groups is None else f", {evaluation.groups:,} groups"
    blocks = [f"{evaluation.model}, {evaluation.part} part: {evaluation.rows:,} rows{groups}"]
    if evaluation.outputs:
        blocks.append(aligned(*metric_rows(evaluation)))
    if any(output.coverage for output in evaluation.outputs):
        blocks.append("Observed values in the intervals that are stated:")
        blocks.append(aligned(*coverage_rows(evaluation)))
    if any(output.comparison for output in evaluation.outputs):
        blocks.append("On the rows where all models give a value:")
        blocks.append(aligned(*comparison_rows(evaluation)))
    if evaluation.classification is not None:
        blocks.append(classification_sentence(evaluation.classification))
        blocks.append(aligned(*class_rows(evaluation.classification)))
        blocks.append("On the rows where all models name a class:")
        blocks.append(aligned(*class_model_rows(evaluation)))
    if evaluation.inputs:
        blocks.append(outside_sentence(evaluation))
        blocks.append(aligned(*input_rows(evaluation)))
    return "\n\n".join(blocks) + "\n"


METRIC_HEAD = ["n", "bias", "MAE", "RMSE", "R2", "MdAPD", "slope", "intercept", "failed"]


def metric_cells(numbers: Metrics) -> list[str]:
    """The metrics as text, in the order of ``METRIC_HEAD``."""
    return [
        f"{numbers.n:,}",
        number(numbers.bias),
        number(numbers.mae),
        number(numbers.rmse),
        number(numbers.r2),
        number(numbers.median_percentage, "%"),
        number(numbers.slope),
        number(numbers.intercept),
        percent(numbers.failures),
    ]


def metric_rows(evaluation: Evaluation) -> Table:
    """Head and lines of the metrics of all outputs."""
    rows = [
        [one.variable.name, compared_in(one), *metric_cells(one.metrics)]
        for one in evaluation.outputs
    ]
    return ["output", "compared", *METRIC_HEAD], rows


def coverage_rows(evaluation: Evaluation) -> Table:
    """Head and lines of the uncertainties that are stated."""
    rows = [
        [
            one.variable.name,
            f"{one.coverage.rows:,}",
            number(one.coverage.median_deviation),
            percent(one.coverage.held_68),
            percent(one.coverage.held_95),
        ]
        for one in evaluation.outputs
        if one.coverage is not None
    ]
    return ["output", "n", "median deviation", "in 68 % interval", "in 95 % interval"], rows


def compared_in(output: OutputResult) -> str:
    """``log10`` or the units of the differences."""
    return "log10" if output.metrics.log else output.variable.units


def comparison_rows(evaluation: Evaluation) -> Table:
    """Head and lines of the models on common rows."""
    rows = [
        [
            output.variable.name,
            model.model,
            f"{model.common.n:,}",
            number(model.common.bias),
            number(model.common.mae),
            interval_text(model.interval),
            number(model.common.r2),
            DASH if model.difference is None else difference_text(model.difference),
            percent(model.own.failures),
        ]
        for output in evaluation.outputs
        for model in output.comparison
    ]
    head = ["output", "model", "n", "bias", "MAE", "MAE interval", "R2"]
    return [*head, f"MAE minus {evaluation.model}'s", "failed"], rows


def input_rows(evaluation: Evaluation) -> Table:
    """Head and lines of the inputs beside their training range."""
    rows = []
    for one in evaluation.inputs:
        outside = percent(one.outside)
        trained = range_text(*one.variable.physical_range)
        found = f"{number(one.lowest)} to {number(one.highest)}"
        name, units = one.variable.name, one.variable.units
        rows.append([name, units, trained, found, outside, percent(one.missing)])
    return ["input", "units", "training range", "in these rows", "outside", "missing"], rows


def outside_sentence(evaluation: Evaluation) -> str:
    """How many rows leave the range of training."""
    if evaluation.outside_any is None:
        return "No training range is known."
    return f"{percent(evaluation.outside_any)} of the rows have an input outside its training range"
