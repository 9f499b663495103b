"""Joins the tables of several files, such as one file for each station, into one table."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import repeated
from pipeline.tables.table import Column, Table, listed, table_error
from pipeline.tables.units import factor_between, says_units

FILE_COLUMN = "points_file"
"""Name of the column that says from which file a row comes."""


def joined(tables: Sequence[Table], origin: str) -> Table:
    """Return one table with the rows of all tables and the column ``points_file``.

    If a table lacks a column, the rows of that table have missing values in this column. Numbers
    are converted to the units of the first table that states units.

    Args:
        tables: the tables, of which there is at least one.
        origin: folder or pattern that the user gave; error messages name it.

    Raises:
        ConfigError: units of a column cannot be converted, or two files have the same content.
    """
    if twice := repeated([table.sha256 for table in tables]):
        same = [table.name for table in tables if table.sha256 in twice]
        raise table_error(origin, f"{listed(same, 5)} have the same content. Give each file once")
    units = _units(tables, origin)
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns = {name: _column(name, tables, units.get(name, "")) for name in names}
    files = np.concatenate([np.full(len(table), table.name) for table in tables])
    digest = hashlib.sha256("".join(table.sha256 for table in tables).encode()).hexdigest()
    told = [f"{table.name}: {text}" for table in tables for text in table.told]
    licences = dict.fromkeys(table.licence for table in tables if table.licence)
    return Table(
        path=Path(origin),
        sha256=digest,
        columns={**columns, FILE_COLUMN: files},
        units=units,
        rows=np.concatenate([table.rows for table in tables]),
        row_word=tables[0].row_word,
        told=tuple(told),
        licence=" ".join(licences),
        repeated={name: ours for table in tables for name, ours in table.repeated.items()},
    )


def _units(tables: Sequence[Table], origin: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for table in tables:
        for name, said in table.units.items():
            first = found.setdefault(name, said)
            if first != said and says_units(said) and factor_between(said, first) is None:
                raise table_error(
                    origin,
                    f"column {name!r} has units {said!r} in {table.name}, but {first!r} in an "
                    "earlier file. Match up these files in separate calls, each with the right "
                    "points.units",
                )
    return found


def _column(name: str, tables: Sequence[Table], units: str) -> Column:
    having = [table for table in tables if name in table.columns]
    is_text = any(table.is_text(name) for table in having)
    parts: list[Column] = []
    for table in tables:
        if name not in table.columns:
            parts.append(np.full(len(table), "" if is_text else np.nan))
        elif is_text:
            parts.append(table.labels(name))
        else:
            said = table.units.get(name, units)
            factor = factor_between(said, units) if said != units else 1.0
            parts.append(table.columns[name] * (1.0 if factor is None else factor))
    return np.concatenate(parts)
