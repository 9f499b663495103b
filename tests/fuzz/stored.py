"""Variables of a file as netCDF4, h5py or rasterio gives them, and what their attributes mean.

Shares nothing with ``pipeline``. Numbers are decoded as CF and docs/quality.md say.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import h5py
import netCDF4
import numpy as np


class MeaninglessError(Exception):
    """The file says something that cannot be taken at its word: it must be refused."""


@dataclass(frozen=True)
class Variable:
    """A variable as stored."""

    name: str
    values: np.ndarray
    attributes: dict[str, Any]
    dims: tuple[str, ...] = ()
    """None where the library does not tell."""
    once: dict[str, Any] = field(default_factory=dict)
    """Attributes of the file, or of the group, which overrides the file."""

    def text(self, name: str) -> str:
        """An attribute as text."""
        return as_text(self.attributes.get(name, ""))


class Library(Protocol):
    """What reads a file."""

    def names(self, group: str) -> list[str]:
        """Of the variables in a group."""
        ...

    def variable(self, name: str) -> Variable:
        """A variable, read whole."""
        ...

    def numbers(self, name: str) -> np.ndarray:
        """Of a variable, whatever its attributes."""
        ...

    def attributes(self, group: str) -> dict[str, Any]:
        """Of a group."""
        ...


class ByNetcdf4:
    """The netCDF library."""

    def __init__(self, path: Path) -> None:
        self._file = netCDF4.Dataset(path)
        self._file.set_auto_maskandscale(False)

    def names(self, group: str) -> list[str]:
        """Of the variables in a group."""
        return list((self._file[group] if group else self._file).variables)

    def variable(self, name: str) -> Variable:
        """A variable, read whole."""
        found = self._file[name]
        if not isinstance(found, netCDF4.Variable):
            raise KeyError(name)
        attributes = self._attributes(found)
        once = self._attributes(self._file) | self._attributes(found.group())
        return Variable(name, np.asarray(found[...]), attributes, found.dimensions, once)

    def numbers(self, name: str) -> np.ndarray:
        """Of a variable, whatever its attributes."""
        return np.asarray(self._file[name][...])

    def attributes(self, group: str) -> dict[str, Any]:
        """Of a group."""
        return self._attributes(self._file[group] if group else self._file)

    @staticmethod
    def _attributes(owner: Any) -> dict[str, Any]:
        return {name: owner.getncattr(name) for name in owner.ncattrs()}


class ByH5py:
    """The HDF5 library."""

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "r")

    def names(self, group: str) -> list[str]:
        """Of the variables in a group."""
        members = self._file[group or "/"]
        found = {name: members.get(name) for name in members}
        return [n for n, it in found.items() if isinstance(it, h5py.Dataset) and _is_variable(it)]

    def variable(self, name: str) -> Variable:
        """A variable, read whole."""
        found = self._file[name]
        if not isinstance(found, h5py.Dataset):
            raise KeyError(name)
        once = {}
        for owner in (self._file, found.parent):
            once |= {key: owner.attrs[key] for key in owner.attrs}
        return Variable(name, np.asarray(found[...]), dict(found.attrs), once=once)

    def numbers(self, name: str) -> np.ndarray:
        """Of a variable, whatever its attributes."""
        return np.asarray(self._file[name][...])

    def attributes(self, group: str) -> dict[str, Any]:
        """Of a group."""
        return dict(self._file[group or "/"].attrs)


def _is_variable(dataset: h5py.Dataset) -> bool:
    """Whether it is more than a dimension."""
    return not as_text(dataset.attrs.get("NAME", "")).startswith("This is a netCDF dimension but")


def on_dims(variable: Variable, dims: tuple[str, ...]) -> Variable:
    """The same with these dimensions in front, where it has them."""
    if not dims or not set(dims) <= set(variable.dims):
        return variable
    ordered = (*dims, *(dim for dim in variable.dims if dim not in dims))
    axes = [variable.dims.index(dim) for dim in ordered]
    return replace(variable, values=variable.values.transpose(axes), dims=ordered)


@dataclass(frozen=True)
class Decoded:
    """Values (float64, NaN where missing or outside) and where they are outside or saturated."""

    values: np.ndarray
    outside: np.ndarray
    saturated: np.ndarray


@dataclass(frozen=True)
class Packing:
    """What the stored numbers of a variable mean."""

    scale: float = 1.0
    offset: float = 0.0
    fills: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    saturated: float | None = None
    packed: bool = False
    unsigned: bool | None = None
    """How integers are read; None as they are stored."""
    low_in_units: bool = False
    high_in_units: bool = False
    factor: float = 1.0


FILLS = ("_FillValue", "missing_value", "FillValue", "fill_value")
LIMITS = ("valid_min", "valid_max", "valid_range")


def packing_of(
    variable: Variable, *, default_fill: bool = True, factor: float = 1.0, band: bool = False
) -> Packing:
    """By CF's attributes; without ``_FillValue`` netCDF's own one means missing.

    A band is a fraction: integers need a scale, and nothing may be stated elsewhere.
    """
    attributes, dtype = variable.attributes, variable.values.dtype
    is_integer = dtype.kind in "iu"
    elsewhere = [n for n in ("scale_factor", "add_offset", "_Unsigned") if n in variable.once]
    if is_integer and any(name not in attributes for name in elsewhere):
        raise MeaninglessError(f"{variable.name}: {elsewhere} of the file")
    if band and is_integer and "scale_factor" not in attributes:
        raise MeaninglessError(f"{variable.name} has integers without scale")
    if band and not set(LIMITS) & set(attributes) and set(LIMITS) & set(variable.once):
        raise MeaninglessError(f"{variable.name}: limits of the file")
    scale = number(attributes, "scale_factor", 1.0, is_scale=True)
    offset = number(attributes, "add_offset", 0.0)
    packed = is_integer and bool({"scale_factor", "add_offset"} & set(attributes))
    fills = [fill for name in FILLS for fill in listed(attributes, name)]
    if not fills or dtype.kind == "f":
        fills += [fill for name in FILLS for fill in listed(variable.once, name)]
    if packed:
        fills += [near for fill in fills for near in _count_at(fill, scale, offset)]
    if default_fill and "_FillValue" not in attributes and dtype.itemsize > 1:
        fills.append(netCDF4.default_fillvals.get(dtype.str[1:], np.nan))  # of float16 none
    low, high = limits(attributes)
    return Packing(
        scale=scale,
        offset=offset,
        fills=tuple(fills),
        low=low,
        high=high,
        low_in_units=packed and isinstance(low, float),
        high_in_units=packed and isinstance(high, float),
        packed=packed,
        unsigned=_is_unsigned(variable, low, high) if is_integer else None,
        factor=factor,
    )


def _is_unsigned(variable: Variable, low: float | None, high: float | None) -> bool | None:
    """By ``_Unsigned``; bytes with a range up to 255 have no sign either."""
    if "_Unsigned" not in variable.attributes:
        ends = [end for end in (low, high) if end is not None and not isinstance(end, float)]
        is_byte = variable.values.dtype == np.int8 and ends
        return True if is_byte and min(ends) >= 0 and 127 < max(ends) < 256 else None
    text = variable.text("_Unsigned").strip().lower()
    if text not in ("true", "false"):
        raise MeaninglessError(f"_Unsigned {text!r}")
    return text == "true"


def _count_at(fill: float, scale: float, offset: float) -> list[float]:
    """The count of a fill value that is no count."""
    if not np.isfinite(fill) or float(fill).is_integer():
        return []
    count = np.rint((fill - offset) / scale)
    return [float(count)] if abs(count * scale + offset - fill) <= 0.01 * abs(scale) else []


def limits(attributes: dict[str, Any]) -> tuple[float | None, float | None]:
    """``valid_min`` and ``valid_max``, or ``valid_range``; whole numbers where they are stored."""
    spread = listed(attributes, "valid_range")
    if "valid_range" in attributes and len(spread) != 2:
        raise MeaninglessError(f"valid_range {spread}")
    low, high = spread or (None, None)
    if "valid_min" in attributes:
        low = number(attributes, "valid_min", finite=False)
    if "valid_max" in attributes:
        high = number(attributes, "valid_max", finite=False)
    return low, high


def decoded(variable: Variable, packing: Packing) -> Decoded:
    """Every number of a variable."""
    stored = variable.values
    if stored.dtype.kind not in "iuf":
        raise MeaninglessError(f"{variable.name} is {stored.dtype}")
    plain = stored.astype(stored.dtype.newbyteorder("="))
    if packing.unsigned is not None:
        plain = plain.view(f"{'u' if packing.unsigned else 'i'}{plain.dtype.itemsize}")
    numbers = plain.astype(np.float64)
    missing = np.logical_or.reduce([_is(plain, fill) for fill in packing.fills] or [False])
    outside = np.zeros(plain.shape, bool)
    for limit, in_units, sign in (
        (packing.low, packing.low_in_units, 1),
        (packing.high, packing.high_in_units, -1),
    ):
        if limit is None:
            continue
        if in_units:
            slack = 0.01 * abs(packing.scale)
            with np.errstate(all="ignore"):
                units = numbers * packing.scale + packing.offset
                outside |= sign * units < sign * limit - slack
        else:
            outside |= sign * numbers < sign * _limit(limit, stored.dtype, packing)
    outside &= ~missing
    with np.errstate(all="ignore"):
        values = numbers * packing.scale + packing.offset
        if packing.packed:
            values = np.where(np.abs(values) < abs(packing.scale) / 2, 0.0, values)
        values = np.where(missing | outside, np.nan, values * packing.factor)
    saturated = np.zeros(plain.shape, bool)
    if packing.saturated is not None:
        saturated = (numbers >= packing.saturated) & ~outside & ~missing
    return Decoded(values, outside, saturated)


def _limit(limit: float, dtype: np.dtype, packing: Packing) -> float:
    """Of numbers with another sign than their type, a limit is stored as they are."""
    bits = 1 << (8 * dtype.itemsize)
    if isinstance(limit, float) or packing.unsigned is None:
        return limit
    if packing.unsigned and limit < 0:
        return limit + bits
    if not packing.unsigned and dtype.kind == "u" and bits // 2 <= limit < bits:
        return limit - bits
    return limit


def _is(plain: np.ndarray, fill: float) -> np.ndarray:
    """Where a number is the fill value; one without sign may be stated with it, and the reverse."""
    if plain.dtype.kind == "f":
        with np.errstate(all="ignore"):
            return plain == np.array(fill).astype(plain.dtype)
    if not np.isfinite(fill) or int(fill) != fill:
        return np.zeros(plain.shape, bool)
    bits = 8 * plain.dtype.itemsize
    if not -(1 << (bits - 1)) <= int(fill) < 1 << bits:
        return np.zeros(plain.shape, bool)
    return plain.view(f"u{plain.dtype.itemsize}") == int(fill) % (1 << bits)


def number(
    attributes: dict[str, Any],
    name: str,
    default: float = 0.0,
    *,
    finite: bool = True,
    is_scale: bool = False,
) -> float:
    """One number that an attribute holds."""
    if name not in attributes:
        return default
    found = listed(attributes, name)
    if len(found) != 1 or (finite and not np.isfinite(found[0])) or (is_scale and found[0] == 0):
        raise MeaninglessError(f"{name} {found}")
    return found[0]


def listed(attributes: dict[str, Any], name: str) -> list[float]:
    """All numbers that an attribute holds."""
    value = attributes.get(name)
    if value is None:
        return []
    if isinstance(value, h5py.Empty):
        raise MeaninglessError(f"{name} is empty")
    array = np.asarray(value)
    if array.dtype.kind in "USO" and array.size:
        return _numbers_of_text(name, as_text(value))
    if array.dtype.kind not in "iufb":
        raise MeaninglessError(f"{name} is {array.dtype}")
    return [
        item if array.dtype.kind in "iu" else float(item) for item in array.reshape(-1).tolist()
    ]


def _numbers_of_text(name: str, text: str) -> list[float]:
    """Numbers as CDL writes them."""
    found: list[float] = []
    for part in re.split("[ ,;]+", text.strip("[](){} \t\r\n\0")):
        bare = part if "inf" in part.lower() else part.rstrip("fdFD")
        whole = part.rstrip("sblSBL")
        try:
            found.append(int(whole) if re.fullmatch(r"[+-]?[0-9]+", whole) else float(bare))
        except ValueError:
            raise MeaninglessError(f"{name} is {text!r}") from None
    return [float(n) for n in found] if any(isinstance(n, float) for n in found) else found


def as_text(value: Any) -> str:
    """Text, however it is stored."""
    if isinstance(value, h5py.Empty):
        return ""
    items = [value] if isinstance(value, str | bytes) else np.ravel(value).tolist()
    return " ".join(i.decode(errors="replace") if isinstance(i, bytes) else str(i) for i in items)


def raised(flags: Variable, name: str) -> np.ndarray:
    """Where a flag is raised, by the file's own masks and meanings."""
    if flags.values.dtype.kind not in "iu":
        raise MeaninglessError(f"{flags.name} is {flags.values.dtype}")
    names = flags.text("flag_meanings").split()
    masks = np.ravel(flags.attributes["flag_masks"])
    if masks.dtype.kind not in "iu" or len(names) != masks.size or name not in names:
        raise MeaninglessError(f"flag_masks {masks}, flag_meanings {names}")
    bits = 8 * min(flags.values.dtype.itemsize, masks.dtype.itemsize)
    mask = 0
    for each, of in zip(masks.tolist(), names, strict=True):
        mask |= each % (1 << bits) if of == name else 0
    return has_bits(flags.values, mask)


def has_bits(stored: np.ndarray, mask: int) -> np.ndarray:
    """Where an integer has one of some bits."""
    plain = stored.astype(stored.dtype.newbyteorder("="))
    unsigned = plain.view(f"u{plain.dtype.itemsize}").astype(np.uint64)
    return (unsigned & np.uint64(mask)) != 0
