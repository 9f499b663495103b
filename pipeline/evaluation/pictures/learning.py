"""Picture of a training: losses and learning rate by epoch, and the epoch that was kept."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import log_limits, say_nothing_to_draw, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW_EPOCHS = 12
"""Every epoch is marked if there are at most this many epochs."""


@dataclass(frozen=True)
class History:
    """Losses and learning rates of a training."""

    loss: tuple[float, ...]
    """Loss of the training part after each epoch."""
    validation_loss: tuple[float, ...] = ()
    """Loss of the validation part after each epoch."""
    learning_rate: tuple[float, ...] = ()
    """Learning rate of each epoch."""
    best_epoch: int | None = None
    """The epoch whose weights were kept; the first epoch is 1."""
    loss_name: str = "loss"


@style.own_style()
def learning_curves(history: History) -> "Figure":
    """Draw training and validation loss by epoch (top), and the learning rate (bottom)."""
    rates = np.array(history.learning_rate, dtype=np.float64)
    figure = style.new_figure(6.4, 4.3 if rates.size else 3.5, "Learning curves")
    if rates.size:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.tick_params(labelbottom=False)
        _rates(lower, rates)
    else:
        upper = lower = figure.subplots()
    curves = {"training": np.array(history.loss, dtype=np.float64)}
    if len(history.validation_loss):
        curves["validation"] = np.array(history.validation_loss, dtype=np.float64)
    _losses(upper, curves, history.loss_name)
    _epochs(lower, max(len(curve) for curve in curves.values()))
    if history.best_epoch is not None:
        _mark_best(upper, lower, curves, history.best_epoch)
    upper.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
    return figure


def _losses(axes: "Axes", curves: dict[str, Array], loss_name: str) -> None:
    looks = {"training": (style.DARK, "-", "o"), "validation": (style.LIGHT, style.DASHES, "s")}
    for name, curve in curves.items():
        colour, dashes, marker = looks[name]
        axes.plot(
            np.arange(1, len(curve) + 1),
            np.where(curve > 0, curve, np.nan),
            color=colour,
            linestyle=dashes,
            linewidth=1.5,
            marker=marker if len(curve) <= FEW_EPOCHS else None,
            markersize=4,
            clip_on=False,
            label=name,
        )
    axes.set_ylabel(style.shortened(loss_name, 38, 2))
    every = np.concatenate(list(curves.values()))
    positive = every[np.isfinite(every) & (every > 0)]
    if positive.size == 0:
        say_nothing_to_draw(axes, "no finite loss above zero")
        return
    scale(axes, "y", log_limits([positive]), log=True)


def _rates(axes: "Axes", rates: Array) -> None:
    axes.step(np.arange(1, rates.size + 1), rates, where="mid", color=style.INK, linewidth=1.2)
    if rates.size == 1:
        axes.plot(1, rates[0], marker="o", markersize=4, color=style.INK)
    axes.set_ylabel("learning\nrate")
    positive = rates[np.isfinite(rates) & (rates > 0)]
    if positive.size == 0:
        return
    middle = float(np.sqrt(positive.min() * positive.max()))
    reach = max(float(positive.max()) / middle, 2.0) * 1.25
    scale(axes, "y", (middle / reach, middle * reach), log=True, most=3)


def _epochs(axes: "Axes", count: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    margin = max(0.5, 0.015 * count)
    axes.set_xlim(1 - margin, count + margin)


def _mark_best(upper: "Axes", lower: "Axes", curves: dict[str, Array], epoch: int) -> None:
    for axes in {id(axes): axes for axes in (upper, lower)}.values():
        axes.axvline(epoch, color=style.INK, linewidth=0.9, linestyle=":", zorder=1)
    curve = curves.get("validation", curves["training"])
    if 1 <= epoch <= len(curve) and curve[epoch - 1] > 0:
        look = style.marker("D", 6, "white", edge=style.INK)
        upper.plot(epoch, curve[epoch - 1], zorder=5, label=f"kept: epoch {epoch:,}", **look)
