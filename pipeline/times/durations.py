"""Durations in ISO 8601, as ``time_coverage_duration`` states them: ``P1M``, ``P8D``, ``PT5M``."""

import datetime
import re

from pipeline.times.text import months_later

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def after_duration(start: datetime.datetime, text: str) -> datetime.datetime | None:
    """Add a duration to a start; return None if the text is not a duration."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    parts = {name: float(number or 0) for name, number in match.groupdict().items()}
    months = int(12 * parts.pop("years") + parts.pop("months"))
    try:
        return months_later(start, months) + datetime.timedelta(**parts)
    except (ValueError, OverflowError):
        return None
