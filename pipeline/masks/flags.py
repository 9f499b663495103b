"""Masks by the name of a flag, decoded from the file's own flag_masks and flag_meanings."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.scene.scene import SOURCE_FLAGS, Band


def _is_any_set(block: xr.Dataset, mask: int) -> npt.NDArray[np.bool_]:
    flags = np.asarray(block[SOURCE_FLAGS].values)
    unsigned = flags.view(flags.dtype.str.replace("i", "u"))
    return np.asarray((unsigned & unsigned.dtype.type(mask)) != 0)


@dataclass(frozen=True)
class FlagIsSet:
    """Excludes a pixel where a flag is set."""

    name: str
    mask: int
    needs: tuple[Band, ...] = (Band(SOURCE_FLAGS),)

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """True where the flag is set, with shape (y, x)."""
        return _is_any_set(block, self.mask)


@dataclass(frozen=True)
class KeepFlags:
    """Excludes a pixel where none of some flags is set (``WATER``, ``Valid_PE``)."""

    flags: tuple[str, ...]
    mask: int
    needs: tuple[Band, ...] = (Band(SOURCE_FLAGS),)

    @property
    def name(self) -> str:
        """``unless_WATER_or_INLAND_WATER``."""
        return "unless_" + "_or_".join(self.flags)

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """True where none of the flags is set, with shape (y, x)."""
        return ~_is_any_set(block, self.mask)
