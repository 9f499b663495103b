"""Which class was taken for which: a matrix of counts, coloured by the share of the observed."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.classification import Classification
from pipeline.evaluation.pictures.style import middle_cut, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_WITH_SHARES = 12
MOST_WITH_COUNTS = 25


@styled
def confusion(result: Classification, title: str = "Confusion matrix") -> "Figure":
    """Counts by observed (down) and modelled class (across), with shares of the observed class."""
    counts = np.array(result.confusion, dtype=np.float64)
    count = len(result.classes)
    side = max(2.6, min(9.5, (0.62 if count <= MOST_WITH_SHARES else 0.42) * count))
    figure = new_figure(side + 2.6, side + 1.75, title)
    axes = figure.subplots()
    observed = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, observed, out=np.zeros_like(counts), where=observed > 0)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    _names(axes, result)
    _texts(axes, counts, shares)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=24, pad=0.02)
    bar.set_label("share of the observed class (%)")
    bar.outline.set_visible(False)
    axes.set_title(
        f"n = {result.n:,}   accuracy = {result.accuracy:.3f}   mean recall = "
        f"{result.mean_recall:.3f}",
        fontweight="normal",
        fontsize=8,
    )
    return figure


def _names(axes: "Axes", result: Classification) -> None:
    places = range(len(result.classes))
    names = [middle_cut(one.name, 24) for one in result.classes]
    longest = max(len(name) for name in names)
    slanted = longest > 6
    axes.set_xticks(
        places,
        labels=names,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
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
    """Counts in every cell, with shares where there is room, light on dark."""
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
