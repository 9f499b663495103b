"""A row of units between the header and the values, as ERDDAP writes it."""

from collections.abc import Sequence

from pipeline.tables.cells import NO_VALUE, NumberedRow
from pipeline.tables.table import is_number
from pipeline.times.text import parse_time


def split_units_row(
    names: Sequence[str], rows: list[NumberedRow]
) -> tuple[dict[str, str], list[NumberedRow], list[str]]:
    """Return the units in the first row, the other rows, and a message.

    If the first row has no units, return no units, all rows and no message. The first row has units
    if it has no number and no time, and if it has a text above a column of numbers or times.
    """
    if len(rows) < 2:
        return {}, rows, []
    number, first = rows[0]
    # This comes first, because a table rarely has such a row and may have millions of others.
    if any(_is_value(cell) for cell in first):
        return {}, rows, []
    measured = [
        place for place in range(len(names)) if _are_values([cells[place] for _, cells in rows[1:]])
    ]
    if not any(first[place] for place in measured):
        return {}, rows, []
    units = {name: cell for name, cell in zip(names, first, strict=True) if cell}
    return units, rows[1:], [f"line {number} is read as the units of the columns"]


def _are_values(cells: Sequence[str]) -> bool:
    present = [cell for cell in cells if cell.lower() not in NO_VALUE]
    return bool(present) and all(map(_is_value, present))


def _is_value(cell: str) -> bool:
    is_measured = is_number(cell) and cell.lower() not in NO_VALUE
    return is_measured or parse_time(cell) is not None
