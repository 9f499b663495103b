"""Several models on the same rows: a metric as dots with the interval of its bootstrap."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.bootstrap import Interval
from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures.axes import limits, say_nothing_to_draw, scale
from pipeline.evaluation.pictures.style import (
    DARK,
    FACTOR,
    INK,
    new_figure,
    panels,
    pretty_units,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 4


@styled
def comparison(
    results: Mapping[str, Mapping[str, Interval]],
    units: Mapping[str, str],
    logs: Mapping[str, bool],
    metric: str = "MAE",
    first: str = "",
    title: str = "Comparison on common rows",
) -> "Figure":
    """A panel for each output, a line for each model.

    Args:
        results: output -> model -> its metric with its interval.
        units: output -> what it is measured in.
        logs: output -> whether logarithms were compared, so that the metric is a factor.
        metric: its name.
        first: the model that is drawn filled, the others are hollow.
        title: above all panels.
    """
    models = list(dict.fromkeys(name for of_output in results.values() for name in of_output))
    columns = max(1, min(MOST_COLUMNS, math.ceil(math.sqrt(len(results) * 1.5)), len(results)))
    rows = max(1, -(-len(results) // columns))
    names = 1.7
    width = max(5.0, 2.3 * columns + names)
    high = 0.24 * max(len(models), 2) + 0.85
    figure = new_figure(width, high * rows + 0.75, title)
    drawn = panels(figure, rows, columns, len(results))
    for i, (axes, output) in enumerate(zip(drawn, results, strict=True)):
        _panel(axes, results[output], models, logs[output], first)
        axes.set_title(shortened(output, 28, 2))
        measured_in = FACTOR if logs[output] else pretty_units(units[output])
        axes.set_xlabel(f"{metric} ({measured_in})")
        axes.tick_params(labelleft=i % columns == 0)
    _legend(figure, results)
    return figure


def _panel(
    axes: "Axes",
    of_output: Mapping[str, Interval],
    models: list[str],
    log: bool,
    first: str,
) -> None:
    every = [value for one in of_output.values() for value in (one.value, one.low, one.high)]
    best = 1.0 if log else 0.0
    known = np.array([*every, best], dtype=np.float64)
    usable = known[np.isfinite(known) & (known > 0 if log else True)]
    scale(axes, "x", _limits(usable, log), log, most=5)
    axes.axvline(best, color=INK, linewidth=0.9, zorder=2)
    for place, name in enumerate(models):
        if name in of_output:
            _dot(axes, of_output[name], place, filled=name == first or not first)
    axes.set_yticks(range(len(models)), labels=[shortened(name, 24, 2) for name in models])
    axes.set_ylim(len(models) - 0.4, -0.6)
    if not of_output:
        say_nothing_to_draw(axes, "no row to compare")


def _limits(known: Array, log: bool) -> tuple[float, float]:
    # All of the few numbers are to be seen, so none counts as an outlier.
    ends = np.array([known.min(), known.max()]) if known.size else known
    return limits(ends, log, least_decades=0.12)


def _dot(axes: "Axes", one: Interval, place: int, filled: bool) -> None:
    if math.isfinite(one.low):
        ends = [one.low, one.high]
        axes.plot(
            ends, [place, place], color=DARK, linewidth=1.4, marker="|", markersize=7, zorder=3
        )
    axes.plot(
        one.value,
        place,
        marker="o",
        markersize=4.5,
        markerfacecolor=DARK if filled else "white",
        markeredgecolor=DARK,
        markeredgewidth=1.3,
        zorder=4,
    )


def _legend(figure: "Figure", results: Mapping[str, Mapping[str, Interval]]) -> None:
    from matplotlib.lines import Line2D

    levels = {one.level for of_output in results.values() for one in of_output.values()}
    share = f"{max(levels):.0%} " if levels else ""
    bar = Line2D([], [], color=DARK, linewidth=1.4, marker="|", markersize=7)
    bar.set_label(f"{share}interval of the bootstrap")
    perfect = Line2D([], [], color=INK, linewidth=0.9, label="perfect")
    figure.legend(handles=[bar, perfect], loc="outside lower right", ncols=2)
