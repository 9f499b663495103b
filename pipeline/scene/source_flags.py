"""The flags of the source file: names and bits, from its flag_masks and flag_meanings."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pipeline.errors import SceneError
from pipeline.scene.scene import SOURCE_FLAGS

# Attributes (CF) that state the numbers stored for missing flags.
FILLS = ("_FillValue", "missing_value")
# Names of bits without a meaning; OBPG uses SPARE for each of them.
UNNAMED = frozenset({"SPARE", "UNUSED", "spare", "unused"})


@dataclass(frozen=True)
class SourceFlags:
    """The flags of a scene by name."""

    masks: Mapping[str, int]
    """Flag name -> bits, as an unsigned number even if the stored type is signed."""
    missing: tuple[int, ...] = ()
    """Fill values as unsigned numbers; the flags of a pixel with a fill value are unknown."""

    @classmethod
    def of(cls, scene: xr.Dataset) -> "SourceFlags":
        """Decode the flags of a scene.

        Raises:
            SceneError: the scene has no flags, or its masks and meanings do not match.
        """
        if SOURCE_FLAGS not in scene:
            raise SceneError(
                "the masks use flags of the scene, but the scene has none. Remove masks.preset, "
                "masks.flags and masks.keep_flags, or use expressions instead."
            )
        return cls.from_attributes(scene[SOURCE_FLAGS].attrs, scene[SOURCE_FLAGS].dtype)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> "SourceFlags":
        """Decode CF flag attributes; a repeated name (SPARE) stands for all its bits."""
        names = str(attributes["flag_meanings"]).split()
        stored = np.atleast_1d(attributes["flag_masks"])
        if len(names) != stored.size:
            raise SceneError(
                f"flag_meanings has {len(names)} names, but flag_masks has {stored.size} masks. "
                "The file is damaged, or the reader needs an option for this layout of flags."
            )
        # The sign bit of an int32 mask is bit 31. Masks may have a narrower type than the variable.
        all_bits = (1 << (8 * min(dtype.itemsize, stored.dtype.itemsize))) - 1
        masks: dict[str, int] = {}
        for name, mask in zip(names, stored, strict=True):
            masks[name] = masks.get(name, 0) | (int(mask) & all_bits)
        return cls(masks, _fills(attributes, dtype, masks.values()))

    def mask(self, name: str) -> int:
        """Return the bits of a flag; the error for an unknown flag lists all flags."""
        known = self.named
        if name in known:
            return known[name]
        close = difflib.get_close_matches(name.upper(), [other.upper() for other in known], n=1)
        hint = next((f" Did you mean {o}?" for o in known if o.upper() in close), "")
        raise SceneError(f"unknown flag {name!r}; the scene's flags are {', '.join(known)}.{hint}")

    def mask_of_any(self, names: Iterable[str]) -> int:
        """Return the bits of several flags together."""
        together = 0
        for name in names:
            together |= self.mask(name)
        return together

    @property
    def named(self) -> dict[str, int]:
        """Name -> bits, without the placeholders for unused bits."""
        return {name: mask for name, mask in self.masks.items() if name not in UNNAMED}


def _fills(
    attributes: Mapping[str, Any], dtype: np.dtype[Any], masks: Iterable[int]
) -> tuple[int, ...]:
    """Return the fill values of flags as unsigned numbers.

    A fill value is left out if it can also be the value of a valid pixel: 0 (no flag is set, a good
    pixel in POLYMER), or the mask of a flag (this flag is set).
    """
    bits = 8 * dtype.itemsize
    found = [np.ravel(attributes[name]) for name in FILLS if name in attributes]
    numbers = {_whole_number(each) for values in found for each in values.tolist()}
    fills = {
        n % (1 << bits) for n in numbers if n is not None and -(1 << bits) <= 2 * n < 2 << bits
    }
    return tuple(sorted(fills - {0, *masks}))


def _whole_number(stated: Any) -> int | None:
    """Return a fill value as a whole number; None if it is not a whole number."""
    try:
        number = float(stated)
    except (TypeError, ValueError):
        return None
    if isinstance(stated, int):
        return stated  # exact, also beyond 2^53
    return int(number) if number.is_integer() else None
