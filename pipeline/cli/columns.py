"""Lays out rows of texts as lines with aligned columns."""

from collections.abc import Mapping, Sequence
from typing import Any

MOST_SHOWN = 6
_BETWEEN = "  "


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns; an empty column is left out."""
    used = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])] if rows else []
    widths = [max(len(row[i]) for row in rows) for i in used]
    return [
        _BETWEEN.join(f"{row[i]:<{width}}" for i, width in zip(used, widths, strict=True)).rstrip()
        for row in rows
    ]


def as_cell(value: Any, most: int = MOST_SHOWN) -> str:
    """Return plain data as a short text: for a long list, the first entries and their number."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return as_cell([f"{key}: {entry}" for key, entry in value.items()], most)
    if isinstance(value, list):
        shown = ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value)
        if len(value) <= most:
            return shown
        return f"{as_cell(value[:most])} ... ({len(value)})"
    return str(value)
