"""Reads lines of text as typed columns: numbers, text and missing values."""

import csv
import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.tables.table import Column, is_number, places, table_error

# Spreadsheets, R, pandas and databases write these for a missing value.
NO_VALUE = frozenset(("", "nan", "na", "n/a", "null", "none", "nat"))
GZIP = b"\x1f\x8b"
_BRACKETED_UNITS = re.compile(r"(.*\S)\s*(?:\[([^\]]*)\]|\(([^)]*)\))")
# "# license: CC BY 4.0", and NOMAD's "... data set for research use only."
_LICENCE = re.compile(
    r"[!#/\s]*(?:licen[cs]e\s*[:=]\s*(?P<text>.+)|(?P<line>.*\bresearch use\b.*))", re.IGNORECASE
)

NumberedLine = tuple[int, str]
NumberedRow = tuple[int, list[str]]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, gzipped or not, in UTF-8 or else Latin-1 (old files).

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
            "contains null bytes, expected text. If it is text, save it as UTF-8; if it is not, "
            "name its format under samples.format",
        )
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return data.decode("latin-1").splitlines()


def licence_in(comments: Sequence[str]) -> str:
    """Return the licence or the allowed use that comments state; "" if neither is stated."""
    said = [match for line in comments if (match := _LICENCE.match(line))]
    return " ".join((match["text"] or match["line"]).strip() for match in said)


def delimiter_of(header: str) -> str | None:
    """Return the delimiter of a header line; None means any white space."""
    return next((mark for mark in ("\t", ";", ",") if mark in header), None)


def split_cells(line: str, delimiter: str | None) -> list[str]:
    """Return the cells of a line, without blanks around them."""
    if delimiter is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def split_rows(
    name: str, lines: Sequence[NumberedLine], delimiter: str | None, width: int
) -> list[NumberedRow]:
    """Return the line number and the cells of each line that is not blank.

    Raises:
        ConfigError: lines have more or fewer cells than the header; the message lists these lines.
    """
    rows = [(number, split_cells(line, delimiter)) for number, line in lines if line.strip()]
    wrong = [(number, len(cells)) for number, cells in rows if len(cells) != width]
    if wrong:
        counts = ", ".join(str(count) for _, count in wrong[:3])
        raise table_error(
            name,
            f"{places('line', [number for number, _ in wrong])}: found {counts} cells, expected "
            f"{width} as in the header. Correct these lines, or name the delimiter under "
            "samples.delimiter",
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
    return np.array(
        ["" if is_number(cell) and float(cell) in missing else cell for cell in present],
        dtype=np.str_,
    )


def without(values: Column, missing: Sequence[float]) -> Column:
    """Return numbers, with NaN in place of the numbers that mark missing values."""
    if not missing or values.dtype.kind != "f":
        return values
    return np.where(np.isin(values, list(missing)), np.nan, values)


def check_names(name: str, columns: Sequence[str]) -> list[str]:
    """Return the names of columns; a column without a name is named by its position.

    Raises:
        ConfigError: a name appears twice, or all names are numbers.
    """
    named = [column or f"column_{place}" for place, column in enumerate(columns, start=1)]
    if all(is_number(column) for column in named):
        raise table_error(
            name, f"the header is {', '.join(named[:5])} ..., expected names of columns. Add them"
        )
    twice = sorted({column for column in named if named.count(column) > 1})
    if twice:
        raise table_error(
            name, f"columns {', '.join(twice)} appear twice in the header. Rename or remove one"
        )
    return named


def split_units(column: str) -> tuple[str, str]:
    """Split ``Rrs_443 [1/sr]`` into ``Rrs_443`` and ``1/sr``; units are "" if there are none."""
    match = _BRACKETED_UNITS.fullmatch(column)
    return (column, "") if match is None else (match[1], (match[2] or match[3] or "").strip())
