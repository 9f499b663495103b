"""Scalings between a transformed quantity and what a network sees, one line each.

Every scaling is linear: ``scaled = (transformed - centre) / width``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.networks.description import Variable


@dataclass(frozen=True)
class Scaling:
    """A linear scaling, as the centre and the width it takes from a variable."""

    centre: Callable[["Variable"], float]
    width: Callable[["Variable"], float]
    needs_range: bool = False
    """Whether it has no meaning without a training range."""
    needs_parameters: bool = False
    """Whether it has no meaning without mean and standard deviation."""


SCALINGS: dict[str, Scaling] = {
    # Onto [-1, 1], as OC-SMART.
    "minmax": Scaling(
        lambda v: (v.minimum + v.maximum) / 2,
        lambda v: (v.maximum - v.minimum) / 2,
        needs_range=True,
    ),
    # Onto [0, 1].
    "minmax_01": Scaling(lambda v: v.minimum, lambda v: v.maximum - v.minimum, needs_range=True),
    "zscore": Scaling(
        lambda v: v.mean_and_std[0], lambda v: v.mean_and_std[1], needs_parameters=True
    ),
    "none": Scaling(lambda _: 0.0, lambda _: 1.0),
}
