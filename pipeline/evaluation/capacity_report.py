"""A capacity study as text, CSV and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.capacity import GAP, RISE, CapacityStudy, SizeResult
from pipeline.evaluation.columns import Column, aligned, csv_text, keyed, table
from pipeline.evaluation.formatting import few_groups_warning
from pipeline.machine.printable import printable

RULES = f"""\
weights: those of the epoch with the smallest validation loss
held out: rows that were used neither for training nor for stopping
intervals: nominal 95 %, from a studentised bootstrap over groups; differences are paired
underfits: the size has fewer weights than the best size, and its training loss and its held-out
loss are larger than those of the best size (the interval of the difference is above 0)
overfits: the validation loss ends {RISE:.0%} or more above its minimum. A size with more weights
than the best size also overfits in two other cases. First, its gap (validation loss divided by
training loss, at the end) is {GAP:g} times the gap of the best size. Second, its training loss is
smaller and its held-out loss is larger than that of the best size.
chosen: the smallest size whose held-out loss is larger than that of the best size by at most one
standard error of the difference"""


def capacity_text(study: CapacityStudy) -> str:
    """Return the table of sizes, the chosen size, and the rules of the choice."""
    chosen, best = study.result(study.chosen), study.result(study.best)
    said = f"chosen: {chosen.name} ({_hidden(chosen)}, {chosen.weights:,} weights)"
    if chosen is best:
        said += ", which has the lowest held-out loss"
        if study.results[0] is not best:
            said += "; smaller sizes are worse by more than one standard error"
        if study.results[-1] is best:
            said += "; no larger size was tried"
    else:
        said += f": within one standard error of the best, {best.name}"
    grouped_by = printable(study.grouped_by)
    how = (
        f"loss: {study.loss_name}; {study.rows:,} held-out rows, drawn by {grouped_by} "
        f"({best.held_out.groups:,}); {study.trainings} trainings of each size"
    )
    sizes = aligned(table(_text_columns(study), study.results))
    drawn = "rows" if study.grouped_by == "rows" else "groups"
    warning = few_groups_warning([best.held_out], drawn)
    lines = [sizes, said, how, *([warning] if warning else [])]
    return "\n".join(lines) + f"\n\n{RULES}\n"


def _text_columns(study: CapacityStudy) -> Sequence[Column[SizeResult]]:
    def marked(one: SizeResult) -> str:
        return ("* " if one.name == study.chosen else "  ") + one.name

    def apart(one: SizeResult) -> str:
        if one.name == study.best:
            return "best"
        return _difference(one.difference) + (" within 1 s.e." if one.within_one_error else "")

    return (
        Column("size", marked),
        Column("hidden", _hidden),
        Column("weights", lambda one: f"{one.weights:,}"),
        Column("epoch", lambda one: one.best_epoch),
        Column("training", lambda one: f"{one.training_loss:.4g}"),
        Column("held out", lambda one: f"{one.held_out.value:.4g}"),
        Column("interval", lambda one: f"{one.held_out.low:.4g} ... {one.held_out.high:.4g}"),
        Column("above the best", apart),
        Column("end of validation", _end_of_validation),
        Column("gap", lambda one: f"{one.gap:.2f}"),
        Column("verdict", lambda one: one.verdict),
    )


def _end_of_validation(one: SizeResult) -> str:
    return f"+{one.rise:.1%} after {one.turning_epoch}" if one.rise > 0 else "still falling"


def _difference(one: Interval) -> str:
    return f"{one.value:+.3g} ({one.low:+.3g} ... {one.high:+.3g})"


def _hidden(one: SizeResult) -> str:
    return "-".join(str(units) for units in one.hidden)


def capacity_csv(study: CapacityStudy) -> str:
    """Return one line for each size."""
    records = [_record(study, one) for one in study.results]
    return csv_text([keyed(name) for name in records[0]], records)


def _record(study: CapacityStudy, one: SizeResult) -> dict[str, Any]:
    return {
        "size": one.name, "hidden": _hidden(one), "weights": one.weights,
        "best_epoch": one.best_epoch, "training_loss": one.training_loss,
        "held_out_loss": one.held_out.value, "held_out_low": one.held_out.low,
        "held_out_high": one.held_out.high, "difference": one.difference.value,
        "difference_low": one.difference.low, "difference_high": one.difference.high,
        "within_one_standard_error": one.within_one_error, "rise": one.rise,
        "turning_epoch": one.turning_epoch, "gap": one.gap, "verdict": one.verdict,
        "best": one.name == study.best, "chosen": one.name == study.chosen,
    }  # fmt: skip


def capacity_json(study: CapacityStudy) -> str:
    """Return all numbers, the learning curves included."""
    content = {
        "loss": study.loss_name, "rows": study.rows, "grouped_by": study.grouped_by,
        "groups": study.results[0].held_out.groups, "trainings": study.trainings,
        "best": study.best, "chosen": study.chosen, "rules": " ".join(RULES.split()),
        "sizes": [
            asdict(result) | {
                "curves": [
                    {"loss": loss.tolist(), "validation_loss": validation.tolist()}
                    for loss, validation in runs.curves
                ]
            }
            for result, runs in zip(study.results, study.runs, strict=True)
        ],
    }  # fmt: skip
    return json.dumps(content, indent=1) + "\n"
