"""Linear and logarithmic axes: limits that fit the values, and readable ticks."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.evaluation.metrics import Array
from pipeline.evaluation.pictures.style import INK, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Which = Literal["x", "y"]
TAIL = 0.01
"""Share of the values that may lie outside an axis at each of its ends."""
REACH = 0.6
"""An axis may show more than the middle 98 % of the values. At each end, it is then longer by at
most this share of the distance between the lowest and the highest of these values."""
PADDING = 0.04
LEAST_DECADES = 0.5


def limits(values: Array, log: bool, least_decades: float = LEAST_DECADES) -> tuple[float, float]:
    """Return the ends of an axis that shows usable values; the two ends are never equal."""
    if values.size == 0:
        return (0.1, 10.0) if log else (0.0, 1.0)
    shown = np.log10(values) if log else values
    low, high = _ends(shown)
    # Nearly equal values would give an axis that shows only their rounding errors.
    least = least_decades if log else 0.02 * max(abs(low), abs(high)) or 1.0
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    pad = PADDING * (high - low)
    low, high = low - pad, high + pad
    return (10.0**low, 10.0**high) if log else (low, high)


def limits_of_all(values: Array, log: bool) -> tuple[float, float]:
    """Return the ends of an axis that shows every value, even the farthest."""
    ends = np.array([values.min(), values.max()]) if values.size else values
    return limits(ends, log, least_decades=0.12)


def log_limits(
    values: Iterable[Array], share: float = 0.06, factor: float = 1.0
) -> tuple[float, float]:
    """Return the ends of a logarithmic axis that shows every positive value.

    Values that span d powers of ten get a margin of ``share`` x d powers of ten at each end.
    The upper end is then multiplied by ``factor``, and the lower end is divided by ``factor``.
    """
    every = np.concatenate([np.asarray(each, dtype=np.float64).reshape(-1) for each in values])
    known = every[np.isfinite(every) & (every > 0)]
    if known.size == 0:
        return 0.1, 10.0
    low, high = float(known.min()), float(known.max())
    # Equal values need room, too.
    room = math.pow(max(high / low, 1.5), share) * factor
    return low / room, high * room


def _ends(shown: Array) -> tuple[float, float]:
    first, last = np.quantile(shown, [TAIL, 1 - TAIL])
    reach = REACH * (last - first)
    return max(float(shown.min()), first - reach), min(float(shown.max()), last + reach)


def scale(axes: "Axes", which: Which, ends: tuple[float, float], log: bool, most: int = 6) -> None:
    """Set limits and scale of one axis; it gets at most ``most`` ticks, which do not overlap."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    set_scale = axes.set_xscale if which == "x" else axes.set_yscale
    set_scale("log" if log else "linear")
    set_limits(*ends)
    if log:
        log_ticks(axis, *ends, most=most)
    else:
        from matplotlib.ticker import MaxNLocator

        axis.set_major_locator(MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10]))


def log_ticks(axis: object, low: float, high: float, most: int = 6) -> None:
    """Set ticks at round values; if plain labels would be too long, write powers of ten."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

    marks = _marks(low, high, most)
    # Long labels such as 0.0001 fit only if there are few labels.
    shortest = 0.9e-4 if len(marks) <= 4 else 0.9e-3
    plain = bool(marks) and marks[0] >= shortest and marks[-1] < 1.1e4
    axis.set_major_locator(FixedLocator(marks))  # type: ignore[attr-defined]
    axis.set_major_formatter(  # type: ignore[attr-defined]
        FuncFormatter(lambda value, _: f"{value:g}" if plain else power_of_ten(value))
    )
    decades = math.log10(high / low)
    within = LogLocator(subs="auto" if decades > 1 else "all", numticks=200)
    axis.set_minor_locator(within)  # type: ignore[attr-defined]
    axis.set_minor_formatter(NullFormatter())  # type: ignore[attr-defined]


def power_of_ten(value: float) -> str:
    """Return a tick label as mathematical text: ``10⁻⁴``, or ``2 x 10⁻⁴`` between powers of ten."""
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    front = "" if abs(factor - 1) < 1e-6 else rf"{factor:g}\times "
    return rf"${front}10^{{{exponent}}}$"


def _marks(low: float, high: float, most: int) -> list[float]:
    """Return round values between low and high: as many as possible, but at most ``most``."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in (_TENTHS, _FIFTHS, (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        marks = [f * 10.0**e for e in range(first, last + 1) for f in factors]
        inside = [mark for mark in marks if low <= mark <= high]
        if len(inside) <= most:
            return inside
    step = math.ceil((last - first) / most)
    powers = [10.0**e for e in range(first, last + 1) if e % step == 0]
    return [mark for mark in powers if low <= mark <= high]


_FIFTHS = (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 8)
_TENTHS = tuple(n / 10 for n in range(10, 20)) + tuple(n / 10 for n in range(20, 100, 5))


def name_lines(axes: "Axes", names: Sequence[str]) -> None:
    """Label the horizontal lines of a panel; the first line is on top."""
    axes.set_yticks(range(len(names)), labels=names)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)


def one_to_one(axes: "Axes", ends: tuple[float, float], above: bool) -> None:
    """Draw the 1:1 line in front of the data or behind them, visible on light and dark colours."""
    from matplotlib.patheffects import Normal, Stroke

    axes.plot(
        ends,
        ends,
        color=INK,
        linewidth=1.1,
        zorder=5 if above else 2,
        path_effects=[Stroke(linewidth=2.6, foreground="white", alpha=0.8), Normal()],
    )


def say_nothing_to_draw(axes: "Axes", text: str) -> None:
    """Write a text in the middle of a panel without data."""
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=RULE,
        fontsize=9,
        bbox={"fc": "white", "ec": "none"},
        zorder=6,
    )
