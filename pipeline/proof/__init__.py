"""Makes products again from their records, compares products, and masks products again."""

from pipeline.proof.difference import PARTS, Difference, differences
from pipeline.proof.masking import mask_product
from pipeline.proof.rerun import rerun_product

__all__ = ["PARTS", "Difference", "differences", "mask_product", "rerun_product"]
