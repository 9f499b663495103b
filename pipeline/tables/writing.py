"""Writes tables of samples as netCDF, CSV, Parquet or Feather, by the ending of the file name.

A file gets its final name when it is complete. The time of writing is not stored: with
the same versions of the libraries, equal tables give equal bytes.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, OutputError
from pipeline.facts.quantities import Quantity
from pipeline.files.netcdf_lock import NETCDF_LOCK
from pipeline.files.replacing import replacing
from pipeline.files.spreadsheet import comment_line, csv_line
from pipeline.tables.arrow import pyarrow_for
from pipeline.tables.table import Column

CSV_ROWS = 5_000
"""Number of rows that are formatted at a time."""


@dataclass(frozen=True)
class SampleTable:
    """Columns of samples, with their units and long names."""

    columns: Mapping[str, Column]
    """Columns by name: float32, float64, whole numbers or text, each with shape (sample,)."""
    meanings: Mapping[str, Quantity]
    """Units and long name of each column."""
    attributes: Mapping[str, str | int | float]
    """Global attributes that say how the table was made."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def write_samples(path: Path, table: SampleTable) -> None:
    """Write the table, replacing a file of the same name.

    Raises:
        ConfigError: the ending is unknown, or pyarrow is needed but not installed.
        OutputError: the file cannot be written; no part of it is left behind.
    """
    write = writer_for(path)
    try:
        with replacing(path) as partial:
            write(partial, table)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Check that the folder exists, "
            "is writable and has free space."
        ) from error


def writer_for(path: Path) -> Callable[[Path, SampleTable], None]:
    """Return the function that writes files with this ending, or refuse the ending.

    Raises:
        ConfigError: the ending is unknown, or pyarrow is needed but not installed.
    """
    ending = path.suffix.lower()
    if ending not in WRITERS:
        raise ConfigError(
            f"{path.name}: found the ending {ending or 'none'!r}, expected one of "
            f"{', '.join(WRITERS)}. Rename the output."
        )
    if ending in (".parquet", ".feather"):
        pyarrow_for(path)
    return WRITERS[ending]


def write_netcdf(path: Path, table: SampleTable) -> None:
    """Write one variable per column along the dimension ``sample``."""
    import netCDF4

    with NETCDF_LOCK, netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.createDimension("sample", len(table))
        file.setncatts({"Conventions": "CF-1.11", **table.attributes})
        for name, values in table.columns.items():
            is_text = values.dtype.kind == "U"
            kind: Any = str if is_text else values.dtype
            packed = not is_text  # the library does not compress text of variable length
            # A slash in a name, such as Lwn_f/Q_443, would begin a group.
            variable = file.createVariable(
                name.replace("/", "_"), kind, ("sample",), zlib=packed, complevel=2, shuffle=packed
            )
            variable.setncatts(table.meanings[name].attributes())
            variable[:] = values.astype(object) if is_text else values


def write_csv(path: Path, table: SampleTable) -> None:
    """Write comment lines with ``#`` (attributes, units), a header line and rows.

    float32 is written with seven digits, and float64 with enough digits to restore the number.
    """
    names = list(table.columns)
    said = [(name, table.meanings[name].units) for name in names]
    units = ", ".join(f"{name} [{units}]" for name, units in said if units)
    head = [comment_line(name, value) for name, value in table.attributes.items()]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join((*head, comment_line("units", units), _csv_line(names))) + "\n")
        for start in range(0, len(table), CSV_ROWS):
            cells = [_cells(values[start : start + CSV_ROWS]) for values in table.columns.values()]
            file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))


def _cells(values: Column) -> list[str]:
    """Return the values of a column as CSV cells."""
    match values.dtype.str[1:]:
        case "f4":
            return [f"{value:.7g}" for value in values.tolist()]
        case "f8":
            return [_shortest(value) for value in values.tolist()]
        case _ if values.dtype.kind == "U":
            return [_csv_line([text]) if text else "" for text in values.tolist()]
        case _:
            return [str(value) for value in values.tolist()]


def _shortest(value: float) -> str:
    """Return the shortest text from which the number can be restored: ``0.1``, ``3``."""
    text = f"{value:.15g}"
    return text if float(text) == value or math.isnan(value) else repr(value)


def _csv_line(cells: Sequence[str]) -> str:
    """Join cells with commas; quote a cell if needed, and turn line breaks into blanks."""
    return csv_line(" ".join(cell.splitlines()) for cell in cells)


def write_parquet(path: Path, table: SampleTable) -> None:
    """Write Parquet with units and long names in the metadata of each column."""
    pyarrow_for(path).parquet.write_table(_arrow_table(path, table), path)


def write_feather(path: Path, table: SampleTable) -> None:
    """Write Feather with units and long names in the metadata of each column."""
    pyarrow_for(path).feather.write_feather(_arrow_table(path, table), str(path))


def _arrow_table(path: Path, table: SampleTable) -> Any:
    arrow, meanings = pyarrow_for(path), table.meanings
    schema = arrow.schema(
        [
            arrow.field(name, _arrow_type(arrow, values), metadata=meanings[name].attributes())
            for name, values in table.columns.items()
        ],
        metadata={"ocpipe": json.dumps(dict(table.attributes))},
    )
    return arrow.table(list(table.columns.values()), schema=schema)


def _arrow_type(arrow: Any, values: Column) -> Any:
    return arrow.string() if values.dtype.kind == "U" else arrow.from_numpy_dtype(values.dtype)


WRITERS: dict[str, Callable[[Path, SampleTable], None]] = {
    ".nc": write_netcdf,
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".feather": write_feather,
}
