"""Compares the numbers of a product with its checksums."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.product.reading import ProductFile
from pipeline.product.recorded import listed
from pipeline.scene.quality import FlagTable
from pipeline.verify.finding import Finding
from pipeline.writers.chunks import FILL
from pipeline.writers.tally import Tally


def count_values(product: ProductFile, chunk: tuple[int, int]) -> Tally:
    """Count and hash the numbers in the file in the same way as the writer."""
    tables = {
        name: FlagTable.from_attributes(attributes, product.stored(name, (slice(0, 1),)).dtype)
        for name in product.variables
        if "flag_meanings" in (attributes := product.attributes_of(name))
    }
    tally = Tally(product.shape[0] * product.shape[1], tables)
    for name in product.variables:
        for region in product.blocks((min(chunk[0], product.shape[0]), chunk[1])):
            stored = product.stored(name, region)
            tally.add(name, without_fill(stored), stored)
    return tally


def check_checksums(product: ProductFile, tally: Tally) -> Iterator[Finding]:
    """Compare the checksums of the numbers in the file with the recorded ones."""
    recorded = product.control.groups["checksums"].attributes
    found = tally.checksums
    changed = [name for name in recorded if found.get(name) != recorded[name]]
    changed += [name for name in found if name not in recorded]
    problem = f"these variables changed after the product was written: {listed(changed)}"
    good = f"the numbers of {len(found)} variables are unchanged"
    yield Finding.of("checksums", problem if changed else "", good)


def without_fill(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return stored numbers, with fill values replaced by NaN."""
    if stored.dtype.kind != "f":
        return stored
    return np.where(stored == FILL, np.float32(np.nan), stored)
