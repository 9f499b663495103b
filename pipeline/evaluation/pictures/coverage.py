"""Picture of stated uncertainties against actual errors."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import log_limits, say_nothing_to_draw, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED = (0.68, 0.95)
"""Shares marked on the axes."""
BINS = 8
FEWEST_IN_A_BIN = 8


@style.own_style()
def coverage_picture(results: Mapping[str, tuple[Array, Array]]) -> "Figure":
    """Draw two panels: how many rows lie in the stated intervals, and error against uncertainty.

    For each output, ``results`` has two arrays: the absolute errors divided by the stated
    standard deviations, and these standard deviations.
    """
    figure = style.new_figure(7.2, 3.5, "Stated and actual uncertainty")
    left, right = figure.subplots(1, 2)
    looks = [(style.DARK, "-"), (style.LIGHT, style.DASHES), (style.INK, ":")]
    for number, (name, (ratio, deviation)) in enumerate(results.items()):
        colour, dashes = looks[number % len(looks)]
        label = style.shortened(name, 24)
        _held(left, ratio, colour, dashes, label)
        _sizes(right, ratio, deviation, colour, label)
    _finish_held(left)
    _finish_sizes(right, results)
    if len(results) > 1:
        left.legend(loc="lower right")
    return figure


def _held(axes: "Axes", ratio: Array, colour: str, dashes: object, label: str) -> None:
    if not ratio.size:
        say_nothing_to_draw(axes, "no row")
        return
    shares = np.linspace(0.01, 0.99, 99)
    normal = NormalDist()
    times = np.array([normal.inv_cdf((1 + share) / 2) for share in shares])
    held = (ratio[:, np.newaxis] <= times).mean(axis=0)
    axes.plot(shares, held, color=colour, linestyle=dashes, linewidth=1.6, label=label)


def _finish_held(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=style.INK, linewidth=0.9, zorder=1)
    for share in MARKED:
        axes.axvline(share, color=style.INK, linewidth=0.7, linestyle=":", zorder=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, *MARKED])
    axes.set_xticklabels(["0", "0.25", "0.5", "0.68", "0.95"])
    axes.set_xlabel("nominal share of rows in the interval")
    axes.set_ylabel("actual share of rows in the interval")


def _sizes(axes: "Axes", ratio: Array, deviation: Array, colour: str, label: str) -> None:
    bins = min(BINS, ratio.size // FEWEST_IN_A_BIN)
    if bins < 1:
        return
    order = np.array_split(np.argsort(deviation, kind="stable"), bins)
    stated = [float(np.sqrt(np.mean(np.square(deviation[rows])))) for rows in order]
    found = [float(np.sqrt(np.mean(np.square((ratio * deviation)[rows])))) for rows in order]
    axes.plot(stated, found, color=colour, marker="o", markersize=4, linewidth=1.0, label=label)


def _finish_sizes(axes: "Axes", results: Mapping[str, tuple[Array, Array]]) -> None:
    drawn = [np.asarray(line.get_data(), dtype=np.float64) for line in axes.get_lines()]
    if not drawn:
        say_nothing_to_draw(axes, f"fewer than {FEWEST_IN_A_BIN} rows" if results else "no output")
        return
    ends = log_limits(drawn, share=0.0, factor=1.3)
    axes.plot(ends, ends, color=style.INK, linewidth=0.9, zorder=1)
    scale(axes, "x", ends, log=True)
    scale(axes, "y", ends, log=True)
    axes.set_xlabel("stated standard deviation (bins of equal counts)")
    axes.set_ylabel("root mean square error")
