"""Tables of samples -> files: netCDF, CSV, Parquet, Feather, by the ending of the name.

A file appears under its name when it is complete, and no time of writing goes in, so equal tables
are equal bytes (with the same versions of the libraries).
"""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, OutputError
from pipeline.facts.quantities import Quantity
from pipeline.tables.table import Column

CSV_ROWS = 5_000
"""Rows formatted at a time."""


@dataclass(frozen=True)
class SampleTable:
    """Columns of samples with what they mean."""

    columns: Mapping[str, Column]
    """float32, float64, whole numbers or text, each with shape (sample,)."""
    meanings: Mapping[str, Quantity]
    """Units and long name of each column."""
    attributes: Mapping[str, str | int | float]
    """How the table was made."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


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
            is_text = values.dtype.kind == "U"
            kind: Any = str if is_text else values.dtype
            packed = not is_text  # the library packs no text of free length
            variable = file.createVariable(
                name, kind, ("sample",), zlib=packed, complevel=2, shuffle=packed
            )
            variable.setncatts(table.meanings[name].attributes())
            variable[:] = values.astype(object) if is_text else values


def write_csv(path: Path, table: SampleTable) -> None:
    """Comment lines with ``#`` (attributes, units), a header, rows.

    float32 has seven digits, float64 as many as give the same number again.
    """
    names = list(table.columns)
    said = [(name, table.meanings[name].units) for name in names]
    units = ", ".join(f"{name} [{units}]" for name, units in said if units)
    head = [f"# {name}: {value}" for name, value in table.attributes.items()]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join((*head, f"# units: {units}", _csv_line(names))) + "\n")
        for start in range(0, len(table), CSV_ROWS):
            cells = [_cells(values[start : start + CSV_ROWS]) for values in table.columns.values()]
            file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))


def _cells(values: Column) -> list[str]:
    """The cells of a column of CSV."""
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
    """``0.1`` and ``3``: no digit more than the number needs."""
    text = f"{value:.15g}"
    return text if float(text) == value or math.isnan(value) else repr(value)


def _csv_line(cells: Sequence[str]) -> str:
    """Cells with commas between them, in quotes where they need it; line breaks become blanks."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([" ".join(cell.splitlines()) for cell in cells])
    return line.getvalue()


def write_parquet(path: Path, table: SampleTable) -> None:
    """Parquet with units and long names in the metadata of each column."""
    _arrow(path).parquet.write_table(_arrow_table(path, table), path)


def write_feather(path: Path, table: SampleTable) -> None:
    """Feather with units and long names in the metadata of each column."""
    _arrow(path).feather.write_feather(_arrow_table(path, table), str(path))


def _arrow_table(path: Path, table: SampleTable) -> Any:
    arrow, meanings = _arrow(path), table.meanings
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
