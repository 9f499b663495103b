"""Reads the tab-delimited text of PANGAEA: a comment between ``/*`` and ``*/``, then a table."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.tables.cells import read_lines
from pipeline.tables.table import Table, table_error
from pipeline.tables.text import table_of_lines

BEGIN, END = "/*", "*/"


def read_pangaea(path: Path, missing: Sequence[float] = ()) -> Table:
    """Return the table; ``Chl a [ug/l] (HPLC)`` is the column ``Chl a`` in ug/l.

    Raises:
        ConfigError: the comment has no end, or lines differ in number of cells.
    """
    lines = read_lines(path)
    end = next((place for place, line in enumerate(lines) if line.strip() == END), None)
    if end is None:
        raise table_error(
            path.name, f"no line {END} after {BEGIN}, expected the end of the comment. Add it"
        )
    numbered = list(enumerate(lines, start=1))
    return table_of_lines(path, numbered[end + 1 :], lines[: end + 1], missing, "\t", quoted=False)
