"""An evaluation as JSON, as CSV, and as aligned tables for a terminal."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.evaluation.class_tables import (
    class_csv_names,
    class_json,
    class_model_rows,
    class_records,
    class_rows,
    classification_sentence,
)
from pipeline.evaluation.columns import Column, TextTable, aligned, csv_text, keyed, table
from pipeline.evaluation.coverage import IntervalCoverage
from pipeline.evaluation.formatting import (
    ALL_ROWS,
    csv_number,
    difference_text,
    few_groups_warning,
    interval_text,
    number,
    percent,
    range_text,
)
from pipeline.evaluation.metrics import METRICS, Metric, Metrics, number_names
from pipeline.evaluation.ranges import InputRange
from pipeline.evaluation.report import Evaluation, ModelComparison, OutputResult
from pipeline.machine.printable import printable

CSV_HEAD = ("part", "output", "units", "model", "rows", "group")


def to_json(evaluations: Sequence[Evaluation]) -> str:
    """Return JSON: a key is the name of a part, and its value has all numbers of this part.

    NaN becomes null.
    """
    content = {evaluation.part: as_dict(evaluation) for evaluation in evaluations}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return all numbers of one part as plain data, as in the JSON file."""
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
        content["classification"] = class_json(
            evaluation.classification, evaluation.class_comparison
        )
    cleaned: dict[str, Any] = _without_nan(content)
    return cleaned


def _input(one: InputRange) -> dict[str, Any]:
    return {
        "name": one.variable.name,
        "units": one.variable.units,
        "training_range": list(one.variable.physical_range),
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
    """Replace numbers that JSON cannot represent (NaN, infinity) by None."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_csv(evaluations: Sequence[Evaluation]) -> str:
    """Return a CSV file; a line is about one output (or class), one model, one group and one part.

    Cells of unknown numbers are empty.
    """
    if any(evaluation.classification is not None for evaluation in evaluations):
        records = (record for one in evaluations for record in class_records(one))
        return csv_text([keyed(name) for name in class_csv_names()], records, csv_number)
    records = (record for one in evaluations for record in _records(one))
    return csv_text([keyed(name) for name in (*CSV_HEAD, *number_names())], records, csv_number)


def _records(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    def record(model: str, rows: str, group: str, numbers: Metrics) -> dict[str, Any]:
        head = (evaluation.part, output.variable.name, output.variable.units, model, rows, group)
        return dict(zip(CSV_HEAD, head, strict=True)) | numbers.numbers()

    for output in evaluation.outputs:
        yield record(evaluation.model, "own", ALL_ROWS, output.metrics)
        for name, numbers in output.by_group.items():
            yield record(evaluation.model, "own", name, numbers)
        for model in output.comparison:
            if model.difference is not None:
                yield record(model.model, "own", ALL_ROWS, model.own)
            yield record(model.model, "common", ALL_ROWS, model.common)


def to_text(evaluation: Evaluation) -> str:
    """Return aligned tables of outputs, of models on common rows, and of inputs."""
    groups = "" if evaluation.groups is None else f", {evaluation.groups:,} groups"
    name = printable(evaluation.model)
    blocks = [f"{name}, {evaluation.part} part: {evaluation.rows:,} rows{groups}"]
    blocks += _section(None, metric_rows(evaluation))
    blocks += _section("Observed values within the stated intervals:", coverage_rows(evaluation))
    blocks += _section("On the rows where all models give a value:", comparison_rows(evaluation))
    if evaluation.classification is not None:
        sentence = classification_sentence(evaluation.classification)
        blocks += _section(sentence, class_rows(evaluation.classification))
        heading = "On the rows where all models name a class:"
        blocks += _section(heading, class_model_rows(evaluation))
    blocks += [warning] if (warning := interval_warning(evaluation)) else []
    blocks += _section(outside_sentence(evaluation), input_rows(evaluation))
    return "\n\n".join(blocks) + "\n"


def interval_warning(evaluation: Evaluation) -> str:
    """Return a warning if the intervals of an evaluation are from few groups, else ""."""
    compared = [one.interval for output in evaluation.outputs for one in output.comparison]
    if evaluation.classification is not None:
        compared += evaluation.classification.intervals.metrics.values()
    return few_groups_warning(compared, "rows" if evaluation.groups is None else "groups")


def _section(heading: str | None, content: TextTable) -> list[str]:
    """Return a heading and a table, or nothing if the table has no rows."""
    return [*([heading] if heading else []), aligned(content)] if content[1] else []


def metric_columns() -> list[Column[Metrics]]:
    """Return columns for the number of rows, for each metric, and for the share of failures."""
    return [
        Column("n", lambda numbers: f"{numbers.n:,}"),
        *(_metric_column(metric) for metric in METRICS.values()),
        Column("failed", lambda numbers: percent(numbers.failures)),
    ]


def _metric_column(metric: Metric) -> Column[Metrics]:
    return Column(metric.label, lambda numbers: number(numbers[metric.name], metric.units))


def metric_rows(evaluation: Evaluation) -> TextTable:
    """Return the table of outputs with their metrics."""
    columns: list[Column[OutputResult]] = [
        Column("output", lambda one: one.variable.name),
        Column("compared", compared_in),
        *(column.within(lambda one: one.metrics) for column in metric_columns()),
    ]
    return table(columns, evaluation.outputs)


def compared_in(output: OutputResult) -> str:
    """Return ``log10`` if logarithms are compared, otherwise the units of the differences."""
    return "log10" if output.metrics.log else output.variable.units


def coverage_rows(evaluation: Evaluation) -> TextTable:
    """Return a table that shows how often the stated intervals contain the observed value."""
    columns: Sequence[Column[tuple[str, IntervalCoverage]]] = (
        Column("output", lambda pair: pair[0]),
        Column("n", lambda pair: f"{pair[1].rows:,}"),
        Column("median deviation", lambda pair: number(pair[1].median_deviation)),
        Column("in 68 % interval", lambda pair: percent(pair[1].held_68)),
        Column("in 95 % interval", lambda pair: percent(pair[1].held_95)),
    )
    known = ((one.variable.name, one.coverage) for one in evaluation.outputs if one.coverage)
    return table(columns, known)


def comparison_rows(evaluation: Evaluation) -> TextTable:
    """Return the table that compares the models on the rows they have in common."""
    columns: Sequence[Column[ModelComparison]] = (
        Column("model", lambda model: model.model),
        Column("n", lambda model: f"{model.common.n:,}"),
        Column("bias", lambda model: number(model.common["bias"])),
        Column("MAE", lambda model: number(model.common["mae"])),
        Column("MAE interval", lambda model: interval_text(model.interval)),
        Column("R2", lambda model: number(model.common["r2"])),
        Column(f"MAE minus {evaluation.model}'s", lambda model: difference_text(model.difference)),
        Column("failed", lambda model: percent(model.own.failures)),
    )
    outputs = Column[tuple[OutputResult, ModelComparison]]("output", lambda p: p[0].variable.name)
    pairs = ((output, model) for output in evaluation.outputs for model in output.comparison)
    return table([outputs, *(column.within(lambda pair: pair[1]) for column in columns)], pairs)


def input_rows(evaluation: Evaluation) -> TextTable:
    """Return the table of inputs with their training range."""
    columns: Sequence[Column[InputRange]] = (
        Column("input", lambda one: one.variable.name),
        Column("units", lambda one: one.variable.units),
        Column("training range", lambda one: range_text(*one.variable.physical_range)),
        Column("in these rows", lambda one: f"{number(one.lowest)} to {number(one.highest)}"),
        Column("outside", lambda one: percent(one.outside)),
        Column("missing", lambda one: percent(one.missing)),
    )
    return table(columns, evaluation.inputs)


def outside_sentence(evaluation: Evaluation) -> str:
    """Return a sentence about the rows outside the training range."""
    if evaluation.outside_any is None:
        return "No training range is known."
    return f"{percent(evaluation.outside_any)} of the rows have an input outside its training range"
