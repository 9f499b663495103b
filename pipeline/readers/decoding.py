"""Stored numbers -> physical values, exactly.

xarray and netCDF4 decode int16 with float32 attributes in float32. NASA's offset of 0.05 sr-1 then
cancels near zero, and dark bands come out up to 64 % wrong. Here a value is
``count * float64(scale_factor) + float64(add_offset)``, the attributes as stored, rounded once to
float32. What lies nearer to zero than half a scale factor is zero: no count can say more.
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

from pipeline.errors import SceneError
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED


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
    states_fill: bool = False
    """Whether the file says which number was never written."""

    @classmethod
    def from_attributes(
        cls,
        attributes: Mapping[str, Any],
        dtype: np.dtype[Any],
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> "Decoder":
        """From CF packing attributes; ``valid_*`` and ``_FillValue`` are in stored units.

        Args:
            attributes: those of the variable, by CF's names.
            dtype: of the stored numbers.
            called: what the file calls them, where it does not follow CF.

        Raises:
            SceneError: the variable holds no numbers, or an attribute not those it should.
        """
        if dtype.kind not in "iuf":
            raise SceneError(f"numbers are stored as {dtype}. The file is damaged; fetch it again.")
        said = _Attributes(attributes, called)
        unsigned = dtype.kind == "i" and said.text("_Unsigned").lower() == "true"
        low, high = said.limits(unsigned)
        is_packed = "scale_factor" in attributes or "add_offset" in attributes
        return cls(
            scale=said.number("scale_factor", 1.0, zero=False),
            offset=said.number("add_offset", 0.0),
            fills=tuple(dict.fromkeys(said.numbers("_FillValue") + said.numbers("missing_value"))),
            valid_min=low,
            valid_max=high,
            unsigned=unsigned,
            packed_integer=dtype.kind in "iu" and is_packed,
            states_fill="_FillValue" in attributes,
        )

    def with_default_fill(self, dtype: np.dtype[Any]) -> "Decoder":
        """Where a netCDF file states no fill value: what the library writes where nothing was."""
        default = netCDF4.default_fillvals.get(dtype.str[1:])
        if self.states_fill or default is None or dtype.itemsize == 1:
            return self
        return replace(self, fills=(*self.fills, np.array(default, dtype).item()))

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
        """State bits of any shape, uint8 (see :mod:`pipeline.scene.quality`)."""
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
            as_stored = _as_stored(fill, stored.dtype)
            if as_stored is not None:
                is_fill |= stored == as_stored
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


def _as_stored(fill: float, dtype: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """A fill value in the stored type, where it is compared; None where no stored number is it.

    -32767 of an unsigned variable, and a float32 that float64 does not repeat, are found there.
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.array(fill).astype(dtype)
    patterns = 1 << (8 * dtype.itemsize)
    if not math.isfinite(fill) or int(fill) != fill or not -patterns // 2 <= fill < patterns:
        return None
    return np.array(int(fill) % patterns, f"u{dtype.itemsize}").view(
        f"{dtype.kind}{dtype.itemsize}"
    )


@dataclass(frozen=True)
class _Attributes:
    """Attributes of a variable, which must be what they are taken for."""

    of: Mapping[str, Any]
    called: Mapping[str, str]

    def text(self, name: str) -> str:
        """An attribute as text, however it is stored."""
        value = np.asarray(self.of.get(name, "")).reshape(-1)[:1].tolist()
        return "".join(
            v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in value
        )

    def numbers(self, name: str) -> tuple[float, ...]:
        """All numbers of an attribute; none where it is missing. Integers stay exact."""
        value = self._values(name)
        if value.dtype.kind not in "iufb":
            raise self._unexpected(name, "numbers")
        return tuple(value.tolist())

    def number(self, name: str, default: float, *, zero: bool = True) -> float:
        """The one number of an attribute."""
        if name not in self.of:
            return default
        numbers = self.numbers(name)
        if len(numbers) != 1 or not math.isfinite(numbers[0]) or (numbers[0] == 0 and not zero):
            raise self._unexpected(name, f"one number{'' if zero else ' that is not zero'}")
        return float(numbers[0])

    def limits(self, unsigned: bool) -> tuple[float | None, float | None]:
        """The smallest and the largest valid number; ``valid_min`` wins over ``valid_range``."""
        low, high = self._limits("valid_range", 2, unsigned)
        (low,) = self._limits("valid_min", 1, unsigned, low)
        (high,) = self._limits("valid_max", 1, unsigned, high)
        return low, high

    def _limits(
        self, name: str, count: int, unsigned: bool, default: float | None = None
    ) -> list[float | None]:
        """Limits; of an unsigned variable they are stored signed, as the values are."""
        if name not in self.of:
            return [default] * count
        if len(self.numbers(name)) != count:
            raise self._unexpected(name, f"{count} number{'s' * (count > 1)}")
        value = self._values(name)
        if unsigned and value.dtype.kind == "i":
            value = value.view(value.dtype.str.replace("i", "u"))
        return [float(limit) for limit in value]

    def _values(self, name: str) -> npt.NDArray[Any]:
        return np.asarray(self.of.get(name, ())).reshape(-1)

    def _unexpected(self, name: str, expected: str) -> SceneError:
        return SceneError(
            f"{self.called.get(name, name)} is {self.of[name]!r}, expected {expected}. The file is "
            "damaged; fetch it again."
        )
