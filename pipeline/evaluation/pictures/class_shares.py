"""Pictures of the metrics of a classification, by class, by model and by group."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.class_comparison import ClassifierComparison
from pipeline.evaluation.classification import Classification, ClassificationMetrics
from pipeline.evaluation.metrics import largest_first
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import name_lines
from pipeline.evaluation.pictures.groups import FEWEST_ROWS, MOST_GROUPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_INCHES = 0.32
APART = 0.16
"""Distance of each dot from the middle of its line; the distance between lines is 1."""


@style.own_style()
def class_shares(result: Classification, models: Sequence[ClassifierComparison] = ()) -> "Figure":
    """Draw recall and precision of each class, and accuracy and mean recall of each model."""
    lines = max(len(result.classes), len(models), 2)
    figure = style.new_figure(7.6, LINE_INCHES * lines + 1.7, "Shares with intervals")
    left, right = figure.subplots(1, 2) if models else (figure.subplots(), None)
    names = [f"{style.middle_cut(one.name, 24)}  n={one.observed:,}" for one in result.classes]
    intervals = result.intervals
    _panel(left, names, {"recall": intervals.recall, "precision": intervals.precision})
    left.set_title("classes")
    if right is not None:
        shares = {
            "accuracy": [one.metrics["accuracy"] for one in models],
            "mean recall": [one.metrics["mean_recall"] for one in models],
        }
        _panel(right, [style.shortened(one.model, 24, 2) for one in models], shares)
        right.set_title(f"models, {models[0].n:,} common rows")
    return figure


@style.own_style()
def class_groups(result: Classification) -> "Figure":
    """Draw the accuracy of each group, the largest group on top; small groups are pooled."""
    order = largest_first({name: one.n for name, one in result.by_group.items()})
    found = [(name, result.by_group[name]) for name in order]
    large = [entry for entry in found if entry[1].n >= FEWEST_ROWS][:MOST_GROUPS]
    small = [one for _, one in found[len(large) :]]
    shown = [
        (f"{style.middle_cut(name, 32)}  n={one.n:,}", one.metrics["accuracy"])
        for name, one in large
    ]
    shown += [_together(small)] if small else []
    figure = style.new_figure(5.2, 0.2 * max(len(shown), 3) + 1.35, "Accuracy by group")
    axes = figure.subplots()
    overall = 100 * result.overall.metrics["accuracy"]
    axes.axvline(overall, color=style.LIGHT, linewidth=1.4, linestyle=style.DASHES, zorder=2)
    for place, (_, accuracy) in enumerate(shown):
        axes.plot(100 * accuracy, place, marker="o", markersize=5, color=style.DARK, zorder=4)
    _lines(axes, [name for name, _ in shown])
    axes.set_xlabel("accuracy (%), dashed: all rows")
    return figure


def _together(groups: Sequence[ClassificationMetrics]) -> tuple[str, float]:
    rows = sum(one.n for one in groups)
    right = sum(one.n * one.metrics["accuracy"] for one in groups)
    return f"{len(groups):,} smaller groups  n={rows:,}", right / rows


def _panel(axes: "Axes", names: list[str], shares: Mapping[str, Sequence[Interval]]) -> None:
    """Draw a line for each name, with two dots (one for each share) and their error bars."""
    looks = ((style.DARK, "o", -APART), (style.LIGHT, "D", APART))
    for (what, intervals), (colour, marker, shift) in zip(shares.items(), looks, strict=True):
        for place, one in enumerate(intervals):
            at = place + shift
            if math.isfinite(one.low):
                ends = [100 * one.low, 100 * one.high]
                axes.plot(ends, [at, at], color=colour, linewidth=1.4, zorder=3)
            dot = {"color": colour, "marker": marker, "markersize": 4.5, "linestyle": "none"}
            label = what if place == 0 else None
            axes.plot(100 * one.value, at, label=label, zorder=4, **dot)  # type: ignore[arg-type]
    each = [one for intervals in shares.values() for one in intervals]
    _lines(axes, names)
    axes.set_xlabel(f"share (%), bars: {style.level_text(each)}intervals")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=2)


def _lines(axes: "Axes", names: list[str]) -> None:
    name_lines(axes, names)
    axes.set_xlim(-3, 103)
