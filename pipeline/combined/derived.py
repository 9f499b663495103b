"""A product that an expression computes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.combined.combination import BoundExpression, Combination, Floats
from pipeline.networks.variable import Array


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Derivation(Combination):
    """A product that an expression computes from outputs, bands and variables of the scene."""

    formula: BoundExpression

    kind: ClassVar[str] = "derived product"
    may_fail: ClassVar[bool] = True

    def reference(self, x: npt.ArrayLike) -> Array:
        """Return the values (n, 1) of rows of inputs (n, inputs); NaN if they are not finite."""
        rows = np.asarray(x, dtype=np.float64)
        values = self.formula.number(rows)
        return np.where(np.isfinite(values), values, np.nan)[:, np.newaxis]

    def held(self, _x: Floats, moved: Floats) -> Array:
        """Return the values of changed inputs."""
        return self.reference(moved)
