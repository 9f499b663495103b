"""Make tables from columns: as aligned text, as CSV, or as rows for the model card."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pipeline.files.spreadsheet import csv_line
from pipeline.machine.printable import printable

T = TypeVar("T")
U = TypeVar("U")

TextTable = tuple[list[str], list[list[str]]]
"""The head and the rows of a table, one text per cell."""


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table."""

    head: str
    cell: Callable[[T], Any]
    """Returns the value of the column for one item."""

    def within(self, part: Callable[[U], T]) -> "Column[U]":
        """Return a copy of this column for items of another type.

        ``part`` turns an item of that type into an item from which ``cell`` computes the value.
        """
        return Column(self.head, lambda item: self.cell(part(item)))


def keyed(name: str) -> Column[Mapping[str, Any]]:
    """Return a column with the value of a key; if an item lacks the key, its cell is empty."""
    return Column(name, lambda item: item.get(name, ""))


def table(columns: Sequence[Column[T]], items: Iterable[T]) -> TextTable:
    """Return a table with one row per item."""
    rows = [[printable(str(column.cell(item))) for column in columns] for item in items]
    return [printable(column.head) for column in columns], rows


def csv_text(
    columns: Sequence[Column[T]], items: Iterable[T], written: Callable[[Any], Any] = lambda v: v
) -> str:
    """Return a CSV file with one line per item; the function ``written`` formats each cell."""
    lines = [csv_line(column.head for column in columns)]
    lines += [csv_line(written(column.cell(item)) for column in columns) for item in items]
    return "\n".join((*lines, ""))


def aligned(content: TextTable) -> str:
    """Return a table for a terminal; columns of numbers are aligned to the right."""
    head, rows = content
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
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:]))
