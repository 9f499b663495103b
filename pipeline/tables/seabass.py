"""Reads files of NASA's SeaBASS (``.sb`` with ``/fields=``) and NOMAD (CSV with ``!`` comments)."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.machine.files import sha256_of
from pipeline.tables.cells import (
    check_names,
    licence_in,
    read_lines,
    split_cells,
    split_rows,
    typed_columns,
    without,
)
from pipeline.tables.long_form import widen
from pipeline.tables.table import Column, Table, is_number, table_error
from pipeline.tables.text import commented_table
from pipeline.tables.units import SAYS_NOTHING

# NOMAD 2.0 writes this for a missing value, as SeaBASS recommends.
NOMAD_MISSING = (-999.0,)
_DELIMITERS = {"comma": ",", "tab": "\t", "space": None}
# "lw     ~ spectral water-leaving radiance (uW cm-2 nm-1 sr-1)" in NOMAD's comments.
_DESCRIBED = re.compile(r"!\s*(\w+)\s+~ .*\(([^()]+)\)\s*")
_BAND = re.compile(r"([A-Za-z_]+?)_?\d+(?:\.\d+)?")
# Header entries that hold for all rows, used if no column has the same name.
_CONSTANT_TEXTS = ("cruise", "experiment", "station")
_CONSTANT_NUMBERS = {
    "lat": ("north_latitude", "south_latitude"),
    "lon": ("east_longitude", "west_longitude"),
    "date": ("start_date", "end_date"),
}


def read_nomad(path: Path, missing: Sequence[float] = (), delimiter: str | None = None) -> Table:
    """Return the table in a NOMAD file: a CSV below comment lines with ``!``; -999 means missing.

    Units come from the comments: ``lw ~ ... (uW cm-2 nm-1 sr-1)`` states the units of lw411 ...

    Raises:
        ConfigError: the header is missing or repeats a name, or lines have different lengths.
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
    """Return the table in a SeaBASS file; with a ``wavelength`` column, a spectrum has many rows.

    Raises:
        ConfigError: the header is not complete, or lines have different lengths.
    """
    lines = read_lines(path)
    end = next((n for n, line in enumerate(lines) if line.lower().startswith("/end_header")), None)
    if end is None:
        raise table_error(path.name, "no /end_header, expected a complete SeaBASS header. Add it")
    header = _header(lines[:end])
    names, units = _fields(path.name, header)
    mark = delimiter or _delimiter(path.name, header)
    body = [(n, line) for n, line in enumerate(lines, start=1) if n > end + 1]
    rows = split_rows(path.name, [r for r in body if not r[1].startswith("!")], mark, len(names))
    columns = typed_columns(names, rows, (*_numbers(path.name, header, "missing"), *missing))
    columns, told = _without_limits(path.name, header, columns)
    return widen(
        Table(
            path=path,
            sha256=sha256_of(path),
            columns=columns | _constants(header, columns, len(rows)),
            units={
                n: u for n, u in zip(names, units, strict=True) if u.lower() not in SAYS_NOTHING
            },
            rows=np.array([number for number, _ in rows], dtype=np.int64),
            row_word="line",
            told=(*told, *_status(header)),
            licence=licence_in([line for line in lines[:end] if line.startswith("!")]),
        )
    )


def _header(lines: Sequence[str]) -> dict[str, str]:
    """Return the entries of lines ``/key=value``, with keys in lower case."""
    pairs = [line[1:].split("=", 1) for line in lines if line.startswith("/") and "=" in line]
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _fields(name: str, header: Mapping[str, str]) -> tuple[list[str], list[str]]:
    if not header.get("fields"):
        raise table_error(name, "no /fields= in the header, expected names of columns. Add them")
    fields = check_names(name, split_cells(header["fields"], ","))
    units = split_cells(header["units"], ",") if header.get("units") else [""] * len(fields)
    if len(units) != len(fields):
        raise table_error(
            name,
            f"/units= has {len(units)} entries, expected {len(fields)} like /fields=. Correct the "
            "header",
        )
    return fields, units


def _delimiter(name: str, header: Mapping[str, str]) -> str | None:
    said = header.get("delimiter", "").lower()
    if said not in _DELIMITERS:
        raise table_error(
            name,
            f"/delimiter={said}, expected one of {', '.join(_DELIMITERS)}. Correct the header, or "
            "name the delimiter under samples.delimiter",
        )
    return _DELIMITERS[said]


def _numbers(name: str, header: Mapping[str, str], *keys: str) -> tuple[float, ...]:
    said = {key: header[key] for key in keys if header.get(key)}
    wrong = [f"/{key}={text} is not a number" for key, text in said.items() if not is_number(text)]
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
        ends = {re.sub(r"\[.*\]", "", header.get(key, "")).strip() for key in keys}
        said = ends.pop() if len(ends) == 1 else ""
        if said and is_number(said):
            constants[name] = np.full(rows, float(said))
    taken = {name.lower() for name in columns}
    return {name: values for name, values in constants.items() if name not in taken}


def _status(header: Mapping[str, str]) -> list[str]:
    status = header.get("data_file_status", header.get("data_status", "final")).lower()
    return [] if status == "final" else [f"the file says its data are {status}"]
