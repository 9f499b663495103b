"""Times of points: from one column, from date and time, or from the parts of a date."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pipeline.config.matchup import TimeColumns
from pipeline.tables import Table
from pipeline.tables.table import Array, Texts, listed, table_error
from pipeline.tables.times import Times, instants

# The usual names of columns in lower case, in the order of preference.
TIME_NAMES: dict[str, tuple[str, ...]] = {
    "instant": ("datetime", "date_time", "time", "timestamp"),
    "date": ("date",),
    "time": ("time",),
    "year": ("year",),
    "month": ("month",),
    "day": ("day",),
    "hour": ("hour",),
    "minute": ("minute",),
    "second": ("second",),
}
# Sets of columns that state a time, in the order of preference.
WAYS = (("date", "time"), ("year", "month", "day", "hour"), ("instant",))
OPTIONAL = ("minute", "second")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?Z?")
_DATE_ALONE = re.compile(r"\d{4}-?\d{2}-?\d{2}")


def time_columns(table: Table, configured: TimeColumns) -> dict[str, str]:
    """Return the column of the table for each key of TimeColumns.

    Raises:
        ConfigError: a configured column is missing, or the table has none of the usual columns.
    """
    names = {key: name for key, name in configured.model_dump().items() if name is not None}
    unknown = [name for name in names.values() if name not in table.columns]
    columns = f"the table has {listed(list(table.columns), 20)}"
    if unknown:
        raise table_error(table.name, f"points.time: no column {listed(unknown)}; {columns}")
    if names:
        return names
    usual = {key: usual_column(table, usual_names) for key, usual_names in TIME_NAMES.items()}
    for way in WAYS:
        if all(usual[key] for key in way):
            keys = (*way, *OPTIONAL) if "hour" in way else way
            return {key: column for key in keys if (column := usual[key]) is not None}
    raise table_error(
        table.name,
        f"no columns with the time; {columns}. Expected datetime; or date and time; or year, "
        "month, day and hour. Otherwise, name the columns in points.time",
    )


def usual_column(table: Table, names: Iterable[str]) -> str | None:
    """Return the column for the first of these names that exists; ``LAT`` counts as ``lat``."""
    by_lower = {name.lower(): name for name in reversed(list(table.columns))}
    return next((by_lower[name] for name in names if name in by_lower), None)


def read_times(table: Table, columns: Mapping[str, str]) -> tuple[Times, Texts]:
    """Return times (UTC, NaT if missing) and their texts in the table, each with shape (points,).

    A date without a time of day becomes NaT, because its distance in time from a scene is unknown.

    Raises:
        ConfigError: a column with a part of the date holds text.
    """
    if "instant" in columns:
        texts = table.labels(columns["instant"])
        is_date = np.array([bool(_DATE_ALONE.fullmatch(text)) for text in texts], dtype=bool)
        return np.where(is_date, np.datetime64("NaT"), instants(texts)), texts
    if "date" in columns:
        dates, clocks = (table.labels(columns[key]) for key in ("date", "time"))
        texts = np.array([f"{d} {c}".strip() for d, c in zip(dates, clocks, strict=True)])
        days = instants(dates).astype("datetime64[D]").astype("datetime64[us]")
        return days + _clock(clocks), texts.astype(np.str_)
    return _from_parts(table, columns)


def _clock(texts: Texts) -> Any:
    """Time since midnight (timedelta64); NaT where a text is not a time of day."""
    matches = [_CLOCK.fullmatch(text.rpartition("T")[2]) for text in texts]
    parts = np.array(
        [[float(part or 0) for part in m.groups()] if m else [np.nan] * 3 for m in matches]
    ).reshape(-1, 3)
    return _since_midnight(*parts.T)


def _since_midnight(hours: Array, minutes: Array, seconds: Array) -> Any:
    """Time since midnight (timedelta64); NaT where a number is missing or out of range."""
    valid = (hours >= 0) & (hours < 24) & (minutes >= 0) & (minutes < 60)
    valid &= (seconds >= 0) & (seconds < 60)
    microseconds = np.where(valid, 1e6 * (3600 * hours + 60 * minutes + seconds), 0)
    found = np.round(microseconds).astype("timedelta64[us]")
    found[~valid] = np.timedelta64("NaT")
    return found


def _from_parts(table: Table, columns: Mapping[str, str]) -> tuple[Times, Texts]:
    """Return times from year, month, day and hour; minutes and seconds without a column are 0."""
    parts = {key: table.numbers(column) for key, column in columns.items()}
    none = np.zeros(len(table))
    clock = _since_midnight(parts["hour"], *(parts.get(key, none) for key in OPTIONAL))
    dates = zip(parts["year"], parts["month"], parts["day"], strict=True)
    days = instants(np.array([_eight_digits(*date) for date in dates], dtype=np.str_))
    rows = zip(*parts.values(), strict=True)
    texts = ["/".join("?" if np.isnan(v) else f"{v:g}" for v in row) for row in rows]
    return days + clock, np.array(texts, dtype=np.str_)


def _eight_digits(year: float, month: float, day: float) -> str:
    """Return a date as ``20030415``, or "" if a part is missing or not a whole number."""
    parts = (year, month, day)
    if not all(np.isfinite(part) and part == round(part) for part in parts):
        return ""
    return f"{year:04.0f}{month:02.0f}{day:02.0f}"
