"""Masks by the names of flags, decoded from the file's own flag_masks and flag_meanings."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline.masks.rule import Request, Verdict
from pipeline.scene.scene import SOURCE_FLAGS, Band
from pipeline.scene.source_flags import SourceFlags


@dataclass(frozen=True)
class FlagRule:
    """Excludes pixels with any of its flags; if ``keep`` is true, excludes all other pixels."""

    name: str
    mask: int
    """Bits of the flags."""
    keep: bool = False
    """True if pixels with at least one of the flags are kept, and all other pixels excluded."""
    missing: tuple[int, ...] = ()
    """Stored numbers (as unsigned integers) of pixels whose flags are unknown."""
    needs: tuple[Band, ...] = (Band(SOURCE_FLAGS),)

    @classmethod
    def requested(cls, request: Request) -> Iterator["FlagRule"]:
        """Yield a rule for each flag, and one rule (``unless_WATER_or_ICE``) for ``keep_flags``.

        Raises:
            SceneError: the scene lacks a flag; the message lists the flags of the scene.
        """
        rules, optional = request.rules, request.rules.flags_if_present
        if not (rules.flags or rules.keep_flags or (optional and SOURCE_FLAGS in request.scene)):
            return
        table = SourceFlags.of(request.scene)
        present = [name for name in optional if name in table.named and name not in rules.flags]
        for name in (*rules.flags, *present):
            yield cls(name, table.mask(name), missing=table.missing)
        if kept := rules.keep_flags:
            name = "unless_" + "_or_".join(kept)
            yield cls(name, table.mask_of_any(kept), keep=True, missing=table.missing)

    def judge(self, block: xr.Dataset) -> Verdict:
        """Compare the flags of every pixel with the bits of the rule."""
        flags = np.asarray(block[SOURCE_FLAGS].values)
        unsigned = flags.view(flags.dtype.str.replace("i", "u"))
        is_set = (unsigned & unsigned.dtype.type(self.mask)) != 0
        excluded = np.asarray(is_set != self.keep)
        if not self.missing:
            return Verdict(excluded)
        unknown = np.isin(unsigned, np.array(self.missing, dtype=unsigned.dtype))
        return Verdict(excluded | unknown, unknown if unknown.any() else None)
