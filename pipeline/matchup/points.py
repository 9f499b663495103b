"""Where and when the points of a table are, and which of them do not say so."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.config.matchup import PointsConfig
from pipeline.errors import ConfigError
from pipeline.matchup.point_times import read_times, time_columns
from pipeline.tables import Table, read_table
from pipeline.tables.table import Array, Column, listed, table_error
from pipeline.tables.times import Times

LATITUDE_NAMES = ("latitude", "lat")
LONGITUDE_NAMES = ("longitude", "lon", "long")


@dataclass(frozen=True, eq=False)
class Points:
    """In-situ points; every array has shape (points,)."""

    table: Table
    latitude: Array
    """Degrees; NaN where there is none."""
    longitude: Array
    """Degrees, as written: from -180 or from 0."""
    times: Times
    """UTC; NaT where there is none."""
    time_said: npt.NDArray[np.str_]
    """What the table says of the time, for messages."""
    place_and_time_columns: frozenset[str]
    """Of the table, whose content is in the arrays above."""

    def __len__(self) -> int:
        return len(self.table)

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """True where a point has a position on the globe."""
        on_globe = (np.abs(self.latitude) <= 90) & (self.longitude >= -180)
        return np.asarray(on_globe & (self.longitude <= 360))

    @property
    def timed(self) -> npt.NDArray[np.bool_]:
        """True where a point has a date and a time of the day."""
        return ~np.isnat(self.times)

    @property
    def carried(self) -> dict[str, Column]:
        """The other columns of the table."""
        return {
            name: values
            for name, values in self.table.columns.items()
            if name not in self.place_and_time_columns
        }


def read_points(path: Path | str, config: PointsConfig) -> Points:
    """The points in a file of any format that samples have.

    Raises:
        ConfigError: it cannot be read, a column is missing, or one that should be numbers is text.
    """
    table = read_table(
        path,
        config.format,
        missing=config.missing,
        delimiter=config.delimiter,
        sample_dimension=config.sample_dimension,
    )
    complaints = [
        f"points.units: no column {name!r}" for name in config.units if name not in table.columns
    ]
    names: dict[str, str] = {}
    usual = {"latitude": LATITUDE_NAMES, "longitude": LONGITUDE_NAMES}
    for key, candidates in usual.items():
        try:
            said = getattr(config, key)
            names[key] = _said(table, key, said) if said else _usual(table, key, candidates)
        except ConfigError as error:
            complaints.append(str(error).removeprefix(f"{table.name}: "))
    try:
        when = time_columns(table, config.time)
    except ConfigError as error:
        complaints.append(str(error).removeprefix(f"{table.name}: "))
    if complaints:
        raise table_error(table.name, *complaints)
    times, said_times = read_times(table, when)
    return Points(
        table=_with_units(table, config.units),
        latitude=table.numbers(names["latitude"]),
        longitude=table.numbers(names["longitude"]),
        times=times,
        time_said=said_times,
        place_and_time_columns=frozenset((*names.values(), *when.values())),
    )


def _said(table: Table, key: str, name: str) -> str:
    """The column that a configuration names."""
    if name not in table.columns:
        raise table_error(
            table.name,
            f"points.{key}: no column {name!r}; there are {listed(list(table.columns), 20)}",
        )
    return name


def _usual(table: Table, key: str, candidates: Iterable[str]) -> str:
    """The column with one of the usual names, in any case."""
    by_lower = {name.lower(): name for name in reversed(list(table.columns))}
    found = next((by_lower[name] for name in candidates if name in by_lower), None)
    if found is None:
        raise table_error(
            table.name,
            f"no column {' or '.join(candidates)}; there are {listed(list(table.columns), 20)}. "
            f"Name it under points.{key}",
        )
    return found


def _with_units(table: Table, units: Mapping[str, str]) -> Table:
    return dataclasses.replace(table, units={**table.units, **units})
