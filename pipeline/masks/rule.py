"""The interface of mask rules, and the request from which they are made."""

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
    """The scene in which the names of the rules are looked up."""
    inputs: tuple[Band, ...]
    """Input bands of the networks of the run, for rules about values."""
    tolerance_nm: float
    """Largest allowed distance (nm) between a band in an expression and a band of the scene."""


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

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return True where a pixel is excluded, with shape (y, x)."""
        ...
