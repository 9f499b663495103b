"""The results of a training in a few lines: the parts side by side, and models on held-out rows."""

from collections.abc import Sequence

from pipeline.evaluation.class_metrics import CLASSIFICATION_METRICS
from pipeline.evaluation.class_tables import class_model_rows
from pipeline.evaluation.columns import Column, TextTable, aligned, table
from pipeline.evaluation.formatting import DASH, number
from pipeline.evaluation.report import METRIC, Evaluation, OutputResult
from pipeline.evaluation.tables import compared_in, comparison_rows


def summary_lines(evaluations: Sequence[Evaluation], held_out: str) -> list[str]:
    """Return the results as lines of text.

    Args:
        evaluations: the evaluation of each part; the last one is of the part ``held_out``, if the
            samples have this part.
        held_out: name of the part from which the network did not learn.
    """
    *_, last = evaluations
    rows = ", ".join(f"{one.rows:,} {one.part}" for one in evaluations)
    lines = [f"results of {last.model} (rows: {rows})", ""]
    lines += aligned(_classes(evaluations) if last.classification else _outputs(evaluations)).split(
        "\n"
    )
    compared = class_model_rows(last) if last.classification else comparison_rows(last)
    if compared[1]:
        of_part = f"held-out rows ({last.part})" if last.part == held_out else f"{last.part} rows"
        lines += ["", f"models on the same {of_part}:", "", *aligned(compared).split("\n")]
    if last.part != held_out:
        lines += ["", f"no rows were held out: the {held_out} part is empty"]
    return lines


def _outputs(evaluations: Sequence[Evaluation]) -> TextTable:
    """Return a row for each output, with its mean absolute error on each part."""
    *_, last = evaluations
    columns: list[Column[OutputResult]] = [
        Column("output", lambda one: one.variable.name),
        Column("compared", compared_in),
        *(_error_column(one) for one in evaluations),
        Column(f"bias {last.part}", lambda one: number(one.metrics["bias"])),
        Column(f"R2 {last.part}", lambda one: number(one.metrics["r2"])),
    ]
    return table(columns, last.outputs)


def _error_column(evaluation: Evaluation) -> Column[OutputResult]:
    errors = {one.variable.name: one.metrics[METRIC] for one in evaluation.outputs}
    head = f"MAE {evaluation.part}"
    return Column(head, lambda one: number(errors.get(one.variable.name, float("nan"))))


def _classes(evaluations: Sequence[Evaluation]) -> TextTable:
    """Return a row for each metric of a classifier, with its value on each part."""
    columns = [Column[str]("metric", lambda name: CLASSIFICATION_METRICS[name].label)]
    columns += [_metric_column(one) for one in evaluations]
    return table(columns, CLASSIFICATION_METRICS)


def _metric_column(evaluation: Evaluation) -> Column[str]:
    found = evaluation.classification
    values = {} if found is None else found.overall.metrics
    return Column(evaluation.part, lambda name: number(values[name]) if name in values else DASH)
