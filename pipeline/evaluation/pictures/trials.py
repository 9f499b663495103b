"""Trials of a search: the best so far, and the objective against each hyperparameter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures.axes import log_ticks, say_nothing_to_draw
from pipeline.evaluation.pictures.style import (
    BAND,
    DARK,
    INK,
    LIGHT,
    new_figure,
    panels,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

MOST_COLUMNS = 4
COLOURS = "viridis_r"
MOST_TICKS = 6


@dataclass(frozen=True)
class TrialPoint:
    """A trial, as it is drawn."""

    number: int
    objective: float
    """NaN where training ran away."""
    epochs: int
    values: dict[str, int | float | str]
    is_best: bool


@styled
def trials_picture(
    trials: Sequence[TrialPoint],
    names: Sequence[str],
    logarithmic: Sequence[str],
    objective: str,
    title: str = "Trials",
) -> "Figure":
    """First the objective by trial with the best so far, then by each hyperparameter.

    Args:
        trials: in their order.
        names: of the hyperparameters.
        logarithmic: those that are drawn by their logarithm; ``units`` is said of ``units_1``, too.
        objective: its name, the label of its axis.
        title: above all panels.
    """
    count = 1 + len(names)
    columns = min(MOST_COLUMNS, count)
    rows = -(-count // columns)
    figure = new_figure(max(6.4, 2.3 * columns + 0.7), 2.2 * rows + 0.7, title)
    first, *others = panels(figure, rows, columns, count)
    done = [trial for trial in trials if math.isfinite(trial.objective)]
    ends = _ends([trial.objective for trial in done])
    norm = _norm(trials)
    _by_number(first, trials, done, norm)
    for axes, name in zip(others, names, strict=True):
        _by_value(axes, name, [t for t in done if name in t.values], norm)
        if name in logarithmic or name.rpartition("_")[0] in logarithmic:
            _log_x(axes, [float(t.values[name]) for t in done if name in t.values])
    for place, axes in enumerate((first, *others)):
        axes.set_yscale("log")
        axes.set_ylim(*ends)
        log_ticks(axes.yaxis, *ends)
        axes.tick_params(labelleft=place % columns == 0)
        if place % columns == 0:
            axes.set_ylabel(shortened(objective, 30, 2))
    _legend(figure, trials, norm)
    return figure


def _by_number(
    axes: "Axes", trials: Sequence[TrialPoint], done: Sequence[TrialPoint], norm: "LogNorm"
) -> None:
    if not done:
        say_nothing_to_draw(axes, "every training ran away")
        return
    _points(axes, [float(t.number) for t in done], done, norm)
    best = np.minimum.accumulate([t.objective for t in done])
    numbers = [t.number for t in done]
    axes.step(
        [*numbers, trials[-1].number], [*best, best[-1]], where="post", color=LIGHT, linewidth=1.6,
        zorder=2,
    )  # fmt: skip
    for trial in trials:
        if math.isnan(trial.objective):
            axes.axvline(trial.number, color=INK, linewidth=0.5, linestyle=":", zorder=1)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS, integer=True))
    axes.set_xlabel("trial")


def _by_value(axes: "Axes", name: str, trials: Sequence[TrialPoint], norm: "LogNorm") -> None:
    from matplotlib.ticker import MaxNLocator

    values = [trial.values[name] for trial in trials]
    axes.set_xlabel(name)
    if any(isinstance(value, str) for value in values):
        kinds = sorted({str(value) for value in values})
        _points(axes, [float(kinds.index(str(value))) for value in values], trials, norm)
        axes.set_xticks(range(len(kinds)), labels=[shortened(kind, 9) for kind in kinds])
        axes.set_xlim(-0.5, len(kinds) - 0.5)
        return
    _points(axes, [float(value) for value in values], trials, norm)
    kept = sorted({float(value) for value in values})
    if len(kept) < MOST_TICKS:
        axes.set_xticks(kept, labels=[f"{value:g}" for value in kept])
        return
    are_whole = all(isinstance(value, int) for value in values)
    axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS - 1, integer=are_whole))


def _points(axes: "Axes", x: list[float], trials: Sequence[TrialPoint], norm: "LogNorm") -> None:
    """Coloured by epochs; the best as a diamond."""
    y = [trial.objective for trial in trials]
    axes.scatter(
        x, y, c=[trial.epochs for trial in trials], cmap=COLOURS, norm=norm, s=18, zorder=3,
        edgecolors="white", linewidths=0.4,
    )  # fmt: skip
    for place, trial in zip(x, trials, strict=True):
        if trial.is_best:
            axes.plot(
                place, trial.objective, marker="D", markersize=7, markerfacecolor=BAND,
                markeredgecolor=DARK, markeredgewidth=1.3, zorder=5,
            )  # fmt: skip


def _log_x(axes: "Axes", values: list[float]) -> None:
    if not values:
        return
    room = math.pow(max(max(values) / min(values), 1.5), 0.05)
    low, high = min(values) / room, max(values) * room
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high, most=4)


def _ends(values: list[float]) -> tuple[float, float]:
    known: Array = np.array([value for value in values if value > 0], dtype=np.float64)
    if known.size == 0:
        return 0.1, 10.0
    low, high = float(known.min()), float(known.max())
    room = math.pow(max(high / low, 1.5), 0.06)
    return low / room, high * room


def _norm(trials: Sequence[TrialPoint]) -> "LogNorm":
    from matplotlib.colors import LogNorm

    epochs = [trial.epochs for trial in trials]
    return LogNorm(min(epochs), max(*epochs, min(epochs) + 1))


def _legend(figure: "Figure", trials: Sequence[TrialPoint], norm: "LogNorm") -> None:
    """The colours of the epochs, the best, the line of the best so far."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex
    from matplotlib.lines import Line2D

    colours = mpl.colormaps[COLOURS]
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=5, markeredgecolor="white",
               color=to_hex(colours(norm(epochs))), label=f"{epochs:,} epoch{'s' * (epochs > 1)}")
        for epochs in sorted({trial.epochs for trial in trials})
    ]  # fmt: skip
    handles.append(Line2D([], [], linestyle="none", marker="D", markersize=6, color=BAND,
                          markeredgecolor=DARK, label="best"))  # fmt: skip
    handles.append(Line2D([], [], color=LIGHT, linewidth=1.6, label="best so far"))
    if any(math.isnan(trial.objective) for trial in trials):
        handles.append(Line2D([], [], color=INK, linewidth=0.5, linestyle=":", label="ran away"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles))
