"""Turns tables with a row for each wavelength into tables with a row for each spectrum."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.files.limits import TABLE_CELLS, TABLE_COLUMNS
from pipeline.tables.table import Column, Table, table_error

WAVELENGTH = "wavelength"
# Columns that identify a spectrum; all others have a value for each wavelength.
KEYS = frozenset(
    (
        *("cruise", "experiment", "station", "cast", "sample", "id", "bottle"),
        *("site", "file", "depth", "year", "month", "day", "hour"),
        *("minute", "second", "sdy", "date", "time", "datetime", "date_time"),
        *("lat", "lon", "latitude", "longitude", "r2r_event"),
    )
)


def widen(table: Table) -> Table:
    """Return a table with one row per spectrum, where ``Rrs`` at 443 nm is column ``Rrs_443``.

    A table without a column of wavelengths is returned as it is.

    Raises:
        ConfigError: a spectrum has a wavelength twice, or a wavelength is missing.
    """
    names = {name.lower(): name for name in table.columns}
    if WAVELENGTH not in names or table.is_text(names[WAVELENGTH]):
        return table
    wavelengths = table.numbers(names[WAVELENGTH])
    if not np.isfinite(wavelengths).all():
        missing = np.flatnonzero(~np.isfinite(wavelengths))
        raise table_error(
            table.name, f"no wavelength in {table.places(missing)}. Add it, or remove the rows"
        )
    keys = [name for name in table.columns if name.lower() in KEYS]
    spectral = [n for n in table.columns if n not in {*keys, names[WAVELENGTH]}]
    spectra, first = _spectra(table, keys)
    _check_size(table.name, len(first), np.unique(wavelengths).size, len(spectral))
    _refuse_twice(table, spectra, wavelengths)
    columns: dict[str, Column] = {key: table.columns[key][first] for key in keys}
    units = {key: table.units[key] for key in keys if key in table.units}
    for quantity in spectral:
        wide = _pivoted(table.columns[quantity], spectra, wavelengths, len(first))
        columns |= {f"{quantity}_{nm:g}": values for nm, values in wide.items()}
        if quantity in table.units:
            units |= dict.fromkeys((f"{quantity}_{nm:g}" for nm in wide), table.units[quantity])
    told = (*table.told, f"{len(table)} rows, one for each wavelength, became {len(first)} spectra")
    return dataclasses.replace(
        table, columns=columns, units=units, rows=table.rows[first], told=told
    )


def _check_size(name: str, spectra: int, wavelengths: int, quantities: int) -> None:
    """Refuse rows whose wavelengths and spectra differ so much that the table becomes huge."""
    where = f"{name}, with one column for each wavelength,"
    TABLE_COLUMNS.check(wavelengths * quantities, where, ConfigError)
    TABLE_CELLS.check(spectra * wavelengths * quantities, where, ConfigError)


def _spectra(table: Table, keys: list[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the spectrum number of each row, and the first row of each spectrum."""
    numbers: dict[tuple[str, ...], int] = {}
    labels = [table.labels(key) for key in keys]
    spectra = np.array(
        [
            numbers.setdefault(tuple(str(column[row]) for column in labels), len(numbers))
            for row in range(len(table))
        ],
        dtype=np.int64,
    )
    return spectra, np.unique(spectra, return_index=True)[1].astype(np.int64)


def _refuse_twice(
    table: Table, spectra: npt.NDArray[np.int64], wavelengths: npt.NDArray[np.float64]
) -> None:
    pairs = np.stack([spectra.astype(np.float64), wavelengths], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(pairs)), first)
    if again.size:
        raise table_error(
            table.name,
            f"{table.places(again)}: a wavelength appears twice in one spectrum "
            f"({wavelengths[again[0]]:g} nm). Columns that identify a spectrum: "
            f"{', '.join(n for n in table.columns if n.lower() in KEYS) or 'none'}. Add a column "
            "station or id",
        )


def _pivoted(
    values: Column,
    spectra: npt.NDArray[np.int64],
    wavelengths: npt.NDArray[np.float64],
    count: int,
) -> Mapping[float, Column]:
    blank = np.nan if values.dtype.kind == "f" else ""
    wide: dict[float, Column] = {}
    for nm in np.unique(wavelengths):
        here = wavelengths == nm
        column = np.full(count, blank, dtype=values.dtype)
        column[spectra[here]] = values[here]
        wide[float(nm)] = column
    return wide
