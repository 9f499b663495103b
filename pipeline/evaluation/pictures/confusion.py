"""Picture of a confusion matrix: each cell is a count, coloured by its share of the row's sum."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.classification import Classification
from pipeline.evaluation.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_WITH_SHARES = 12
"""Largest number of classes for which the cells have room for shares."""
MOST_WITH_COUNTS = 25
"""Largest number of classes for which the cells have room for counts."""


@style.own_style()
def confusion(result: Classification) -> "Figure":
    """Draw counts; the rows are observed classes, and the columns are modelled classes."""
    counts = np.array(result.confusion, dtype=np.float64)
    count = len(result.classes)
    side = max(2.6, min(9.5, (0.62 if count <= MOST_WITH_SHARES else 0.42) * count))
    figure = style.new_figure(side + 2.6, side + 1.75, "Confusion matrix")
    axes = figure.subplots()
    observed = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, observed, out=np.zeros_like(counts), where=observed > 0)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    _names(axes, result)
    _texts(axes, counts, shares)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=24, pad=0.02)
    bar.set_label("share of the observed class (%)")
    bar.outline.set_visible(False)
    overall = result.overall
    axes.set_title(
        f"n = {overall.n:,}   accuracy = {overall.metrics['accuracy']:.3f}   mean recall = "
        f"{overall.metrics['mean_recall']:.3f}",
        fontweight="normal",
        fontsize=8,
    )
    return figure


def _names(axes: "Axes", result: Classification) -> None:
    places = range(len(result.classes))
    names = [style.middle_cut(one.name, 24) for one in result.classes]
    slanted: style.Look = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(places, labels=names, **(slanted if max(map(len, names)) > 6 else {}))
    counted = [
        f"{name}  n={one.observed:,}" for name, one in zip(names, result.classes, strict=True)
    ]
    axes.set_yticks(places, labels=counted)
    axes.set_xlabel("modelled class")
    axes.set_ylabel("observed class")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _texts(axes: "Axes", counts: "np.ndarray", shares: "np.ndarray") -> None:
    """Write counts and, if there is room, percentages into the cells; dark cells get light text."""
    size = len(counts)
    if size > MOST_WITH_COUNTS:
        return
    for (row, column), count in np.ndenumerate(counts):
        if count == 0:
            continue
        share = shares[row, column]
        text = f"{count:,.0f}"
        if size <= MOST_WITH_SHARES:
            text += f"\n{share:.0%}" if share >= 0.005 else "\n<1%"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=6.5 if size <= MOST_WITH_SHARES else 5.5,
            color="white" if share > 0.6 else "#111111",
        )
