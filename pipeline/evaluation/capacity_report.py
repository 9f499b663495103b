"""A capacity study as text, CSV and JSON."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.capacity import GAP, RISE, Capacity, SizeResult
from pipeline.evaluation.formatting import aligned

RULES = f"""\
kept weights: those of the best epoch by the validation loss; held out: rows that neither trained
nor stopped; intervals: 95 %, groups drawn again with replacement; differences are paired
underfits: fewer weights than the best size, a training loss above its, and a held-out loss above
its (the interval of the difference is above 0)
overfits: the validation loss ends {RISE:.0%} or more above its minimum; or, with more weights than
the best size, its gap (validation over training loss at the end) is {GAP:g} times the best size's,
or its training loss is below that one's and its held-out loss above it
chosen: the smallest size whose held-out loss is at most one standard error of the difference above
the best size's"""


def capacity_text(study: Capacity) -> str:
    """The table, the choice and the rules."""
    head = ["size", "hidden", "weights", "epoch", "training", "held out", "interval",
            "above the best", "end of validation", "gap", "verdict"]  # fmt: skip
    table = aligned(head, [_cells(study, one) for one in study.results])
    chosen, best = study.result(study.chosen), study.result(study.best)
    said = f"chosen: {chosen.name} ({_hidden(chosen)}, {chosen.weights:,} weights)"
    if chosen is best:
        said += ", which has the least held-out loss"
        if study.results[0] is not best:
            said += "; smaller sizes are worse by more than one standard error"
        if study.results[-1] is best:
            said += "; none larger was tried"
    else:
        said += f": within one standard error of the best, {best.name}"
    how = (
        f"loss: {study.loss_name}; {study.rows:,} held-out rows, drawn by {study.grouped_by} "
        f"({best.held_out.groups:,}); {study.trainings} trainings of each size"
    )
    return f"{table}\n{said}\n{how}\n\n{RULES}\n"


def _cells(study: Capacity, one: SizeResult) -> list[str]:
    mark = "* " if one.name == study.chosen else "  "
    rise = f"+{one.rise:.1%} after {one.turning_epoch}" if one.rise > 0 else "still falling"
    apart = "best" if one.name == study.best else _difference(one.difference)
    if one.name != study.best and one.within_one_error:
        apart += " within 1 s.e."
    return [
        mark + one.name, _hidden(one), f"{one.weights:,}", str(one.best_epoch),
        f"{one.training_loss:.4g}", f"{one.held_out.value:.4g}",
        f"{one.held_out.low:.4g} ... {one.held_out.high:.4g}", apart, rise, f"{one.gap:.2f}",
        one.verdict,
    ]  # fmt: skip


def _difference(one: Interval) -> str:
    return f"{one.value:+.3g} ({one.low:+.3g} ... {one.high:+.3g})"


def _hidden(one: SizeResult) -> str:
    return "-".join(str(units) for units in one.hidden)


def capacity_csv(study: Capacity) -> str:
    """A line for each size."""
    lines = [_plain(study, one) for one in study.results]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _plain(study: Capacity, one: SizeResult) -> dict[str, Any]:
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


def capacity_json(study: Capacity) -> str:
    """All of it, with the learning curves."""
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
