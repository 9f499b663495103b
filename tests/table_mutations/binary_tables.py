"""Mutants of Parquet, Feather and netCDF tables."""

import datetime
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from table_mutations.text_tables import CHL_UNITS, RRS_UNITS
from table_mutations.truth import Truth

EPOCH = datetime.datetime(1970, 1, 1)


def _seconds(truth: Truth) -> list[float]:
    return [(time - EPOCH).total_seconds() for time in truth.times]


def _arrow_times(truth: Truth, draw: random.Random) -> list[tuple[str, Any, str]]:
    """Columns with the times: name, Arrow array, units."""
    import pyarrow as pa

    unit = draw.choice(["s", "ms", "us", "ns"])
    zone = draw.choice([None, "UTC", "America/New_York"])
    utc = [time.replace(tzinfo=datetime.UTC) for time in truth.times]
    texts = [time.isoformat() for time in truth.times]
    ways: dict[str, list[tuple[str, Any, str]]] = {
        "timestamp": [("time", pa.array(utc, pa.timestamp(unit, tz=zone)), "")],
        "text": [("time", pa.array(texts, draw.choice([pa.string(), pa.large_string()])), "")],
        "seconds": [("time", pa.array(_seconds(truth)), "seconds since 1970-01-01")],
        "number": [("time", pa.array(_seconds(truth)), "")],
        "date_time": [
            ("date", pa.array([time.date() for time in truth.times]), ""),
            ("time", pa.array([time.time() for time in truth.times], pa.time64("us")), ""),
        ],
    }
    return ways[draw.choice(list(ways))]


def _arrow(truth: Truth, draw: random.Random) -> Any:
    import pyarrow as pa

    columns = _arrow_times(truth, draw)
    for name, values, known in (("Rrs_443", truth.rrs, RRS_UNITS), ("chl", truth.chl, CHL_UNITS)):
        units = draw.choice([*known, ""])
        scale = known.get(units, 1.0)
        missing = draw.choice([None, float("nan"), -999.0])
        cells = [missing if value is None else value * scale for value in values]
        kind = draw.choice([pa.float64(), pa.float64(), pa.float32(), pa.string()])
        if kind == pa.string():
            array = pa.array([None if cell is None else str(cell) for cell in cells], kind)
        else:
            array = pa.array(cells, kind)
        columns.append((name, array, units))
    if draw.random() < 0.2:
        rows = len(truth.times)
        columns.append((draw.choice(["chl", "x"]), pa.array([7.0] * rows), ""))
    encoding = draw.choice(["utf-8", "latin-1"])
    fields = [
        pa.field(name, array.type, metadata={b"units": units.encode(encoding)} if units else None)
        for name, array, units in columns
    ]
    return pa.Table.from_arrays([array for _, array, _ in columns], schema=pa.schema(fields))


def parquet(truth: Truth, draw: random.Random, path: Path) -> None:
    from pyarrow import parquet as library

    library.write_table(_arrow(truth, draw), path)


def feather(truth: Truth, draw: random.Random, path: Path) -> None:
    from pyarrow import feather as library

    compression = draw.choice(["lz4", "zstd", "uncompressed"])
    library.write_feather(_arrow(truth, draw), str(path), compression=compression)


def netcdf(truth: Truth, draw: random.Random, path: Path) -> None:
    sample = draw.choice(["sample", "obs", "station", "number_of_records"])
    with netCDF4.Dataset(path, "w") as file:
        group = file if draw.random() < 0.7 else file.createGroup("data")
        group.createDimension(sample, len(truth.times))
        _netcdf_time(truth, draw, group, sample)
        units = draw.choice([*RRS_UNITS, ""])
        known = RRS_UNITS.get(units, 1.0)
        _netcdf_spectrum(truth.rrs, draw, file, group, sample, units, known)
        units = draw.choice([*CHL_UNITS, ""])
        known = CHL_UNITS.get(units, 1.0)
        _netcdf_packed("chl", truth.chl, draw, file, group, sample, units, known)


def _netcdf_time(truth: Truth, draw: random.Random, group: Any, sample: str) -> None:
    per = draw.choice([("seconds", 1.0), ("minutes", 60.0), ("hours", 3600.0), ("days", 86400.0)])
    kind = draw.choice(["f8", "f8", "str", "char", "noleap"])
    texts = [time.isoformat() for time in truth.times]
    if kind == "str":
        group.createVariable("time", str, (sample,))[:] = np.array(texts, object)
        return
    if kind == "char":
        group.createDimension("characters", 25)
        variable = group.createVariable("time", "S1", (sample, "characters"))
        variable[:] = netCDF4.stringtochar(np.array(texts, "S25"))
        return
    variable = group.createVariable("time", "f8", (sample,))
    variable.units = f"{per[0]} since 1970-01-01 00:00:00"
    if kind == "noleap":
        variable.calendar = draw.choice(["noleap", "360_day", "julian"])
    elif draw.random() < 0.5:
        variable.calendar = draw.choice(["standard", "gregorian", "proleptic_gregorian"])
    variable[:] = np.array(_seconds(truth)) / per[1]


def _netcdf_spectrum(
    values: Any, draw: random.Random, file: Any, group: Any, sample: str, units: str, scale: float
) -> None:
    """``Rrs`` as one variable, or as one of samples and wavelengths."""
    if draw.random() < 0.5:
        _netcdf_packed("Rrs_443", values, draw, file, group, sample, units, scale)
        return
    group.createDimension("wavelength", 2)
    nm, factor = draw.choice([("nm", 1.0), ("um", 1e-3), ("", 1.0)])
    variable = group.createVariable("wavelength", draw.choice(["f4", "f8"]), ("wavelength",))
    variable[:] = np.array([443, 555]) * factor
    if nm:
        variable.units = nm
    stored = np.array([np.nan if value is None else value * scale for value in values])
    both = np.stack([stored, np.full(stored.shape, 0.5)], axis=1)
    if draw.random() < 0.5:
        variable = group.createVariable("Rrs", "f8", (sample, "wavelength"))
        variable[:] = both
    else:
        variable = group.createVariable("Rrs", "f8", ("wavelength", sample))
        variable[:] = both.T
    if units:
        variable.units = units


def _netcdf_packed(
    name: str,
    values: Any,
    draw: random.Random,
    file: Any,
    group: Any,
    sample: str,
    units: str,
    scale: float,
) -> None:
    """A variable as packed integers or floats; missing values are fills or beyond a limit."""
    kind = draw.choice(["i2", "u2", "i4", "f4", "f8", "unsigned"])
    present = [value * scale for value in values if value is not None]
    low, high = min(present), max(present)
    step = (high - low or 1.0) / 20000 if kind[0] in "iu" else 1.0
    stored_type = "i2" if kind == "unsigned" else kind
    fill: Any = {"i2": -32767, "u2": 65535, "unsigned": 65535, "i4": -999}.get(kind, -999.0)
    beyond = 30000 if kind[0] in "iu" else high * 100 + 1000
    how = draw.choice(
        ["own", "missing_value", "file", "text", "limit", "limit_units", "limit_text"]
    )
    missing = beyond if how.startswith("limit") else fill
    packed = kind[0] in "iu"
    counts = [
        missing if v is None else (round((v * scale - low) / step) if packed else v * scale)
        for v in values
    ]
    typed = np.array(counts, "u2" if kind == "unsigned" else stored_type).view(
        stored_type if kind == "unsigned" else None or np.dtype(stored_type)
    )
    own_fill = {"fill_value": np.array(fill, "u2").view("i2")[()] if kind == "unsigned" else fill}
    variable = group.createVariable(
        name, stored_type, (sample,), **(own_fill if how == "own" else {})
    )
    variable.set_auto_maskandscale(False)
    variable[:] = typed
    if kind == "unsigned":
        variable.setncattr("_Unsigned", draw.choice(["true", "True"]))
    if packed:
        as_written = draw.choice([np.float64, np.float64, str])
        variable.setncattr("scale_factor", as_written(repr(step) if as_written is str else step))
        variable.setncattr("add_offset", as_written(repr(low) if as_written is str else low))
    if units:
        variable.units = units
    _declare(how, variable, file, draw, fill, 20000 if packed else high, step, low)


def _declare(
    how: str,
    variable: Any,
    file: Any,
    draw: random.Random,
    fill: Any,
    top: Any,
    step: float,
    low: float,
) -> None:
    """State what is missing, in one of the ways of the conventions."""
    signed = variable.dtype.type(0) if fill == 65535 and variable.dtype.kind == "i" else None
    number = np.array(fill).astype("u2").view("i2")[()] if signed is not None else fill
    limit = top * (1 + 1e-9) if variable.dtype.kind == "f" else top
    match how:
        case "missing_value":
            variable.setncattr("missing_value", variable.dtype.type(number))
        case "file":
            file.setncattr(draw.choice(["missing_value", "_FillValue"]), np.float64(number))
        case "text":
            variable.setncattr("missing_value", str(number))
        case "limit":
            name, value = draw.choice([("valid_max", limit), ("valid_range", [-1e9, limit])])
            is_packed = variable.dtype.kind in "iu"
            variable.setncattr(name, np.array(value, "i4" if is_packed else "f8"))
        case "limit_units":
            in_units = top * step + low + step / 10 if variable.dtype.kind in "iu" else limit
            variable.setncattr("valid_max", np.float64(in_units))
        case "limit_text":
            variable.setncattr(
                "valid_range", f"{-(10**9)}, {limit if isinstance(limit, int) else repr(limit)}"
            )


FORMATS: dict[str, Callable[[Truth, random.Random, Path], None]] = {
    "parquet": parquet,
    "feather": feather,
    "netcdf": netcdf,
}
