"""Compares attributes and groups of two products, field by field."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.files.longest import cut
from pipeline.writers.group import Group

# Characters of a value that a message quotes.
LONGEST_VALUE = 120

Found = Iterator[tuple[str, str]]
"""Pairs of a place and a text that says what A and B have there."""


def compared_groups(a: Mapping[str, Group], b: Mapping[str, Group], place: str = "") -> Found:
    """Yield the differences between groups, their attributes, variables and groups."""
    for name in dict.fromkeys((*a, *b)):
        where = f"{place}{name}"
        if name not in a or name not in b:
            yield where, f"the group is only in {'A' if name in a else 'B'}"
            continue
        yield from compared_fields(a[name].attributes, b[name].attributes, where)
        yield from _compared_variables(a[name], b[name], where)
        yield from compared_groups(a[name].groups, b[name].groups, f"{where}/")


def _compared_variables(a: Group, b: Group, place: str) -> Found:
    for name in dict.fromkeys((*a.variables, *b.variables)):
        where = f"{place}/{name}"
        if name not in a.variables or name not in b.variables:
            yield where, f"only in {'A' if name in a.variables else 'B'}"
            continue
        (_, first, of_first), (_, second, of_second) = a.variables[name], b.variables[name]
        if not same(first, second):
            yield where, both(first, second)
        yield from compared_fields(of_first, of_second, where)


def compared_fields(a: Mapping[str, Any], b: Mapping[str, Any], place: str = "") -> Found:
    """Yield the differences between attributes; JSON in attributes is compared key by key."""
    for name in dict.fromkeys((*a, *b)):
        where = f"{place}: {name}" if place else name
        if name not in a or name not in b:
            side, value = ("A", a[name]) if name in a else ("B", b[name])
            yield where, f"only in {side}: {shortly(value)}"
        elif not same(a[name], b[name]):
            inside = list(_compared_json(a[name], b[name], where))
            yield from inside or [(where, both(a[name], b[name]))]


def _compared_json(a: Any, b: Any, place: str) -> Found:
    first, second = _parsed(a), _parsed(b)
    if first is not None and second is not None:
        yield from _compared_leaves(first, second, place)


def _compared_leaves(a: Any, b: Any, place: str) -> Found:
    """Compare plain data key by key, and lists of the same length entry by entry."""
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for number, (first, second) in enumerate(zip(a, b, strict=True)):
            yield from _compared_leaves(first, second, f"{place}[{number}]")
    elif isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys((*a, *b)):
            where = f"{place}.{key}"
            if key not in a or key not in b:
                side, value = ("A", a[key]) if key in a else ("B", b[key])
                yield where, f"only in {side}: {shortly(value)}"
            else:
                yield from _compared_leaves(a[key], b[key], where)
    elif a != b:
        yield place, both(a, b)


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) and text[:1] in "{[" else None
    except ValueError:
        return None


def same(first: Any, second: Any) -> bool:
    """Return whether two values of attributes have the same type, shape and content."""
    a, b = np.asarray(first), np.asarray(second)
    if a.dtype != b.dtype and {a.dtype.kind, b.dtype.kind} != {"U"}:
        return False
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def both(first: Any, second: Any) -> str:
    """Return two values for a message; of long texts, the part around the first difference."""
    a, b = _as_text(first), _as_text(second)
    pairs = enumerate(zip(a, b, strict=False))
    alike = next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
    if alike > LONGEST_VALUE // 2:
        a, b = (f"...{text[alike - LONGEST_VALUE // 4 :]}" for text in (a, b))
    return f"{cut(a, LONGEST_VALUE)} in A, {cut(b, LONGEST_VALUE)} in B"


def shortly(value: Any) -> str:
    """Return a value for a message, cut if it is long."""
    return cut(_as_text(value), LONGEST_VALUE)


def _as_text(value: Any) -> str:
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return json.dumps(plain, ensure_ascii=False, default=str)
