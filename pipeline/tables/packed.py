"""Decodes stored numbers of netCDF by the conventions: fill values, limits, packing, signs."""

from collections.abc import Mapping
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from pipeline.tables.table import Array

Attributes = Mapping[str, Any]
_LIMITS = ("valid_min", "valid_max", "valid_range")


def decoded_numbers(raw: npt.NDArray[Any], attributes: Attributes) -> Array:
    """Return stored numbers as float64, with NaN for fill values and values beyond limits.

    For packed integers, floating-point limits are decoded values. Other limits are stored numbers.

    Raises:
        ValueError: an attribute should be a number, but is not.
    """
    stored = _with_sign(raw, attributes)
    scale, offset = _number(attributes, "scale_factor", 1.0), _number(attributes, "add_offset", 0.0)
    values: Array = stored.astype(np.float64) * scale + offset
    invalid = np.isin(stored, _fills(raw, attributes))
    low, high = _limits(attributes)
    is_packed = bool({"scale_factor", "add_offset"} & set(attributes)) and raw.dtype.kind in "iu"
    limited = values if is_packed and _are_in_units(attributes) else stored
    if limited is stored:
        low, high = (_as_stored(limit, raw, attributes) for limit in (low, high))
    if low is not None:
        invalid |= limited < low
    if high is not None:
        invalid |= limited > high
    return np.where(invalid, np.nan, values)


def _with_sign(raw: npt.NDArray[Any], attributes: Attributes) -> npt.NDArray[Any]:
    """Return integers as signed or unsigned numbers, as ``_Unsigned`` states."""
    said = str(attributes.get("_Unsigned", "")).strip().lower()
    if said in ("true", "1") and raw.dtype.kind == "i":
        return raw.view(raw.dtype.str.replace("i", "u"))
    if said in ("false", "0") and raw.dtype.kind == "u":
        return raw.view(raw.dtype.str.replace("u", "i"))
    return raw


def _fills(raw: npt.NDArray[Any], attributes: Attributes) -> npt.NDArray[Any]:
    """Return the stored numbers that mean missing.

    Without ``_FillValue``, the default fill value of the netCDF library means missing. Types of one
    byte have no default.
    """
    found = [
        _as_stored(number, raw, attributes)
        for name in ("_FillValue", "missing_value")
        for number in numbers_in(attributes, name)
    ]
    if "_FillValue" not in attributes and raw.dtype.itemsize > 1:
        default = netCDF4.default_fillvals.get(raw.dtype.str[1:])
        found += [] if default is None else [_as_stored(default, raw, attributes)]
    return np.array(found)


def _as_stored(number: Any, raw: npt.NDArray[Any], attributes: Attributes) -> Any:
    """Return a number in the type of the stored numbers; unchanged if it does not fit."""
    if number is None:
        return None
    if raw.dtype.kind == "f":
        return raw.dtype.type(number)
    info = np.iinfo(raw.dtype)
    if not np.isfinite(number) or int(number) != number or not info.min <= number <= info.max:
        return number
    return _with_sign(np.array([int(number)], raw.dtype), attributes)[0]


def _limits(attributes: Attributes) -> tuple[Any, Any]:
    both = numbers_in(attributes, "valid_range")
    if len(both) == 2:
        return both[0], both[1]
    if both:
        raise ValueError(f"valid_range is {attributes['valid_range']!r}, expected two numbers")
    low, high = (numbers_in(attributes, name)[:1] for name in _LIMITS[:2])
    return (low[0] if low else None), (high[0] if high else None)


def _are_in_units(attributes: Attributes) -> bool:
    said = [attributes[name] for name in _LIMITS if name in attributes]
    kinds = [np.asarray(value).dtype.kind for value in said]
    return any(
        kind == "f" or (kind in "USO" and "." in _text(np.ravel(value).tolist()))
        for value, kind in zip(said, kinds, strict=True)
    )


def _number(attributes: Attributes, name: str, default: float) -> np.float64:
    found = numbers_in(attributes, name)
    return np.float64(found[0] if found else default)


def numbers_in(attributes: Attributes, name: str) -> list[Any]:
    """Return the numbers of an attribute, even if they are text; [] without the attribute.

    Raises:
        ValueError: the text is not a number.
    """
    value = attributes.get(name)
    if value is None:
        return []
    items = np.ravel(value).tolist()
    if not any(isinstance(item, str | bytes) for item in items):
        return items
    text = _text(items)
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"{name} is {text!r}, expected a number") from None


def _text(items: list[Any]) -> str:
    """Join texts of an attribute; netCDF4 returns some of them as bytes or in a list."""
    return ", ".join(i.decode(errors="replace") if isinstance(i, bytes) else str(i) for i in items)
