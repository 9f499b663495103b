"""Metrics by group as dots: whether a model does as well at every site or on every cruise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import Metrics, metrics, rows_by_group
from pipeline.evaluation.pictures.axes import limits, say_nothing_to_draw, scale
from pipeline.evaluation.pictures.style import (
    DARK,
    DASHES,
    FACTOR,
    INK,
    LIGHT,
    is_log,
    middle_cut,
    new_figure,
    pretty_units,
    styled,
)
from pipeline.networks.variable import Variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_GROUPS = 30
FEWEST_ROWS = 3
"""Groups with fewer are put together: their metrics would be chance."""


@dataclass(frozen=True)
class _Dot:
    label: str
    numbers: Metrics
    single: bool
    """Whether it is one group, or several put together."""


@styled
def groups_picture(
    observed: npt.ArrayLike,
    modelled: npt.ArrayLike,
    groups: Iterable[object],
    output: Variable,
    log: bool | None = None,
    title: str = "",
) -> "Figure":
    """Bias and mean absolute error of each group, the largest group on top.

    Args:
        observed: with shape (n,).
        modelled: with shape (n,).
        groups: the group of each row.
        output: what the two are.
        log: whether logarithms are compared; as the network has the output where not given.
        title: above the panels; says which output it is where not given.
    """
    as_log = is_log(output) if log is None else log
    o = np.asarray(observed, dtype=np.float64)
    m = np.asarray(modelled, dtype=np.float64)
    overall = metrics(o, m, as_log)
    dots = _dots(o, m, groups, as_log)
    height = 0.2 * max(len(dots), 3) + 1.35
    figure = new_figure(7.2, height, title or f"{output.name} by group")
    left, right = figure.subplots(1, 2, sharey=True)
    best = 1.0 if as_log else 0.0
    _column(left, dots, [dot.numbers.bias for dot in dots], overall.bias, best, as_log)
    _column(right, dots, [dot.numbers.mae for dot in dots], overall.mae, best, as_log)
    units = FACTOR if as_log else pretty_units(output.units)
    left.set_xlabel(f"bias ({units})")
    right.set_xlabel(f"mean absolute error ({units})")
    right.tick_params(labelleft=False)
    _rows(left, dots)
    _legend(figure, dots)
    return figure


def _dots(
    observed: npt.NDArray[np.float64],
    modelled: npt.NDArray[np.float64],
    groups: Iterable[object],
    log: bool,
) -> list[_Dot]:
    names, rows = rows_by_group(groups, observed.size)
    of_groups = [metrics(observed[r], modelled[r], log) for r in rows]
    order = sorted(range(len(names)), key=lambda i: (-of_groups[i].n, names[i]))
    order = [i for i in order if of_groups[i].n]
    shown = [i for i in order if of_groups[i].n >= FEWEST_ROWS][:MOST_GROUPS]
    rest = [i for i in order if i not in set(shown)]
    if not shown:
        # Only small groups: better each by itself than one heap.
        shown, rest = order[:MOST_GROUPS], order[MOST_GROUPS:]
    if len(rest) == 1:
        shown, rest = shown + rest, []
    dots = [_Dot(_label(names[i], of_groups[i]), of_groups[i], single=True) for i in shown]
    if rest:
        together = np.concatenate([rows[i] for i in rest])
        numbers = metrics(observed[together], modelled[together], log)
        dots.append(_Dot(_label(f"{len(rest):,} smaller groups", numbers), numbers, single=False))
    return dots


def _label(name: str, numbers: Metrics) -> str:
    return f"{middle_cut(name, 32)}  n={numbers.n:,}"


def _column(
    axes: "Axes",
    dots: list[_Dot],
    values: Sequence[float],
    overall: float,
    best: float,
    log: bool,
) -> None:
    known = np.array([*values, overall, best], dtype=np.float64)
    scale(axes, "x", _padded(_limits(known, log), log), log, most=5)
    axes.axvline(best, color=INK, linewidth=0.9, zorder=2)
    if np.isfinite(overall):
        axes.axvline(overall, color=LIGHT, linewidth=1.4, linestyle=DASHES, zorder=2)
    for place, (dot, value) in enumerate(zip(dots, values, strict=True)):
        axes.plot(
            value,
            place,
            marker="o" if dot.single else "D",
            markersize=5,
            markerfacecolor=DARK if dot.single else "white",
            markeredgecolor=DARK,
            zorder=4,
        )


def _limits(known: npt.NDArray[np.float64], log: bool) -> tuple[float, float]:
    shown = known[np.isfinite(known)]
    # Every dot is to be seen: there are few, so the farthest is no outlier of the picture.
    ends = np.array([shown.min(), shown.max()])
    return limits(ends, log, least_decades=0.12)


def _padded(ends: tuple[float, float], log: bool) -> tuple[float, float]:
    low, high = np.log10(ends) if log else ends
    pad = 0.03 * (high - low)
    return (10.0 ** (low - pad), 10.0 ** (high + pad)) if log else (low - pad, high + pad)


def _rows(axes: "Axes", dots: list[_Dot]) -> None:
    axes.set_yticks(range(len(dots)), labels=[dot.label for dot in dots])
    axes.set_ylim(max(len(dots), 1) - 0.4, -0.6)
    if not dots:
        say_nothing_to_draw(axes, "no row to compare")


def _legend(figure: "Figure", dots: list[_Dot]) -> None:
    from matplotlib.lines import Line2D

    dot = {"linestyle": "none", "marker": "o", "color": DARK, "markersize": 5}
    handles = [
        Line2D([], [], label="group", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=LIGHT, linestyle=DASHES, label="all rows"),
        Line2D([], [], color=INK, linewidth=0.9, label="perfect"),
    ]
    if any(not dot.single for dot in dots):
        together = Line2D([], [], linestyle="none", marker="D", markerfacecolor="white")
        together.set(markeredgecolor=DARK, markersize=5, label="small groups together")
        handles.insert(1, together)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
