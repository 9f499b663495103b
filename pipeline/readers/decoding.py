"""Exact decoding of stored numbers to physical values.

If int16 numbers have float32 attributes, xarray and netCDF4 decode in float32. Near zero, NASA's
offset of 0.05 sr-1 then cancels most digits, and dark bands are up to 64 % wrong. This module
computes ``count * float64(scale_factor) + float64(add_offset)`` and then rounds to float32. Values
nearer to zero than half a scale factor become zero, because counts cannot resolve them.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from pipeline.readers.cf_attributes import CfAttributes, Kind
from pipeline.readers.damage import rewritten
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Decoder:
    """Turns the stored numbers of a variable into float32 values and state bits."""

    scale: float = 1.0
    offset: float = 0.0
    fills: tuple[float, ...] = ()
    valid_min: float | None = None
    valid_max: float | None = None
    read_as: Kind | None = None
    """``u`` to read signed integers as unsigned, ``i`` for the reverse, None to keep the sign."""
    packed_integer: bool = False
    saturated: float | None = None
    """Smallest stored number that means saturated; saturated values are kept."""
    factor: float = 1.0
    """Factor that converts the file's quantity to the scene's quantity, e.g. 1 / pi to get Rrs."""
    states_fill: bool = False
    """Whether the file states its fill value."""

    @classmethod
    def from_attributes(
        cls,
        attributes: Mapping[str, Any],
        dtype: np.dtype[Any],
        called: Mapping[str, str] = NOTHING,
        of_file: Mapping[str, Any] = NOTHING,
        *,
        in_counts: bool = False,
    ) -> "Decoder":
        """Make a decoder from CF attributes (see :mod:`pipeline.readers.cf_attributes`).

        Args:
            attributes: attributes of the variable, with CF's names.
            dtype: type of the stored numbers.
            called: name of an attribute in CF -> its name in the file, for messages.
            of_file: fill values that the file states once for all variables.
            in_counts: True if all limits apply to stored (packed) numbers, even limits of floating
                type.

        Raises:
            SceneError: the variable or an attribute does not have the expected numbers.
        """
        if dtype.kind not in "iuf":
            raise rewritten(f"values are stored as {dtype}, expected numbers")
        stated = CfAttributes(attributes, dtype, called, in_counts)
        low, high = stated.limits()
        return cls(
            scale=stated.scale,
            offset=stated.offset,
            fills=stated.fills(of_file),
            valid_min=low,
            valid_max=high,
            read_as=stated.read_as,
            packed_integer=stated.is_packed,
            states_fill="_FillValue" in attributes,
        )

    def with_default_fill(self, dtype: np.dtype[Any]) -> "Decoder":
        """Add the fill value of the netCDF library, if the file does not state one."""
        default = netCDF4.default_fillvals.get(dtype.str[1:])
        if self.states_fill or default is None or dtype.itemsize == 1:
            return self
        return replace(self, fills=(*self.fills, np.array(default, dtype).item()))

    @property
    def has_states(self) -> bool:
        """Whether any stored number can have a state bit."""
        limits = (self.valid_min, self.valid_max, self.saturated)
        return any(limit is not None for limit in limits)

    def values(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return physical values, float32, any shape; NaN for fill and invalid values."""
        if _is_small_integer(stored.dtype):
            return np.asarray(_tables(self, stored.dtype)[0][_positions(stored)])
        return self._compute(stored)

    def states(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return state bits, uint8, any shape (see :mod:`pipeline.scene.quality`)."""
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
        if self.read_as is not None:
            order = stored.dtype.byteorder
            stored = stored.view(f"{order}{self.read_as}{stored.dtype.itemsize}")
        return stored.astype(np.float64)

    def _is_fill(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        is_fill = np.zeros(stored.shape, dtype=bool)
        for fill in self.fills:
            as_stored = _as_stored(fill, stored.dtype)
            if as_stored is not None:
                is_fill |= stored == as_stored
        return is_fill

    def _outside(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        outside = np.zeros(numbers.shape, dtype=bool)
        # Compare in float64: NumPy would round the limit to float32 for float32 numbers.
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
    """Return two tables: the value and the state of every bit pattern of a small integer type."""
    patterns = np.arange(1 << (8 * dtype.itemsize), dtype=np.uint32).astype(f"u{dtype.itemsize}")
    stored = patterns.view(dtype)
    return decoder._compute(stored), decoder._find_states(stored)  # noqa: SLF001 - same module


def _positions(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the bits of stored numbers as unsigned integers, which are positions in the table."""
    return stored.view(f"u{stored.dtype.itemsize}")


def _as_stored(fill: float, dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """Return a fill value in the stored type; None if no stored number can equal it.

    The fill value is converted, so it is found even if the file states it as -32767 for an unsigned
    variable, or as a float64 number for a float32 variable.
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.array(fill).astype(dtype)
    patterns = 1 << (8 * dtype.itemsize)
    if not math.isfinite(fill) or int(fill) != fill or not -patterns // 2 <= fill < patterns:
        return None
    unsigned = np.array(int(fill) % patterns, f"u{dtype.itemsize}")
    return unsigned.view(f"{dtype.kind}{dtype.itemsize}")
