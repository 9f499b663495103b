"""Parses times in a stated format: a strptime format, or units such as ``days since ...``."""

import datetime
import re
from collections.abc import Iterator

from pipeline.times.serial import since_reference, utc_of
from pipeline.times.text import Instant, Resolution

_DIRECTIVE = re.compile(r"%[A-Za-z]")
# Directives with a fixed number of digits; strptime accepts fewer of them.
_DIGITS = {"%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2, "%j": 3, "%y": 2, "%I": 2}
_CLOCK = frozenset(("%H", "%I", "%M", "%S", "%f", "%p", "%X", "%c", "%T", "%s"))
# What a date needs, and the directives that state it.
_DATE = {
    "year": frozenset(("%Y", "%y", "%c", "%x", "%D", "%F", "%s")),
    "month": frozenset(("%m", "%b", "%B", "%j", "%c", "%x", "%D", "%F", "%s")),
    "day": frozenset(("%d", "%e", "%j", "%c", "%x", "%D", "%F", "%s")),
}
# strptime would also accept the names of the zone that this computer is in, and ignore the zone.
_UTC_NAMES = ("UTC", "GMT", "Z")
# The date that strptime assumes for a time of day.
_MIDNIGHT = datetime.datetime(1900, 1, 1)
# How headers of tables state formats: dd-mm-yyyy, hh:mm:ss, yyyymmdd.
_LETTERS = re.compile(r"yyyy|yy|mmm|mm|mn|ddd|dd|hh|sss|ss|[-/:. ,_t]", re.IGNORECASE)


def check_format(text: str) -> str:
    """Return the text if it is a format of times.

    Raises:
        ValueError: the text is no strptime format and no units such as ``days since ...``; or the
            format has no year, has %I without %p, or has %p with %H.
    """
    if since_reference(text):
        utc_of(0.0, text)
    elif not _DIRECTIVE.search(text):
        raise ValueError(
            f"{text!r} is not a format of times, expected a strptime format, such as "
            "'%d/%m/%Y %H:%M', or units of time, such as 'days since 1899-12-30'"
        )
    else:
        _refuse_unknown_directives(text)
        _refuse_half_a_time(text)
    return text


def _refuse_half_a_time(text: str) -> None:
    """Refuse formats for which strptime would assume the year 1900 or the morning."""
    said = set(_DIRECTIVE.findall(text))
    if not said & _DATE["year"]:
        raise ValueError(
            f"the format of times {text!r} has no year, expected a format of the whole time, such "
            "as '%Y-%m-%d %H:%M'"
        )
    if "%H" in said and "%p" in said:
        raise ValueError(f"the format of times {text!r} has %p, which needs %I instead of %H")
    if "%I" in said and "%p" not in said:
        raise ValueError(
            f"the format of times {text!r} has %I (1 to 12) without %p (AM or PM): add %p, or "
            "replace %I by %H (0 to 23)"
        )


def _refuse_unknown_directives(text: str) -> None:
    sample = datetime.datetime(2011, 9, 10, 19, 0, 30, tzinfo=datetime.UTC)
    try:
        datetime.datetime.strptime(sample.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a format of times ({error})") from None


def parse_stated(text: str, form: str) -> Instant | None:
    """Return the time that a text states in a format; None if the text has another format.

    Args:
        text: the time, in UTC unless it states a zone that the format reads with ``%z``.
        form: a format that :func:`check_format` accepts.
    """
    if since_reference(form):
        return _serial(text, form)
    if not _DATE["year"] & set(_DIRECTIVE.findall(form)):
        return None
    parsed = _parsed(" ".join(text.split()), form)
    return None if parsed is None else Instant(parsed, _resolution(form))


def parse_stated_clock(text: str, form: str) -> datetime.timedelta | None:
    """Return the time since midnight that a text states in a format such as ``%H%M``, else None."""
    said = set(_DIRECTIVE.findall(form))
    if not said & _CLOCK or any(said & directives for directives in _DATE.values()):
        return None
    parsed = _parsed(" ".join(text.split()), form)
    return None if parsed is None else parsed - _MIDNIGHT


def _parsed(text: str, form: str) -> datetime.datetime | None:
    """Return the time in UTC; parts that the format lacks are taken from 1 January 1900, 0:00."""
    if "%Z" in form:
        found = (_parsed(text, form.replace("%Z", name)) for name in _UTC_NAMES)
        return next((time for time in found if time is not None), None)
    try:
        parsed = datetime.datetime.strptime(text, form)
    except ValueError:
        return None
    if not _has_all_digits(text, form):
        return None
    if parsed.tzinfo is not None:
        parsed = parsed.astimezone(datetime.UTC).replace(tzinfo=None)
    return parsed


def _resolution(form: str) -> Resolution:
    said = set(_DIRECTIVE.findall(form))
    for part, resolution in (("month", Resolution.YEAR), ("day", Resolution.MONTH)):
        if not said & _DATE[part]:
            return resolution
    return Resolution.CLOCK if said & _CLOCK else Resolution.DAY


def _has_all_digits(text: str, form: str) -> bool:
    """Return False if numbers without a separator have too few digits.

    With %Y%m%d, strptime reads 2011111 as 11 November. With %H%M, it reads 30 as 3:00.
    """
    pattern = "".join(_with_digits(form))
    return re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def _with_digits(form: str) -> Iterator[str]:
    """Yield the parts of a regular expression that matches the texts of a format."""
    place = 0
    for match in _DIRECTIVE.finditer(form):
        yield re.escape(form[place : match.start()])
        adjoins = form[match.end() : match.end() + 1] == "%" or (
            place == match.start() and place > 0
        )
        digits = _DIGITS.get(match[0])
        yield rf"\d{{{digits}}}" if digits and adjoins else ".+?"
        place = match.end()
    yield re.escape(form[place:])


def _serial(text: str, form: str) -> Instant | None:
    try:
        utc = utc_of(float(text), form)
    except ValueError:
        return None
    return None if utc is None else Instant(utc, Resolution.CLOCK)


def digits_of(form: str) -> int | None:
    """Return the number of digits of a format that is digits only (%H%M has 4); None for others."""
    directives = _DIRECTIVE.findall(form)
    if "".join(directives) != form or not all(name in _DIGITS for name in directives):
        return None
    return sum(_DIGITS[name] for name in directives)


def formats_in_units(units: str) -> tuple[str | None, ...]:
    """Return the formats to try for a column with these units.

    The stated format comes first: with yyyyddmm, 20111009 is 10 September. The format None stands
    for the usual ways to write a time.

    Units may be ``dd-mm-yyyy``, ``hhmm`` or ``days since ...``. Files that state dd-mm-yyyy may
    also write 10:09:2011, as AERONET does. ``mm`` is the minute if it follows the hour.
    """
    if since_reference(units):
        return (units.strip(),)
    letters = _LETTERS.findall(units.strip())
    form = "".join(_directives([part.lower() for part in letters]))
    is_format = "".join(letters).lower() == units.strip().lower()
    if not is_format or not {"%Y", "%y", "%j", "%H"} & set(_DIRECTIVE.findall(form)):
        return (None,)
    if "%H" in form:
        return (form, None)
    # AERONET's older files state dd-mm-yy and write 10:09:2011.
    years = (form, form.replace("%y", "%Y"))
    others = (re.sub(r"[-:/.]", mark, year) for year in years for mark in "-:/.")
    return tuple(dict.fromkeys((*years, *others, None)))


def _directives(letters: list[str]) -> Iterator[str]:
    after_hour = False
    for part in letters:
        after_hour = after_hour or part == "hh"
        match part:
            case "yyyy":
                yield "%Y"
            case "yy":
                yield "%y"
            case "mm" | "mn":
                yield "%M" if after_hour or part == "mn" else "%m"
            case "mmm":
                yield "%b"
            case "dd":
                yield "%d"
            case "ddd":
                yield "%j"
            case "hh":
                yield "%H"
            case "ss":
                yield "%S"
            case "sss":
                yield "%f"
            case _:
                yield part.upper()
