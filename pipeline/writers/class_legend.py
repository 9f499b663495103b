"""The colours of a class map, and a legend of the classes with their shares."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that colour-blind readers can distinguish (Okabe and Ito 2008, Color Universal Design),
# without black, and none near the colours of land, cloud and other masks.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#f0e442", "#cc3d8f")
MOST_ACROSS = 3


def is_class_map(variable: xr.DataArray) -> bool:
    """Whether the values of a variable are classes instead of amounts."""
    return "flag_values" in variable.attrs


def class_colours(variable: xr.DataArray) -> dict[str, Any]:
    """Return the colour map and norm of a class map, for ``pcolormesh``."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    values = np.atleast_1d(variable.attrs["flag_values"]).astype(float)
    edges = np.append(values - 0.5, values[-1] + 0.5)
    return {
        "cmap": ListedColormap(_colours(values.size)),
        "norm": BoundaryNorm(edges, values.size),
    }


def draw_class_legend(panel: "Axes", variable: xr.DataArray, title: str) -> None:
    """Draw a legend below a map: each class with its share of the classified pixels of the map."""
    from matplotlib.patches import Patch

    names = str(variable.attrs["flag_meanings"]).split()
    values = np.atleast_1d(variable.attrs["flag_values"])
    counts = np.array([np.count_nonzero(variable.values == value) for value in values])
    shares = counts / max(1, counts.sum())
    patches = [
        Patch(facecolor=colour, edgecolor="0.4", linewidth=0.5, label=f"{name} {_percent(share)}")
        for name, share, colour in zip(names, shares, _colours(values.size), strict=True)
    ]
    legend = panel.legend(
        handles=patches,
        title=title,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=min(len(patches), MOST_ACROSS),
        frameon=False,
        fontsize=8,
        title_fontsize=8,
    )
    legend.set_in_layout(True)


def _colours(count: int) -> list[Any]:
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    from matplotlib import colormaps

    return list(colormaps["turbo"](np.linspace(0.05, 0.95, count)))


def _percent(share: float) -> str:
    """Format a share as ``12 %``; a small share becomes ``< 1 %`` instead of ``0 %``."""
    return "< 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")
