"""Proves what products say: makes them again from their records, compares and masks them."""

from pipeline.proof.difference import PARTS, Difference, differences
from pipeline.proof.masking import mask_product
from pipeline.proof.rerun import rerun_product

__all__ = ["PARTS", "Difference", "differences", "mask_product", "rerun_product"]
