"""Reads the text of AERONET and AERONET-OC: some lines about the site, a header, and rows."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.files.limits import TABLE_COLUMNS
from pipeline.tables.cells import read_lines
from pipeline.tables.table import Table, table_error
from pipeline.tables.text import table_of_lines

# The files write -999 for a missing value, and -9.999999 for a failed calculation.
MISSING = (-999.0, -9.999999)
_DATE_TITLE = re.compile(r"date\s*\(dd[-:/]mm[-:/]yy", re.IGNORECASE)
_MOST_LINES_ABOVE = 30
# According to the description of AERONET-OC's data.
_RADIANCE = re.compile(r"Lwn?(?:_f/Q|_IOP)?_\d.*")
_RADIANCE_UNITS = "mW cm-2 sr-1 um-1"


def header_line(lines: Sequence[str]) -> int | None:
    """Return the index of the line that is AERONET's header; None if there is no header."""
    for place, line in enumerate(lines[:_MOST_LINES_ABOVE]):
        if any(_DATE_TITLE.match(cell.strip()) for cell in line.split(",", TABLE_COLUMNS.most)):
            return place
    return None


def read_aeronet(path: Path, missing: Sequence[float] = ()) -> Table:
    """Return the table; ``Lwn[412nm]`` is the column ``Lwn_412``.

    Raises:
        ConfigError: the file has no header line with the date, or lines differ in number of cells.
    """
    lines = read_lines(path)
    place = header_line(lines)
    if place is None:
        raise table_error(
            path.name,
            "no header line with Date(dd-mm-yyyy), expected a file of AERONET. Correct the format",
        )
    numbered = list(enumerate(lines, start=1))
    table = table_of_lines(
        path, numbered[place:], lines[:place], (*MISSING, *missing), ",", may_have_more=True
    )
    radiances = {name: _RADIANCE_UNITS for name in table.columns if _RADIANCE.fullmatch(name)}
    return dataclasses.replace(table, units=radiances | dict(table.units))
