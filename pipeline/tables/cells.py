"""Reads lines of text as typed columns: numbers, text and missing values."""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.tables.spreadsheet import as_it_was
from pipeline.tables.table import Column, is_number, key_of, places, table_error

# Spreadsheets, R, pandas and databases write these for a missing value.
NO_VALUE = frozenset(("", "nan", "na", "n/a", "null", "none", "nat"))
GZIP = b"\x1f\x8b"
NumberedLine = tuple[int, str]
NumberedRow = tuple[int, list[str]]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file (may be gzipped); text is UTF-8, or Latin-1 in old files.

    Raises:
        ConfigError: the file is damaged, or contains null bytes.
    """
    data = path.read_bytes()
    try:
        data = gzip.decompress(data) if data.startswith(GZIP) else data
    except (OSError, EOFError, ValueError) as error:
        raise table_error(path.name, f"damaged gzip file ({error}). Fetch it again") from None
    if b"\0" in data:
        raise table_error(
            path.name,
            "contains null bytes, expected text. If the file is text, save it as UTF-8. Otherwise "
            f"name the format of the file in {key_of('format')}",
        )
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return data.decode("latin-1").splitlines()


def delimiter_of(header: str) -> str | None:
    """Return the delimiter of a header line; None means any white space."""
    return next((mark for mark in ("\t", ";", ",") if mark in header), None)


def split_cells(line: str, delimiter: str | None, *, quoted: bool = True) -> list[str]:
    """Return the cells of a line, without blanks around them."""
    if delimiter is None:
        return line.split()
    if not quoted:
        return [cell.strip() for cell in line.split(delimiter)]
    return [as_it_was(cell.strip()) for cell in next(csv.reader([line], delimiter=delimiter))]


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
    rows = [
        (number, split_cells(line, delimiter, quoted=quoted))
        for number, line in lines
        if line.strip()
    ]
    if may_have_more:
        rows = [(number, cells[:width]) for number, cells in rows]
    wrong = [(number, len(cells)) for number, cells in rows if len(cells) != width]
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
    return without(np.array(present, dtype=np.str_), missing)


def without(values: Column, missing: Sequence[float]) -> Column:
    """Replace the numbers that mark missing values by NaN, or by "" in a column of text."""
    if not missing:
        return values
    if values.dtype.kind == "U":
        is_missing = [is_number(str(cell)) and float(cell) in missing for cell in values]
        return np.where(is_missing, "", values)
    return np.where(np.isin(values, list(missing)), np.nan, values)
