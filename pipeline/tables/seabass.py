"""Reads files of NASA's SeaBASS (``.sb`` with ``/fields=``) and NOMAD (CSV with ``!`` comments)."""

import dataclasses
import datetime
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError
from pipeline.files.contents import sha256_of
from pipeline.tables.cells import (
    read_lines,
    split_cells,
    split_rows,
    typed_columns,
    without,
)
from pipeline.tables.comments import licence_in
from pipeline.tables.long_form import widen
from pipeline.tables.names import Header, header_of
from pipeline.tables.table import Column, Table, is_number, key_of, table_error
from pipeline.tables.text import commented_table
from pipeline.tables.units import SAYS_NOTHING
from pipeline.times.text import Instant, Resolution, parse_time

# NOMAD 2.0 writes this for a missing value, as SeaBASS recommends.
NOMAD_MISSING = (-999.0,)
_DELIMITERS = {"comma": ",", "tab": "\t", "space": None}
# "lw     ~ spectral water-leaving radiance (uW cm-2 nm-1 sr-1)" in NOMAD's comments.
_DESCRIBED = re.compile(r"!\s*(\w+)\s+~ .*\(([^()]+)\)\s*")
_BAND = re.compile(r"([A-Za-z_]+?)_?\d+(?:\.\d+)?")
# Header entries that apply to all rows. They are used if no column has the same name.
_CONSTANT_TEXTS = ("cruise", "experiment", "station")
_CONSTANT_NUMBERS = {
    "lat": ("north_latitude", "south_latitude"),
    "lon": ("east_longitude", "west_longitude"),
}
# Columns that state the day or the time of day; then the header's times are not used.
_TIME_COLUMNS = frozenset(("time", "hour", "datetime", "date_time"))
_DAY_COLUMNS = frozenset(("date", "year", "datetime", "date_time"))
# The middle of the header's times is the time of all rows only if the header's start and end are at
# most this far apart.
_LONGEST = datetime.timedelta(hours=1)


def read_nomad(path: Path, missing: Sequence[float] = (), delimiter: str | None = None) -> Table:
    """Return the table in a NOMAD file: a CSV below comment lines with ``!``; -999 means missing.

    Units come from the comments: ``lw ~ ... (uW cm-2 nm-1 sr-1)`` states the units of lw411 ...

    Raises:
        ConfigError: the header is missing or repeats a name, or lines differ in number of cells.
    """
    table, comments = commented_table(path, "!", (*NOMAD_MISSING, *missing), delimiter)
    described = [match for line in comments if (match := _DESCRIBED.fullmatch(line))]
    units = {match[1]: match[2] for match in described}
    own = _units_by_column(list(table.columns), units)
    return dataclasses.replace(table, units=own | dict(table.units))


def _units_by_column(columns: Sequence[str], units: Mapping[str, str]) -> dict[str, str]:
    stems = {column: _BAND.fullmatch(column) for column in columns}
    named = {c: c if c in units else match[1] if match else c for c, match in stems.items()}
    return {column: units[name] for column, name in named.items() if name in units}


def read_seabass(path: Path, missing: Sequence[float] = (), delimiter: str | None = None) -> Table:
    """Return the table in a SeaBASS file; with a ``wavelength`` column, rows become spectra.

    Raises:
        ConfigError: the header is not complete, or lines differ in number of cells.
    """
    lines = read_lines(path)
    end = next((n for n, line in enumerate(lines) if line.lower().startswith("/end_header")), None)
    if end is None:
        raise table_error(path.name, "no /end_header, expected a complete SeaBASS header. Add it")
    header = _header(lines[:end])
    named, units = _fields(path.name, header)
    names = named.names
    mark = delimiter or _delimiter(path.name, header)
    body = [(n, line) for n, line in enumerate(lines, start=1) if n > end + 1]
    rows = split_rows(path.name, [r for r in body if not r[1].startswith("!")], mark, len(names))
    columns = typed_columns(names, rows, (*_numbers(path.name, header, "missing"), *missing))
    columns, told = _without_limits(path.name, header, columns)
    times, told_of_times = _header_times(header, columns, len(rows))
    return widen(
        Table(
            path=path,
            sha256=sha256_of(path, ConfigError),
            columns=columns | _constants(header, columns, len(rows)) | times,
            units={
                n: u for n, u in zip(names, units, strict=True) if u.lower() not in SAYS_NOTHING
            },
            rows=np.array([number for number, _ in rows], dtype=np.int64),
            row_word="line",
            told=(*named.told, *told, *told_of_times, *_status(header)),
            repeated=named.repeated,
            licence=licence_in([line for line in lines[:end] if line.startswith("!")]),
        )
    )


def _header(lines: Sequence[str]) -> dict[str, str]:
    """Return the entries of lines ``/key=value``, with keys in lower case."""
    pairs = [line[1:].split("=", 1) for line in lines if line.startswith("/") and "=" in line]
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _fields(name: str, header: Mapping[str, str]) -> tuple[Header, list[str]]:
    if not header.get("fields"):
        raise table_error(name, "no /fields= in the header, expected names of columns. Add them")
    fields = header_of(name, split_cells(header["fields"], ","))
    count = len(fields.names)
    units = split_cells(header["units"], ",") if header.get("units") else [""] * count
    if len(units) != count:
        raise table_error(
            name,
            f"/units= has {len(units)} entries, expected {count}, one for each name in /fields=. "
            "Correct the header",
        )
    return fields, units


def _delimiter(name: str, header: Mapping[str, str]) -> str | None:
    said = header.get("delimiter", "").lower()
    if said not in _DELIMITERS:
        raise table_error(
            name,
            f"/delimiter={said}, expected one of {', '.join(_DELIMITERS)}. Correct the header, or "
            f"name the delimiter in {key_of('delimiter')}",
        )
    return _DELIMITERS[said]


def _numbers(name: str, header: Mapping[str, str], *keys: str) -> tuple[float, ...]:
    said = {key: header[key] for key in keys if header.get(key)}
    wrong = [
        f"/{key}={text} is not a number. Correct the header"
        for key, text in said.items()
        if not is_number(text)
    ]
    if wrong:
        raise table_error(name, *wrong)
    return tuple(float(text) for text in said.values())


def _without_limits(
    name: str, header: Mapping[str, str], columns: dict[str, Column]
) -> tuple[dict[str, Column], list[str]]:
    """Replace values beyond a detection limit by NaN, because a network cannot learn from them."""
    missing = _numbers(name, header, "missing")
    limits = _numbers(name, header, "below_detection_limit", "above_detection_limit")
    limits = tuple(limit for limit in limits if limit not in missing)
    counts = {n: int(np.isin(c, limits).sum()) for n, c in columns.items() if c.dtype.kind == "f"}
    told = [
        f"{count} values of {column} beyond the detection limit are taken as missing"
        for column, count in counts.items()
        if count
    ]
    return {n: without(column, limits) for n, column in columns.items()}, told


def _constants(
    header: Mapping[str, str], columns: Mapping[str, Column], rows: int
) -> dict[str, Column]:
    """Turn header entries into constant columns, unless the table has these columns."""
    texts = {key: header[key] for key in _CONSTANT_TEXTS if header.get(key)}
    constants: dict[str, Column] = {key: np.full(rows, text) for key, text in texts.items()}
    for name, keys in _CONSTANT_NUMBERS.items():
        ends = {_plain(header.get(key, "")) for key in keys}
        said = ends.pop() if len(ends) == 1 else ""
        if said and is_number(said):
            constants[name] = np.full(rows, float(said))
    taken = {name.lower() for name in columns}
    return {name: values for name, values in constants.items() if name not in taken}


def _plain(text: str) -> str:
    """Return an entry of the header without its unit: ``49.93[DEG]`` is ``49.93``."""
    return re.sub(r"\[.*\]", "", text).strip()


def _header_times(
    header: Mapping[str, str], columns: Mapping[str, Column], rows: int
) -> tuple[dict[str, Column], list[str]]:
    """Return columns with the date and the time of the header, if the rows state no times.

    If the header's start and end differ by at most an hour, all rows have the time in the middle.
    """
    taken = {name.lower() for name in columns}
    dates = {_plain(header.get(key, "")) for key in ("start_date", "end_date")}
    date = dates.pop() if len(dates) == 1 else ""
    if not taken & _DAY_COLUMNS and is_number(date) and taken & _TIME_COLUMNS:
        return {"date": np.full(rows, float(date))}, []
    if taken & (_DAY_COLUMNS | _TIME_COLUMNS):
        return {}, []
    start, end = (
        parse_time(f"{_plain(header.get(f'{which}_date', ''))} {header.get(f'{which}_time', '')}")
        for which in ("start", "end")
    )
    both = [t.utc for t in (start, end) if t is not None and t.resolution is Resolution.CLOCK]
    if len(both) < 2 or not datetime.timedelta(0) <= both[1] - both[0] <= _LONGEST:
        return {"date": np.full(rows, float(date))} if is_number(date) else {}, []
    middle = Instant(both[0] + (both[1] - both[0]) / 2, Resolution.CLOCK).iso
    told = [f"the rows have no times, so each row gets the time in the header, {middle}"]
    return {
        "date": np.full(rows, middle[:10]),
        "time": np.full(rows, middle[11:]),
    }, told


def _status(header: Mapping[str, str]) -> list[str]:
    status = header.get("data_file_status", header.get("data_status", "final")).lower()
    return [] if status == "final" else [f"the file says its data are {status}"]
