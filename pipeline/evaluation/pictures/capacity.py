"""Picture of a capacity study: learning curves of each size, and losses by number of weights."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.capacity import RISE, CapacityStudy, SizeRuns, mean_curve
from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import log_limits, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 5
ROOM = 1.06
"""Factor by which an axis of losses extends beyond the losses at each end."""


@style.own_style()
def capacity_picture(study: CapacityStudy, title: str = "Capacity study") -> "Figure":
    """Draw the losses of each size by epoch (top) and by number of weights (bottom)."""
    count = len(study.runs)
    rows = -(-count // MOST_COLUMNS)
    columns = -(-count // rows)
    figure = style.new_figure(max(6.6, 2.1 * columns), 2.35 * rows + 3.0, title)
    upper, lower = list(
        figure.subfigures(2, 1, squeeze=False, height_ratios=(2.35 * rows, 2.6)).flat
    )
    grid = upper.subplots(rows, columns, sharey=True, squeeze=False).reshape(-1)
    for empty in grid[count:]:
        empty.set_axis_off()
    ends = log_limits((c for one in study.runs for pair in one.curves for c in pair), factor=ROOM)
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


def _curves(axes: "Axes", study: CapacityStudy, one: SizeRuns, ends: tuple[float, float]) -> None:
    for which, colour, dashes, name in (
        (0, style.DARK, "-", "training"),
        (1, style.LIGHT, style.DASHES, "validation"),
    ):
        curves = [pair[which] for pair in one.curves]
        for curve in curves if len(curves) > 1 else ():
            axes.plot(_epochs(curve), curve, color=colour, linewidth=0.5, alpha=0.3)
        mean = mean_curve(curves)
        axes.plot(_epochs(mean), mean, color=colour, linestyle=dashes, linewidth=1.6, label=name)
    result = study.result(one.name)
    if result.rise > RISE:
        axes.axvline(result.turning_epoch, color=style.INK, linewidth=0.9, linestyle=":", zorder=1)
    hidden = "-".join(str(units) for units in one.hidden)
    said = [f"{one.weights:,} weights", *([result.verdict] if result.verdict else [])]
    if result.rise > RISE:
        said.append(f"+{result.rise:.0%} after {result.turning_epoch}")
    name = one.name if one.name == hidden else f"{one.name} ({hidden})"
    axes.set_title(f"{name}\n{', '.join(said)}", fontsize=8)
    axes.set_xlabel("epoch")
    scale(axes, "y", ends, log=True)


def _losses(axes: "Axes", study: CapacityStudy) -> None:
    """Draw training and held-out loss by number of weights."""
    weights = np.array([one.weights for one in study.results], dtype=np.float64)
    learned = np.array([one.training_loss for one in study.results])
    held = np.array([one.held_out.value for one in study.results])
    spans = np.array([[one.held_out.low, one.held_out.high] for one in study.results])
    axes.plot(weights, learned, color=style.DARK, marker="o", markersize=4, label="training")
    axes.plot(weights, held, color=style.LIGHT, linestyle=style.DASHES, marker="s", markersize=4)
    axes.errorbar(
        weights, held, yerr=np.abs(spans.T - held), fmt="none", ecolor=style.LIGHT, capsize=3,
        elinewidth=1.2,
    )  # fmt: skip
    level = study.results[0].held_out.level
    axes.plot([], [], color=style.LIGHT, linestyle=style.DASHES, marker="s", markersize=4,
              label=f"held out, {level:.0%} interval")  # fmt: skip
    axes.set_title("Loss of the kept weights")
    axes.set_ylabel(f"loss ({study.loss_name})")
    scale(axes, "y", log_limits([learned, held, spans], factor=ROOM), log=True)
    _by_weights(axes, weights)


def _differences(axes: "Axes", study: CapacityStudy) -> None:
    """Draw the held-out loss of each size, in percent above the held-out loss of the best size."""
    best = study.result(study.best).held_out.value
    axes.axhline(0, color=style.INK, linewidth=0.9)
    weights = np.array([one.weights for one in study.results], dtype=np.float64)
    for place, one in enumerate(study.results):
        shares = [100 * d / best for d in (one.difference.value, one.difference.low,
                                            one.difference.high)]  # fmt: skip
        colour = style.DARK if one.within_one_error else style.RULE
        axes.plot([weights[place]] * 2, shares[1:], color=colour, marker="_", linewidth=1.4)
        look = style.marker("o", 5, "white", colour)
        if one.name == study.chosen:
            look = style.marker("D", 8, style.BAND, colour) | {"label": f"chosen: {one.name}"}
        axes.plot(weights[place], shares[0], **look)
    level = study.results[0].difference.level
    axes.set_title(f"Held out, against {style.shortened(study.best, 18)} ({level:.0%} paired)")
    axes.set_ylabel("loss above the best size's (%)")
    _by_weights(axes, weights)


def _by_weights(axes: "Axes", weights: Array) -> None:
    ends = float(weights.min()) / 1.6, float(weights.max()) * 1.6
    scale(axes, "x", ends, log=True, most=5)
    axes.set_xlabel("weights")


def _epochs(curve: Array) -> Array:
    return np.arange(1, curve.size + 1, dtype=np.float64)
