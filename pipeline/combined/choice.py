"""A product that takes the first of several candidates whose condition is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.combined.combination import Bool, BoundExpression, Combination, Floats
from pipeline.networks.variable import Array


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Chosen(Combination):
    """A product that takes, in each pixel, the first candidate whose condition is true.

    The first inputs are the candidates; then come the columns that the conditions use. The outputs
    are the value, and the number of the candidate (0 if there is none).
    """

    candidates: tuple[str, ...]
    conditions: Sequence[BoundExpression | None]
    """The condition of each candidate; None for a candidate without a condition."""

    kind: ClassVar[str] = "chosen product"
    takes_missing: ClassVar[bool] = True

    @property
    def value_outputs(self) -> int:
        """Only the first output is a physical value; the second says which candidate was taken."""
        return 1

    def numbers(self, x: Floats) -> npt.NDArray[np.intp]:
        """Return the number of the candidate (n,), from 1; 0 if no candidate is taken."""
        taken = np.zeros(len(x), dtype=np.intp)
        for number, condition in enumerate(self.conditions):
            holds = np.isfinite(x[:, number]) & (taken == 0)
            if condition is not None:
                holds &= condition.condition(x)
            taken[holds] = number + 1
        return taken

    def inherits(self, x: Floats) -> Bool:
        """Return (n, inputs): True for the candidate that was taken."""
        return np.asarray(self.numbers(x)[:, np.newaxis] == np.arange(1, x.shape[1] + 1))

    def near_decision(self, x: Floats, margin: float) -> Bool:
        """Return the rows where another candidate is taken if one input or all inputs change.

        Inputs that are flags do not change.
        """
        numbers = [n for c in self.conditions if c for n in c.names.values() if n.mask is None]
        columns = sorted({named.column for named in numbers})
        near, taken = np.zeros(len(x), dtype=bool), self.numbers(x)
        for moved in [*([column] for column in columns), columns]:
            for factor in (1 + margin, 1 - margin):
                other = np.array(x, dtype=np.float64)
                other[:, moved] *= factor
                near |= self.numbers(other) != taken
        return near

    def reference(self, x: npt.ArrayLike) -> Array:
        """Return value and number of the candidate (n, 2) of rows of inputs (n, inputs)."""
        rows = np.asarray(x, dtype=np.float64)
        return self.held(rows, rows)

    def held(self, x: Floats, moved: Floats) -> Array:
        """Return the changed values of the candidates that ``x`` chooses."""
        taken = self.numbers(x)
        values = moved[np.arange(len(x)), np.maximum(taken - 1, 0)]
        return np.stack([np.where(taken > 0, values, np.nan), taken], axis=1)
