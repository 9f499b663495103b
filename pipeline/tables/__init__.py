"""Reads files of samples or points, in any of the formats, as a :class:`Table`."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.facts.foreign_formats import foreign_format
from pipeline.files.access import address_of, why_absent
from pipeline.files.arrow import FEATHER, OLD_FEATHER, PARQUET
from pipeline.files.compressed import GZIP
from pipeline.files.identity import unchanged
from pipeline.files.regular import first_bytes, memory_in_words
from pipeline.tables.aeronet import header_line, read_aeronet
from pipeline.tables.arrow import read_arrow
from pipeline.tables.cells import read_lines
from pipeline.tables.long_form import widen
from pipeline.tables.netcdf import read_netcdf
from pipeline.tables.pangaea import BEGIN, read_pangaea
from pipeline.tables.seabass import read_nomad, read_seabass
from pipeline.tables.table import Table, table_error
from pipeline.tables.text import read_text

__all__ = ["Format", "Table", "read_table", "recognise"]

Format = Literal["csv", "seabass", "nomad", "pangaea", "aeronet", "parquet", "feather", "netcdf"]
# The format of a file by its first bytes.
_SIGNATURES: dict[bytes, Format] = {
    PARQUET: "parquet",
    FEATHER: "feather",
    OLD_FEATHER: "feather",
    b"\x89HDF": "netcdf",
    b"CDF": "netcdf",
}


def read_table(
    path: Path | str,
    file_format: Format | Literal["auto"] = "auto",
    *,
    missing: Sequence[float] = (),
    delimiter: str | None = None,
    sample_dimension: str | None = None,
) -> Table:
    """Return the table in a file.

    Args:
        path: the file.
        file_format: format of the file; ``auto`` recognises it from the content.
        missing: numbers that stand for a missing value, in addition to those of the format.
        delimiter: delimiter of a text table; by default, it is found in the header line.
        sample_dimension: netCDF dimension of the samples, required if several are possible.

    Raises:
        ConfigError: the file does not exist, cannot be read, or has no rows.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        if address_of(path) is not None:
            raise table_error(str(path), str(why_absent(path)))
        raise table_error(str(path), f"{found}, expected a table. Correct the path")
    # The table records the hash of its file, which must be the hash of the bytes of the rows.
    with (
        unchanged([path], ConfigError),
        _naming(path.name),
        memory_in_words(path.name, ConfigError),
    ):
        table = _read(path, file_format, missing, delimiter, sample_dimension)
    if not len(table):
        raise table_error(table.name, "has a header but no rows, expected at least one row")
    return table


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Name the file in messages of functions that know only cells."""
    try:
        yield
    except ConfigError as error:
        if str(error).startswith(name):
            raise
        raise ConfigError(f"{name}: {error}") from error


def _read(
    path: Path,
    file_format: Format | Literal["auto"],
    missing: Sequence[float],
    delimiter: str | None,
    sample_dimension: str | None,
) -> Table:
    chosen = recognise(path) if file_format == "auto" else file_format
    match chosen:
        case "csv":
            return widen(read_text(path, missing, delimiter))
        case "nomad":
            return read_nomad(path, missing, delimiter)
        case "seabass":
            return read_seabass(path, missing, delimiter)
        case "pangaea":
            return widen(read_pangaea(path, missing))
        case "aeronet":
            return read_aeronet(path, missing)
        case "parquet" | "feather":
            return read_arrow(path, missing)
        case "netcdf":
            return read_netcdf(path, missing, sample_dimension)


def recognise(path: Path) -> Format:
    """Return the format of a file, from its content.

    Raises:
        ConfigError: the file is empty or cannot be read.
    """
    try:
        start = first_bytes(path, 8, ConfigError)
    except OSError as error:
        raise table_error(
            path.name, f"cannot be read ({error.strerror}). Check its permissions"
        ) from None
    if not start:
        raise table_error(path.name, "the file is empty, expected a table. Fetch or write it again")
    if not start.startswith(GZIP):
        foreign = foreign_format(path)
        if foreign is not None:
            raise table_error(path.name, str(foreign))
        for signature, file_format in _SIGNATURES.items():
            if start.startswith(signature):
                return file_format
    with memory_in_words(path.name, ConfigError):
        return _text_format([line for line in read_lines(path) if line.strip()])


def _text_format(lines: Sequence[str]) -> Format:
    """Return the format of a text file, from its lines that are not blank."""
    first = lines[0] if lines else ""
    if first.startswith(BEGIN):
        return "pangaea"
    # Some people write comments above the header of SeaBASS.
    begin = next((line for line in lines if not line.startswith(("!", "#"))), "")
    if begin.lower().startswith("/begin_header"):
        return "seabass"
    if first.startswith("!"):
        return "nomad"
    return "aeronet" if header_line(lines) else "csv"
