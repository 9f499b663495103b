"""Numbers, ranges and intervals as text, and aligned tables of it."""

import math

from pipeline.evaluation.bootstrap import Interval

Table = tuple[list[str], list[list[str]]]
"""Head and lines."""
ALL_ROWS = "all"
"""Instead of the name of a group or class."""
DASH = "-"
"""Where a number is not known."""


def range_text(low: float, high: float) -> str:
    """``0.001 to 0.03``, where an end may be infinite because it is not known."""
    if math.isfinite(low) and math.isfinite(high):
        return f"{number(low)} to {number(high)}"
    if math.isfinite(low):
        return f"from {number(low)}"
    return f"up to {number(high)}" if math.isfinite(high) else "unknown"


def number(value: float, units: str = "") -> str:
    """Three digits, a dash where it is not known."""
    if not math.isfinite(value):
        return DASH
    places = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    text = f"{value:.{places}f}" if value == 0 or 0.01 <= abs(value) < 1e5 else f"{value:.3g}"
    return text + units


def percent(share: float | None) -> str:
    """``1.2 %``, and ``< 0.1 %`` where it is little but not nothing."""
    if share is None or not math.isfinite(share):
        return DASH
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def interval_text(one: Interval) -> str:
    """``1.31 to 1.40``."""
    return f"{number(one.low)} to {number(one.high)}" if math.isfinite(one.low) else DASH


def difference_text(one: Interval) -> str:
    """``+0.120 (+0.080 to +0.150)``."""
    value = _signed(one.value)
    if not math.isfinite(one.low):
        return value
    return f"{value} ({_signed(one.low)} to {_signed(one.high)})"


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def aligned(head: list[str], rows: list[list[str]]) -> str:
    """A table with columns as wide as they need; what begins with a number is set to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    right = [
        bool(rows) and all(row[i][:1] in "+-0123456789<" for row in rows) for i in range(len(head))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        ).rstrip()
        for cells in (head, *rows)
    ]
    return "\n".join((lines[0], DASH * len(lines[0]), *lines[1:]))
