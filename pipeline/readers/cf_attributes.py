"""Interprets the CF attributes of a variable that describe the stored numbers.

Some files state numbers as text, or limits in physical units, or one fill value for all variables.
``docs/readers.md`` explains how ocpipe reads such files.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import SceneError
from pipeline.readers.attributes import as_text, shown

# The first two are CF's names; other programs write the others with the same meaning.
FILLS = ("_FillValue", "missing_value", "FillValue", "fill_value")
LIMITS = ("valid_range", "valid_min", "valid_max")
PACKING = ("scale_factor", "add_offset")
SIGN = "_Unsigned"
OF_FILE = (*FILLS, *LIMITS, *PACKING, SIGN)
"""Attributes that some files state once for all variables of a group or of the file."""

# A number in a text, with the suffix of its type as CDL has it: -999.f is a float, -32767s a short.
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:(?P<whole>\d+)|\d+\.\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?"
    r"|\d+e[+-]?\d+|nan|inf))(?P<suffix>[fdsbl]?)",
    re.IGNORECASE,
)
# Attributes are rounded. So a limit or fill value in units may differ from its stored number by
# this share of 1.
_ROUNDING = 0.01

Kind = Literal["i", "u"]


def texts_for_numbers(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that are text although numbers are expected."""
    names = (*FILLS, *LIMITS, *PACKING)
    found = {name: attributes[name] for name in names if name in attributes}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def numbers_in(value: Any) -> npt.NDArray[Any] | None:
    """Return the numbers of an attribute, 1-D; None if it has other values.

    Numbers may be stored as text: ``0.01`` or ``0, 100``. A text without a decimal point is a whole
    number, as in CDL.
    """
    found = np.asarray(value).reshape(-1)
    if found.dtype.kind in "iufb":
        return found
    if found.dtype.kind not in "USO" or found.size == 0:
        return None
    parts = re.split(r"\s*[,;\s]\s*", as_text(value, " ").strip("[](){} \t\r\n\0"))
    matches = [_NUMBER.fullmatch(part) for part in parts]
    numbers = [match for match in matches if match is not None]
    if len(numbers) < len(matches):
        return None
    if all(match["whole"] and match["suffix"] not in tuple("fFdD") for match in numbers):
        whole = [int(match["number"]) for match in numbers]
        if all(-(1 << 63) <= number < 1 << 63 for number in whole):
            return np.array(whole, np.int64)
    return np.array([float(match["number"]) for match in numbers])


def number_in(value: Any) -> float | None:
    """Return the one finite number of an attribute; None if it has other values."""
    found = numbers_in(value)
    is_one = found is not None and found.size == 1 and bool(np.isfinite(found[0]))
    return float(found[0]) if found is not None and is_one else None


@dataclass(frozen=True)
class CfAttributes:
    """The attributes of a variable, read as numbers; an attribute without numbers is refused."""

    of: Mapping[str, Any]
    dtype: np.dtype[Any]
    """Type of the stored numbers."""
    called: Mapping[str, str]
    """Name of an attribute in CF -> its name in the file, for messages."""
    in_counts: bool = False
    """True if all limits are stored numbers; False if limits of floating type are
    in physical units, as in CF."""

    @property
    def scale(self) -> float:
        """The step in value from one stored number to the next (``scale_factor``)."""
        return self._number("scale_factor", 1.0, zero=False)

    @property
    def offset(self) -> float:
        """The value that the stored number 0 means (``add_offset``)."""
        return self._number("add_offset", 0.0)

    @property
    def is_packed(self) -> bool:
        """Whether the stored numbers are integers with a scale factor or an offset."""
        return self.dtype.kind in "iu" and any(name in self.of for name in PACKING)

    @property
    def read_as(self) -> Kind | None:
        """Return ``u`` to read signed integers as unsigned, ``i`` for the reverse, otherwise None.

        Classic netCDF has no unsigned types, and some programs have no signed bytes.
        """
        if self.dtype.kind not in "iu":
            return None
        if SIGN not in self.of:
            return "u" if self._limits_are_of_unsigned_bytes() else None
        text = as_text(self.of[SIGN]).strip().lower()
        if text not in ("true", "false"):
            raise self._unexpected(SIGN, "the text true or false")
        kind: Kind = "u" if text == "true" else "i"
        return None if kind == self.dtype.kind else kind

    def fills(self, of_file: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the stored numbers that mean missing.

        Fill values of the whole file are used for each variable that states no fill value. They
        are also used for all variables of floating type, because xarray gives each of these the
        fill value NaN when it copies a file.
        """
        own = [fill for name in FILLS for fill in self._fills(name, self.of)]
        if own and self.dtype.kind != "f":
            of_file = {}
        once = [fill for name in FILLS for fill in self._fills(name, of_file)]
        return tuple(dict.fromkeys([*own, *once]))

    def limits(self) -> tuple[float | None, float | None]:
        """Return the lowest and highest valid stored number.

        ``valid_min`` and ``valid_max`` override ``valid_range``. For packed integers, limits of
        floating type are in physical units (NetCDF Users' Guide) and are converted to counts.
        """
        both = self._values("valid_range", 2)
        low, high = self._values("valid_min", 1), self._values("valid_max", 1)
        if both is not None:
            low = both[:1] if low is None else low
            high = both[1:] if high is None else high
        found: list[float | None] = [None, None]  # the lowest and the highest count
        for end, limit in enumerate((low, high)):
            if limit is None:
                continue
            is_turned = self._is_in_units(limit) and self.scale < 0
            place = 1 - end if is_turned else end
            count = self._count_of_limit(limit, is_lowest=place == 0)
            other = found[place]  # a range in counts beside a limit in units of a falling scale
            narrower = max if place == 0 else min
            found[place] = count if other is None else narrower(count, other)
        return found[0], found[1]

    def _values(self, name: str, count: int) -> npt.NDArray[Any] | None:
        """Return the numbers of a limit; None if it is not stated."""
        if name not in self.of:
            return None
        numbers = numbers_in(self.of[name])
        if numbers is None or numbers.size != count:
            raise self._unexpected(name, f"{count} number{'s' * (count > 1)}")
        return numbers

    def _is_in_units(self, limit: npt.NDArray[Any]) -> bool:
        return self.is_packed and limit.dtype.kind == "f" and not self.in_counts

    def _count_of_limit(self, limit: npt.NDArray[Any], *, is_lowest: bool) -> float:
        """Return the lowest or highest valid count, computed from a limit."""
        if not self._is_in_units(limit):
            return self._as_read(limit)
        value = float(limit[0])
        if not math.isfinite(value):
            return value if self.scale > 0 else -value
        position = (value - self.offset) / self.scale
        if is_lowest:
            return float(math.ceil(position - _ROUNDING))
        return float(math.floor(position + _ROUNDING))

    def _as_read(self, limit: npt.NDArray[Any]) -> float:
        """Return a stored limit; it is read as signed or unsigned, like the values."""
        patterns = 1 << (8 * self.dtype.itemsize)
        if limit.dtype.kind not in "iu":
            return float(limit[0])
        number = int(limit[0])
        if self.read_as == "u" and -patterns // 2 <= number < 0:
            return float(number + patterns)
        if self.read_as == "i" and limit.dtype == self.dtype and number >= patterns // 2:
            return float(number - patterns)
        return float(number)

    def _limits_are_of_unsigned_bytes(self) -> bool:
        """Whether limits such as 0 to 255 say that bytes are unsigned (CF, section 2.2)."""
        if self.dtype != np.int8:
            return False
        found = [numbers_in(self.of[name]) for name in LIMITS if name in self.of]
        whole = [v for v in found if v is not None and v.dtype.kind in "iu"]
        numbers = [int(number) for values in whole for number in values]
        return bool(numbers) and min(numbers) >= 0 and 127 < max(numbers) <= 255

    def _fills(self, name: str, of: Mapping[str, Any]) -> list[float]:
        if name not in of:
            return []
        numbers = numbers_in(of[name])
        if numbers is None:
            raise self._unexpected(name, "numbers", of)
        fills: list[float] = numbers.tolist()
        return [*fills, *(count for fill in fills for count in self._count_of_fill(fill))]

    def _count_of_fill(self, fill: float) -> list[float]:
        """Return the count of a fill value in physical units (CF does not allow such fill values).

        Only a fill value that is not a whole number is in physical units: no count can equal it.
        """
        if not self.is_packed or not math.isfinite(fill) or fill == int(fill):
            return []
        position = (fill - self.offset) / self.scale
        count = round(position)
        return [float(count)] if abs(position - count) <= _ROUNDING else []

    def _number(self, name: str, default: float, *, zero: bool = True) -> float:
        """Return the single number of an attribute, or the default if it is missing."""
        if name not in self.of:
            return default
        number = number_in(self.of[name])
        if number is None or (number == 0 and not zero):
            raise self._unexpected(name, "one number" if zero else "one number other than zero")
        return number

    def _unexpected(
        self, name: str, expected: str, of: Mapping[str, Any] | None = None
    ) -> SceneError:
        found = (self.of if of is None else of)[name]
        found = as_text(found) if isinstance(found, bytes) else found
        owner = "" if name in self.of else " of the file or group"
        return SceneError(
            f"{self.called.get(name, name)}{owner} is {shown(found)}, expected {expected}. Correct "
            "the attribute (for example with ncatted), or use the original file."
        )


def check_packing(
    attributes: Mapping[str, Any], dtype: np.dtype[Any], of_file: Mapping[str, Any]
) -> None:
    """Refuse integers whose scale, offset or sign is stated only once for the whole file."""
    lost = [name for name in (*PACKING, SIGN) if name in of_file and name not in attributes]
    if dtype.kind in "iu" and lost:
        raise SceneError(_stated_once(lost))


def check_band(
    attributes: Mapping[str, Any], dtype: np.dtype[Any], of_file: Mapping[str, Any]
) -> None:
    """Refuse integers without a scale factor, and limits that the file states, not the variable.

    Reflectances are fractions, so integers alone cannot be their values.
    """
    check_packing(attributes, dtype, of_file)
    lost = [name for name in LIMITS if name in of_file]
    if lost and not any(name in attributes for name in LIMITS):
        raise SceneError(_stated_once(lost))
    if dtype.kind in "iu" and "scale_factor" not in attributes:
        raise SceneError(
            f"the values are integers ({dtype}) without a scale_factor, expected fractions. The "
            "attribute was probably lost when the file was copied; use the original file."
        )


def _stated_once(names: Sequence[str]) -> str:
    return (
        f"{', '.join(names)} is an attribute of the file or group, but must be an attribute "
        "of a variable. Copy it to each variable that it describes (for example with ncatted), or "
        "use the original file."
    )
