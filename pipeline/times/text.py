"""Parses times that are written in a usual way, so no format has to be stated.

``datetime.fromisoformat`` is too lenient for files: it reads ``200505010000Z`` with the ninth
character as a separator. In this module, each way to write a time has its own pattern, and every
other text is refused. Ways that depend on the country (9/10/2011) are refused too: their format
must be stated.
"""

import calendar
import datetime
import re
from dataclasses import dataclass
from enum import IntEnum

EXPECTED = "a time such as 2011-09-10T19:00:30Z or 20110910190030"


class Resolution(IntEnum):
    """How much of a time is written."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    CLOCK = 4
    """The date and a time of day."""


@dataclass(frozen=True)
class Instant:
    """A time in UTC."""

    utc: datetime.datetime
    """The time without a time zone; a part that is not written has its smallest value."""
    resolution: Resolution

    @property
    def end(self) -> datetime.datetime:
        """The time itself if a time of day is written, else the end of the day, month or year."""
        match self.resolution:
            case Resolution.CLOCK:
                return self.utc
            case Resolution.DAY:
                return self.utc + datetime.timedelta(days=1)
            case Resolution.MONTH:
                return months_later(self.utc, 1)
            case _:
                return months_later(self.utc, 12)

    @property
    def iso(self) -> str:
        """The time in ISO 8601, with the parts that are written: ``2011-09-10T19:00:30.000Z``."""
        if self.resolution is Resolution.CLOCK:
            return self.utc.isoformat(timespec="milliseconds") + "Z"
        return self.utc.strftime("%Y-%m-%d")[: {1: 4, 2: 7, 3: 10}[self.resolution]]


def months_later(time: datetime.datetime, months: int) -> datetime.datetime:
    """Add months to a time; a day that the later month lacks becomes the month's last day."""
    month = time.year * 12 + time.month - 1 + months
    last = calendar.monthrange(month // 12, month % 12 + 1)[1]
    return time.replace(year=month // 12, month=month % 12 + 1, day=min(time.day, last))


_ZONE = r"\s*(?P<zone>Z|UTC|GMT|\[(?:UTC|GMT|Z)\]|[+-]\d{2}(?::?\d{2})?)?"
_SECONDS = r"(?P<second>\d{2}(?:[.,]\d*)?)"
_CLOCK = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::{_SECONDS})?"
_COMPACT_CLOCK = rf"(?P<hour>\d{{2}})(?:(?P<minute>\d{{2}})(?:{_SECONDS})?)?"
# Only such years begin a compact time: a number of seconds since 1970 does not look like one.
_COMPACT_DATE = r"(?P<year>19[5-9]\d|20\d\d)(?P<month>\d{2})(?P<day>\d{2})"
_DATES = (
    r"(?P<year>\d{4})(?:-(?P<month>\d{2}))?",
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?P<year>\d{4})-(?P<day_of_year>\d{3})",
)


def _patterns() -> tuple[re.Pattern[str], ...]:
    dates = [*_DATES, *(f"{d}(?:T|\\s+){c}{_ZONE}" for d in _DATES[1:] for c in _CLOCKS)]
    together = f"{_COMPACT_DATE}{_COMPACT_CLOCK}{_ZONE}"
    return tuple(re.compile(text, re.IGNORECASE | re.ASCII) for text in (*dates, together))


_CLOCKS = (_CLOCK, _COMPACT_CLOCK)
_PATTERNS = _patterns()
_CLOCK_ALONE = re.compile(rf"T?{_CLOCK}{_ZONE}", re.IGNORECASE | re.ASCII)


def parse_time(text: str) -> Instant | None:
    """Return the time that a text states (UTC if it names no zone); None if it is not a time.

    These forms are known: ISO 8601 with separators between all parts or without any,
    ``2011/09/10``, ``2011-253``, and ``yyyymmddHH`` to ``yyyymmddHHMMSS``.
    """
    stripped = text.strip()
    for pattern in _PATTERNS:
        match = pattern.fullmatch(stripped)
        if match is not None:
            return _instant(match.groupdict())
    return None


def parse_clock(text: str) -> datetime.timedelta | None:
    """Return the time since midnight UTC of a text such as ``19:00:30`` or ``14:00-05:00``.

    The result is negative if the time in UTC is on the day before; it is 24 hours or more if the
    time in UTC is on the day after.
    None if the text is not a time of day.
    """
    match = _CLOCK_ALONE.fullmatch(text.strip())
    return None if match is None else _since_midnight(match.groupdict())


def _instant(parts: dict[str, str | None]) -> Instant | None:
    year, month, day = (int(parts.get(name) or 1) for name in ("year", "month", "day"))
    days_more = int(parts.get("day_of_year") or 1) - 1
    try:
        date = datetime.datetime(year, month, day) + datetime.timedelta(days=days_more)
        clock = _since_midnight(parts)
        if date.year != year or clock is None:
            return None
        return Instant(date + clock, _resolution(parts))
    except (ValueError, OverflowError):
        return None


def _resolution(parts: dict[str, str | None]) -> Resolution:
    if parts.get("hour"):
        return Resolution.CLOCK
    if parts.get("day") or parts.get("day_of_year"):
        return Resolution.DAY
    return Resolution.MONTH if parts.get("month") else Resolution.YEAR


def _since_midnight(parts: dict[str, str | None]) -> datetime.timedelta | None:
    """Return the time since midnight in UTC; None if a part is out of range."""
    hour, minute = (int(parts.get(name) or 0) for name in ("hour", "minute"))
    seconds = (parts.get("second") or "0").replace(",", ".")
    # Files have more digits than microseconds; the others are cut off, not rounded up.
    whole, _, fraction = seconds.partition(".")
    microseconds = int(f"{fraction[:6]:0<6}")
    is_midnight = (hour, minute, int(whole), microseconds) == (24, 0, 0, 0)
    if (hour > 23 and not is_midnight) or minute > 59 or int(whole) > 59:
        return None
    ahead = _ahead_of_utc(parts.get("zone") or "Z")
    if ahead is None:
        return None
    clock = datetime.timedelta(
        hours=hour, minutes=minute, seconds=int(whole), microseconds=microseconds
    )
    return clock - ahead


def _ahead_of_utc(zone: str) -> datetime.timedelta | None:
    """Return how far a zone is ahead of UTC; None if no zone has such a difference."""
    if zone[0] not in "+-":
        return datetime.timedelta(0)
    digits = zone[1:].replace(":", "")
    size = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    if size > datetime.timedelta(hours=14) or int(digits[2:] or 0) > 59:
        return None
    return -size if zone[0] == "-" else size
