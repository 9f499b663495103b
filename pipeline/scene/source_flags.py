"""The flags a scene brings: names and bits, from its own flag_masks and flag_meanings."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pipeline.errors import SceneError
from pipeline.scene.scene import SOURCE_FLAGS

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
                "masks name flags but the scene has none. Remove them (masks.preset, masks.flags, "
                "masks.keep_flags), or mask by expressions instead."
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
        known = self.named
        if name in known:
            return known[name]
        close = difflib.get_close_matches(name.upper(), [other.upper() for other in known], n=1)
        hint = next((f" Did you mean {o}?" for o in known if o.upper() in close), "")
        raise SceneError(f"unknown flag {name!r}; the scene's flags are {', '.join(known)}.{hint}")

    def mask_of_any(self, names: Iterable[str]) -> int:
        """The bits of several flags together."""
        together = 0
        for name in names:
            together |= self.mask(name)
        return together

    @property
    def named(self) -> dict[str, int]:
        """Name -> bits of the flags that mean something."""
        return {name: mask for name, mask in self.masks.items() if name not in UNNAMED}
