"""What a mask rule is."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.scene.scene import Band


class MaskRule(Protocol):
    """Says which pixels of a block are excluded, and what it needs for that."""

    @property
    def name(self) -> str:
        """The rule's name: ``LAND`` gives the bit ``masked_LAND``."""
        ...

    @property
    def needs(self) -> tuple[Band, ...]:
        """The layers the rule reads."""
        ...

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """True where a pixel is excluded, with shape (y, x)."""
        ...
