"""Proves what a product says: makes it again from its own record, and compares two products."""

from pipeline.proof.difference import PARTS, Difference, differences
from pipeline.proof.rerun import rerun_product

__all__ = ["PARTS", "Difference", "differences", "rerun_product"]
