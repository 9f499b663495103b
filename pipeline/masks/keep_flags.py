"""A mask by flags of which one must be set, such as ``WATER`` or ``Valid_PE``."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.flags import is_any_set
from pipeline.masks.rule import Request
from pipeline.scene.scene import SOURCE_FLAGS, Band
from pipeline.scene.source_flags import SourceFlags


@dataclass(frozen=True)
class KeepFlags:
    """Excludes a pixel where none of some flags is set."""

    flags: tuple[str, ...]
    mask: int
    needs: tuple[Band, ...] = (Band(SOURCE_FLAGS),)

    @classmethod
    def requested(cls, request: Request) -> Iterator["KeepFlags"]:
        """Yield one rule for all the flags.

        Raises:
            SceneError: the scene does not have a flag; the message lists those it has.
        """
        if flags := request.rules.keep_flags:
            yield cls(flags, SourceFlags.of(request.scene).mask_of_any(flags))

    @property
    def name(self) -> str:
        """``unless_WATER_or_INLAND_WATER``."""
        return "unless_" + "_or_".join(self.flags)

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return True where none of the flags is set, with shape (y, x)."""
        return ~is_any_set(block, self.mask)
