"""Picture of the trials of a search: the objective by trial and by hyperparameter."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import log_limits, say_nothing_to_draw, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

MOST_COLUMNS = 4
COLOURS = "viridis_r"
MOST_TICKS = 6


@dataclass(frozen=True)
class TrialPoint:
    """One trial in the picture."""

    number: int
    objective: float
    """Validation loss; NaN if the training diverged."""
    epochs: int
    values: dict[str, int | float | str]
    """Hyperparameters by name."""
    is_best: bool


@style.own_style()
def trials_picture(
    trials: Sequence[TrialPoint],
    names: Sequence[str],
    logarithmic: Sequence[str],
    objective: str,
    title: str = "Trials",
) -> "Figure":
    """Draw the objective by trial number and by each hyperparameter.

    A line in the panel of trial numbers shows the best objective up to each trial.

    Args:
        trials: the trials in order of their numbers.
        names: names of the hyperparameters.
        logarithmic: hyperparameters with a logarithmic axis; ``units`` includes ``units_1``.
        objective: label of the axis of the objective.
        title: title of the figure.
    """
    count = 1 + len(names)
    columns = min(MOST_COLUMNS, count)
    rows = -(-count // columns)
    figure = style.new_figure(max(6.4, 2.3 * columns + 0.7), 2.2 * rows + 0.7, title)
    first, *others = style.panels(figure, rows, columns, count)
    done = [trial for trial in trials if math.isfinite(trial.objective)]
    ends = log_limits([np.array([trial.objective for trial in done])])
    norm = _norm(trials)
    _by_number(first, trials, done, norm)
    for axes, name in zip(others, names, strict=True):
        _by_value(axes, name, [t for t in done if name in t.values], norm)
        if name in logarithmic or name.rpartition("_")[0] in logarithmic:
            values = np.array([float(t.values[name]) for t in done if name in t.values])
            if values.size:
                scale(axes, "x", log_limits([values], share=0.05), log=True, most=4)
    for place, axes in enumerate((first, *others)):
        scale(axes, "y", ends, log=True)
        axes.tick_params(labelleft=place % columns == 0)
        if place % columns == 0:
            axes.set_ylabel(style.shortened(objective, 30, 2))
    _legend(figure, trials, norm)
    return figure


def _by_number(
    axes: "Axes", trials: Sequence[TrialPoint], done: Sequence[TrialPoint], norm: "LogNorm"
) -> None:
    if not done:
        say_nothing_to_draw(axes, "every training diverged")
        return
    _points(axes, [float(t.number) for t in done], done, norm)
    best = np.minimum.accumulate([t.objective for t in done])
    x, y = [*(t.number for t in done), trials[-1].number], [*best, best[-1]]
    axes.step(x, y, where="post", color=style.LIGHT, linewidth=1.6, zorder=2)
    for trial in trials:
        if math.isnan(trial.objective):
            axes.axvline(trial.number, color=style.INK, linewidth=0.5, linestyle=":", zorder=1)
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
        axes.set_xticks(range(len(kinds)), labels=[style.shortened(kind, 9) for kind in kinds])
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
    """Draw trials as dots coloured by their number of epochs, and the best trial as a diamond."""
    y = [trial.objective for trial in trials]
    axes.scatter(
        x, y, c=[trial.epochs for trial in trials], cmap=COLOURS, norm=norm, s=18, zorder=3,
        edgecolors="white", linewidths=0.4,
    )  # fmt: skip
    for place, trial in zip(x, trials, strict=True):
        if trial.is_best:
            axes.plot(place, trial.objective, zorder=5, **style.marker("D", 7, style.BAND))


def _norm(trials: Sequence[TrialPoint]) -> "LogNorm":
    from matplotlib.colors import LogNorm

    epochs = [trial.epochs for trial in trials]
    return LogNorm(min(epochs), max(*epochs, min(epochs) + 1))


def _legend(figure: "Figure", trials: Sequence[TrialPoint], norm: "LogNorm") -> None:
    """Add a legend that explains the colours, the diamond and the lines."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    colours = mpl.colormaps[COLOURS]
    dot = {"linestyle": "none", "marker": "o", "markersize": 5, "markeredgecolor": "white"}
    handles = []
    for epochs in sorted({trial.epochs for trial in trials}):
        name = f"{epochs:,} epoch{'s' * (epochs > 1)}"
        handles.append(style.key(name, color=to_hex(colours(norm(epochs))), **dot))
    diamond = {"linestyle": "none", "marker": "D", "markersize": 6, "markeredgecolor": style.DARK}
    handles.append(style.key("best", color=style.BAND, **diamond))
    handles.append(style.key("best so far", color=style.LIGHT, linewidth=1.6))
    if any(math.isnan(trial.objective) for trial in trials):
        handles.append(style.key("diverged", color=style.INK, linewidth=0.5, linestyle=":"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles))
