"""Variables of a file as netCDF4, h5py or rasterio gives them, and what their attributes mean.

Shares nothing with ``pipeline``. Numbers are decoded as CF and docs/quality.md say.
"""

from dataclasses import dataclass, replace
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
        return Variable(name, np.asarray(found[...]), attributes, found.dimensions)

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
        return Variable(name, np.asarray(found[...]), dict(found.attrs))

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
    unsigned: bool = False
    factor: float = 1.0


def packing_of(variable: Variable, *, default_fill: bool = True, factor: float = 1.0) -> Packing:
    """By CF's attributes; without ``_FillValue`` netCDF's own one means missing."""
    attributes, dtype = variable.attributes, variable.values.dtype
    low, high = limits(attributes)
    fills = [fill for name in ("_FillValue", "missing_value") for fill in listed(attributes, name)]
    if default_fill and "_FillValue" not in attributes and dtype.itemsize > 1:
        fills.append(netCDF4.default_fillvals.get(dtype.str[1:], np.nan))  # of float16 none
    return Packing(
        scale=number(attributes, "scale_factor", 1.0, is_scale=True),
        offset=number(attributes, "add_offset", 0.0),
        fills=tuple(fills),
        low=low,
        high=high,
        packed=dtype.kind in "iu" and bool({"scale_factor", "add_offset"} & set(attributes)),
        unsigned=dtype.kind == "i" and variable.text("_Unsigned").lower() == "true",
        factor=factor,
    )


def limits(attributes: dict[str, Any]) -> tuple[float | None, float | None]:
    """``valid_min`` and ``valid_max``, or ``valid_range``."""
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
    if packing.unsigned:
        plain = plain.view(f"u{plain.dtype.itemsize}")
    numbers = plain.astype(np.float64)
    missing = np.logical_or.reduce([_is(plain, fill) for fill in packing.fills] or [False])
    outside = np.zeros(plain.shape, bool)
    if packing.low is not None:
        outside |= numbers < _limit(packing.low, plain, packing)
    if packing.high is not None:
        outside |= numbers > _limit(packing.high, plain, packing)
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


def _limit(limit: float, plain: np.ndarray, packing: Packing) -> float:
    """Of unsigned numbers that are stored signed, a limit is stored as they are."""
    return limit + 2 ** (8 * plain.dtype.itemsize) if packing.unsigned and limit < 0 else limit


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
    if array.dtype.kind not in "iufb":
        raise MeaninglessError(f"{name} is {array.dtype}")
    return [
        item if array.dtype.kind in "iu" else float(item) for item in array.reshape(-1).tolist()
    ]


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
