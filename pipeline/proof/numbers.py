"""Compares the numbers of two products: values within a tolerance, and flags bit by bit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.product.reading import ProductFile
from pipeline.scene.quality import FlagTable
from pipeline.writers.chunks import FILL

# Lines and pixels that are compared at once.
BLOCK = (512, 1024)

Found = Iterator[tuple[str, str]]


def compared_values(a: ProductFile, b: ProductFile, name: str, tolerance: float) -> Found:
    """Yield at most one difference between the values of a variable.

    Numbers of a class map, and coordinates of a map, are equal or not; the tolerance is for floats.
    """
    counted = _Values()
    for region in _regions(a, b, name):
        counted.add(a.stored(name, region), b.stored(name, region), region, tolerance)
    if counted.differing:
        yield name, counted.text()


class _Values:
    """Counts the values that differ, and keeps the largest and the first difference."""

    def __init__(self) -> None:
        self.compared = self.differing = self.only_a = self.only_b = 0
        self.largest, self.where = 0.0, ""

    def add(self, a: npt.NDArray[Any], b: npt.NDArray[Any], region: Any, tolerance: float) -> None:
        """Compare the values of one region."""
        missing_a, missing_b = _missing(a), _missing(b)
        with np.errstate(all="ignore"):
            first, second = a.astype(np.float64), b.astype(np.float64)
            relative = np.abs(first - second) / np.maximum(np.abs(first), np.abs(second))
        equal = (first == second) | missing_a | missing_b
        equal |= relative <= (tolerance if a.dtype.kind == "f" else 0.0)
        relative = np.where(equal, 0.0, relative)
        only_a, only_b = missing_b & ~missing_a, missing_a & ~missing_b
        differs = ~equal | only_a | only_b
        self.compared += differs.size
        self.only_a += int(np.count_nonzero(only_a))
        self.only_b += int(np.count_nonzero(only_b))
        self.differing += int(np.count_nonzero(differs))
        if not differs.any():
            return
        ranked = np.where(only_a | only_b, np.inf, relative)
        # A value that is missing in one product is shown first. Only other values have a size of
        # difference.
        largest = float(relative.max())
        if not self.where or largest > self.largest:
            at = np.unravel_index(int((relative if largest > 0 else ranked).argmax()), a.shape)
            self.where = f"{_place(at, region)}: {_said(a[at])} in A, {_said(b[at])} in B"
            self.largest = max(self.largest, largest)

    def text(self) -> str:
        """Return the differences in words."""
        missing = [
            f"{count} have a value only in {side}"
            for count, side in ((self.only_a, "A"), (self.only_b, "B"))
            if count
        ]
        size = [f"largest relative difference {self.largest:.3g}"] if self.largest else []
        parts = [f"{self.differing} of {self.compared} numbers differ", *missing, *size]
        return f"{'; '.join(parts)}, {self.where}"


def _missing(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype.kind != "f":
        return np.zeros(values.shape, dtype=bool)
    return np.asarray((values == FILL) | ~np.isfinite(values))


def _said(value: Any) -> str:
    is_missing = value.dtype.kind == "f" and (value == FILL or not np.isfinite(value))
    return "no value" if is_missing else str(value)


def compared_flags(a: ProductFile, b: ProductFile, name: str) -> Found:
    """Yield at most one difference between flags; bits are compared by their names."""
    tables = [
        FlagTable.from_attributes(product.attributes_of(name), np.dtype(np.uint32))
        for product in (a, b)
    ]
    bits = [dict(zip(table.names, table.masks, strict=False)) for table in tables]
    only = dict.fromkeys((*bits[0], *bits[1]), (0, 0))
    differing, compared, where = 0, 0, ""
    for region in _regions(a, b, name):
        first, second = (_unsigned(product.stored(name, region)) for product in (a, b))
        differs = np.zeros(first.shape, dtype=bool)
        for flag, (in_a, in_b) in only.items():
            of_a, of_b = (
                (flags & np.uint64(table.get(flag, 0) & (2**64 - 1))) != 0
                for flags, table in zip((first, second), bits, strict=True)
            )
            differs |= of_a != of_b
            found = int(np.count_nonzero(of_a & ~of_b)), int(np.count_nonzero(of_b & ~of_a))
            only[flag] = in_a + found[0], in_b + found[1]
        if bits[0] == bits[1]:  # also bits without a name
            differs |= first != second
        differing, compared = differing + int(np.count_nonzero(differs)), compared + differs.size
        if differs.any() and not where:
            where = _place(np.unravel_index(int(differs.argmax()), differs.shape), region)
    if differing:
        said = [
            f"{flag} only in A on {in_a}, only in B on {in_b}"
            for flag, (in_a, in_b) in only.items()
            if in_a or in_b
        ]
        parts = [f"{differing} of {compared} pixels differ", *said]
        yield name, f"{'; '.join(parts)}; first at {where}"


def _unsigned(flags: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return flags as unsigned numbers, so that every bit is kept."""
    return flags.view(f"u{flags.dtype.itemsize}").astype(np.uint64)


def _regions(a: ProductFile, b: ProductFile, name: str) -> Iterator[Any]:
    """Yield the regions that both products have; none if their sizes differ."""
    if name in a.axes or name in b.axes:
        if a.length_of(name) == b.length_of(name):
            yield ...
    elif a.shape == b.shape:
        yield from a.blocks(BLOCK)


def _place(at: Any, region: Any) -> str:
    if region is ...:
        return f"at number {int(at[0])}" if len(at) else "its only number"
    line, pixel = (int(place) + part.start for place, part in zip(at, region, strict=True))
    return f"line {line}, pixel {pixel}"
