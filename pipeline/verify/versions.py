"""Checks a product of another version: a difference that only the version causes is a note."""

from collections.abc import Iterator

from pipeline.product.reading import ProductFile
from pipeline.product.recorded import shown
from pipeline.verify.finding import Finding
from pipeline.version import NUMBERS_VERSION, __version__

# Products that record no version of their numbers have this one.
FIRST_NUMBERS_VERSION = 1


def is_of_other_version(product: ProductFile) -> bool:
    """Return whether another version of this program made the product."""
    return product.version != __version__


def version_note(product: ProductFile) -> Iterator[Finding]:
    """Yield a note if another version made the product."""
    if not is_of_other_version(product):
        return
    numbers = _numbers_of(product)
    text = f"made by version {shown(product.version)}, and this is version {__version__}; "
    if numbers == NUMBERS_VERSION:
        yield Finding.note("version", f"{text}both compute the same numbers")
    else:
        how = f"numbers version {numbers} in the product, {NUMBERS_VERSION} here"
        yield Finding.note("version", f"{text}they may compute other numbers ({how})")


def with_other_numbers(product: ProductFile, finding: Finding) -> Finding:
    """Return a finding about pixels; other numbers cannot be judged by this version."""
    if finding.passed or _numbers_of(product) == NUMBERS_VERSION:
        return finding
    advice = f"Verify with version {shown(product.version)}."
    return Finding.not_checked(
        finding.what, f"this version may compute other numbers: {finding.text}. {advice}"
    )


def _numbers_of(product: ProductFile) -> int:
    recorded = product.numbers_version
    return FIRST_NUMBERS_VERSION if recorded is None else recorded
