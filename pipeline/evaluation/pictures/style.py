"""Style of all pictures: fonts, colours, names with units, and reproducible bytes."""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from pipeline.evaluation.bootstrap import Interval
from pipeline.machine.printable import plain_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from pipeline.networks.variable import Variable

DPI = 150
# DARK and LIGHT differ in grey print and for the colour-blind; after Okabe and Ito 2008.
DARK = "#1f3b5c"
LIGHT = "#d9822b"
POINTS = "#7d93ab"
BAND = "#f0c896"
RULE = "#555555"
GRID = "#e3e3e3"
INK = "#222222"
DENSITY = "viridis"
"""Colour map of counts; low counts are dark, so that a single row is visible on white."""

Look = dict[str, Any]
"""Arguments of matplotlib that define how lines, markers or texts look."""
SETTINGS: Look = {
    "font.family": ["DejaVu Sans"],  # part of matplotlib, so pictures are the same everywhere
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.labelsize": 8.0,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
TITLE_SIZE = 10.5

TIMES = "\u00d7"
FACTOR = "factor"
"""Text that replaces the units in metrics of logarithms."""
DASHES = (0, (4, 1.5))

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"(?<=[A-Za-z])-?\d+\b")


@contextmanager
def own_style() -> Iterator[None]:
    """Draw in the style of these pictures; settings in the user's matplotlibrc are ignored."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", SETTINGS))
        yield


def new_figure(width: float, height: float, title: str = "") -> "Figure":
    """Return an empty figure (size in inches) with an automatic layout and no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    room_around = ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07, wspace=0.03, hspace=0.03)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=room_around)
    FigureCanvasAgg(figure)
    if title:
        room = int(width * 11)
        figure.suptitle(shortened(title, room, 2), fontsize=TITLE_SIZE, fontweight="bold")
    return figure


def panels(figure: "Figure", rows: int, columns: int, used: int) -> list["Axes"]:
    """Return the first ``used`` panels of a grid, and hide the other panels."""
    grid = list(figure.subplots(rows, columns, squeeze=False).reshape(-1))
    for empty in grid[used:]:
        empty.set_axis_off()
    return grid[:used]


def png(figure: "Figure") -> bytes:
    """Return the figure as a PNG of 150 dpi; equal figures give equal bytes."""
    buffer = io.BytesIO()
    plain_texts(figure)
    with own_style():
        # Otherwise the file would name the version of matplotlib.
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def key(label: str, **look: Any) -> "Line2D":
    """Return an entry of a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **look)


def marker(shape: str, size: float, fill: str, edge: str = DARK, width: float = 1.3) -> Look:
    """Return the arguments of matplotlib for a marker with an edge."""
    return {
        "linestyle": "none",
        "marker": shape,
        "markersize": size,
        "markerfacecolor": fill,
        "markeredgecolor": edge,
        "markeredgewidth": width,
    }


def level_text(intervals: Iterable[Interval]) -> str:
    """Return the level of intervals as ``95% ``, or an empty text if there are none."""
    level = max((one.level for one in intervals), default=None)
    return "" if level is None else f"{level:.0%} "


def pretty_units(units: str) -> str:
    """Return ``mg m⁻³`` for ``mg m-3``."""
    return _POWER.sub(lambda power: power.group().translate(_SUPERSCRIPTS), units)


def with_units(text: str, units: str) -> str:
    """Return a label with its units, such as ``observed (m⁻¹)``; without units, only the label.

    The label of a dimensionless quantity is ``observed (1)``.
    """
    return f"{text} ({pretty_units(units)})" if units else text


def shortened(text: str, width: int, lines: int = 1) -> str:
    """Shorten a text to ``lines`` lines of ``width`` letters, with an ellipsis at the end."""
    broken = _wrapped(text, width)
    if len(broken) > lines:
        last = broken[lines - 1]
        broken = [*broken[: lines - 1], last[: max(1, width - 1)].rstrip() + "…"]
    return "\n".join(broken)


def middle_cut(text: str, width: int) -> str:
    """Cut the middle of a text that is too long, because names often differ at the end."""
    if len(text) <= width:
        return text
    behind = (width - 1) // 2
    return f"{text[: width - 1 - behind].rstrip()}…{text[-behind:].lstrip()}"


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines, at spaces or after underscores; cut pieces longer than ``width``."""
    lines: list[str] = []
    line = ""
    for piece in re.findall(r"[^\s_]*_+|[^\s_]+\s*|\s+", text):
        if len(line) + len(piece.rstrip()) > width and line:
            lines.append(line.rstrip())
            line = ""
        line += piece
        while len(line.rstrip()) > width:
            lines.append(line[:width])
            line = line[width:]
    return [*lines, line.rstrip()] if line.strip() else lines or [""]


def label_of(variable: "Variable", width: int = 40, lines: int = 2) -> str:
    """Return the label of an axis: name and units, on one line if they fit."""
    name = shortened(variable.name, width, lines)
    units = pretty_units(variable.units)
    joined = f"{name} ({units})"
    return joined if len(joined.splitlines()[-1]) <= width + 2 else f"{name}\n({units})"
