"""Reads Parquet and Feather with pyarrow, after their declared sizes were checked."""

import importlib
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.files.limits import TABLE_BYTES, TABLE_CELLS, TABLE_COLUMNS, TABLE_ROWS
from pipeline.files.regular import memory_in_words, open_regular

PARQUET, FEATHER, OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"
# Largest number of bytes of a text, and of entries of a list, in the metadata of a Parquet file.
_LONGEST_TEXT, _LONGEST_LIST = 16 * 2**20, 1_000_000


def pyarrow_with_formats() -> Any:
    """Return the package pyarrow with its modules for Parquet and Feather.

    Raises:
        ImportError: pyarrow is not installed.
    """
    for part in ("parquet", "feather", "ipc"):
        importlib.import_module(f"pyarrow.{part}")
    return importlib.import_module("pyarrow")


def read_arrow_table(path: Path, error: type[PipelineError]) -> Any:
    """Return the table in a Parquet or Feather file; text columns may be dictionaries.

    Args:
        path: the file.
        error: the class of error to raise.

    Raises:
        PipelineError: the file is not regular or larger than the limits. This exception has the
            class ``error``.
        OSError: the file cannot be read; pyarrow raises ArrowException, ValueError and
            KeyError, too.
    """
    arrow = pyarrow_with_formats()
    with open_regular(path, error) as file, memory_in_words(path.name, error):
        start = file.read(len(FEATHER))
        file.seek(0)
        if start.startswith(PARQUET):
            return _parquet(arrow, file, path.name, error)
        if start.startswith(OLD_FEATHER):
            table = arrow.feather.read_table(file)
            _check_size(table.num_rows, table.num_columns, path.name, error)
            return table
        return arrow.Table.from_batches(*_feather(arrow, file, path.name, error))


def _parquet(arrow: Any, file: Any, name: str, error: type[PipelineError]) -> Any:
    limits = {
        "thrift_string_size_limit": _LONGEST_TEXT,
        "thrift_container_size_limit": _LONGEST_LIST,
    }
    metadata = arrow.parquet.ParquetFile(file, **limits).metadata
    TABLE_COLUMNS.check(metadata.num_columns, name, error)
    _check_size(metadata.num_rows, metadata.num_columns, name, error)
    # The metadata of a column are not read, because damaged ones make pyarrow end the process. They
    # may name another file; pyarrow ignores this name, so such columns end in an error.
    groups = range(metadata.num_row_groups)
    stated = sum(metadata.row_group(number).total_byte_size for number in groups)
    TABLE_BYTES.check(stated, name, error)
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    texts = {column.path for column in columns if column.physical_type == "BYTE_ARRAY"}
    file.seek(0)
    # With a dictionary, a repeated text is kept in memory only once.
    with arrow.parquet.ParquetFile(
        file, metadata=metadata, read_dictionary=sorted(texts), **limits
    ) as opened:
        return opened.read()


def _feather(arrow: Any, file: Any, name: str, error: type[PipelineError]) -> tuple[list[Any], Any]:
    """Return the batches of a file and their schema; a batch cannot state more data than it has."""
    with arrow.ipc.open_file(file) as opened:
        schema = opened.schema
        TABLE_COLUMNS.check(len(schema), name, error)
        batches, rows, taken = [], 0, 0
        for number in range(opened.num_record_batches):
            batch = opened.get_batch(number)
            rows, taken = rows + batch.num_rows, taken + batch.get_total_buffer_size()
            _check_size(rows, len(schema), name, error)
            TABLE_BYTES.check(taken, name, error)
            batches.append(batch)
        return batches, schema


def _check_size(rows: int, columns: int, name: str, error: type[PipelineError]) -> None:
    TABLE_ROWS.check(rows, name, error)
    TABLE_CELLS.check(rows * columns, name, error)
