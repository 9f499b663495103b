"""Products -> files: one format per file."""

from pipeline.writers.netcdf import PRODUCT_SUFFIX, Layout, write_product

__all__ = ["PRODUCT_SUFFIX", "Layout", "write_product"]
