"""How sure the shares of a classification are, by class, by model and by group."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.class_comparison import ClassModel
from pipeline.evaluation.classification import Classification, GroupMetrics
from pipeline.evaluation.pictures.groups import FEWEST_ROWS, MOST_GROUPS
from pipeline.evaluation.pictures.style import (
    DARK,
    DASHES,
    LIGHT,
    middle_cut,
    new_figure,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_INCHES = 0.32
APART = 0.16
"""Of a line: how far its two dots are above and below it."""


@styled
def class_shares(
    result: Classification, models: Sequence[ClassModel] = (), title: str = "Shares with intervals"
) -> "Figure":
    """Recall and precision of each class; accuracy and mean recall of each model."""
    lines = max(len(result.classes), len(models), 2)
    figure = new_figure(7.6, LINE_INCHES * lines + 1.7, title)
    left, right = figure.subplots(1, 2) if models else (figure.subplots(), None)
    names = [f"{middle_cut(one.name, 24)}  n={one.observed:,}" for one in result.classes]
    intervals = result.intervals
    _panel(left, names, {"recall": intervals.recall, "precision": intervals.precision})
    left.set_title("classes")
    if right is not None:
        shares = {
            "accuracy": [one.accuracy for one in models],
            "mean recall": [one.mean_recall for one in models],
        }
        _panel(right, [shortened(one.model, 24, 2) for one in models], shares)
        right.set_title(f"models, {models[0].n:,} common rows")
    return figure


@styled
def class_groups(result: Classification, title: str = "Accuracy by group") -> "Figure":
    """The accuracy of each group, the largest group on top; small ones put together."""
    order = sorted(result.by_group.items(), key=lambda entry: (-entry[1].n, entry[0]))
    large = [entry for entry in order if entry[1].n >= FEWEST_ROWS][:MOST_GROUPS]
    small = [one for _, one in order[len(large) :] if one.n]
    shown = [(f"{middle_cut(name, 32)}  n={one.n:,}", one.accuracy) for name, one in large]
    shown += [_together(small)] if small else []
    figure = new_figure(5.2, 0.2 * max(len(shown), 3) + 1.35, title)
    axes = figure.subplots()
    axes.axvline(100 * result.accuracy, color=LIGHT, linewidth=1.4, linestyle=DASHES, zorder=2)
    for place, (_, accuracy) in enumerate(shown):
        axes.plot(100 * accuracy, place, marker="o", markersize=5, color=DARK, zorder=4)
    _lines(axes, [name for name, _ in shown])
    axes.set_xlabel("accuracy (%), dashed: all rows")
    return figure


def _together(groups: Sequence[GroupMetrics]) -> tuple[str, float]:
    rows = sum(one.n for one in groups)
    right = sum(one.n * one.accuracy for one in groups)
    return f"{len(groups):,} smaller groups  n={rows:,}", right / rows


def _panel(axes: "Axes", names: list[str], shares: Mapping[str, Sequence[Interval]]) -> None:
    """A line for each name, with a dot and a bar for each of two shares."""
    looks = ((DARK, "o", -APART), (LIGHT, "D", APART))
    for (what, intervals), (colour, marker, shift) in zip(shares.items(), looks, strict=True):
        for place, one in enumerate(intervals):
            at = place + shift
            if math.isfinite(one.low):
                ends = [100 * one.low, 100 * one.high]
                axes.plot(ends, [at, at], color=colour, linewidth=1.4, zorder=3)
            dot = {"color": colour, "marker": marker, "markersize": 4.5, "linestyle": "none"}
            label = what if place == 0 else None
            axes.plot(100 * one.value, at, label=label, zorder=4, **dot)  # type: ignore[arg-type]
    _lines(axes, names)
    axes.set_xlabel(f"share (%), bars: {_level(shares)}intervals")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28), ncols=2)


def _level(shares: Mapping[str, Sequence[Interval]]) -> str:
    levels = {one.level for intervals in shares.values() for one in intervals}
    return f"{max(levels):.0%} " if levels else ""


def _lines(axes: "Axes", names: list[str]) -> None:
    axes.set_yticks(range(len(names)), labels=names)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    axes.set_xlim(-3, 103)
