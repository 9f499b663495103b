"""Times as numbers since a reference time, as in CF: ``days since 1899-12-30``."""

import datetime
import math
import re

_UNITS = re.compile(r"\s*[A-Za-z]+\s+since\s+\S.*", re.IGNORECASE | re.DOTALL)
# Calendars whose dates are the dates that instruments and clocks use.
REAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


def since_reference(units: str) -> bool:
    """Whether units are those of a time, such as ``seconds since 1970-01-01``."""
    return _UNITS.fullmatch(units) is not None


def utc_of(number: float, units: str, calendar: str = "standard") -> datetime.datetime | None:
    """Return the time (UTC, without a zone) that a number states; None if it is not finite.

    The time is rounded to the millisecond, because a number of days has no exact seconds.

    Raises:
        ValueError: the units or the calendar are not those of real times, or the number is too
            large; the message quotes them.
    """
    import cftime

    if calendar.strip().lower() not in REAL_CALENDARS:
        raise ValueError(
            f"the calendar of a time is {calendar!r}, expected one of {', '.join(REAL_CALENDARS)}"
        )
    try:
        cftime.num2date(0.0, units, "standard", only_use_cftime_datetimes=False)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the units of a time are {units!r} ({error})") from None
    if not math.isfinite(number):
        return None
    try:
        found = cftime.num2date(
            float(number),
            units,
            "standard",
            only_use_cftime_datetimes=False,
            only_use_python_datetimes=True,
        )
    except (ValueError, OverflowError):
        raise ValueError(
            f"{number:g} {units!r} is not a time between the years 1582 and 9999"
        ) from None
    thousandths = round(found.microsecond / 1000)
    whole: datetime.datetime = found.replace(microsecond=0, tzinfo=None)
    return whole + datetime.timedelta(milliseconds=thousandths)
