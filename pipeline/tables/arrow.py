"""Reads Parquet and Feather with pyarrow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError
from pipeline.files.arrow import pyarrow_with_formats, read_arrow_table
from pipeline.files.contents import sha256_of
from pipeline.tables.cells import check_text_size, text_column, without
from pipeline.tables.names import header_of
from pipeline.tables.table import Column, Table, table_error


def read_arrow(path: Path, missing: Sequence[float] = ()) -> Table:
    """Return the table in a Parquet or Feather file.

    Times become ISO 8601 text in UTC, truth values become 0 and 1. Columns of lists, structures and
    bytes are left out, with a message.

    Raises:
        ConfigError: pyarrow is not installed, or the file is damaged.
    """
    arrow = _open(path)
    header = header_of(path.name, arrow.schema.names)
    columns: dict[str, Column] = {}
    units = dict(header.units)
    left_out = []
    for name, field, values in zip(header.names, arrow.schema, arrow.columns, strict=True):
        column = _readable(path.name, name, values)
        if column is None:
            left_out.append(f"column {name} of {field.type} is left out")
            continue
        columns[name] = without(column, missing)
        said = (field.metadata or {}).get(b"units")
        if said:
            units[name] = _decoded(said)
    rows = np.arange(1, arrow.num_rows + 1, dtype=np.int64)
    return Table(
        path,
        sha256_of(path, ConfigError),
        columns,
        units,
        rows,
        told=(*header.told, *left_out),
        repeated=header.repeated,
        licence=_licence(arrow.schema.metadata or {}),
    )


def _licence(metadata: Mapping[bytes, bytes]) -> str:
    said = metadata.get(b"license") or metadata.get(b"licence") or b""
    return _decoded(said).strip()


def _decoded(said: bytes) -> str:
    """Decode bytes as UTF-8 or else as Latin-1, in which a micro sign is one byte."""
    try:
        return said.decode("utf-8")
    except UnicodeDecodeError:
        return said.decode("latin-1")


def pyarrow_for(path: Path) -> Any:
    """Return the package pyarrow with its modules for Parquet and Feather.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        return pyarrow_with_formats()
    except ImportError:
        raise table_error(
            path.name,
            "Parquet and Feather files need pyarrow, which is not installed. Run "
            "'pip install pyarrow', or use CSV or netCDF (.csv, .nc)",
        ) from None


def _open(path: Path) -> Any:
    arrow = pyarrow_for(path)
    try:
        return read_arrow_table(path, ConfigError)
    except (arrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise table_error(path.name, f"cannot be read ({error}). Fetch or write it again") from None


def _readable(file: str, name: str, values: Any) -> Column | None:
    """Return a column; pyarrow does not check the values of a file before they are used."""
    import pyarrow as pa

    try:
        return _column(values)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise table_error(
            file, f"column {name!r} cannot be read ({error}). Fetch or write it again"
        ) from None


def _column(values: Any) -> Column | None:
    """Return values as float64 or text; None if they are neither numbers nor text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_dictionary(kind):
        if _is_text(kind.value_type):
            _check_texts(values)
        return _column(values.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        # pyarrow refuses to cut off nanoseconds unless safe is False.
        instants = values.cast(pa.timestamp("us", tz=kind.tz), safe=False)
        return _texts(pc.strftime(instants.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S"))
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return _texts(values.cast(pa.string()))
    if _is_text(kind):
        _check_texts(values)
        return _texts(values)
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    numeric = pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean
    if any(fits(kind) for fits in numeric):
        numbers = values.cast(pa.float64(), safe=False)
        return np.array(pc.fill_null(numbers, np.nan).to_numpy(), dtype=np.float64)
    return None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    # Polars writes views of strings.
    fitting = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
    return any(fits(kind) for fits in fitting)


def _check_texts(values: Any) -> None:
    """Refuse a column whose rows all take the memory of one long text, before it is made."""
    longest = max((_longest(chunk) for chunk in values.chunks), default=0)
    check_text_size(len(values), longest)


def _longest(chunk: Any) -> int:
    """Return the number of bytes of the longest text; several texts may share their bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(chunk.type):
        return _longest(chunk.dictionary)
    if not len(chunk):
        return 0
    if pa.types.is_string_view(chunk.type):
        # A view has 16 bytes and begins with the length of its text (int32).
        views = np.frombuffer(chunk.buffers()[1], dtype=np.int32)
        return int(views.reshape(-1, 4)[chunk.offset : chunk.offset + len(chunk), 0].max())
    return int(pc.max(pc.binary_length(chunk)).as_py() or 0)


def _texts(values: Any) -> Column:
    return text_column([text or "" for text in values.to_pylist()])
