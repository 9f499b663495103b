"""Stored numbers -> physical values, exactly.

xarray and netCDF4 decode int16 with float32 attributes in float32. NASA's offset of 0.05 sr-1 then
cancels near zero, and dark bands come out up to 64 % wrong. Here a value is
``count * float64(scale_factor) + float64(add_offset)``, the attributes as stored, rounded once to
float32. What lies nearer to zero than half a scale factor is zero: no count can say more.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from pipeline.quality import STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED


@dataclass(frozen=True)
class Decoder:
    """How one stored variable becomes float32 values and state bits, element by element."""

    scale: float = 1.0
    offset: float = 0.0
    fills: tuple[float, ...] = ()
    valid_min: float | None = None
    valid_max: float | None = None
    unsigned: bool = False
    packed_integer: bool = False
    saturated: float | None = None
    """The stored number from which on a value is saturated; it keeps its value."""
    factor: float = 1.0
    """From the file's quantity to the scene's, e.g. 1 / pi from reflectance to Rrs."""

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> "Decoder":
        """From CF packing attributes; ``valid_*`` and ``_FillValue`` are in stored units."""
        valid_range = attributes.get("valid_range")
        low, high = valid_range if valid_range is not None else (None, None)
        unsigned = dtype.kind == "i" and str(attributes.get("_Unsigned")).lower() == "true"
        is_packed = "scale_factor" in attributes or "add_offset" in attributes
        return cls(
            scale=_number(attributes.get("scale_factor"), 1.0),
            offset=_number(attributes.get("add_offset"), 0.0),
            fills=_numbers(attributes.get("_FillValue"), attributes.get("missing_value")),
            valid_min=_limit(attributes.get("valid_min", low), unsigned),
            valid_max=_limit(attributes.get("valid_max", high), unsigned),
            unsigned=unsigned,
            packed_integer=dtype.kind in "iu" and is_packed,
        )

    def with_default_fill(self, dtype: np.dtype[Any]) -> "Decoder":
        """Where a netCDF file states no fill value: what the library writes where nothing was."""
        default = netCDF4.default_fillvals.get(dtype.str[1:])
        if self.fills or default is None or dtype.itemsize == 1:
            return self
        return replace(self, fills=(float(default),))

    @property
    def has_states(self) -> bool:
        """Whether any stored number has a state."""
        limits = (self.valid_min, self.valid_max, self.saturated)
        return any(limit is not None for limit in limits)

    def values(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Physical values of any shape, float32; NaN for fill and outside the valid range."""
        if _is_small_integer(stored.dtype):
            return np.asarray(_tables(self, stored.dtype)[0][_positions(stored)])
        return self._compute(stored)

    def states(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """State bits of any shape, uint8 (see :mod:`pipeline.quality`)."""
        if _is_small_integer(stored.dtype):
            return np.asarray(_tables(self, stored.dtype)[1][_positions(stored)])
        return self._find_states(stored)

    def _find_states(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        numbers, is_fill = self._numbers(stored), self._is_fill(stored)
        outside = self._outside(numbers) & ~is_fill
        states = np.where(outside, STATE_OUTSIDE_VALID_RANGE, np.uint8(0)).astype(np.uint8)
        if self.saturated is not None:
            states[(numbers >= self.saturated) & ~outside & ~is_fill] |= STATE_SATURATED
        return states

    def _compute(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        if stored.dtype.kind == "f" and (self.scale, self.offset, self.factor) == (1.0, 0.0, 1.0):
            as_they_are = stored.astype(np.float32)
            as_they_are[self._is_fill(stored) | self._outside(stored)] = np.nan
            return as_they_are
        numbers = self._numbers(stored)
        values = numbers * self.scale + self.offset
        if self.packed_integer:
            values[np.abs(values) < abs(self.scale) / 2] = 0.0
        values *= self.factor
        values[self._is_fill(stored) | self._outside(numbers)] = np.nan
        return values.astype(np.float32)

    def _numbers(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        if self.unsigned:
            stored = stored.view(stored.dtype.str.replace("i", "u"))
        return stored.astype(np.float64)

    def _is_fill(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        is_fill = np.zeros(stored.shape, dtype=bool)
        for fill in self.fills:
            if stored.dtype.kind in "iu" and not float(fill).is_integer():
                continue  # no stored number can be it
            # The fill value has the stored type: compared there, so that -32767 of an unsigned
            # variable, and a float32 that float64 does not repeat, are found.
            is_fill |= stored == np.array(fill).astype(stored.dtype)
        return is_fill

    def _outside(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        outside = np.zeros(numbers.shape, dtype=bool)
        # As float64, so that a float32 is not compared with a rounded limit.
        if self.valid_min is not None:
            outside |= numbers < np.float64(self.valid_min)
        if self.valid_max is not None:
            outside |= numbers > np.float64(self.valid_max)
        return outside


def _is_small_integer(dtype: np.dtype[Any]) -> bool:
    return dtype.itemsize <= 2 and dtype.kind in "iu"


@functools.lru_cache(maxsize=256)
def _tables(
    decoder: Decoder, dtype: np.dtype[Any]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Value and state of every bit pattern of a small integer type."""
    patterns = np.arange(1 << (8 * dtype.itemsize), dtype=np.uint32).astype(f"u{dtype.itemsize}")
    stored = patterns.view(dtype)
    return decoder._compute(stored), decoder._find_states(stored)  # noqa: SLF001 - of this module


def _positions(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The bit patterns as unsigned positions in the table."""
    return stored.view(f"u{stored.dtype.itemsize}")


def _number(attribute: Any, default: float) -> float:
    return default if attribute is None else float(np.asarray(attribute).reshape(-1)[0])


def _numbers(*attributes: Any) -> tuple[float, ...]:
    """The distinct numbers among attributes that may be missing."""
    present = [np.asarray(a).reshape(-1) for a in attributes if a is not None]
    return tuple(dict.fromkeys(float(a[0]) for a in present if a.size))


def _limit(attribute: Any, unsigned: bool) -> float | None:
    """A valid_min or valid_max; of an unsigned variable it is stored signed, as the values are."""
    if attribute is None:
        return None
    value = np.asarray(attribute).reshape(-1)[:1]
    if unsigned and value.dtype.kind == "i":
        value = value.view(value.dtype.str.replace("i", "u"))
    return float(value[0])
