"""Attributes of a file as text and as times, however the file stores them."""

import datetime
from typing import Any

import numpy as np


def as_text(value: Any, separator: str = ", ") -> str:
    """Return an attribute as text; it may be stored as text, bytes or an array of either."""
    items = [value] if isinstance(value, str | bytes) else np.ravel(value).tolist()
    texts = (
        item.decode(errors="replace") if isinstance(item, bytes) else str(item) for item in items
    )
    return separator.join(text.strip() for text in texts)


def iso_time(text: str, pattern: str | None = None) -> str:
    """Return a time as ISO 8601 in UTC; a text in another form is returned unchanged.

    Args:
        text: the time, which is in UTC if it has no time zone.
        pattern: the format of the text, as in ``strptime``; None for ISO 8601.
    """
    try:
        if pattern is None:
            parsed = datetime.datetime.fromisoformat(text)
        else:
            parsed = datetime.datetime.strptime(text, pattern)
    except ValueError:
        return text
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    utc = aware.astimezone(datetime.UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
