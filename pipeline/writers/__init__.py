"""Products -> files: one format per file."""

from pipeline.writers.netcdf import (
    FILL,
    PRODUCT_SUFFIX,
    Layout,
    as_stored,
    fill_of,
    storable,
    write_product,
)

__all__ = ["FILL", "PRODUCT_SUFFIX", "Layout", "as_stored", "fill_of", "storable", "write_product"]
