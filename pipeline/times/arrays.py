"""Times of many rows at once."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.times.formats import digits_of, parse_stated
from pipeline.times.text import Instant, Resolution, parse_clock, parse_time

# The date that strptime assumes for a time of day.
_MIDNIGHT = datetime.datetime(1900, 1, 1)

Times = npt.NDArray[np.datetime64]
"""Instants in UTC to the microsecond, with shape (rows,); NaT if unknown."""


@dataclass(frozen=True, eq=False)
class ParsedTimes:
    """The times of texts; each array has shape (rows,)."""

    utc: Times
    has_clock: npt.NDArray[np.bool_]
    """True if the text states a time of day."""


def parse_times(
    texts: Sequence[str] | npt.NDArray[np.str_], forms: Sequence[str | None] = (None,)
) -> ParsedTimes:
    """Parse each text in the first format that fits it; the result is NaT if no format fits.

    The format None stands for the usual ways to write a time.
    """
    found: dict[str, Instant | None] = {}
    rows = [str(text) for text in texts]
    for text in rows:
        if text not in found:
            found[text] = _parsed(text, forms)
    instants = [found[text] for text in rows]
    return ParsedTimes(
        utc=np.array([i.utc if i else None for i in instants], dtype="datetime64[us]"),
        has_clock=np.array(
            [i is not None and i.resolution is Resolution.CLOCK for i in instants], dtype=np.bool_
        ),
    )


def parse_clocks(
    texts: Sequence[str] | npt.NDArray[np.str_], forms: Sequence[str | None] = (None,)
) -> npt.NDArray[np.timedelta64]:
    """Return times since midnight UTC of texts such as ``19:00:30``; NaT for other texts."""
    found: list[datetime.timedelta | None] = []
    for text in map(str, texts):
        clock = parse_clock(text)
        time = None if clock else _parsed(text, [form for form in forms if form])
        if time is not None and time.utc.date() == _MIDNIGHT.date():
            clock = time.utc - _MIDNIGHT
        found.append(clock)
    return np.array(found, dtype="timedelta64[us]")


def _parsed(text: str, forms: Sequence[str | None]) -> Instant | None:
    for form in forms:
        if form is None:
            found = parse_time(text)
        else:
            found = parse_stated(with_zeros([text], form)[0], form)
        if found is not None:
            return found
    return None


def with_zeros(texts: Sequence[str] | npt.NDArray[np.str_], form: str) -> list[str]:
    """Add the leading zeros that a table of numbers loses: 0030 (format %H%M) is stored as 30."""
    digits = digits_of(form) or 0
    return [text.zfill(digits) if text.isdecimal() else text for text in map(str, texts)]
