"""Attributes of a file as text and as times, however the file stores them."""

from typing import Any

import numpy as np

from pipeline.files.long_attributes import cut_attribute
from pipeline.files.longest import cut
from pipeline.times.formats import parse_stated
from pipeline.times.text import parse_time


def as_text(value: Any, separator: str = ", ") -> str:
    """Return an attribute as text; it may be stored as text, bytes or an array of either."""
    value = cut_attribute(value)
    items = [value] if isinstance(value, str | bytes) else np.ravel(value).tolist()
    texts = (
        item.decode(errors="replace") if isinstance(item, bytes) else str(item) for item in items
    )
    return separator.join(text.strip() for text in texts)


def shown(value: Any) -> str:
    """Return an attribute as a message shows it: text in quotes, numbers without their type."""
    return cut(repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value), 300)


def iso_time(text: str, form: str | None = None) -> str:
    """Return a time as ISO 8601 in UTC; a text that is not a time is returned unchanged.

    Args:
        text: the time, which is in UTC if it has no time zone.
        form: the format of the text, as in ``strptime``; None for the usual ways to write a time.
    """
    found = parse_time(text) if form is None else parse_stated(text, form)
    return text if found is None else found.iso
