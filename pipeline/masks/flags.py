"""Masks by the name of a flag, decoded from the file's own flag_masks and flag_meanings."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.scene import SOURCE_FLAGS, Band

# Placeholders for bits without a meaning; OBPG repeats SPARE for each of them.
UNNAMED = frozenset({"SPARE", "UNUSED", "spare", "unused"})


@dataclass(frozen=True)
class SourceFlags:
    """Flag name -> bits, as unsigned numbers whatever the sign of the stored type."""

    masks: Mapping[str, int]

    @classmethod
    def of(cls, scene: xr.Dataset) -> "SourceFlags":
        """The flags a scene brings.

        Raises:
            SceneError: it brings none, or its masks and meanings do not fit together.
        """
        if SOURCE_FLAGS not in scene:
            raise SceneError(
                "masks name flags but the scene has none. "
                "Remove masks.flags, or mask by expressions instead."
            )
        return cls.from_attributes(scene[SOURCE_FLAGS].attrs, scene[SOURCE_FLAGS].dtype)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> "SourceFlags":
        """Decode CF flag attributes; a name that repeats (SPARE) has all of its bits.

        Raises:
            SceneError: there are more names than masks, or the reverse.
        """
        names = str(attributes["flag_meanings"]).split()
        stored = np.atleast_1d(attributes["flag_masks"])
        if len(names) != stored.size:
            raise SceneError(
                f"flag_meanings has {len(names)} names and flag_masks {stored.size} masks. "
                "The file is damaged or its flags need a named layout."
            )
        # The sign bit of an int32 mask is bit 31; masks may have a narrower type than the variable.
        all_bits = (1 << (8 * min(dtype.itemsize, stored.dtype.itemsize))) - 1
        masks: dict[str, int] = {}
        for name, mask in zip(names, stored, strict=True):
            masks[name] = masks.get(name, 0) | (int(mask) & all_bits)
        return cls(masks)

    def mask(self, name: str) -> int:
        """The bits of a flag.

        Raises:
            SceneError: there is no such flag; the message lists those there are.
        """
        if name in self.masks and name not in UNNAMED:
            return self.masks[name]
        known = [other for other in self.masks if other not in UNNAMED]
        close = difflib.get_close_matches(name.upper(), [other.upper() for other in known], n=1)
        hint = next((f" Did you mean {o}?" for o in known if o.upper() in close), "")
        raise SceneError(f"unknown flag {name!r}; the scene's flags are {', '.join(known)}.{hint}")

    def mask_of_any(self, names: Iterable[str]) -> int:
        """The bits of several flags together."""
        together = 0
        for name in names:
            together |= self.mask(name)
        return together


def _is_any_set(block: xr.Dataset, mask: int) -> npt.NDArray[np.bool_]:
    flags = np.asarray(block[SOURCE_FLAGS].values)
    unsigned = flags.view(f"u{flags.dtype.itemsize}")
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
