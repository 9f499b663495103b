"""Files that every library reads, in which attributes and values mean something else than before.

Each mutation changes one thing that people's files really have otherwise: an attribute is lost,
stored in another type, stated once for the file; values lie at limits; dimensions are renamed.
"""

from pathlib import Path
from random import Random
from typing import Any

import h5py
import netCDF4
import numpy as np

from fuzz.mutations.attributes import SGLI
from fuzz.mutations.hdf5 import BAND, PLACE, changing, chosen, datasets
from fuzz.outside import Outside

LIMITS = ("valid_min", "valid_max", "valid_range")
OWN = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "units", *LIMITS)
OWN += (*SGLI, "Rrs_unit", "Unit", "wavelength")
UNITS = ("sr-1", "sr^-1", "1/sr", "1", "dl", "percent", "10 sr-1", "W m-2", "", "none", "degrees",
         "radian", "degree_north")  # fmt: skip


def lost(path: Path, draw: Random, _: Outside) -> str:
    """An attribute of a variable, or of all bands, is gone."""
    with changing(path) as file:
        names, attribute = _drawn(file, draw)
        for name in names:
            file[name].attrs.pop(attribute, None)
    return f"{attribute} of {', '.join(names)} is lost"


def of_another_type(path: Path, draw: Random, _: Outside) -> str:
    """An attribute is stored as another number, as text or in a list."""
    with changing(path) as file:
        names, attribute = _drawn(file, draw)
        how = draw.choice(tuple(_TYPES))
        for name in names:
            value = file[name].attrs.get(attribute)
            if value is not None:
                _put(file[name], attribute, _TYPES[how](value))
    return f"{attribute} of {', '.join(names)} as {how}"


def _text(value: Any) -> str:
    return ", ".join(str(part) for part in np.ravel(value).tolist())


def _as(dtype: str) -> Any:
    def changed(value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            return value
        with np.errstate(all="ignore"):
            return array.astype(dtype)

    return changed


_TYPES: dict[str, Any] = {
    **{name: _as(name) for name in ("f4", "f8", "i2", "i4", "i8", "u2")},
    "text": _text,
    "bytes": lambda value: np.bytes_(_text(value).encode()),
    "a list": lambda value: np.atleast_1d(np.asarray(value)),
    "CDL": lambda value: f"{_text(value)}f",
}


def stated_once(path: Path, draw: Random, _: Outside) -> str:
    """An attribute of one variable, or of all bands, is moved to the file or to the group."""
    with changing(path) as file:
        names, attribute = _drawn(file, draw)
        owner = file[names[0]].parent if draw.random() < 0.5 else file
        values = [file[name].attrs[attribute] for name in names if attribute in file[name].attrs]
        if not values:
            return "nothing: no such attribute"
        for name in names:
            file[name].attrs.pop(attribute, None)
        owner.attrs[attribute] = values[0]
    return f"{attribute} of {', '.join(names)} at {owner.name}"


def limit_in_units(path: Path, draw: Random, _: Outside) -> str:
    """A limit is the value of a pixel, in units, or near it; of floating type."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        value = _value_of_a_pixel(file[name], draw)
        attribute, dtype = draw.choice(LIMITS), draw.choice((np.float32, np.float64))
        off = draw.choice((0.0, 0.0, 1e-3, -1e-3))
        limit = dtype(value + off)
        _put(file[name], attribute, np.array([limit, limit + dtype(0.01)], dtype)
             if attribute == "valid_range" else limit)  # fmt: skip
        for other in LIMITS:
            if other != attribute and draw.random() < 0.7:
                file[name].attrs.pop(other, None)
    return f"{attribute} of {name} is {limit!r}"


def limit_at_a_value(path: Path, draw: Random, _: Outside) -> str:
    """A limit is a stored number of the band, in its own type or a wider one."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        stored = _number_of_a_pixel(file[name], draw)
        names = ("Minimum_valid_DN", "Maximum_valid_DN") if _is_sgli(file[name]) else LIMITS[:2]
        attribute = draw.choice(names)
        wide = draw.choice((stored, stored, np.asarray(stored).astype("i8"), float(stored)))
        _put(file[name], attribute, wide)
    return f"{attribute} of {name} is {wide!r}"


def missing_as_a_value(path: Path, draw: Random, _: Outside) -> str:
    """A fill value is a stored number of the band, also as text, in a list, or for the file."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        stored = _number_of_a_pixel(file[name], draw)
        attribute = draw.choice(("missing_value", "_FillValue", "fill_value", "FillValue"))
        if _is_sgli(file[name]):
            attribute = "Error_DN"
        value = draw.choice(
            (stored, float(stored), str(stored), f"{stored}, -999", np.array([stored, stored]))
        )
        owner = draw.choice((file[name], file[name], file[name].parent, file))
        if owner is not file[name] and draw.random() < 0.5:
            file[name].attrs.pop("_FillValue", None)
        _put(owner, attribute, value)
    return f"{attribute} of {owner.name} is {value!r}, a number of {name}"


def missing_in_units(path: Path, draw: Random, _: Outside) -> str:
    """A missing value is the value of a pixel in units, which no count can equal."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        value = draw.choice((np.float32, np.float64))(_value_of_a_pixel(file[name], draw))
        _put(file[name], "missing_value", value)
    return f"missing_value of {name} is {value!r}"


def sign(path: Path, draw: Random, _: Outside) -> str:
    """``_Unsigned`` both ways, in every spelling; the numbers go through the whole type."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        text = draw.choice(("true", "false", "True", "FALSE", np.bytes_(b"true"), "yes", " true "))
        _put(file[name], "_Unsigned", text)
        if draw.random() < 0.5:
            for limit in LIMITS:
                file[name].attrs.pop(limit, None)
        _spread(file[name], draw)
    return f"_Unsigned of {name} is {text!r}"


def units(path: Path, draw: Random, _: Outside) -> str:
    """Bands or places have other units, some of them only spelt otherwise."""
    with changing(path) as file:
        name = chosen(file, draw, draw.choice((BAND, BAND, PLACE)))
        attribute = "Rrs_unit" if _is_sgli(file[name]) else "units"
        if name.startswith("Geometry_data"):
            attribute = "Unit"
        text = draw.choice(UNITS)
        _put(file[name], attribute, text)
    return f"{attribute} of {name} is {text!r}"


def values_at_limits(path: Path, draw: Random, _: Outside) -> str:
    """Pixels hold the limits, the fill value, their neighbours and the ends of the type."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        _spread(file[name], draw)
    return f"odd values in {name}"


def packing_of_all(path: Path, draw: Random, _: Outside) -> str:
    """Another scale or offset, negative scales too, in another type."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        scale = "Rrs_slope" if _is_sgli(file[name]) else "scale_factor"
        offset = "Rrs_offset" if _is_sgli(file[name]) else "add_offset"
        factor = draw.choice((-1.0, 0.5, 1.0))
        old = float(np.ravel(file[name].attrs.get(scale, 1e-4))[0])
        dtype = draw.choice((np.float32, np.float64))
        _put(file[name], scale, dtype(old * factor))
        if draw.random() < 0.5:
            _put(file[name], offset, draw.choice((dtype(0), dtype(0.01), str(0.05))))
    return f"{scale} of {name} times {factor}"


def renamed_dimension(path: Path, draw: Random, _: Outside) -> str:
    """A dimension has another name."""
    try:
        file = netCDF4.Dataset(path, "a")
    except OSError:
        return "nothing: no netCDF file"
    with file:
        owners = [group for group in (file, *file.groups.values()) if group.dimensions]
        if not owners:
            return "nothing: no dimensions"
        owner = draw.choice(owners)
        old = draw.choice(sorted(owner.dimensions))
        if old in owner.variables:
            return "nothing: a coordinate"
        owner.renameDimension(old, f"{old}_2")
    return f"{old} is {old}_2"


def _drawn(file: h5py.File, draw: Random) -> tuple[list[str], str]:
    """One variable or all bands, and an attribute about their numbers."""
    name = chosen(file, draw, draw.choice((BAND, BAND, BAND, PLACE)))
    names = [name]
    if BAND.fullmatch(name) and draw.random() < 0.5:
        names = [other for other in datasets(file) if BAND.fullmatch(other)]
    present = [attribute for attribute in OWN if attribute in file[name].attrs]
    return names, draw.choice(present or ["units"])


def _put(owner: h5py.Group | h5py.Dataset, name: str, value: Any) -> None:
    if name in owner.attrs:
        del owner.attrs[name]
    owner.attrs[name] = value


def _is_sgli(variable: h5py.Dataset) -> bool:
    return "Rrs_slope" in variable.attrs


def _number_of_a_pixel(variable: h5py.Dataset, draw: Random) -> Any:
    stored = np.unique(variable[...])
    whole = stored[np.isfinite(stored)] if stored.dtype.kind == "f" else stored
    return whole[draw.randrange(whole.size)] if whole.size else stored[0]


def _value_of_a_pixel(variable: h5py.Dataset, draw: Random) -> float:
    scale = float(np.ravel(variable.attrs.get("scale_factor", 1.0))[0])
    offset = float(np.ravel(variable.attrs.get("add_offset", 0.0))[0])
    return float(_number_of_a_pixel(variable, draw)) * scale + offset


def _spread(variable: h5py.Dataset, draw: Random) -> None:
    """Put the ends of the type, limits and fill values, and their neighbours, into pixels."""
    stored = variable[...]
    if stored.dtype.kind == "f":
        odd = [0.0, -0.0, np.nan, np.inf, -np.inf, 9.96921e36, -999.0, -32767.0, 1e-40]
    else:
        info = np.iinfo(stored.dtype)
        ends = [info.min, info.min + 1, info.max - 1, info.max, 0, 1, info.max // 2 + 1]
        known = [np.ravel(variable.attrs[name]) for name in (*LIMITS, *SGLI[2:], "_FillValue")
                 if name in variable.attrs]  # fmt: skip
        about = [int(n) + by for ns in known for n in ns for by in (-1, 0, 1)
                 if not isinstance(n, str | bytes) and np.isfinite(n)]  # fmt: skip
        odd = [n for n in (*ends, *about) if info.min <= n <= info.max]
    flat = stored.reshape(-1)
    for at in draw.sample(range(flat.size), min(4 * len(odd), flat.size)):
        flat[at] = draw.choice(odd)
    variable[...] = stored
