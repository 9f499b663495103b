"""Masks by the name of a flag, decoded from the file's own flag_masks and flag_meanings."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import Request
from pipeline.scene.scene import SOURCE_FLAGS, Band
from pipeline.scene.source_flags import SourceFlags


@dataclass(frozen=True)
class FlagIsSet:
    """Excludes a pixel where a flag is set."""

    name: str
    mask: int
    needs: tuple[Band, ...] = (Band(SOURCE_FLAGS),)

    @classmethod
    def requested(cls, request: Request) -> Iterator["FlagIsSet"]:
        """Yield a rule for each flag that must exist, then for each optional flag that exists.

        Raises:
            SceneError: the scene does not have a flag; the message lists those it has.
        """
        flags, optional = request.rules.flags, request.rules.flags_if_present
        if not flags and not (optional and SOURCE_FLAGS in request.scene):
            return
        table = SourceFlags.of(request.scene)
        present = [name for name in optional if name in table.named and name not in flags]
        for name in (*flags, *present):
            yield cls(name, table.mask(name))

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return True where the flag is set, with shape (y, x)."""
        return is_any_set(block, self.mask)


def is_any_set(block: xr.Dataset, mask: int) -> npt.NDArray[np.bool_]:
    """Return True where any bit of a mask is set in the flags of the scene, with shape (y, x)."""
    flags = np.asarray(block[SOURCE_FLAGS].values)
    unsigned = flags.view(flags.dtype.str.replace("i", "u"))
    return np.asarray((unsigned & unsigned.dtype.type(mask)) != 0)
