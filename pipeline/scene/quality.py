"""Quality bits, described by CF ``flag_masks`` and ``flag_meanings``; several may be set at once.

``quality_flags`` is about the pixel; each network has its own flags. docs/quality.md lists all
conditions, bits and values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# Bits of ``<quantity>_state``, which a reader sets for each value of a band.
STATE_OUTSIDE_VALID_RANGE = np.uint8(1)
STATE_SATURATED = np.uint8(2)

QUALITY_FLAGS = "quality_flags"

# Bits of ``quality_flags`` that do not depend on the configuration.
NO_DATA = 1 << 0
OUTSIDE_VALID_RANGE = 1 << 1
SATURATED = 1 << 2
GEOLOCATION_INVALID = 1 << 3
# Each mask rule has a bit, from this one on. Bit 31 stays free: a uint32 with all bits set would
# equal netCDF's default fill value and read back as missing.
FIRST_MASK_BIT = 8
LAST_MASK_BIT = 30

# Bits of a network's flags.
INPUT_MISSING = 1 << 0
INPUT_NOT_POSITIVE = 1 << 1
INPUT_OUT_OF_RANGE = 1 << 2
OUTPUT_OUT_OF_RANGE = 1 << 3
OUTPUT_AT_LIMIT = 1 << 4
OUT_OF_SCOPE = 1 << 5
INPUT_UNCERTAIN = 1 << 6

# Value of a class map where no class was computed; the first class is 1.
NO_CLASS = np.uint8(0)

# If an output is nearer than this to a limit of its training range (in ln units), the true value
# may lie beyond the limit. C2RCC uses the same distance.
AT_LIMIT_LN = 0.02


@dataclass(frozen=True)
class FlagTable:
    """The bits of one flag variable: names, masks and the integer type."""

    names: tuple[str, ...]
    masks: tuple[int, ...]
    dtype: np.dtype[Any]
    exclusive: bool = False
    """True if each pixel has exactly one of the masks, as in a class map; False for bits."""

    def attributes(self) -> dict[str, Any]:
        """Return the CF attributes of the variable; flag_masks has the type of the variable."""
        return {
            self.masks_attribute: np.array(self.masks, dtype=self.dtype),
            "flag_meanings": " ".join(self.names),
        }

    def and_bit(self, name: str, mask: int) -> "FlagTable":
        """Return the table with one more bit."""
        return FlagTable((*self.names, name), (*self.masks, mask), self.dtype, self.exclusive)

    @property
    def masks_attribute(self) -> str:
        """Name (in CF) of the attribute with the masks."""
        return "flag_values" if self.exclusive else "flag_masks"

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> "FlagTable":
        """Make the table that CF attributes describe."""
        exclusive = "flag_masks" not in attributes
        masks = np.atleast_1d(attributes["flag_values" if exclusive else "flag_masks"])
        names = tuple(str(attributes["flag_meanings"]).split())
        return cls(names, tuple(int(mask) for mask in masks), dtype, exclusive)

    def counts(self, flags: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Count the pixels with each bit or value, in the order of the names."""
        masks = [self.dtype.type(mask) for mask in self.masks]
        found = [flags == mask if self.exclusive else flags & mask for mask in masks]
        return np.array([np.count_nonzero(each) for each in found], dtype=np.int64)


def pixel_flags(mask_rules: Iterable[str]) -> FlagTable:
    """Return the table of ``quality_flags``; mask rules keep the order of the configuration."""
    rules = tuple(mask_rules)
    names = ("no_data", "outside_valid_range", "saturated", "geolocation_invalid")
    masks = (NO_DATA, OUTSIDE_VALID_RANGE, SATURATED, GEOLOCATION_INVALID)
    rule_masks = tuple(1 << (FIRST_MASK_BIT + index) for index in range(len(rules)))
    rule_names = tuple(f"masked_{rule}" for rule in rules)
    return FlagTable(names + rule_names, masks + rule_masks, np.dtype(np.uint32))


MOST_MASK_RULES = LAST_MASK_BIT - FIRST_MASK_BIT + 1


def class_map(classes: Iterable[str]) -> FlagTable:
    """Return the table of a class map, whose classes are numbered from 1."""
    names = tuple(classes)
    return FlagTable(names, tuple(range(1, len(names) + 1)), np.dtype(np.uint8), exclusive=True)


def network_flags(
    *,
    limited_inputs: bool,
    input_ranges: bool,
    output_ranges: bool,
    log_outputs: bool,
    scope_check: bool,
    may_fail: bool = False,
) -> FlagTable:
    """Return the table of a network's flags; it has no bits for ranges that the network lacks.

    With ``may_fail``, the table always has ``output_out_of_range``; it also marks missing outputs.
    """
    bits = {"input_missing": INPUT_MISSING}
    if limited_inputs:
        bits["input_not_positive"] = INPUT_NOT_POSITIVE
    if input_ranges:
        bits["input_out_of_range"] = INPUT_OUT_OF_RANGE
    if output_ranges or may_fail:
        bits["output_out_of_range"] = OUTPUT_OUT_OF_RANGE
    if output_ranges and log_outputs:
        bits["output_at_limit"] = OUTPUT_AT_LIMIT
    if scope_check:
        bits["out_of_scope"] = OUT_OF_SCOPE
    return FlagTable(tuple(bits), tuple(bits.values()), np.dtype(np.uint8))
