"""Scales on which metrics are nearly symmetric; this makes their intervals more reliable.

The interval of a metric is computed on its scale and converted back. So the interval of a mean
absolute error is never below zero, and the interval of a share is never outside 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """A function of a metric that rises with the metric, and its inverse."""

    of: Callable[[Array], Array]
    """Converts values of the metric to the scale."""
    back: Callable[[Array], Array]
    """Converts numbers on the scale to values of the metric; numbers beyond the ends of the scale
    become the smallest or the largest value of the metric."""


def _same(values: Array) -> Array:
    return values


def _share_of_angle(angles: Array) -> Array:
    return np.square(np.sin(np.clip(angles, 0, np.pi / 2)))


PLAIN = Scale(_same, _same)
LOGARITHM = Scale(np.log, np.exp)
"""For positive numbers, such as a root mean square error."""
FACTOR_ABOVE_ONE = Scale(lambda f: np.log(np.log10(f)), lambda y: 10.0 ** np.exp(y))
"""For a mean absolute error that is given as a factor."""
SHARE = Scale(lambda p: np.arcsin(np.sqrt(p)), _share_of_angle)
"""For numbers from 0 to 1: the angle whose squared sine is the share."""
SQUARED_CORRELATION = Scale(
    lambda r2: np.arctanh(np.sqrt(r2)), lambda y: np.square(np.tanh(np.maximum(y, 0)))
)
"""Fisher's transformation of the correlation."""
