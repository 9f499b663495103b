"""In-situ points of a table: their positions and times."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.config.matchup import PointsConfig
from pipeline.errors import ConfigError
from pipeline.facts.quantities import quantities
from pipeline.matchup.band_shift import shifted
from pipeline.matchup.brdf import normalised
from pipeline.matchup.point_files import point_files
from pipeline.matchup.point_times import (
    read_times,
    time_columns,
    unreadable_times,
    usual_column,
)
from pipeline.tables import Table, read_table
from pipeline.tables.joined import joined
from pipeline.tables.sentinels import undeclared_missing
from pipeline.tables.table import Array, Column, listed, table_error
from pipeline.times.arrays import Times

# The usual names of columns, in lower case.
PLACE_NAMES = {
    "latitude": ("latitude", "lat", "site_latitude"),
    "longitude": ("longitude", "lon", "long", "site_longitude"),
}
# Units of a position that are not decimal degrees to the north or east.
_OTHER_DEGREES = re.compile(
    r"west\b|south\b|(?:^|[ _.\N{DEGREE SIGN}])[ws]$|deg(?:rees?)?w$|\brad|\bmin"
    r"|dms|dd[ :]*mm|^k?m$",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Points:
    """In-situ points; every array has shape (points,)."""

    table: Table
    latitude: Array
    """Latitude in degrees; NaN where missing."""
    longitude: Array
    """Longitude in degrees as in the table, up to 180 or up to 360; NaN where missing."""
    times: Times
    """Times in UTC; NaT where missing."""
    time_text: npt.NDArray[np.str_]
    """Times as the table writes them, for messages."""
    place_and_time_columns: frozenset[str]
    """Columns of the table from which position and time were read."""

    def __len__(self) -> int:
        return len(self.table)

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """True for points with a valid position."""
        known = quantities()
        in_latitude = known["latitude"].is_possible(self.latitude)
        return np.asarray(in_latitude & known["longitude"].is_possible(self.longitude))

    @property
    def timed(self) -> npt.NDArray[np.bool_]:
        """True for points with a date and a time of day."""
        return ~np.isnat(self.times)

    @property
    def carried(self) -> dict[str, Column]:
        """All columns of the table, except the columns of position and time."""
        own = self.place_and_time_columns
        return {name: values for name, values in self.table.columns.items() if name not in own}


def read_points(said: Path | str, config: PointsConfig) -> Points:
    """Read the points from one or several files, in any of the formats for samples.

    Args:
        said: a file, a folder, a pattern or an ``@list``; the rows of several files are joined.
        config: the names and formats of columns.

    Raises:
        ConfigError: the file cannot be read, or a column is missing or has text instead of numbers.
    """
    tables = [_read_table(path, config) for path in point_files(said)]
    origin = tables[0].name if len(tables) == 1 else str(said)
    unknown = [name for name in config.units if not any(name in t.columns for t in tables)]
    if unknown:
        raise table_error(origin, *(f"points.units: no column {name!r}" for name in unknown))
    parts = [_points_of(table, config) for table in tables]
    points = parts[0] if len(parts) == 1 else _joined(parts, str(said))
    table = points.table
    if config.brdf_normalisation is not None:
        table = normalised(
            table, config.brdf_normalisation, points.latitude, points.longitude, points.times
        )
    if config.band_shift is not None:
        table = shifted(table, config.band_shift)
    return dataclasses.replace(points, table=table)


def _read_table(path: Path, config: PointsConfig) -> Table:
    table = read_table(
        path,
        config.format,
        missing=config.missing,
        delimiter=config.delimiter,
        sample_dimension=config.sample_dimension,
    )
    stated = {name: units for name, units in config.units.items() if name in table.columns}
    return dataclasses.replace(table, units={**table.units, **stated})


def _points_of(table: Table, config: PointsConfig) -> Points:
    names: dict[str, str] = {}
    when: dict[str, str] = {}
    complaints = []
    for key in (*PLACE_NAMES, "time"):
        try:
            if key == "time":
                when = time_columns(table, config.time)
            else:
                names[key] = _place_column(table, key, getattr(config, key))
        except ConfigError as error:
            complaints.append(str(error).removeprefix(f"{table.name}: "))
    if complaints:
        raise table_error(table.name, *complaints)
    times, time_text = read_times(table, when, config.time.format)
    suspicious = [
        problem
        for name in table.columns
        if name not in {*names.values(), *when.values()}
        and (problem := undeclared_missing(table, name, config.not_missing, "points"))
    ]
    if suspicious:
        raise table_error(table.name, *suspicious)
    told = (*table.told, *unreadable_times(table, times, time_text))
    return Points(
        table=dataclasses.replace(table, told=told),
        latitude=table.numbers(names["latitude"]),
        longitude=table.numbers(names["longitude"]),
        times=times,
        time_text=time_text,
        place_and_time_columns=frozenset((*names.values(), *when.values())),
    )


def _joined(parts: Sequence[Points], origin: str) -> Points:
    """Join the points of several files; the files may write positions and times in other ways."""
    tables = [dataclasses.replace(part.table, columns=part.carried) for part in parts]
    kept = [
        dataclasses.replace(t, units={n: u for n, u in t.units.items() if n in t.columns})
        for t in tables
    ]
    return Points(
        table=joined(kept, origin),
        latitude=np.concatenate([part.latitude for part in parts]),
        longitude=np.concatenate([part.longitude for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        time_text=np.concatenate([part.time_text for part in parts]),
        place_and_time_columns=frozenset(),
    )


def _place_column(table: Table, key: str, configured: str | None) -> str:
    """Return the configured latitude or longitude column, or else a column with a usual name."""
    if configured is not None and configured in table.columns:
        _refuse_other_units(table, configured, key)
        return configured
    columns = f"the table has {listed(list(table.columns), 20)}"
    if configured is not None:
        raise table_error(table.name, f"points.{key}: no column {configured!r}; {columns}")
    found = usual_column(table, PLACE_NAMES[key])
    if found is None:
        usual = " or ".join(PLACE_NAMES[key])
        raise table_error(
            table.name, f"no column {usual}; {columns}. Set points.{key} to the name of the column"
        )
    _refuse_other_units(table, found, key)
    return found


def _refuse_other_units(table: Table, column: str, key: str) -> None:
    """Refuse degrees to the west or south, radians, and degrees with minutes."""
    said = table.units.get(column, "")
    if _OTHER_DEGREES.search(said):
        raise table_error(
            table.name,
            f"column {column!r} is in {said!r}, expected degrees to the "
            f"{'north' if key == 'latitude' else 'east'}. Convert it, or state its units in "
            "points.units if the header is wrong",
        )
