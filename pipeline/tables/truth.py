"""Conditions that cannot be decided because a value is missing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Truth:
    """A condition that is true, false or undecided at each place.

    By Kleene's logic: if x is missing, ``x > 1 or y > 1`` is true where y is 2, and undecided where
    y is 0.
    """

    certain: Bool
    """True where the condition is true, whatever the missing values are."""
    possible: Bool
    """True where the condition is true or undecided."""

    @classmethod
    def of(cls, value: Any) -> "Truth":
        """Return a condition unchanged; turn an array of booleans into a decided condition."""
        return value if isinstance(value, Truth) else cls(np.asarray(value), np.asarray(value))

    @property
    def undecided(self) -> Bool | None:
        """True where the condition is undecided; None if it is decided everywhere."""
        if self.certain is self.possible:
            return None
        undecided = self.possible & ~self.certain
        return undecided if undecided.any() else None


def compared(holds: Any, left: Any, right: Any) -> Any:
    """Return the result of a comparison; it is undecided where a side is missing (NaN)."""
    missing = _is_missing(left) | _is_missing(right)
    if not np.any(missing):
        return holds
    return Truth(np.asarray(holds & ~missing), np.asarray(holds | missing))


def negated(condition: Any) -> Any:
    """Return the opposite of a condition; undecided stays undecided."""
    if isinstance(condition, Truth):
        return Truth(~condition.possible, ~condition.certain)
    return np.logical_not(condition)


def joined(function: np.ufunc, one: Any, other: Any) -> Any:
    """Join two conditions by ``np.logical_and`` or ``np.logical_or``."""
    if not (isinstance(one, Truth) or isinstance(other, Truth)):
        return function(one, other)
    a, b = Truth.of(one), Truth.of(other)
    return Truth(function(a.certain, b.certain), function(a.possible, b.possible))


def _is_missing(side: Any) -> Any:
    is_float = isinstance(side, np.ndarray | np.floating) and side.dtype.kind == "f"
    return np.isnan(side) if is_float else np.False_
