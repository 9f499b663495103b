"""Picture of modelled against observed values, one panel for each output."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import Array, Metrics, Rows, common_rows, metrics
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import limits, one_to_one, say_nothing_to_draw, scale
from pipeline.evaluation.ranges import is_log
from pipeline.networks.variable import Variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

MOST_POINTS = 1_000
"""Largest number of rows drawn as points; more rows are drawn as counts in hexagons."""
MOST_COLUMNS = 5
SIDE = 3.05
"""Side of a panel in inches."""
ONE_SIDE = 4.4
"""Side of a single panel in inches."""


@style.own_style()
def scatter(
    observed: npt.ArrayLike,
    modelled: npt.ArrayLike,
    outputs: Sequence[Variable],
    title: str = "",
    logs: Sequence[bool] | None = None,
) -> "Figure":
    """Draw modelled against observed values of every output, with 1:1 line and metrics.

    ``observed`` and ``modelled`` have shape (n, outputs). ``logs`` tells which outputs are compared
    as logarithms; by default, these are the outputs whose logarithm the network computes.
    """
    o = np.asarray(observed, dtype=np.float64)
    m = np.asarray(modelled, dtype=np.float64)
    as_log = [is_log(variable) for variable in outputs] if logs is None else list(logs)
    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(len(outputs))))
    rows = -(-len(outputs) // columns)
    side = ONE_SIDE if len(outputs) == 1 else SIDE
    bar = any(
        common_rows(o[:, i], m[:, i], log=log).sum() > MOST_POINTS for i, log in enumerate(as_log)
    )
    width, height = side * columns + (0.75 if bar else 0), (side + 0.1) * rows
    figure = style.new_figure(width, height + (0.35 if title else 0), title)
    drawn = style.panels(figure, rows, columns, len(outputs))
    clouds = [_panel(axes, o[:, i], m[:, i], outputs[i], as_log[i]) for i, axes in enumerate(drawn)]
    _colourbar(figure, [cloud for cloud in clouds if cloud is not None])
    return figure


def _panel(
    axes: "Axes", observed: Array, modelled: Array, variable: Variable, log: bool
) -> "PolyCollection | None":
    numbers = metrics(observed, modelled, log)
    rows = common_rows(observed, modelled, log=log)
    o, m = observed[rows], modelled[rows]
    ends = limits(np.concatenate((o, m)), log)
    axes.set_title(style.shortened(variable.name, 28, 2))
    axes.set_xlabel(style.with_units("observed", variable.units))
    axes.set_ylabel(style.with_units("modelled", variable.units))
    cloud = None
    if o.size == 0:
        say_nothing_to_draw(axes, "no row to compare")
    elif o.size <= MOST_POINTS:
        size, alpha = (16, 0.75) if o.size <= 200 else (9, 0.5)
        axes.scatter(o, m, s=size, color=style.DARK, alpha=alpha, linewidths=0, zorder=3)
    else:
        cloud = _hexagons(axes, o, m, ends, log)
    # This comes after the hexagons, because they set their own scales and ticks.
    scale(axes, "x", ends, log)
    scale(axes, "y", ends, log)
    axes.set_box_aspect(1)
    if o.size:
        one_to_one(axes, ends, above=cloud is not None)
    _corner(axes, numbers, variable, int(_beyond(o, m, ends).sum()))
    return cloud


def _hexagons(
    axes: "Axes", o: Array, m: Array, ends: tuple[float, float], log: bool
) -> "PolyCollection":
    finer = int(np.clip(math.sqrt(o.size) / 2.2, 24, 70))
    within = ~_beyond(o, m, ends)
    low, high = np.log10(ends) if log else ends
    name: Literal["log", "linear"] = "log" if log else "linear"
    return axes.hexbin(
        o[within],
        m[within],
        gridsize=finer,
        extent=(low, high, low, high),
        xscale=name,
        yscale=name,
        mincnt=1,
        cmap=style.DENSITY,
        linewidths=0.1,
        zorder=3,
    )


def _colourbar(figure: "Figure", clouds: "list[PolyCollection]") -> None:
    """Draw one colour scale for all panels."""
    if not clouds:
        return
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    counts = [np.asarray(cloud.get_array()) for cloud in clouds]
    norm = LogNorm(1, max(10.0, *(float(count.max()) for count in counts)))
    for cloud in clouds:
        cloud.set_norm(norm)
    bar = figure.colorbar(clouds[0], ax=figure.axes, shrink=0.6, aspect=30, pad=0.015)
    bar.set_label("rows per hexagon")
    bar.ax.yaxis.set_major_locator(LogLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.outline.set_visible(False)


def _beyond(o: Array, m: Array, ends: tuple[float, float]) -> Rows:
    low, high = ends
    return (o < low) | (o > high) | (m < low) | (m > high)


def _corner(axes: "Axes", numbers: Metrics, variable: Variable, beyond: int) -> None:
    """Write the metrics to the upper left, where a good model has no points."""
    lines = metric_lines(numbers, variable.units)
    if beyond:
        lines.append(f"{beyond:,} beyond the axes")
    box: dict[str, Any] = {"boxstyle": "square,pad=0.25", "fc": "white", "ec": "none", "alpha": 0.8}
    axes.text(
        0.03,
        0.97,
        "\n".join(lines),
        transform=axes.transAxes,
        va="top",
        fontsize=6.8,
        linespacing=1.25,
        bbox=box,
        zorder=6,
        color="#111111" if numbers.n else style.RULE,
    )


def metric_lines(numbers: Metrics, units: str) -> list[str]:
    """Return the metrics, one per line; factors have a times sign, differences have units."""
    lines = [f"n = {numbers.n:,}"]
    if numbers.n:
        unit = "" if numbers.log or units == "1" else f" {style.pretty_units(units)}"
        lines += [
            f"MAE = {_value(numbers['mae'], numbers.log)}{unit}",
            f"bias = {_value(numbers['bias'], numbers.log)}{unit}",
        ]
        if math.isfinite(numbers["r2"]):
            lines += [f"R² = {numbers['r2']:.3f}", f"slope = {numbers['slope']:.2f}"]
    if numbers.failures > 0:
        lines.append(f"failed: {numbers.observed - numbers.n:,} of {numbers.observed:,}")
    return lines


def _value(value: float, log: bool) -> str:
    if not log:
        return f"{value:.3g}"
    return f"{style.TIMES}{value:.2f}" if 0.1 <= value < 100 else f"{style.TIMES}{value:.3g}"
