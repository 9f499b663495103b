"""An evaluation as text: JSON, CSV, and aligned tables for a terminal."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from pipeline.training.evaluation.bootstrap import Interval
from pipeline.training.evaluation.classification import Classification
from pipeline.training.evaluation.metrics import Metrics
from pipeline.training.evaluation.ranges import InputRange
from pipeline.training.evaluation.report import Evaluation, OutputResult

ALL_ROWS = "all"
"""Instead of the name of a group."""
CSV_HEAD = ("part", "output", "units", "model", "rows", "group")
DASH = "-"
"""Where a number is not known."""


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
        content["classification"] = asdict(evaluation.classification)
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
    """One line for each output, model and group of each part; empty where a number is not known."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
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
    if any(output.comparison for output in evaluation.outputs):
        blocks.append("On the rows where all models give a value:")
        blocks.append(aligned(*comparison_rows(evaluation)))
    if evaluation.classification is not None:
        blocks.append(classification_sentence(evaluation.classification))
        blocks.append(aligned(*class_rows(evaluation.classification)))
    if evaluation.inputs:
        blocks.append(outside_sentence(evaluation))
        blocks.append(aligned(*input_rows(evaluation)))
    return "\n\n".join(blocks) + "\n"


Table = tuple[list[str], list[list[str]]]
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


def class_rows(result: Classification) -> Table:
    """Head and lines of the classes."""
    rows = [
        [
            one.name,
            f"{one.observed:,}",
            f"{one.modelled:,}",
            number(one.precision),
            number(one.recall),
            number(one.f1),
        ]
        for one in result.classes
    ]
    return ["class", "observed", "modelled", "precision", "recall", "F1"], rows


def classification_sentence(result: Classification) -> str:
    """What is said of all classes together."""
    return (
        f"{result.n:,} rows with a known class, accuracy {number(result.accuracy)}, mean recall "
        f"{number(result.mean_recall)}, log loss {number(result.log_loss)}, failed "
        f"{percent(result.failures)}"
    )


def outside_sentence(evaluation: Evaluation) -> str:
    """How many rows leave the range of training."""
    if evaluation.outside_any is None:
        return "No training range is known."
    return f"{percent(evaluation.outside_any)} of the rows have an input outside its training range"


def range_text(low: float, high: float) -> str:
    """``0.001 to 0.03``, where an end may be infinite because it is not known."""
    if math.isfinite(low) and math.isfinite(high):
        return f"{number(low)} to {number(high)}"
    if math.isfinite(low):
        return f"from {number(low)}"
    return f"up to {number(high)}" if math.isfinite(high) else "unknown"


def number(value: float, units: str = "") -> str:
    """Three digits, a dash where it is not known."""
    if not math.isfinite(value):
        return DASH
    places = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    text = f"{value:.{places}f}" if value == 0 or 0.01 <= abs(value) < 1e5 else f"{value:.3g}"
    return text + units


def percent(share: float | None) -> str:
    """``1.2 %``, and ``< 0.1 %`` where it is little but not nothing."""
    if share is None or not math.isfinite(share):
        return DASH
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def interval_text(one: Interval) -> str:
    """``1.31 to 1.40``."""
    return f"{number(one.low)} to {number(one.high)}" if math.isfinite(one.low) else DASH


def difference_text(one: Interval) -> str:
    """``+0.120 (+0.080 to +0.150)``."""
    value = _signed(one.value)
    if not math.isfinite(one.low):
        return value
    return f"{value} ({_signed(one.low)} to {_signed(one.high)})"


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def aligned(head: list[str], rows: list[list[str]]) -> str:
    """A table with columns as wide as they need; what begins with a number is set to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    right = [
        bool(rows) and all(row[i][:1] in "+-0123456789<" for row in rows) for i in range(len(head))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        ).rstrip()
        for cells in (head, *rows)
    ]
    return "\n".join((lines[0], DASH * len(lines[0]), *lines[1:]))
