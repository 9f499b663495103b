"""Compute in-situ reflectances at the wavelengths of a satellite's bands."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from pipeline.algorithms import Algorithm, algorithm
from pipeline.config.matchup import BandShift
from pipeline.errors import ConfigError, NetworkError
from pipeline.facts.optical_tables import Array
from pipeline.tables import Table
from pipeline.tables.table import listed, table_error
from pipeline.tables.units import factor_between, says_units

# Columns such as Rrs_443; the same columns can be normalised (brdf.py).
REFLECTANCE = re.compile(r"Rrs_?(\d+(?:\.\d+)?)")
_KEY = "points.band_shift"


def shifted(table: Table, config: BandShift) -> Table:
    """Return a table with a further column, such as ``Rrs_488``, for each wanted wavelength.

    A column that is there already stays as it is. A value that cannot be computed is missing.

    Raises:
        ConfigError: the table lacks a band that is needed, or its units are not those of Rrs.
    """
    bands = {
        float(match[1]): name
        for name in table.columns
        if (match := REFLECTANCE.fullmatch(name)) is not None
    }
    found = _algorithm(table, config, sorted(bands))
    rows = np.stack([_rrs(table, bands[v.wavelength_nm or 0.0]) for v in found.inputs], axis=1)
    values = found.predict(rows) if len(table) else np.empty((0, len(found.outputs)))
    columns, units = dict(table.columns), dict(table.units)
    lost = np.zeros(len(table), dtype=np.bool_)
    for place, variable in enumerate(found.outputs):
        if variable.wavelength_nm in bands:
            continue
        columns[variable.name], units[variable.name] = values[:, place], "sr-1"
        lost |= np.isfinite(rows).all(axis=1) & ~np.isfinite(values[:, place])
    told = (*table.told, *_told(table, int(lost.sum())))
    return dataclasses.replace(table, columns=columns, units=units, told=told)


def method(config: BandShift) -> str:
    """Return the method in words, for the attributes of a table."""
    to_nm = ", ".join(f"{nm:g}" for nm in sorted(config.to_nm))
    return f"{config.method} (Opt. Express 23, 2262), to {to_nm} nm"


def _algorithm(table: Table, config: BandShift, bands: Sequence[float]) -> Algorithm:
    if not bands:
        raise table_error(
            table.name,
            f"{_KEY}: no column such as Rrs_443; the table has {listed(list(table.columns), 20)}",
        )
    try:
        return algorithm(config.method, wavelengths_nm=bands, to_nm=config.to_nm)
    except NetworkError as error:
        raise ConfigError(f"{table.name}: {_KEY}: {error}") from None


def _rrs(table: Table, name: str) -> Array:
    said = table.units.get(name, "")
    factor = factor_between(said, "sr-1") if says_units(said) else 1.0
    if factor is None:
        raise ConfigError(
            f"{table.name}: column {name!r} is in {said!r}, expected sr-1 for {_KEY}. State its "
            "units in points.units, or convert it."
        )
    return np.asarray(table.numbers(name) * factor)


def _told(table: Table, count: int) -> tuple[str, ...]:
    told = (
        f"{table.name}: the reflectances of {count} of {len(table)} points could not be computed "
        "at other wavelengths, because the quasi-analytical algorithm has no result. They are "
        "missing"
    )
    return (told,) if count else ()
