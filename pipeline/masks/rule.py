"""Mask rules: the interface, the verdict of a rule, and the request from which rules are made.

All rules treat missing values in the same way: where a rule cannot be decided, the pixel is
excluded. A rule about missing values (``missing``, ``isnan``) can always be decided.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import MaskRules
from pipeline.scene.scene import Band


@dataclass(frozen=True)
class Request:
    """The masks of a configuration, and the scene to which they are applied."""

    rules: MaskRules
    scene: xr.Dataset
    """The scene that must have the flags, bands and variables that the rules need."""
    inputs: tuple[Band, ...]
    """Input bands of the networks of the run, for rules about values."""
    tolerance_nm: float
    """Largest allowed distance (nm) between a band in an expression and a band of the scene."""


Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Verdict:
    """The verdict of a rule on the pixels of a block; all arrays have shape (y, x)."""

    excluded: Bool
    """True where the rule excludes a pixel, because the rule is true or undecided there."""
    undecided: Bool | None = None
    """True where the rule cannot be decided, because a value or the flags are missing; None if the
    rule is decided everywhere."""


class MaskRule(Protocol):
    """A rule that excludes pixels of a block."""

    @property
    def name(self) -> str:
        """Name of the rule; the bit of a rule ``LAND`` is called ``masked_LAND``."""
        ...

    @property
    def needs(self) -> tuple[Band, ...]:
        """The layers that the rule reads."""
        ...

    def judge(self, block: xr.Dataset) -> Verdict:
        """Return which pixels are excluded, and on which of them the rule cannot be decided."""
        ...
