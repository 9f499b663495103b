"""Picture of the residuals of one output against each input."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import Array, residual, usable
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import limits, say_nothing_to_draw, scale
from pipeline.evaluation.ranges import is_log
from pipeline.networks.variable import Variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 4
MOST_POINTS = 4_000
"""Largest number of points in a panel; medians and quartiles use all rows."""
MOST_BINS = 14
LEAST_IN_BIN = 10
FEW_BINS = 4
"""With at least this many bins, quartiles are drawn as a band; with fewer bins, as bars."""


@style.own_style()
def residuals(
    observed: npt.ArrayLike,
    modelled: npt.ArrayLike,
    output: Variable,
    x: npt.ArrayLike,
    inputs: Sequence[Variable],
    log: bool | None = None,
) -> "Figure":
    """Draw residuals against every input, with medians and quartiles of bins of equal counts.

    ``x`` contains the inputs in physical units, with shape (n, inputs). Logarithms are compared if
    ``log`` is true; by default, they are compared if the network computes the output's logarithm.
    """
    as_log = is_log(output) if log is None else log
    left = residual(observed, modelled, as_log)
    values = np.asarray(x, dtype=np.float64)
    columns = min(MOST_COLUMNS, len(inputs))
    rows = -(-len(inputs) // columns)
    heading = f"Residuals of {output.name}"
    figure = style.new_figure(max(4.2, 2.75 * columns + 0.5), 2.35 * rows + 0.75, heading)
    ends = _residual_limits(left[np.isfinite(left)])
    drawn = style.panels(figure, rows, columns, len(inputs))
    for i, axes in enumerate(drawn):
        _panel(axes, values[:, i], left, inputs[i], ends)
        if i % columns:
            axes.tick_params(labelleft=False)
    figure.supylabel(_residual_label(output, as_log), fontsize=8)
    _legend(figure)
    return figure


def _residual_label(output: Variable, log: bool) -> str:
    name = style.shortened(output.name, 28)
    if log:
        return f"log₁₀(modelled / observed)\nof {name} (decades)"
    return f"modelled minus observed\n{name} ({style.pretty_units(output.units)})"


def _residual_limits(left: Array) -> tuple[float, float]:
    """Return limits, equally far from zero, that enclose at least 99 % of the residuals."""
    if left.size == 0:
        return -1.0, 1.0
    share = 0.99 if left.size > 100 else 1.0
    reach = 1.15 * float(np.quantile(np.abs(left), share))
    return (-reach, reach) if reach > 0 else (-1.0, 1.0)


def _panel(
    axes: "Axes", x: Array, left: Array, variable: Variable, ends: tuple[float, float]
) -> None:
    log = is_log(variable)
    rows = usable(x, log) & np.isfinite(left)
    axes.set_xlabel(style.label_of(variable, 30))
    step = max(1, math.ceil(int(rows.sum()) / MOST_POINTS))
    shown = np.flatnonzero(rows)[::step]
    scale(axes, "x", limits(x[shown], log), log, most=4)
    axes.set_ylim(*ends)
    axes.axhline(0.0, color=style.INK, linewidth=0.9, zorder=2)
    if not rows.any():
        say_nothing_to_draw(axes, "no row to compare")
        return
    size, alpha = (12, 0.6) if shown.size < 300 else (4, 0.35)
    axes.scatter(
        x[shown], left[shown], s=size, color=style.POINTS, alpha=alpha, linewidths=0, zorder=1
    )
    _binned(axes, x[rows], left[rows], log)


def _binned(axes: "Axes", x: Array, left: Array, log: bool) -> None:
    """Draw medians as a line and quartiles as a band, in front of the points."""
    middles, quartiles = binned_quartiles(x, left, log)
    if middles.size == 0:
        return
    low, median, high = quartiles
    if middles.size < FEW_BINS:
        axes.errorbar(
            middles,
            median,
            yerr=np.stack((median - low, high - median)),
            fmt="o",
            color=style.INK,
            ecolor=style.INK,
            markersize=4,
            elinewidth=1.2,
            zorder=4,
        )
        return
    axes.fill_between(middles, low, high, color=style.BAND, alpha=0.75, linewidth=0, zorder=3)
    axes.plot(middles, median, color=style.INK, linewidth=1.3, marker="o", markersize=2.6, zorder=4)


def binned_quartiles(x: Array, left: Array, log: bool) -> tuple[Array, Array]:
    """Return the middles and the quartiles of bins with equal counts.

    The middles have shape (bins,), and the quartiles have shape (3, bins).
    """
    bins = min(MOST_BINS, x.size // LEAST_IN_BIN)
    if bins == 0:
        return np.empty(0), np.empty((3, 0))
    if np.ptp(x) == 0:
        bins = 1
    order = np.argsort(x, kind="stable")
    pieces = np.array_split(order, bins)
    placed = np.log10(x) if log else x
    middles = np.array([np.median(placed[piece]) for piece in pieces])
    quartiles = np.stack([np.quantile(left[piece], [0.25, 0.5, 0.75]) for piece in pieces], axis=1)
    return (10.0**middles if log else middles), quartiles


def _legend(figure: "Figure") -> None:
    from matplotlib.patches import Patch

    handles = [
        style.key("row", color=style.POINTS, marker="o", linestyle="none", markersize=4),
        style.key("median", color=style.INK, marker="o", markersize=3),
        Patch(color=style.BAND, label="middle half"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=3)
