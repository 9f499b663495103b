"""The times that a ledger stores as text, and the time since then."""

import calendar
import time

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def iso_time(seconds: float) -> str:
    """Return a time (seconds since 1970) as the text that a ledger would store."""
    return time.strftime(_FORM, time.gmtime(seconds))


def seconds_since_1970(text: str | None) -> int | None:
    """Return the time that a ledger stores as text; None if there is none."""
    try:
        return calendar.timegm(time.strptime(text or "", _FORM))
    except ValueError:
        return None


def age(text: str | None, now: float) -> float | None:
    """Return the seconds from a stored time until ``now``; at least 0, or None if unknown."""
    then = seconds_since_1970(text)
    return None if then is None else max(now - then, 0.0)


def ago(text: str | None, now: float) -> str:
    """Return a stored time with its age: ``2026-11-25T20:11:47Z, 5 min ago``, or a dash."""
    seconds = age(text, now)
    return "-" if seconds is None else f"{text}, {in_time(seconds)} ago"


def in_time(seconds: float) -> str:
    """Return a time in words such as ``40 s``, ``12 min``, ``3 h 5 min`` or ``4 d 2 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
