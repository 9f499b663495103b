"""Functions between a physical quantity and the one a network scales, one line each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class Transform:
    """A function, its inverse and its derivative, of float64 arrays of any shape."""

    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    derivative: Callable[[Any], Any]
    """Of the function, by the physical quantity."""
    needs_positive: bool = False
    """Whether the function has no value at zero and below."""
    needs_non_negative: bool = False
    """Whether it has none below zero, but one at zero: there its value is NaN."""
    increasing: bool = True
    """Whether the range of the transformed quantity is a range of the physical one."""
    ln_per_unit: float | None = None
    """For logarithms: ln units of the physical quantity per unit of the transformed one."""


TRANSFORMS: dict[str, Transform] = {
    "none": Transform(lambda x: x, lambda y: y, np.ones_like),
    "log10": Transform(
        np.log10,
        lambda y: 10.0**y,
        lambda x: 1 / (x * LN10),
        needs_positive=True,
        ln_per_unit=LN10,
    ),
    "ln": Transform(np.log, np.exp, lambda x: 1 / x, needs_positive=True, ln_per_unit=1.0),
    "sqrt": Transform(np.sqrt, np.square, lambda x: 0.5 / np.sqrt(x), needs_non_negative=True),
    "cos_degrees": Transform(
        lambda x: np.cos(np.radians(x)),
        lambda y: np.degrees(np.arccos(np.clip(y, -1, 1))),
        lambda x: -np.radians(1.0) * np.sin(np.radians(x)),
        increasing=False,
    ),
}
