"""Reads netCDF: variables along one dimension of samples, or along samples and wavelengths."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DAMAGE, ConfigError
from pipeline.files.contents import sha256_of
from pipeline.files.limits import TABLE_BYTES, TABLE_CELLS, TABLE_COLUMNS, TABLE_ROWS
from pipeline.files.netcdf import open_netcdf
from pipeline.tables.cells import text_column, without
from pipeline.tables.names import told_of_repeated
from pipeline.tables.packed import decoded_numbers
from pipeline.tables.table import Array, Column, Table, key_of, listed, table_error
from pipeline.tables.units import nanometres_per
from pipeline.times.serial import since_reference, utc_of, utc_of_all

# Number of texts of a variable that are read at once.
STRINGS_AT_ONCE = 64
# A file may state these once for all its variables.
_FOR_ALL = ("_FillValue", "missing_value")


def read_netcdf(
    path: Path, missing: Sequence[float] = (), sample_dimension: str | None = None
) -> Table:
    """Return the table in a netCDF file; ``Rrs(sample, wavelength)`` becomes ``Rrs_443`` ...

    Args:
        path: the file; variables in groups are read like variables in the root group.
        missing: numbers that stand for a missing value, in addition to the file's fill values.
        sample_dimension: dimension of the samples; required if several dimensions are possible.

    Raises:
        ConfigError: the file cannot be read, or the dimension of the samples is ambiguous.
    """
    try:
        with open_netcdf(path, ConfigError) as file:
            file.set_auto_maskandscale(False)
            file.set_auto_chartostring(True)
            return _table(path, file, missing, sample_dimension)
    except DAMAGE as error:
        raise table_error(
            path.name, f"cannot be read as netCDF ({error}). Fetch it again"
        ) from None


def _table(path: Path, file: Any, missing: Sequence[float], sample_dimension: str | None) -> Table:
    paths = list(itertools.islice(_variables(file), TABLE_COLUMNS.most + 1))
    TABLE_COLUMNS.check(len(paths), path.name, ConfigError)
    variables, repeated = _named(paths)
    bands = _wavelengths(variables)
    samples = sample_dimension or _sample_dimension(path.name, variables, set(bands))
    columns: dict[str, Column] = {}
    units: dict[str, str] = {}
    left_out, odd = [], []
    for name, variable in variables.items():
        try:
            found = _columns(name, variable, samples, bands)
        except ValueError as error:
            odd.append(f"{name} is left out: {error}")
            continue
        if found is None:
            left_out.append(f"{name}({', '.join(variable.dimensions)})")
            continue
        if both := [column for column in found if column in columns]:
            odd.append(
                f"{name} is left out, because another variable became the column {listed(both)}"
            )
            continue
        TABLE_COLUMNS.check(len(columns) + len(found), path.name, ConfigError)
        columns |= {column: without(values, missing) for column, values in found.items()}
        said = str(getattr(variable, "units", ""))
        if said and not since_reference(said):
            units |= dict.fromkeys(found, said)
    if not columns:
        raise table_error(
            path.name,
            f"no variable along dimension {samples!r}; the variables are "
            f"{listed(left_out) or 'none'}. Name the dimension of the rows in "
            f"{key_of('sample_dimension')}",
        )
    counts = {len(values) for values in columns.values()}
    if len(counts) > 1:
        raise table_error(
            path.name,
            f"dimension {samples!r} has several lengths ({listed([str(n) for n in sorted(counts)])}"
            "), expected the same length in all groups. Write the groups to separate files",
        )
    count = counts.pop()
    told = (f"left out, not along {samples!r}: {listed(left_out)}",) if left_out else ()
    rows = np.arange(1, count + 1, dtype=np.int64)
    licence = str(getattr(file, "license", getattr(file, "licence", ""))).strip()
    told = (*told, *odd, *(told_of_repeated(n, ours) for n, ours in repeated.items()))
    digest = sha256_of(path, ConfigError)
    return Table(
        *(path, digest, columns, units, rows), told=told, licence=licence, repeated=repeated
    )


def _variables(group: Any) -> Iterator[tuple[str, Any]]:
    """Yield all variables with their groups: ``insitu/Rrs_443``."""
    yield from ((f"{group.path}/{name}".lstrip("/"), v) for name, v in group.variables.items())
    for inner in group.groups.values():
        yield from _variables(inner)


def _named(paths: Sequence[tuple[str, Any]]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Return variables by name, and each name that variables of several groups share.

    Variables with a shared name get the name of their group in front. For example, one group may
    contain Rrs measured in situ, and another group Rrs measured by a satellite.
    """
    groups: dict[str, list[str]] = {}
    for path, _ in paths:
        groups.setdefault(path.rpartition("/")[2], []).append(path)
    named = {}
    for path, variable in paths:
        name = path.rpartition("/")[2]
        named[name if len(groups[name]) == 1 else path] = variable
    return named, {name: tuple(found) for name, found in groups.items() if len(found) > 1}


def _wavelengths(variables: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the wavelengths (nm) along each dimension of wavelengths."""
    found: dict[str, list[float]] = {}
    for name, variable in variables.items():
        scale = nanometres_per(str(getattr(variable, "units", "")))
        by_name = name.lower().startswith(("wavelength", "lambda", "band_centre", "wl"))
        if len(variable.dimensions) != 1 or not (scale or by_name):
            continue
        dimension = variable.dimensions[0]
        if _kind(variable) in "iuf" and (name == dimension or (by_name and name not in found)):
            values = decoded_numbers(np.ma.getdata(_values(variable)), _attributes(variable))
            values = values * (scale or 1.0)
            found[dimension] = [round(float(value), 6) for value in values]
    return found


def _sample_dimension(name: str, variables: Mapping[str, Any], bands: set[str]) -> str:
    characters = {v.dimensions[-1] for v in variables.values() if _kind(v) == "S" and v.ndim > 1}
    found = {d for v in variables.values() for d in v.dimensions[:2]} - bands - characters
    if len(found) != 1:
        raise table_error(
            name,
            f"{len(found)} dimensions may be the rows ({', '.join(sorted(found))}), expected "
            f"one. Name the right one in {key_of('sample_dimension')}. A dimension is one of "
            "wavelengths if a variable of the same name has wavelengths in nm",
        )
    return str(found.pop())


def _columns(
    name: str, variable: Any, samples: str, bands: Mapping[str, Sequence[float]]
) -> dict[str, Column] | None:
    """Return columns of a variable along samples (and bands); None if it has other dimensions."""
    dimensions = variable.dimensions
    if dimensions and dimensions[0] == samples and (len(dimensions) == 1 or _is_text(variable)):
        return {name: _decoded(variable)}
    if len(dimensions) != 2 or samples not in dimensions:
        return None
    other = dimensions[1 - dimensions.index(samples)]
    if other not in bands:
        return None
    values = _decoded(variable)
    values = values if dimensions[0] == samples else values.T
    known = [(index, nm) for index, nm in enumerate(bands[other]) if np.isfinite(nm)]
    return {f"{name}_{nm:g}": values[:, index] for index, nm in known}


def _is_text(variable: Any) -> bool:
    return _kind(variable) == "U" or (_kind(variable) == "S" and variable.ndim == 2)


def _kind(variable: Any) -> str:
    """Return NumPy's letter for the type of a variable; netCDF4's type of strings is ``str``."""
    return "U" if variable.dtype is str else str(variable.dtype.kind)


def _decoded(variable: Any) -> Column:
    """Return a variable as float64 (NaN for fill values) or text; times are ISO 8601 text.

    Raises:
        ValueError: an attribute should be a number, but is not.
    """
    raw = _values(variable)
    if variable.dtype == str:
        return text_column([str(text) for text in raw])
    if variable.dtype.kind == "S":
        import netCDF4

        texts = netCDF4.chartostring(raw) if raw.dtype == "S1" and raw.ndim == 2 else raw
        return np.char.strip(np.asarray(texts).astype(np.str_))
    attributes = _attributes(variable)
    values = decoded_numbers(np.ma.getdata(raw), attributes)
    is_time = since_reference(str(attributes.get("units")))
    return _instants(values, attributes) if is_time and values.ndim == 1 else values


def _values(variable: Any) -> Any:
    """Return all values, if the stated size of the variable is within the limits of a table."""
    where = f"variable {variable.name}"
    TABLE_ROWS.check(max(variable.shape, default=0), where, ConfigError)
    TABLE_CELLS.check(variable.size, where, ConfigError)
    if variable.dtype is str:
        return _strings(variable, where)
    if type(variable.datatype).__name__ == "VLType":
        raise ValueError("its values are lists, expected numbers or texts")
    chunk = variable.chunking()
    if isinstance(chunk, list):
        TABLE_CELLS.check(math.prod(chunk), f"a storage chunk of {where}", ConfigError)
    return variable[:]


def _strings(variable: Any, where: str) -> npt.NDArray[Any]:
    """Return texts, read some at a time: all of them may share the bytes of one long text."""
    flat: list[str] = []
    taken = 0
    step = max(1, STRINGS_AT_ONCE // max(1, math.prod(variable.shape[1:])))
    for start in range(0, variable.shape[0] if variable.ndim else 1, step):
        part = variable[start : start + step] if variable.ndim else variable[...]
        texts = np.ravel(part).tolist()
        taken += sum(map(len, texts))
        TABLE_BYTES.check(taken, where, ConfigError)
        flat += texts
    return np.array(flat, dtype=object).reshape(variable.shape)


def _attributes(variable: Any) -> dict[str, Any]:
    """Return the attributes of a variable; fill values may also come from its group or the file."""
    own = {key: variable.getncattr(key) for key in variable.ncattrs()}
    group = variable.group()
    while group is not None:
        stated = {key: group.getncattr(key) for key in group.ncattrs() if key in _FOR_ALL}
        own = {key: value for key, value in stated.items() if key not in own} | own
        group = group.parent
    return own


def _instants(values: Array, attributes: Mapping[str, Any]) -> Column:
    """Return times as text; a number that is not a real time is quoted with its units."""
    units, calendar = str(attributes["units"]), str(attributes.get("calendar", "standard"))
    try:
        times = utc_of_all(values.tolist(), units, calendar)
    except ValueError:
        return np.array([_instant(float(v), units, calendar) for v in values], dtype=np.str_)
    return np.array(["" if time is None else time.isoformat() for time in times], dtype=np.str_)


def _instant(number: float, units: str, calendar: str) -> str:
    try:
        time = utc_of(number, units, calendar)
    except ValueError:
        return f"{number:.15g} {units} ({calendar})" if np.isfinite(number) else ""
    return "" if time is None else time.isoformat()
