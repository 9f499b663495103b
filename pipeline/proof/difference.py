"""Compares two products: layout, values, flags, attributes, and provenance field by field."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DAMAGE, SceneError
from pipeline.product.reading import ProductFile
from pipeline.proof.fields import compared_fields, compared_groups
from pipeline.proof.numbers import compared_flags, compared_values

CONTROL = "processing_control"
# The attributes of flag variables that compared_flags reads, name by name.
_BITS = ("flag_masks", "flag_meanings")


@dataclass(frozen=True)
class Difference:
    """One difference between two products."""

    part: str
    """What differs, one of :data:`PARTS`."""
    where: str
    """The variable, or the place in the record."""
    text: str
    """What was found in A and B; it may quote both files."""


PARTS = ("layout", "values", "flags", "attributes", "provenance")


def differences(
    first: Path, second: Path, tolerance: float = 0.0, parts: Collection[str] = PARTS
) -> Iterator[Difference]:
    """Yield the differences between two products, called A and B, in the order of ``PARTS``.

    Args:
        first: the product A.
        second: the product B.
        tolerance: largest relative difference of values that are treated as equal. A value that is
            missing in only one of the products is always a difference.
        parts: the parts to compare.

    Raises:
        SceneError: one of the files cannot be read, or is not a product.
    """
    with ProductFile(first) as a, ProductFile(second) as b, _errors_of(a, b):
        common = [name for name in (*a.variables, *a.axes) if name in {*b.variables, *b.axes}]
        for part, found in (
            ("layout", _layout(a, b, common)),
            ("values", _values(a, b, common, tolerance)),
            ("flags", _flags(a, b, common)),
            ("attributes", _attributes(a, b, common)),
            ("provenance", _provenance(a, b)),
        ):
            if part in parts:
                yield from (Difference(part, where, text) for where, text in found)


@contextlib.contextmanager
def _errors_of(a: ProductFile, b: ProductFile) -> Iterator[None]:
    """Turn exceptions that a changed record causes into an error."""
    try:
        yield
    except DAMAGE as error:
        raise SceneError(
            f"{a.path.name} and {b.path.name} cannot be compared: the attributes of one of them do "
            "not fit its variables. That product was changed or is damaged; ocpipe verify says "
            "which one."
        ) from error


def _layout(a: ProductFile, b: ProductFile, common: list[str]) -> Iterator[tuple[str, str]]:
    """Compare the size, the variables and how they are stored."""
    if a.shape != b.shape:
        sizes = (f"{lines} lines x {pixels} pixels" for lines, pixels in (a.shape, b.shape))
        yield "size", "{} in A, {} in B".format(*sizes)
    for product, name in ((a, "A"), (b, "B")):
        for variable in (*product.variables, *product.axes):
            if variable not in common:
                yield variable, f"only in {name}"
    order = [[n for n in (*p.variables, *p.axes) if n in common] for p in (a, b)]
    if order[0] != order[1]:
        yield "variables", "the order of the variables differs"
    for variable in common:
        yield from compared_fields(a.storage_of(variable), b.storage_of(variable), variable)


def _values(
    a: ProductFile, b: ProductFile, common: list[str], tolerance: float
) -> Iterator[tuple[str, str]]:
    for name in common:
        if not (_is_flags(a, name) and _is_flags(b, name)):
            yield from compared_values(a, b, name, tolerance)


def _flags(a: ProductFile, b: ProductFile, common: list[str]) -> Iterator[tuple[str, str]]:
    for name in common:
        if _is_flags(a, name) and _is_flags(b, name):
            yield from compared_flags(a, b, name)


def _is_flags(product: ProductFile, name: str) -> bool:
    attributes = product.attributes_of(name)
    has_bits = all(each in attributes for each in _BITS)
    return has_bits and product.storage_of(name)["type"].lstrip("u").startswith("int")


def _attributes(a: ProductFile, b: ProductFile, common: list[str]) -> Iterator[tuple[str, str]]:
    yield from compared_fields(a.attributes, b.attributes)
    for name in common:
        yield from compared_fields(a.attributes_of(name), b.attributes_of(name), name)


def _provenance(a: ProductFile, b: ProductFile) -> Iterator[tuple[str, str]]:
    """Compare the groups of the record; there are no other groups in a product."""
    yield from compared_groups(a.root.groups, b.root.groups)
