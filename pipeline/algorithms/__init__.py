"""Published algorithms: the formulas are code, the coefficients are in ``configs/algorithms``."""

from pipeline.algorithms.catalogue import ALGORITHMS, algorithm, find_retrieval, is_algorithm
from pipeline.algorithms.description import Algorithm

__all__ = ["ALGORITHMS", "Algorithm", "algorithm", "find_retrieval", "is_algorithm"]
