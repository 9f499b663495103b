"""Compares the numbers of a product with its checksums."""

from collections.abc import Iterator

from pipeline.product.checksums import changed_variables
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import listed
from pipeline.verify.finding import Finding
from pipeline.writers.tally import Tally


def check_checksums(product: ProductFile, tally: Tally) -> Iterator[Finding]:
    """Compare the checksums of the numbers in the file with the recorded ones."""
    changed = changed_variables(product, tally)
    problem = f"these variables changed after the product was written: {listed(changed)}"
    good = f"the numbers of {len(tally.checksums)} variables are unchanged"
    yield Finding.of("checksums", problem if changed else "", good)
