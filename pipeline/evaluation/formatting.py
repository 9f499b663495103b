"""Numbers, ranges and intervals as text."""

import math
from collections.abc import Iterable
from typing import Any

from pipeline.evaluation.bootstrap import FEW_GROUPS, Interval

ALL_ROWS = "all"
"""A CSV row about all groups (or classes) has this text instead of the name of a group (class)."""
DASH = "-"
"""Text for an unknown number."""


def range_text(low: float, high: float) -> str:
    """Return a range as ``0.001 to 0.03``; an infinite limit means that it is unknown."""
    if math.isfinite(low) and math.isfinite(high):
        return f"{number(low)} to {number(high)}"
    if math.isfinite(low):
        return f"from {number(low)}"
    return f"up to {number(high)}" if math.isfinite(high) else "unknown"


def number(value: float, units: str = "") -> str:
    """Return a number with about three digits, or a dash if the number is not finite."""
    if not math.isfinite(value):
        return DASH
    places = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    text = f"{value:.{places}f}" if value == 0 or 0.01 <= abs(value) < 1e5 else f"{value:.3g}"
    return text + units


def csv_number(value: Any) -> str:
    """Return ``true``, ``false``, a number with 8 digits, or "" for a number that is not finite."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.8g}" if math.isfinite(value) else ""
    return str(value)


def percent(share: float | None) -> str:
    """Return ``1.2 %``, or ``< 0.1 %`` for a share that is small but not zero."""
    if share is None or not math.isfinite(share):
        return DASH
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def interval_text(one: Interval) -> str:
    """Return ``1.31 to 1.40``."""
    return f"{number(one.low)} to {number(one.high)}" if math.isfinite(one.low) else DASH


def difference_text(one: Interval | None) -> str:
    """Return ``+0.120 (+0.080 to +0.150)``, or a dash if nothing was compared."""
    if one is None:
        return DASH
    value = _signed(one.value)
    if not math.isfinite(one.low):
        return value
    return f"{value} ({_signed(one.low)} to {_signed(one.high)})"


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def few_groups_warning(intervals: Iterable[Interval], drawn: str) -> str:
    """Return a warning if intervals are from few groups, else "".

    ``drawn`` is the word for the units that the bootstrap draws: groups or rows.
    """
    fewest = min((one.groups for one in intervals if math.isfinite(one.low)), default=FEW_GROUPS)
    if fewest >= FEW_GROUPS:
        return ""
    return (
        f"Warning: intervals from fewer than {FEW_GROUPS} {drawn} (here {fewest}) may contain the "
        "true value less often than their nominal level says."
    )
