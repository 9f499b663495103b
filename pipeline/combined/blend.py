"""A product that is the weighted mean of several candidates.

Blending by class probabilities follows Jackson et al. 2017 (Remote Sens. Environ. 203, 152).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.combined.combination import Bool, BoundExpression, Combination, Floats
from pipeline.networks.variable import Array

# A candidate with less weight is ignored: its flags are not inherited, and it may be missing.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class IndexWeights:
    """Weights of the candidates below and above, from an index between two limits."""

    index: BoundExpression
    limits: tuple[float, float]

    def weights(self, x: Floats) -> Array:
        """Return the weights (n, 2)."""
        low, high = self.limits
        above = np.clip((self.index.number(x) - low) / (high - low), 0.0, 1.0)
        return np.stack([1.0 - above, above], axis=1)


@dataclass(frozen=True)
class ClassWeights:
    """Weights that are the probabilities of the classes of a network."""

    columns: slice
    """The positions of the probabilities in the inputs, in the order of the candidates."""

    def weights(self, x: Floats) -> Array:
        """Return the weights (n, candidates)."""
        return np.asarray(x[:, self.columns], dtype=np.float64)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Blended(Combination):
    """The weighted mean of candidates, which are the first inputs.

    If the quantity spans powers of ten, the mean of log10 is used. A missing candidate with a
    weight below ``LEAST_WEIGHT`` is left out. If a candidate with more weight is missing, there is
    no value.
    """

    candidates: tuple[str, ...]
    by: IndexWeights | ClassWeights

    kind: ClassVar[str] = "blended product"
    takes_missing: ClassVar[bool] = True

    def inherits(self, x: Floats) -> Bool:
        """Return (n, inputs): True for inputs of the weights, and for candidates that are used.

        A candidate is used if its weight is at least ``LEAST_WEIGHT``.
        """
        found = np.ones(x.shape, dtype=bool)
        found[:, : len(self.candidates)] = self.by.weights(x) >= LEAST_WEIGHT
        return found

    def near_decision(self, x: Floats, margin: float) -> Bool:
        """Return the rows where a change of weights decides whether a candidate is used."""
        away = np.abs(self.by.weights(x) - LEAST_WEIGHT)
        return np.asarray((away <= margin * LEAST_WEIGHT).any(axis=1))

    def reference(self, x: npt.ArrayLike) -> Array:
        """Return the values (n, 1) of rows of inputs (n, inputs)."""
        rows = np.asarray(x, dtype=np.float64)
        return self.held(rows, rows)

    def held(self, x: Floats, moved: Floats) -> Array:
        """Return the mean of changed values.

        An index changes too; probabilities of classes do not change.
        """
        weights = self.by.weights(x if isinstance(self.by, ClassWeights) else moved)
        values = np.asarray(moved[:, : len(self.candidates)], dtype=np.float64)
        decades = self.outputs[0].spans_decades
        with np.errstate(all="ignore"):
            terms = np.log10(values) if decades else values
            missing = ~np.isfinite(terms)
            lost = np.where(missing, weights, 0.0).sum(axis=1)
            kept = np.where(missing, 0.0, weights)
            mean = (kept * np.where(missing, 0.0, terms)).sum(axis=1) / kept.sum(axis=1)
            mean = np.power(10.0, mean) if decades else mean
        for number in range(len(self.candidates)):  # exactly its value, without rounding
            mean = np.where(weights[:, number] == 1.0, values[:, number], mean)
        return np.where(lost < LEAST_WEIGHT, mean, np.nan)[:, np.newaxis]
