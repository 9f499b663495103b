"""Reads CSV and similar text tables: a header line, rows, and comment lines with ``#``."""

import dataclasses
import re
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from pipeline.machine.files import sha256_of
from pipeline.tables.cells import (
    check_names,
    delimiter_of,
    licence_in,
    read_lines,
    split_cells,
    split_rows,
    split_units,
    typed_columns,
)
from pipeline.tables.table import Table, table_error

_NAMED_UNITS = re.compile(r"([^\s,;]+) \[([^\]]*)\]")


def read_text(path: Path, missing: Sequence[float] = (), delimiter: str | None = None) -> Table:
    """Return the table in a text file, which may be gzipped.

    Commas, tabs, semicolons or blanks separate the cells.

    Args:
        path: the file.
        missing: numbers that stand for a missing value.
        delimiter: delimiter of the cells; by default the one in the header line.

    Raises:
        ConfigError: the header is missing or repeats a name, or lines have different lengths.
    """
    table, comments = commented_table(path, "#", missing, delimiter)
    return dataclasses.replace(table, units=_units_in(comments, table.columns) | dict(table.units))


def _units_in(comments: Sequence[str], columns: Container[str]) -> dict[str, str]:
    """Return units of columns from a comment that we wrote: ``# units: Rrs_443 [sr-1], ...``."""
    said = [line for line in comments if line.lstrip("# ").lower().startswith("units:")]
    pairs = [pair for line in said for pair in _NAMED_UNITS.findall(line)]
    return {name: units for name, units in pairs if name in columns}


def commented_table(
    path: Path, mark: str, missing: Sequence[float], delimiter: str | None
) -> tuple[Table, list[str]]:
    """Return the table in a text file, and its comment lines, which begin with ``mark``."""
    numbered = list(enumerate(read_lines(path), start=1))
    comments = [line for _, line in numbered if line.startswith(mark)]
    lines = [(n, line) for n, line in numbered if line.strip() and not line.startswith(mark)]
    if not lines:
        raise table_error(path.name, "no header line, expected names of columns and rows below it")
    header = lines[0][1]
    delimiter = delimiter or delimiter_of(header)
    titles = [split_units(cell) for cell in split_cells(header, delimiter)]
    names = check_names(path.name, [name for name, _ in titles])
    rows = split_rows(path.name, lines[1:], delimiter, len(names))
    table = Table(
        path=path,
        sha256=sha256_of(path),
        columns=typed_columns(names, rows, missing),
        units={name: units for name, (_, units) in zip(names, titles, strict=True) if units},
        rows=np.array([number for number, _ in rows], dtype=np.int64),
        row_word="line",
        licence=licence_in(comments),
    )
    return table, comments
