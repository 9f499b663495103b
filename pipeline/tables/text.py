"""Reads CSV and similar text tables: a header line, rows, and comment lines with ``#``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError
from pipeline.files.contents import sha256_of
from pipeline.files.spreadsheet import comment_as_it_was
from pipeline.tables.cells import (
    NumberedLine,
    delimiter_of,
    read_lines,
    split_cells,
    split_rows,
    typed_columns,
)
from pipeline.tables.comments import licence_in, missing_in, units_in
from pipeline.tables.names import header_of
from pipeline.tables.table import Table, is_number, places, table_error
from pipeline.tables.units import SAYS_NOTHING
from pipeline.tables.units_row import split_units_row


def read_text(path: Path, missing: Sequence[float] = (), delimiter: str | None = None) -> Table:
    """Return the table in a text file, which may be gzipped.

    Commas, tabs, semicolons or blanks separate the cells.

    Units may be in the header (``chl [mg m-3]``), in a row below it, or in a comment.

    Args:
        path: the file.
        missing: numbers that stand for a missing value, besides numbers that comments state.
        delimiter: delimiter of the cells; by default, it is found in the header line.

    Raises:
        ConfigError: the header is missing, or lines differ in number of cells.
    """
    return commented_table(path, "#", missing, delimiter)[0]


def commented_table(
    path: Path, mark: str, missing: Sequence[float], delimiter: str | None
) -> tuple[Table, list[str]]:
    """Return the table in a text file, and its comment lines, which begin with ``mark``."""
    numbered = list(enumerate(read_lines(path), start=1))
    comments = [comment_as_it_was(line) for _, line in numbered if line.startswith(mark)]
    lines = [(n, line) for n, line in numbered if not line.startswith(mark)]
    table = table_of_lines(path, lines, comments, missing, delimiter)
    header = next((n, line) for n, line in lines if line.strip())
    below = [(n, line[1:]) for n, line in numbered if line.startswith(mark) and n > header[0]]
    rows = _rows_among(below, delimiter or delimiter_of(header[1]), len(table.columns))
    told = (
        [f"{places('line', rows)} could be rows, but begin with {mark}: not used"] if rows else []
    )
    return dataclasses.replace(table, told=(*table.told, *told)), comments


def _refuse_title(name: str, lines: Sequence[NumberedLine]) -> None:
    """Refuse a first line without the delimiter that all lines below it have."""
    first, *below = (line for _, line in lines)
    width = len(first.split())
    if width > 1 and all(len(line.split()) == width for line in below):
        return
    if below and all(delimiter_of(line) for line in below):
        raise table_error(
            name,
            f"expected names of columns in the first line, found {first.strip()[:60]!r} without "
            "the delimiter of the lines below. Remove lines above the header, or begin them with #",
        )


def _rows_among(comments: Sequence[NumberedLine], mark: str | None, width: int) -> list[int]:
    """Return the line numbers of comments with ``width`` cells, of which some are numbers."""
    split = [(number, split_cells(line, mark)) for number, line in comments]
    return [
        number
        for number, cells in split
        if len(cells) == width > 1 and any(is_number(cell) for cell in cells[1:])
    ]


def table_of_lines(
    path: Path,
    lines: Sequence[NumberedLine],
    comments: Sequence[str],
    missing: Sequence[float],
    delimiter: str | None,
    *,
    quoted: bool = True,
    may_have_more: bool = False,
) -> Table:
    """Return the table in numbered lines; the first line is the header.

    Args:
        path: the file.
        lines: the header and the rows.
        comments: lines that may state missing values, units and a licence.
        missing: numbers that stand for a missing value.
        delimiter: delimiter of the cells; by default, it is found in the header line.
        quoted: whether a cell in double quotes may contain the delimiter.
        may_have_more: whether rows may have more cells than the header; extra cells are left out.

    Raises:
        ConfigError: the header is missing, or lines differ in number of cells.
    """
    lines = [(number, line) for number, line in lines if line.strip()]
    if not lines:
        raise table_error(path.name, "no header line, expected names of columns and rows below it")
    delimiter = delimiter or delimiter_of(lines[0][1])
    if delimiter is None:
        _refuse_title(path.name, lines)
    header = header_of(path.name, split_cells(lines[0][1], delimiter, quoted=quoted))
    names = header.names
    rows = split_rows(
        *(path.name, lines[1:], delimiter, len(names)), quoted=quoted, may_have_more=may_have_more
    )
    units_below, rows, told = split_units_row(names, rows)
    said = units_in(path.name, comments, names) | units_below | dict(header.units)
    return Table(
        path=path,
        sha256=sha256_of(path, ConfigError),
        columns=typed_columns(names, rows, (*missing_in(comments), *missing)),
        units={name: units for name, units in said.items() if units.lower() not in SAYS_NOTHING},
        rows=np.array([number for number, _ in rows], dtype=np.int64),
        row_word="line",
        told=(*header.told, *told),
        licence=licence_in(comments),
        repeated=header.repeated,
    )
