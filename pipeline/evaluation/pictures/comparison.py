"""Picture of several models on the same rows: a metric with its bootstrap interval."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.metrics import usable
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import limits_of_all, name_lines, scale
from pipeline.evaluation.report import OutputResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 4
BAR: style.Look = {"color": style.DARK, "linewidth": 1.4, "marker": "|", "markersize": 7}
NAMES = 1.7
"""Width in inches of the space for the names of the models."""


@style.own_style()
def comparison(outputs: Sequence[OutputResult], title: str) -> "Figure":
    """Draw mean absolute errors with intervals; each output has a panel, each model has a line.

    The first model of an output is drawn as a filled dot, the others as hollow dots.
    """
    models = list(dict.fromkeys(one.model for output in outputs for one in output.comparison))
    columns = max(1, min(MOST_COLUMNS, math.ceil(math.sqrt(len(outputs) * 1.5)), len(outputs)))
    rows = max(1, -(-len(outputs) // columns))
    high = 0.24 * max(len(models), 2) + 0.85
    figure = style.new_figure(max(5.0, 2.3 * columns + NAMES), high * rows + 0.75, title)
    for i, axes in enumerate(style.panels(figure, rows, columns, len(outputs))):
        _panel(axes, outputs[i], models)
        axes.tick_params(labelleft=i % columns == 0)
    _legend(figure, [one.interval for output in outputs for one in output.comparison])
    return figure


def _panel(axes: "Axes", output: OutputResult, models: list[str]) -> None:
    log = output.metrics.log
    intervals = {one.model: one.interval for one in output.comparison}
    every = [value for one in intervals.values() for value in (one.value, one.low, one.high)]
    best = 1.0 if log else 0.0
    known = np.array([*every, best], dtype=np.float64)
    scale(axes, "x", limits_of_all(known[usable(known, log)], log), log, most=5)
    axes.axvline(best, color=style.INK, linewidth=0.9, zorder=2)
    for place, name in enumerate(models):
        if name in intervals:
            _dot(axes, intervals[name], place, filled=name == output.comparison[0].model)
    name_lines(axes, [style.shortened(name, 24, 2) for name in models])
    axes.set_title(style.shortened(output.variable.name, 28, 2))
    axes.set_xlabel(f"MAE ({style.FACTOR if log else style.pretty_units(output.variable.units)})")


def _dot(axes: "Axes", one: Interval, place: int, filled: bool) -> None:
    if math.isfinite(one.low):
        ends = [one.low, one.high]
        axes.plot(
            ends,
            [place, place],
            color=style.DARK,
            linewidth=1.4,
            marker="|",
            markersize=7,
            zorder=3,
        )
    look = style.marker("o", 4.5, style.DARK if filled else "white")
    axes.plot(one.value, place, zorder=4, **look)


def _legend(figure: "Figure", intervals: Sequence[Interval]) -> None:
    bar = style.key(f"{style.level_text(intervals)}interval of the bootstrap", **BAR)
    perfect = style.key("perfect", color=style.INK, linewidth=0.9)
    figure.legend(handles=[bar, perfect], loc="outside lower right", ncols=2)
