"""Adds the columns of another table to a table; a key column says which rows belong together.

Archives such as GLORIA often have one file of spectra and another of laboratory measurements.
"""

import dataclasses

import numpy as np

from pipeline.tables.table import Column, Rows, Table, Texts, listed, table_error


def with_columns_of(table: Table, other: Table, key: str, prefix: str = "") -> Table:
    """Return the rows of a table with the columns of another table.

    If the other table lacks the key of a row, the row has missing values in these columns. If both
    tables have a
    column of the same name, the column of the first table is kept.

    Args:
        table: its rows stay, in their order.
        other: has at most one row for each key; rows without a key are not used.
        key: name of the key column in both tables.
        prefix: text in front of the names of the other table's columns.

    Raises:
        ConfigError: a table lacks the key, the other table has a key twice, or no key is in both.
    """
    labels, places = _keys(table, key), _places(other, key)
    partner = np.array([places.get(label, -1) for label in labels.tolist()], dtype=np.int64)
    found = partner >= 0
    if not found.any():
        raise table_error(
            table.name,
            f"no value of column {key!r} is in {other.name}: found {_some(labels)} here, "
            f"{_some(_keys(other, key))} there. Join files of the same archive",
        )
    names = {prefix + name: name for name in other.columns if name != key}
    added = {ours: name for ours, name in names.items() if ours not in table.columns}
    told = [f"{found.sum()} of {len(table)} rows have a row in {other.name} ({key})"]
    columns = {ours: _taken(other.columns[name], partner) for ours, name in added.items()}
    if both := [ours for ours in names if ours not in added]:
        told.append(f"{listed(both, 8)} of {other.name} not used, because this file has them too")
    units = {ours: other.units[name] for ours, name in added.items() if name in other.units}
    return dataclasses.replace(
        table,
        columns={**table.columns, **columns},
        units={**table.units, **units},
        told=(*table.told, *(f"{other.name}: {text}" for text in other.told), *told),
        licence=" ".join(dict.fromkeys(text for text in (table.licence, other.licence) if text)),
        repeated={**_prefixed(other, prefix), **table.repeated},
        beside={**table.beside, other.name: other.sha256, **other.beside},
    )


def _prefixed(other: Table, prefix: str) -> dict[str, tuple[str, ...]]:
    """Return the repeated names of the other table, as they are in the joined table."""
    return {
        prefix + name: tuple(prefix + own for own in ours) for name, ours in other.repeated.items()
    }


def _keys(table: Table, key: str) -> Texts:
    if key not in table.columns:
        raise table_error(
            table.name,
            f"no column {key!r} to join by; the columns are {listed(list(table.columns), 20)}",
        )
    return table.labels(key)


def _places(other: Table, key: str) -> dict[str, int]:
    """Return the row of each key; an empty key, as in an empty last line, is left out."""
    places: dict[str, int] = {}
    for row, label in enumerate(_keys(other, key).tolist()):
        if label in places:
            raise table_error(
                other.name,
                f"{key} {label!r} is in {other.places([places[label], row])}, expected one row for "
                f"each {key}. Join by a column whose values differ",
            )
        if label:
            places[label] = row
    return places


def _taken(column: Column, partner: Rows) -> Column:
    """Return a row of the other table for each row; -1 gives a missing value."""
    taken: Column = column[partner]
    taken[partner < 0] = "" if column.dtype.kind == "U" else np.nan
    return taken


def _some(labels: Texts) -> str:
    return listed([repr(label) for label in dict.fromkeys(labels.tolist())], 3)
