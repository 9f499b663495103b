"""A row of units between the header and the values, as ERDDAP writes it."""

import re
from collections.abc import Sequence

from pipeline.tables.cells import NO_VALUE, NumberedRow
from pipeline.tables.table import is_number
from pipeline.tables.units import factor_between
from pipeline.times.formats import formats_in_units
from pipeline.times.text import parse_time

# ERDDAP writes 1 for the units of an index or a reflectance, and 1e-3 for a salinity.
_POWERS = frozenset(("1", "1.0", "0.001", "1e-3", "1E-3", "1e-6"))
_PLACE_OR_UTC = re.compile(r"utc|gmt|deg(?:ree)?s?(?:[_ ]?(?:north|east|n|e))?", re.IGNORECASE)
_UNKNOWN_TO_PINT = frozenset(("psu", "pss-78", "ntu", "fnu", "ph", "decimal degrees"))
_NO_UNITS = re.compile(
    r"[<>~*?#\d]|(?:b|l)[.]?[dl][.]?[dlq]?[.]?$|n[.]?[da][.]?$|missing|trace|below|no ",
    re.IGNORECASE,
)


def split_units_row(
    names: Sequence[str], rows: list[NumberedRow]
) -> tuple[dict[str, str], list[NumberedRow], list[str]]:
    """Return the units in the first row, the other rows, and a message.

    A first row of units has no times and no numbers. Only a row with degrees or UTC may contain 1
    or powers of ten. At least one column has units in this row, and numbers or times in the rows
    below.
    """
    if len(rows) < 2:
        return {}, rows, []
    number, first = rows[0]
    # This comes first, because a table rarely has such a row and may have millions of others.
    first = [_plain(cell) for cell in first]
    has_place_or_utc = any(_PLACE_OR_UTC.fullmatch(cell) for cell in first)
    if any(_is_value(cell) and not (has_place_or_utc and cell in _POWERS) for cell in first):
        return {}, rows, []
    measured = [
        place for place in range(len(names)) if _are_values([cells[place] for _, cells in rows[1:]])
    ]
    if not any(_are_units(first[place]) for place in measured):
        return {}, rows, []
    units = {name: cell for name, cell in zip(names, first, strict=True) if cell}
    return units, rows[1:], [f"line {number} is read as the units of the columns"]


def _plain(cell: str) -> str:
    """Return a cell without brackets around all of it: ``(mg/m3)`` is ``mg/m3``."""
    inner = cell[1:-1]
    is_bracketed = cell[:1] + cell[-1:] in ("()", "[]") and not set(inner) & set("()[]")
    return inner.strip() if is_bracketed else cell


def _are_units(cell: str) -> bool:
    """True for units; False for other texts, such as ``<0.05`` or a word for a missing value."""
    is_word = cell.lower() in NO_VALUE or _NO_UNITS.match(cell) is not None
    return not is_word and (
        _PLACE_OR_UTC.fullmatch(cell) is not None
        or cell.lower() in _UNKNOWN_TO_PINT
        or factor_between(cell, cell) is not None
        or formats_in_units(cell) != (None,)
    )


def _are_values(cells: Sequence[str]) -> bool:
    present = [cell for cell in cells if cell.lower() not in NO_VALUE]
    return bool(present) and all(map(_is_value, present))


def _is_value(cell: str) -> bool:
    is_measured = is_number(cell) and cell.lower() not in NO_VALUE
    return is_measured or parse_time(cell) is not None
