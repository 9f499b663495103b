"""How a network learned: losses and learning rate by epoch, and the epoch that was kept."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures.axes import log_ticks, say_nothing_to_draw
from pipeline.evaluation.pictures.style import (
    DARK,
    DASHES,
    INK,
    LIGHT,
    new_figure,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW_EPOCHS = 12


@styled
def learning_curves(
    loss: Sequence[float],
    validation_loss: Sequence[float] = (),
    learning_rate: Sequence[float] = (),
    best_epoch: int | None = None,
    loss_name: str = "loss",
    title: str = "Learning curves",
) -> "Figure":
    """Training and validation loss by epoch, with the learning rate on a panel of its own.

    Args:
        loss: of the training part after each epoch.
        validation_loss: of the validation part; empty where there was none.
        learning_rate: of each epoch; empty where it is not known.
        best_epoch: the epoch whose weights were kept, from 1.
        loss_name: what the loss is; the label of its axis.
        title: above the panels.
    """
    figure = new_figure(6.4, 4.3 if len(learning_rate) else 3.5, title)
    if len(learning_rate):
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.tick_params(labelbottom=False)
        _rates(lower, np.asarray(learning_rate, dtype=np.float64))
    else:
        upper = lower = figure.subplots()
    curves = {"training": np.asarray(loss, dtype=np.float64)}
    if len(validation_loss):
        curves["validation"] = np.asarray(validation_loss, dtype=np.float64)
    _losses(upper, curves, loss_name)
    _epochs(lower, max(len(curve) for curve in curves.values()))
    if best_epoch is not None:
        _mark_best(upper, lower, curves, best_epoch)
    upper.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
    return figure


def _losses(axes: "Axes", curves: dict[str, Array], loss_name: str) -> None:
    looks = {"training": (DARK, "-", "o"), "validation": (LIGHT, DASHES, "s")}
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
    axes.set_ylabel(shortened(loss_name, 38, 2))
    every = np.concatenate(list(curves.values()))
    positive = every[np.isfinite(every) & (every > 0)]
    if positive.size == 0:
        say_nothing_to_draw(axes, "no finite loss above zero")
        return
    low, high = float(positive.min()), float(positive.max())
    # A flat curve needs room as well.
    room = max(high / low, 1.5)
    ends = low / room**0.06, high * room**0.06
    axes.set_yscale("log")
    axes.set_ylim(*ends)
    log_ticks(axes.yaxis, *ends)


def _rates(axes: "Axes", rates: Array) -> None:
    axes.step(np.arange(1, rates.size + 1), rates, where="mid", color=INK, linewidth=1.2)
    if rates.size == 1:
        axes.plot(1, rates[0], marker="o", markersize=4, color=INK)
    axes.set_ylabel("learning\nrate")
    positive = rates[np.isfinite(rates) & (rates > 0)]
    if positive.size == 0:
        return
    middle = float(np.sqrt(positive.min() * positive.max()))
    reach = max(float(positive.max()) / middle, 2.0) * 1.25
    axes.set_yscale("log")
    axes.set_ylim(middle / reach, middle * reach)
    log_ticks(axes.yaxis, middle / reach, middle * reach, most=3)


def _epochs(axes: "Axes", count: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    margin = max(0.5, 0.015 * count)
    axes.set_xlim(1 - margin, count + margin)


def _mark_best(upper: "Axes", lower: "Axes", curves: dict[str, Array], epoch: int) -> None:
    for axes in {id(axes): axes for axes in (upper, lower)}.values():
        axes.axvline(epoch, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    curve = curves.get("validation", curves["training"])
    if 1 <= epoch <= len(curve) and curve[epoch - 1] > 0:
        upper.plot(
            epoch,
            curve[epoch - 1],
            linestyle="none",
            marker="D",
            markersize=6,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=1.3,
            zorder=5,
            label=f"kept: epoch {epoch:,}",
        )
