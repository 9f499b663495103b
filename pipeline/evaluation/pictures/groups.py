"""Picture of metrics by group: is a model equally good at every site or on every cruise?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import Array, Metrics, largest_first, metrics, rows_by_group
from pipeline.evaluation.pictures import style
from pipeline.evaluation.pictures.axes import limits_of_all, name_lines, say_nothing_to_draw, scale
from pipeline.evaluation.ranges import is_log
from pipeline.networks.variable import Variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_GROUPS = 30
FEWEST_ROWS = 3
"""A group with at least this many rows is drawn alone; smaller groups are pooled."""


GROUP = style.marker("o", 5, style.DARK, width=1.0)
SEVERAL = style.marker("D", 5, "white", width=1.0)


@dataclass(frozen=True)
class _Dot:
    label: str
    numbers: Metrics
    single: bool
    """True for one group, False for several small groups together."""


@style.own_style()
def groups_picture(
    observed: npt.ArrayLike,
    modelled: npt.ArrayLike,
    groups: Iterable[object],
    output: Variable,
    log: bool | None = None,
) -> "Figure":
    """Draw bias and mean absolute error of each group, the largest group on top.

    Logarithms are compared if ``log`` is true; by default, they are compared if the network
    computes the logarithm of the output.
    """
    as_log = is_log(output) if log is None else log
    o = np.asarray(observed, dtype=np.float64)
    m = np.asarray(modelled, dtype=np.float64)
    overall = metrics(o, m, as_log)
    dots = _dots(o, m, groups, as_log)
    height = 0.2 * max(len(dots), 3) + 1.35
    figure = style.new_figure(7.2, height, f"{output.name} by group")
    left, right = figure.subplots(1, 2, sharey=True)
    best = 1.0 if as_log else 0.0
    _column(left, dots, [dot.numbers["bias"] for dot in dots], overall["bias"], best, as_log)
    _column(right, dots, [dot.numbers["mae"] for dot in dots], overall["mae"], best, as_log)
    units = style.FACTOR if as_log else style.pretty_units(output.units)
    left.set_xlabel(f"bias ({units})")
    right.set_xlabel(f"mean absolute error ({units})")
    right.tick_params(labelleft=False)
    name_lines(left, [dot.label for dot in dots])
    if not dots:
        say_nothing_to_draw(left, "no row to compare")
    _legend(figure, dots)
    return figure


def _dots(observed: Array, modelled: Array, groups: Iterable[object], log: bool) -> list[_Dot]:
    rows = rows_by_group(groups, observed.size)
    found = {name: metrics(observed[r], modelled[r], log) for name, r in rows.items()}
    order = largest_first({name: one.n for name, one in found.items()})
    shown = [name for name in order if found[name].n >= FEWEST_ROWS][:MOST_GROUPS]
    rest = [name for name in order if name not in set(shown)]
    if not shown:
        # If all groups are small, they are drawn alone: one pool of all groups would show less.
        shown, rest = order[:MOST_GROUPS], order[MOST_GROUPS:]
    if len(rest) == 1:
        shown, rest = shown + rest, []
    dots = [_Dot(_label(name, found[name]), found[name], single=True) for name in shown]
    if rest:
        together = np.concatenate([rows[name] for name in rest])
        numbers = metrics(observed[together], modelled[together], log)
        dots.append(_Dot(_label(f"{len(rest):,} smaller groups", numbers), numbers, single=False))
    return dots


def _label(name: str, numbers: Metrics) -> str:
    return f"{style.middle_cut(name, 32)}  n={numbers.n:,}"


def _column(
    axes: "Axes", dots: list[_Dot], values: Sequence[float], overall: float, best: float, log: bool
) -> None:
    known = np.array([*values, overall, best], dtype=np.float64)
    ends = limits_of_all(known[np.isfinite(known)], log)
    scale(axes, "x", _padded(ends, log), log, most=5)
    axes.axvline(best, color=style.INK, linewidth=0.9, zorder=2)
    if np.isfinite(overall):
        axes.axvline(overall, color=style.LIGHT, linewidth=1.4, linestyle=style.DASHES, zorder=2)
    for place, (dot, value) in enumerate(zip(dots, values, strict=True)):
        axes.plot(value, place, zorder=4, **(GROUP if dot.single else SEVERAL))


def _padded(ends: tuple[float, float], log: bool) -> tuple[float, float]:
    low, high = np.log10(ends) if log else ends
    pad = 0.03 * (high - low)
    return (10.0 ** (low - pad), 10.0 ** (high + pad)) if log else (low - pad, high + pad)


def _legend(figure: "Figure", dots: list[_Dot]) -> None:
    handles = [
        style.key("group", **GROUP),
        style.key("all rows", color=style.LIGHT, linestyle=style.DASHES),
        style.key("perfect", color=style.INK, linewidth=0.9),
    ]
    if any(not dot.single for dot in dots):
        handles.insert(1, style.key("small groups together", **SEVERAL))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
