"""Counts and hashes the numbers of a product, as its writer did."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.product.reading import ProductFile
from pipeline.scene.quality import FlagTable
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


def changed_variables(product: ProductFile, tally: Tally) -> list[str]:
    """Return the names of variables whose checksums differ from the recorded ones."""
    recorded = product.control.groups["checksums"].attributes
    found = tally.checksums
    changed = [name for name in recorded if found.get(name) != recorded[name]]
    return changed + [name for name in found if name not in recorded]


def without_fill(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return stored numbers, with fill values replaced by NaN."""
    if stored.dtype.kind != "f":
        return stored
    return np.where(stored == FILL, np.float32(np.nan), stored)
