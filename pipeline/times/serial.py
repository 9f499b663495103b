"""Times as numbers since a reference time, as in CF: ``days since 1899-12-30``."""

import datetime
import math
import re
from collections.abc import Sequence

_UNITS = re.compile(r"\s*[A-Za-z]+\s+since\s+\S.*", re.IGNORECASE | re.DOTALL)
# The zone at the end of a reference time; the numbers of a date are not one.
_ZONE = re.compile(
    r"(?:(?<=\d)\s+|(?<=:\d\d)|(?<=\.\d))"
    r"(?P<zone>[A-Za-z][\w/:+-]*|(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?)\s*"
)
_UTC_NAMES = ("z", "utc", "gmt", "ut")
# Calendars whose dates are the dates that instruments and clocks use.
REAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


def since_reference(units: str) -> bool:
    """Return True for units of time with a reference, such as ``seconds since 1970-01-01``."""
    return _UNITS.fullmatch(units) is not None


def utc_of(number: float, units: str, calendar: str = "standard") -> datetime.datetime | None:
    """Return the time (UTC, without a zone) that a number states; None for NaN and infinity.

    Raises:
        ValueError: see :func:`utc_of_all`.
    """
    return utc_of_all([number], units, calendar)[0]


def utc_of_all(
    numbers: Sequence[float], units: str, calendar: str = "standard"
) -> list[datetime.datetime | None]:
    """Return the times that numbers state; None for numbers that are not finite.

    Times are rounded to the millisecond, because a time in days is not exact to the last digit.

    Raises:
        ValueError: the units or the calendar cannot state a real time, or a number is too large;
            the message quotes what is wrong.
    """
    import cftime

    if calendar.strip().lower() not in REAL_CALENDARS:
        raise ValueError(
            f"the calendar of a time is {calendar!r}, expected one of {', '.join(REAL_CALENDARS)}"
        )
    try:
        plain = _with_plain_zone(units)
        cftime.num2date(0.0, plain, "standard", only_use_cftime_datetimes=False)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the units of a time are {units!r} ({error})") from None
    how = {"only_use_cftime_datetimes": False, "only_use_python_datetimes": True}
    known = [float(number) for number in numbers if math.isfinite(number)]
    try:
        found = iter(cftime.num2date(known, plain, "standard", **how))
    except (ValueError, OverflowError):
        raise ValueError(
            f"{max(known, key=abs):g} {units!r} is not a time from the years 1582 to 9999"
        ) from None
    return [_rounded(next(found)) if math.isfinite(number) else None for number in numbers]


def _with_plain_zone(units: str) -> str:
    """Return units with the zone as ``+hh:mm``; cftime ignores zones like ``-5:00`` or ``EST``.

    Raises:
        ValueError: the zone has a name, and this name is not UTC.
    """
    match = _ZONE.search(units)
    if match is None or match.end() != len(units):
        return units
    if match["sign"] is None:
        if match["zone"].lower() not in _UTC_NAMES:
            raise ValueError(
                f"the zone {match['zone']!r} is not known, expected UTC or an offset such as -05:00"
            )
        return units[: match.start()]
    zone = f"{match['sign']}{int(match['hours']):02d}:{match['minutes'] or '00'}"
    return f"{units[: match.start()]} {zone}"


def _rounded(time: datetime.datetime) -> datetime.datetime:
    whole = time.replace(microsecond=0, tzinfo=None)
    return whole + datetime.timedelta(milliseconds=round(time.microsecond / 1000))
