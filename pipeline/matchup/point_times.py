"""Times of points: from one column, from date and time, or from the parts of a date."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.config.matchup import TimeColumns
from pipeline.tables import Table
from pipeline.tables.table import Array, Texts, listed, table_error
from pipeline.times.arrays import Times, parse_clocks, parse_times, with_zeros
from pipeline.times.formats import formats_in_units
from pipeline.times.serial import since_reference
from pipeline.times.text import EXPECTED, parse_time

# The usual names of columns in lower case, in the order of preference.
TIME_NAMES: dict[str, tuple[str, ...]] = {
    "instant": (
        *("datetime", "date_time", "date/time", "date time", "time", "timestamp", "sampling_time"),
    ),
    "date": ("date",),
    "time": ("time",),
    "year": ("year",),
    "month": ("month",),
    "day": ("day",),
    "day_of_year": ("sdy", "day_of_year", "doy", "yearday"),
    "hour": ("hour",),
    "minute": ("minute",),
    "second": ("second",),
}
# Sets of columns that state a time, in the order of preference.
WAYS = (
    ("date", "time"),
    ("date", "hour"),
    ("year", "month", "day", "hour"),
    ("year", "day_of_year", "hour"),
    ("instant",),
)
# A column "time" may contain instants. These ways are used only if it contains times of day.
WAYS_OF_DAY = (("year", "month", "day", "time"), ("year", "day_of_year", "time"))
OPTIONAL = ("minute", "second")
_PARTS_OF_DATE = ("year", "month", "day", "day_of_year")
_EXPECTED_PARTS = "a date such as 2011-09-10 and a time of day such as 19:00:30"
# Points that a scene can match are not older. The year 0011 comes from a year with two digits, and
# 1897 comes from a missing value.
_FIRST = np.datetime64("1950-01-01", "us")
# Spreadsheets write a time of day with one of these dates.
_END_OF_DAY_ZERO = np.datetime64("1904-01-02", "us")
# Units of a time column that name another zone than UTC.
_OTHER_ZONE = re.compile(
    r"\b(?:local|L[SM]?T|[ECMPA][SD]T|[CEW]ES?T|BST|[JK]ST|AE[SD]T|NZ[SD]T)\b"
    r"|(?:^|UTC|GMT)\s*[+-]\s*(?:0?[1-9]|1[0-4])(?::?\d{2})?(?!\d|-)",
    re.IGNORECASE,
)


def time_columns(table: Table, configured: TimeColumns) -> dict[str, str]:
    """Return the column of the table for each key of TimeColumns.

    Raises:
        ConfigError: a configured column is missing, or the table has none of the usual columns.
    """
    names = configured.columns
    unknown = [name for name in names.values() if name not in table.columns]
    columns = f"the table has {listed(list(table.columns), 20)}"
    if unknown:
        raise table_error(table.name, f"points.time: no column {listed(unknown)}; {columns}")
    if names:
        return names
    usual = {key: usual_column(table, usual_names) for key, usual_names in TIME_NAMES.items()}
    time = usual["time"]
    if time is not None and since_reference(table.units.get(time, "")):
        return {"instant": time}
    of_day = time is not None and usual["instant"] == time and not _has_instants(table, time)
    for way in (*WAYS[:-1], *(WAYS_OF_DAY if of_day else ()), WAYS[-1]):
        if all(usual[key] for key in way):
            keys = (*way, *OPTIONAL) if "hour" in way else way
            return {key: column for key in keys if (column := usual[key]) is not None}
    raise table_error(
        table.name,
        f"no columns with the time; {columns}. Expected one of these sets of columns: datetime; "
        "date, time; date, hour; year, month, day, hour; year, sdy, hour (a column time may "
        "replace hour). If the columns have other names, state them in points.time",
    )


def _has_instants(table: Table, column: str) -> bool:
    """Whether cells of a column state the date too, and not only the time of day."""
    texts = _as_written(table, column)
    forms = formats_in_units(table.units.get(column, ""))
    return bool(parse_times(texts, forms).has_clock.any())


def usual_column(table: Table, names: Iterable[str]) -> str | None:
    """Return the first of these columns that the table has; ``LAT`` is the same as ``lat``."""
    by_lower = {name.lower(): name for name in reversed(list(table.columns))}
    return next((by_lower[name] for name in names if name in by_lower), None)


def read_times(
    table: Table, columns: Mapping[str, str], form: str | None = None
) -> tuple[Times, Texts]:
    """Return two arrays with shape (points,): times (UTC, NaT if missing), and texts of the times.

    A date without a time of day becomes NaT, because its distance in time from a scene is unknown.
    A time before 1950 becomes NaT: it comes from a missing value, or from a year with two digits.

    Args:
        table: the table.
        columns: the column for each key of TimeColumns.
        form: the stated format. If there is none, the units of a column may state the format;
        otherwise, usual formats are tried.

    Raises:
        ConfigError: no point has a time, or a column with a part of the date has text.
    """
    _refuse_other_zones(table, columns.values())
    if "instant" in columns or form is not None:
        times, texts = _from_texts(table, columns, form)
    else:
        times, texts = _from_days(table, columns)
    times = np.where(times < _FIRST, np.datetime64("NaT"), times)
    if np.isnat(times).all():
        raise table_error(table.name, _no_time(table, columns, texts, form))
    return times, texts


def _refuse_other_zones(table: Table, columns: Iterable[str]) -> None:
    for column in columns:
        said = table.units.get(column, "")
        if not since_reference(said) and _OTHER_ZONE.search(said):
            raise table_error(
                table.name,
                f"the times in column {column!r} are in {said!r}, expected UTC. Write the zone "
                "into each time (2011-09-10T14:00-05:00), or state the units UTC in points.units "
                "if the header is wrong",
            )


def _from_texts(table: Table, columns: Mapping[str, str], form: str | None) -> tuple[Times, Texts]:
    """Return times, and the texts they were read from.

    The texts come from one column of times, or are joined from a column of dates and a column of
    times of day. ``form`` is their format, if it is known.
    """
    named = [columns[key] for key in ("instant", "date", "time") if key in columns]
    cells = [_as_written(table, name) for name in named]
    texts = _joined(cells, " ")
    forms = formats_in_units(table.units.get(named[0], "")) if form is None else (form,)
    whole = texts if form is None or len(named) == 1 else _with_zeros(cells[0], cells[1], form)
    parsed = parse_times(whole, forms)
    return np.where(parsed.has_clock, parsed.utc, np.datetime64("NaT")), texts


def _from_days(table: Table, columns: Mapping[str, str]) -> tuple[Times, Texts]:
    """Return times from a day and a time of day, each in one column or in several."""
    days, day_texts = _days(table, columns)
    if "time" not in columns:
        clocks, clock_texts = _hours(table, columns)
        return days + clocks, _joined([day_texts, clock_texts], "/")
    name = columns["time"]
    texts = _as_written(table, name)
    times = days + parse_clocks(texts, formats_in_units(table.units.get(name, "")))
    whole = parse_times(texts)
    clocks = whole.utc - whole.utc.astype("datetime64[D]")
    of_whole = np.where(whole.utc < _END_OF_DAY_ZERO, days + clocks, whole.utc)
    return np.where(whole.has_clock, of_whole, times), _joined([day_texts, texts], " ")


def _joined(cells: Sequence[Iterable[str]], mark: str) -> Texts:
    return np.array([mark.join(row).strip() for row in zip(*cells, strict=True)], dtype=np.str_)


def _as_written(table: Table, column: str) -> Texts:
    """Return a column as text; numbers get no more digits than they need."""
    values = table.columns[column]
    if table.is_text(column):
        return values
    texts = ["" if np.isnan(value) else repr(value).removesuffix(".0") for value in values.tolist()]
    return np.array(texts, dtype=np.str_)


def _with_zeros(dates: Texts, clocks: Texts, form: str) -> list[str]:
    """Join dates and times of day; restore leading zeros, which tables of numbers do not keep."""
    date_form, _, clock_form = form.rpartition(" ")
    pairs = zip(with_zeros(dates, date_form), with_zeros(clocks, clock_form), strict=True)
    return [f"{date} {clock}".strip() for date, clock in pairs]


def _no_time(table: Table, columns: Mapping[str, str], texts: Texts, form: str | None) -> str:
    """Say why no point has a time, and what to do."""
    named = " and ".join(repr(name) for name in columns.values())
    where = f"column {named}" if len(columns) == 1 else f"columns {named}"
    found = [str(text) for text in texts if text.strip(" ?/")]
    if not found:
        return f"no point has a time: no values in {where}. Name other columns in points.time"
    if "hour" in columns:
        return (
            f"no point has a time: found {found[0]!r} in {where} "
            f"({table.places([_row(texts, found[0])])}), expected a date, an hour from 0 to 23, "
            "and minutes and seconds from 0 to 59. Name other columns in points.time"
        )
    if form is None and len(columns) == 1 and parse_time(found[0]) is not None:
        return (
            f"no point has a time: found dates without a time of day in "
            f"{where}, such as {found[0]!r}. "
            "A match-up needs a time of day: in points.time, name the column that has it"
        )
    whole = EXPECTED if "instant" in columns else _EXPECTED_PARTS
    if form is None and "year" in columns:
        return (
            f"no point has a time: found {found[0]!r} in {where} "
            f"({table.places([_row(texts, found[0])])}), expected {whole}. In points.units, state "
            f"how the time of day is written ({columns['time']}: hhmm), or name other columns in "
            "points.time"
        )
    expected = f"times in the format {form!r}" if form else whole
    return (
        f"no point has a time: found {found[0]!r} in {where} "
        f"({table.places([_row(texts, found[0])])}), expected {expected}. State the format as "
        "points.time.format, such as '%d/%m/%Y %H:%M' (day first), '%m/%d/%Y %H:%M' (month "
        "first), '%Y%m%d %H%M' (columns date and time) or 'days since 1899-12-30' (numbers of a "
        "spreadsheet)"
    )


def unreadable_times(table: Table, times: Times, texts: Texts) -> list[str]:
    """Return a message if some points have a text that is not a time."""
    wrong = [int(row) for row in np.flatnonzero(np.isnat(times)) if texts[row].strip(" ?/")]
    if not wrong:
        return []
    told = (
        f"{len(wrong)} of {len(table)} points are not used, because no date with a time of day "
        f"can be read from texts such as {str(texts[wrong[0]])!r} ({table.places(wrong)})"
    )
    return [told]


def _row(texts: Texts, text: str) -> int:
    return int(np.flatnonzero(texts == text)[0])


def _since_midnight(hours: Array, minutes: Array, seconds: Array) -> Any:
    """Time since midnight (timedelta64); NaT where a number is missing or out of range."""
    valid = (hours >= 0) & (hours < 24) & (minutes >= 0) & (minutes < 60)
    valid &= (seconds >= 0) & (seconds < 60)
    microseconds = np.where(valid, 1e6 * (3600 * hours + 60 * minutes + seconds), 0)
    found = np.round(microseconds).astype("timedelta64[us]")
    found[~valid] = np.timedelta64("NaT")
    return found


def _days(table: Table, columns: Mapping[str, str]) -> tuple[Times, Iterable[str]]:
    """Return midnight of the day of each row (NaT without a day), and the text of the day."""
    if "date" in columns:
        texts: Any = _as_written(table, columns["date"])
        parsed = parse_times(texts, formats_in_units(table.units.get(columns["date"], "")))
    else:
        parts = [table.numbers(columns[key]) for key in _PARTS_OF_DATE if key in columns]
        texts = ["/".join(_short(np.array(row))) for row in zip(*parts, strict=True)]
        parsed = parse_times([_date(*row) for row in zip(*parts, strict=True)])
    days = np.where(parsed.has_day, parsed.utc, np.datetime64("NaT")).astype("datetime64[D]")
    return days.astype("datetime64[us]"), texts


def _hours(table: Table, columns: Mapping[str, str]) -> tuple[Any, Iterable[str]]:
    """Return the time since midnight and its text; minutes or seconds without a column are 0."""
    keys = [key for key in ("hour", *OPTIONAL) if key in columns]
    clock = {key: table.numbers(columns[key]) for key in keys}
    none = np.zeros(len(table))
    found = _since_midnight(clock["hour"], *(clock.get(key, none) for key in OPTIONAL))
    rows = zip(*(_short(values) for values in clock.values()), strict=True)
    return found, ["/".join(row) for row in rows]


def _short(values: Array) -> list[str]:
    return ["?" if np.isnan(value) else f"{value:g}" for value in values]


def _date(*parts: float) -> str:
    """Return year, month and day, or year and day of the year, as ISO 8601.

    "" if a part is missing or not a whole number.
    """
    if not all(np.isfinite(part) and part == round(part) and part >= 0 for part in parts):
        return ""
    year, *rest = (int(part) for part in parts)
    return (
        f"{year:04d}-{rest[0]:03d}" if len(rest) == 1 else f"{year:04d}{rest[0]:02d}{rest[1]:02d}"
    )
