"""Networks of several sizes: their learning curves, and their losses by number of weights."""

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.capacity import RISE, Capacity, Runs, mean_curve
from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures.axes import log_ticks
from pipeline.evaluation.pictures.style import (
    BAND,
    DARK,
    DASHES,
    INK,
    LIGHT,
    RULE,
    new_figure,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 5
ROOM = 1.06


@styled
def capacity_picture(study: Capacity, title: str = "Capacity study") -> "Figure":
    """Above, training and validation loss of each size by epoch; below, losses by weights.

    Args:
        study: what was compared.
        title: above all panels.
    """
    count = len(study.runs)
    rows = -(-count // MOST_COLUMNS)
    columns = -(-count // rows)
    figure = new_figure(max(6.6, 2.1 * columns), 2.35 * rows + 3.0, title)
    upper, lower = list(
        figure.subfigures(2, 1, squeeze=False, height_ratios=(2.35 * rows, 2.6)).flat
    )
    grid = upper.subplots(rows, columns, sharey=True, squeeze=False).reshape(-1)
    for empty in grid[count:]:
        empty.set_axis_off()
    ends = _ends([c for one in study.runs for pair in one.curves for c in pair])
    for place, (axes, one) in enumerate(zip(grid, study.runs, strict=False)):
        _curves(axes, study, one, ends)
        if place % columns == 0:
            axes.set_ylabel(f"loss ({study.loss_name})")
    grid[0].legend(loc="upper right")
    left, right = lower.subplots(1, 2)
    _losses(left, study)
    _differences(right, study)
    handles = [line for axes in (left, right) for line in axes.get_legend_handles_labels()[0]]
    lower.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _curves(axes: "Axes", study: Capacity, one: Runs, ends: tuple[float, float]) -> None:
    for which, colour, dashes, name in (
        (0, DARK, "-", "training"),
        (1, LIGHT, DASHES, "validation"),
    ):
        curves = [pair[which] for pair in one.curves]
        for curve in curves if len(curves) > 1 else ():
            axes.plot(_epochs(curve), curve, color=colour, linewidth=0.5, alpha=0.3)
        mean = mean_curve(curves)
        axes.plot(_epochs(mean), mean, color=colour, linestyle=dashes, linewidth=1.6, label=name)
    result = study.result(one.name)
    if result.rise > RISE:
        axes.axvline(result.turning_epoch, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    hidden = "-".join(str(units) for units in one.hidden)
    said = [f"{one.weights:,} weights", *([result.verdict] if result.verdict else [])]
    if result.rise > RISE:
        said.append(f"+{result.rise:.0%} after {result.turning_epoch}")
    name = one.name if one.name == hidden else f"{one.name} ({hidden})"
    axes.set_title(f"{name}\n{', '.join(said)}", fontsize=8)
    axes.set_xlabel("epoch")
    axes.set_yscale("log")
    axes.set_ylim(*ends)
    log_ticks(axes.yaxis, *ends)


def _losses(axes: "Axes", study: Capacity) -> None:
    """Training and held-out loss by the number of weights."""
    weights = np.array([one.weights for one in study.results], dtype=np.float64)
    learned = np.array([one.training_loss for one in study.results])
    held = np.array([one.held_out.value for one in study.results])
    spans = np.array([[one.held_out.low, one.held_out.high] for one in study.results])
    axes.plot(weights, learned, color=DARK, marker="o", markersize=4, label="training")
    axes.plot(weights, held, color=LIGHT, linestyle=DASHES, marker="s", markersize=4)
    axes.errorbar(
        weights, held, yerr=np.abs(spans.T - held), fmt="none", ecolor=LIGHT, capsize=3,
        elinewidth=1.2,
    )  # fmt: skip
    level = study.results[0].held_out.level
    axes.plot([], [], color=LIGHT, linestyle=DASHES, marker="s", markersize=4,
              label=f"held out, {level:.0%} interval")  # fmt: skip
    axes.set_title("Loss of the kept weights")
    axes.set_ylabel(f"loss ({study.loss_name})")
    axes.set_yscale("log")
    low, high = _ends([learned, held, spans.reshape(-1)])
    axes.set_ylim(low, high)
    log_ticks(axes.yaxis, low, high)
    _by_weights(axes, weights)


def _differences(axes: "Axes", study: Capacity) -> None:
    """Held-out loss above the best size's, as a share of that, with paired intervals."""
    best = study.result(study.best).held_out.value
    axes.axhline(0, color=INK, linewidth=0.9)
    weights = np.array([one.weights for one in study.results], dtype=np.float64)
    for place, one in enumerate(study.results):
        shares = [100 * d / best for d in (one.difference.value, one.difference.low,
                                            one.difference.high)]  # fmt: skip
        colour = DARK if one.within_one_error else RULE
        axes.plot([weights[place]] * 2, shares[1:], color=colour, marker="_", linewidth=1.4)
        is_chosen = one.name == study.chosen
        axes.plot(
            weights[place], shares[0], marker="D" if is_chosen else "o", color=colour,
            markersize=8 if is_chosen else 5, markerfacecolor=BAND if is_chosen else "white",
            markeredgecolor=colour, markeredgewidth=1.3, linestyle="none",
            label=f"chosen: {one.name}" if is_chosen else None,
        )  # fmt: skip
    level = study.results[0].difference.level
    axes.set_title(f"Held out, against {shortened(study.best, 18)} ({level:.0%} paired)")
    axes.set_ylabel("loss above the best size's (%)")
    _by_weights(axes, weights)


def _by_weights(axes: "Axes", weights: Array) -> None:
    low, high = float(weights.min()) / 1.6, float(weights.max()) * 1.6
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    log_ticks(axes.xaxis, low, high, most=5)
    axes.set_xlabel("weights")


def _epochs(curve: Array) -> Array:
    return np.arange(1, curve.size + 1, dtype=np.float64)


def _ends(arrays: list[Array]) -> tuple[float, float]:
    """Of a logarithmic axis that shows all of them."""
    every = np.concatenate(arrays)
    known = every[np.isfinite(every) & (every > 0)]
    if known.size == 0:
        return 0.1, 10.0
    low, high = float(known.min()), float(known.max())
    room = math.pow(max(high / low, 1.5), 0.06) * ROOM
    return low / room, high * room
