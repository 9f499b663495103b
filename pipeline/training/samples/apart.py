"""Leave out the rows of a table that are also in another table, by place and date.

A compilation may contain another compilation: Valente et al. 2022 have the rows of NOMAD. A network
that learned from such rows must not be judged with NOMAD.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from pipeline.config import SamplesConfig
from pipeline.config.samples import ApartConfig, FileConfig
from pipeline.errors import ConfigError
from pipeline.tables import Table, read_table
from pipeline.tables.expressions import near
from pipeline.tables.table import table_error
from pipeline.times.arrays import parse_times
from pipeline.times.formats import formats_in_units
from pipeline.training.samples.columns import Findings, take_rows, with_new_columns

Array = npt.NDArray[np.float64]
EARTH_KM = 6371.0
PLACE_AND_DATE = ("latitude", "longitude", "date")


@dataclasses.dataclass(frozen=True, eq=False)
class _Where:
    """Where and when the rows of a table were measured."""

    points: Array
    """Points on a sphere with the radius of the Earth (km), with shape (row, 3)."""
    days: npt.NDArray[np.int64]
    """Days since 1970, with shape (row,)."""
    known: npt.NDArray[np.bool_]
    """Whether place and date of a row are known, with shape (row,)."""


def rows_apart(table: Table, file: FileConfig, config: SamplesConfig, findings: Findings) -> Table:
    """Return the rows that are not in the table that ``file.apart_from`` names."""
    if file.apart_from is None:
        return table
    try:
        theirs = _where(_other_table(file.apart_from, config, findings))
        ours = _where(table)
    except ConfigError as error:
        findings.complain(error)
        return table
    same = _is_near(ours, theirs, file.apart_from.km, file.apart_from.days)
    kept = ours.known & ~same
    findings.notes.append(
        f"{table.name}: {same.sum()} rows at most {file.apart_from.km:g} km and "
        f"{file.apart_from.days} days from a row of {file.apart_from.path.name} left out, and "
        f"{(~ours.known).sum()} rows whose place or date is missing"
    )
    return take_rows(table, np.flatnonzero(kept))


def _other_table(said: ApartConfig, config: SamplesConfig, findings: Findings) -> Table:
    # The other table may have another format and other marks for missing values.
    table = read_table(said.path)
    alone = FileConfig(path=said.path, columns=said.columns)
    plain = config.model_copy(update={"columns": {}, "units": {}})
    return with_new_columns(table, alone, plain, findings)


def _where(table: Table) -> _Where:
    """Return places and dates from the columns ``latitude``, ``longitude`` and ``date``.

    Raises:
        ConfigError: a column is missing, or has text instead of numbers.
    """
    for name in PLACE_AND_DATE:
        if name not in table.columns:
            raise table_error(
                table.name,
                f"samples.files.apart_from: no column {name!r}{near(name, list(table.columns))}. "
                f"Make it with an expression under 'columns'",
            )
    latitude, longitude = (np.radians(table.numbers(name)) for name in PLACE_AND_DATE[:2])
    forms = formats_in_units(table.units.get("date", ""))
    times = parse_times(table.labels("date"), forms).utc
    known = np.isfinite(latitude) & np.isfinite(longitude) & ~np.isnat(times)
    flat = np.cos(latitude)
    xyz = (flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude))
    days = np.where(known, times, np.datetime64(0, "s")).astype("datetime64[D]").astype(np.int64)
    return _Where(EARTH_KM * np.stack(xyz, axis=1), days, known)


def _is_near(ours: _Where, theirs: _Where, km: float, days: int) -> npt.NDArray[np.bool_]:
    """Return, for each of our rows, whether one of their rows is near it in place and date."""
    same = np.zeros(ours.days.size, dtype=np.bool_)
    order = np.argsort(ours.days, kind="stable")
    sorted_days = ours.days[order]
    points, on = theirs.points[theirs.known], theirs.days[theirs.known]
    for day in np.unique(on):
        first, last = np.searchsorted(sorted_days, [day - days, day + days + 1])
        rows = order[first:last]
        # A chord is shorter than the way on the surface, by 0.1 % at 1000 km.
        chords = ours.points[rows][:, None] - points[on == day][None]
        same[rows] |= (np.sqrt(np.square(chords).sum(axis=2)) <= km).any(axis=1)
    return same & ours.known
