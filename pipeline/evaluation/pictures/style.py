"""What all pictures have in common: type, colours, names with units, bytes that do not change."""

import functools
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pipeline.networks.variable import Variable

P = ParamSpec("P")
R = TypeVar("R")

DPI = 150
# Dark and light in grey, apart for the colour-blind; after Okabe and Ito 2008.
DARK = "#1f3b5c"
LIGHT = "#d9822b"
POINTS = "#7d93ab"
BAND = "#f0c896"
RULE = "#555555"
GRID = "#e3e3e3"
INK = "#222222"
DENSITY = "viridis"
"""Dark where there are few, so that a single row shows on white."""

SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so pictures are equal everywhere
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
"""What the metrics of logarithms are measured in."""
DASHES = (0, (4, 1.5))

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"(?<=[A-Za-z])-?\d+\b")


@contextmanager
def own_style() -> Iterator[None]:
    """The settings of these pictures and no others, whatever the user's matplotlibrc says."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast("Any", SETTINGS))
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw in the style of these pictures."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with own_style():
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, title: str = "") -> "Figure":
    """An empty figure (inches) that lays itself out and belongs to no window."""
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
    """The first ``used`` panels of a grid; the others are left empty."""
    grid = list(figure.subplots(rows, columns, squeeze=False).reshape(-1))
    for empty in grid[used:]:
        empty.set_axis_off()
    return grid[:used]


def png(figure: "Figure") -> bytes:
    """The figure as a PNG of 150 dpi; equal figures are equal bytes."""
    buffer = io.BytesIO()
    with own_style():
        # Without this the file would name the version of matplotlib.
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def pretty_units(units: str) -> str:
    """``mg m⁻³`` for ``mg m-3``."""
    return _POWER.sub(lambda power: power.group().translate(_SUPERSCRIPTS), units)


def with_units(text: str, units: str) -> str:
    """``observed (m⁻¹)``; (1) is said of what has no dimension."""
    return f"{text} ({pretty_units(units)})" if units else text


def shortened(text: str, width: int, lines: int = 1) -> str:
    """At most so many lines of so many letters, with an ellipsis where it was longer."""
    broken = _wrapped(text, width)
    if len(broken) > lines:
        last = broken[lines - 1]
        broken = [*broken[: lines - 1], last[: max(1, width - 1)].rstrip() + "…"]
    return "\n".join(broken)


def middle_cut(text: str, width: int) -> str:
    """At most so many letters, both ends of what was longer: cruises differ in their last ones."""
    if len(text) <= width:
        return text
    behind = (width - 1) // 2
    return f"{text[: width - 1 - behind].rstrip()}…{text[-behind:].lstrip()}"


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that break at spaces, else after an underscore, else anywhere."""
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
    """Name and units on one line where they fit, as the label of an axis."""
    name = shortened(variable.name, width, lines)
    units = pretty_units(variable.units)
    joined = f"{name} ({units})"
    return joined if len(joined.splitlines()[-1]) <= width + 2 else f"{name}\n({units})"


def is_log(variable: "Variable") -> bool:
    """Whether a variable is shown and compared as a logarithm, as the network has it."""
    return variable.transform.ln_per_unit is not None
