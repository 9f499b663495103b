"""Reads lines of text as typed columns: numbers, text and missing values."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError
from pipeline.files.compressed import read_inflated
from pipeline.files.limits import (
    CELL_CHARACTERS,
    TABLE_BYTES,
    TABLE_CELLS,
    TABLE_COLUMNS,
    TABLE_ROWS,
)
from pipeline.files.spreadsheet import as_it_was
from pipeline.tables.table import Column, is_number, key_of, places, table_error

# Spreadsheets, R, pandas and databases write these for a missing value.
NO_VALUE = frozenset(("", "nan", "na", "n/a", "null", "none", "nat"))
BYTES_PER_CHARACTER = 4  # of NumPy
# Characters besides line feed and carriage return at which Python begins a line.
OTHER_BREAKS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
NumberedLine = tuple[int, str]
NumberedRow = tuple[int, list[str]]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file (may be gzipped); text is UTF-8, or Latin-1 in old files.

    Raises:
        ConfigError: the file is damaged, larger than the limits, or contains null bytes.
    """
    data = read_inflated(path, TABLE_BYTES, ConfigError)
    if b"\0" in data:
        raise table_error(
            path.name,
            "contains null bytes, expected text. If the file is text, save it as UTF-8. Otherwise "
            f"name the format of the file in {key_of('format')}",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    breaks = max(text.count("\n"), text.count("\r")) + sum(map(text.count, OTHER_BREAKS))
    TABLE_ROWS.check(breaks, path.name, ConfigError)
    return text.splitlines()


def delimiter_of(header: str) -> str | None:
    """Return the delimiter of a header line; None means any white space."""
    return next((mark for mark in ("\t", ";", ",") if mark in header), None)


def split_cells(line: str, delimiter: str | None, *, quoted: bool = True) -> list[str]:
    """Return the cells of a line, without blanks around them."""
    if delimiter is None:
        return line.split()
    if not quoted:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [as_it_was(cell.strip()) for cell in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:  # a cell of more than 131,072 characters
        raise ConfigError(
            f"a line with {len(line):,} characters cannot be read ({error}). Correct this line; "
            "perhaps it has a quotation mark too many."
        ) from None


def split_rows(
    name: str,
    lines: Sequence[NumberedLine],
    delimiter: str | None,
    width: int,
    *,
    quoted: bool = True,
    may_have_more: bool = False,
) -> list[NumberedRow]:
    """Return the line number and the cells of each line that is not blank.

    Raises:
        ConfigError: lines have more or fewer cells than the header; the message lists these lines.
    """
    TABLE_COLUMNS.check(width, name, ConfigError)
    TABLE_CELLS.check(width * len(lines), name, ConfigError)
    most = CELL_CHARACTERS.most
    rows: list[NumberedRow] = []
    wrong: list[tuple[int, int]] = []
    for number, line in lines:
        if not line.strip():
            continue
        cells = split_cells(line, delimiter, quoted=quoted)
        if len(cells) != width and not (may_have_more and len(cells) > width):
            wrong.append((number, len(cells)))  # not kept: a line may have any number of cells
            continue
        _check_lengths(cells, line, f"{name}: a cell in line {number}", most)
        rows.append((number, cells[:width]))
    if wrong:
        counts = ", ".join(str(count) for _, count in wrong[:3])
        raise table_error(
            name,
            f"{places('line', [number for number, _ in wrong])}: found {counts} cells, expected "
            f"{width} as in the header. Correct these lines. If lines stand above the header, "
            "remove them or begin them with #. If the delimiter is wrong, name it in "
            f"{key_of('delimiter')}",
        )
    return rows


def _check_lengths(cells: Sequence[str], line: str, where: str, most: int) -> None:
    if len(line) > most:
        CELL_CHARACTERS.check(max(map(len, cells), default=0), where, ConfigError)


def typed_columns(
    names: Sequence[str], rows: Sequence[NumberedRow], missing: Sequence[float]
) -> dict[str, Column]:
    """Return the columns: float64 if all cells are numbers or missing, else text."""
    return {
        name: typed([cells[index] for _, cells in rows], missing)
        for index, name in enumerate(names)
    }


def typed(cells: Sequence[str], missing: Sequence[float]) -> Column:
    """Return cells as one column; missing values are NaN (numbers) or "" (text)."""
    present = [cell if cell.lower() not in NO_VALUE else "" for cell in cells]
    if all(not cell or is_number(cell) for cell in present):
        return without(np.array([float(cell or "nan") for cell in present]), missing)
    return without(text_column(present), missing)


def text_column(cells: Sequence[str]) -> Column:
    """Return cells as a column of text, in which every row takes the memory of the longest."""
    check_text_size(len(cells), max(map(len, cells), default=0))
    return np.array(cells, dtype=np.str_)


def check_text_size(rows: int, longest: int) -> None:
    """Refuse a column of text that would take too much memory."""
    CELL_CHARACTERS.check(longest, "a cell of the table", ConfigError)
    nbytes = longest * rows * BYTES_PER_CHARACTER
    TABLE_BYTES.check(nbytes, "a column of text of the table", ConfigError)


def without(values: Column, missing: Sequence[float]) -> Column:
    """Replace the numbers that mark missing values by NaN, or by "" in a column of text."""
    if not missing:
        return values
    if values.dtype.kind == "U":
        is_missing = [is_number(str(cell)) and float(cell) in missing for cell in values]
        return np.where(is_missing, "", values)
    return np.where(np.isin(values, list(missing)), np.nan, values)
