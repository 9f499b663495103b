"""Cuts attributes that are longer than any attribute of a real file.

Attributes of a scene are kept while it is processed, copied into its product several times, and
quoted in messages. So each is cut once, where it is read.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.files.longest import LONGEST_ATTRIBUTE, MARK, cut

# Largest size of all attributes of a scene together (characters, or numbers in arrays).
LONGEST_OF_ALL = 16 * 2**20


def cut_attribute(value: Any, longest: int = LONGEST_ATTRIBUTE) -> Any:
    """Return an attribute unchanged if it is short enough, otherwise its start as text."""
    if isinstance(value, str):
        return cut(value, longest)
    if isinstance(value, bytes):
        return value if len(value) <= longest else cut(value.decode(errors="replace"), longest)
    if isinstance(value, np.ndarray | list | tuple):
        return value if _length(value) <= longest else _start_of(value, longest)
    return value


def cut_attributes(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the attributes of a scene; if all together are too long, each is cut to its share."""
    found = {name: cut_attribute(value) for name, value in attributes.items()}
    lengths = {name: _length(value) for name, value in found.items()}
    if sum(lengths.values()) <= LONGEST_OF_ALL:
        return found
    share = max(LONGEST_OF_ALL // len(found), 100)
    return {name: cut_attribute(value, share) for name, value in found.items()}


def _length(value: Any) -> int:
    """Return the length of an attribute: of text its characters, otherwise the number of values."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "SU":
        return int(value.size * max(value.dtype.itemsize, 1))
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.size
    if isinstance(value, np.ndarray | list | tuple):
        return sum(_length(item) for item in np.ravel(np.asarray(value, dtype=object)))
    return 1


def _start_of(values: Any, longest: int) -> str:
    """Return the first values as text, with a mark that says how many are left out."""
    items, kept, used = np.ravel(np.asarray(values, dtype=object)), [], 0
    for item in items:
        text = item.decode(errors="replace") if isinstance(item, bytes) else str(item)
        used += len(text) + 2
        if used > longest - MARK:
            break
        kept.append(text)
    return f"{', '.join(kept)} [... {len(items) - len(kept)} values left out]"
