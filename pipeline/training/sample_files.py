"""Tables of samples -> files: netCDF, CSV, Parquet, Feather, by the ending of the name.

A file appears under its name when it is complete, and no time of writing goes in, so equal tables
are equal bytes (with the same versions of the libraries).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError, OutputError
from pipeline.training.simulation import SampleTable

CSV_ROWS = 5_000
"""Rows formatted at a time."""


def write_samples(path: Path, table: SampleTable) -> None:
    """Write the table, replacing a file of the same name.

    Raises:
        ConfigError: the ending is not known, or pyarrow is missing for it.
        OutputError: the file cannot be written; nothing of it is left behind.
    """
    write = writer_for(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        write(partial, table)
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Check that the folder exists, "
            "may be written to and has room."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def writer_for(path: Path) -> Callable[[Path, SampleTable], None]:
    """What writes files of this ending; asked first, so that nobody simulates for nothing.

    Raises:
        ConfigError: the ending is not known, or pyarrow is missing for it.
    """
    ending = path.suffix.lower()
    if ending not in WRITERS:
        raise ConfigError(
            f"{path.name}: found the ending {ending or 'none'!r}, expected one of "
            f"{', '.join(WRITERS)}. Rename the output."
        )
    if ending in (".parquet", ".feather"):
        _arrow(path)
    return WRITERS[ending]


def write_netcdf(path: Path, table: SampleTable) -> None:
    """One variable per column along the dimension ``sample``."""
    import netCDF4

    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.createDimension("sample", len(table))
        file.setncatts({"Conventions": "CF-1.11", **table.attributes})
        for name, values in table.columns.items():
            variable = file.createVariable(
                name, "f4", ("sample",), zlib=True, complevel=2, shuffle=True
            )
            variable.setncatts(table.meanings[name].attributes())
            variable[:] = values


def write_csv(path: Path, table: SampleTable) -> None:
    """Comment lines with ``#`` (attributes, units), a header, rows with seven digits."""
    names = list(table.columns)
    units = ", ".join(f"{name} [{table.meanings[name].units}]" for name in names)
    head = [f"# {name}: {value}" for name, value in table.attributes.items()]
    row = ",".join(["%.7g"] * len(names))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join((*head, f"# units: {units}", ",".join(names))) + "\n")
        for start in range(0, len(table), CSV_ROWS):
            rows = np.stack(
                [values[start : start + CSV_ROWS] for values in table.columns.values()], axis=1
            ).tolist()
            file.writelines(row % tuple(values) + "\n" for values in rows)


def write_parquet(path: Path, table: SampleTable) -> None:
    """Parquet with units and long names in the metadata of each column."""
    _arrow(path).parquet.write_table(_arrow_table(path, table), path)


def write_feather(path: Path, table: SampleTable) -> None:
    """Feather with units and long names in the metadata of each column."""
    _arrow(path).feather.write_feather(_arrow_table(path, table), str(path))


def _arrow_table(path: Path, table: SampleTable) -> Any:
    arrow = _arrow(path)
    schema = arrow.schema(
        [
            arrow.field(name, arrow.float32(), metadata=table.meanings[name].attributes())
            for name in table.columns
        ],
        metadata={"ocpipe": json.dumps(dict(table.attributes))},
    )
    return arrow.table(list(table.columns.values()), schema=schema)


def _arrow(path: Path) -> Any:
    """The package pyarrow with its parts for files."""
    import importlib

    try:
        for part in ("parquet", "feather"):
            importlib.import_module(f"pyarrow.{part}")
        return importlib.import_module("pyarrow")
    except ImportError:
        raise ConfigError(
            f"{path.name}: Parquet and Feather files need pyarrow, which is not installed here. "
            "Run 'pip install pyarrow', or let the name end in .nc or .csv."
        ) from None


WRITERS: dict[str, Callable[[Path, SampleTable], None]] = {
    ".nc": write_netcdf,
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".feather": write_feather,
}
