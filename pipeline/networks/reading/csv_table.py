"""Reads kernels and biases from CSV tables: commas separate numbers, and # begins a comment."""

import array
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import NetworkError
from pipeline.files.contents import read_bytes
from pipeline.files.limits import NETWORK_TEXT_BYTES
from pipeline.networks.variable import Array


def read_matrix(path: Path) -> Array:
    """Return the numbers of a table, with shape (rows, columns).

    Raises:
        NetworkError: a cell is not a finite number, or the rows differ in length.
    """
    rows: list[Array] = []
    for line_number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = _numbers(line.split(","), f"{path.name}: line {line_number}")
        if rows and len(row) != len(rows[0]):
            raise NetworkError(
                f"{path.name}: line {line_number} has {len(row)} columns, expected {len(rows[0])} "
                "as in the lines above."
            )
        rows.append(row)
    if not rows:
        raise NetworkError(f"{path.name}: no numbers, expected numbers separated by commas.")
    return np.stack(rows)


def read_vector(path: Path) -> Array:
    """Read a table that has one row or one column; return an array with shape (n,)."""
    table = read_matrix(path)
    if min(table.shape) != 1:
        raise NetworkError(
            f"{path.name}: {table.shape[0]} rows and {table.shape[1]} columns, expected one row or "
            "one column: a bias has one number for each unit."
        )
    return table.reshape(-1)


def _text(path: Path) -> str:
    try:
        return read_bytes(path, NETWORK_TEXT_BYTES, NetworkError).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NetworkError(
            f"{path.name}: not a text file ({error.reason} at byte {error.start}), expected rows "
            "of numbers separated by commas."
        ) from None


def _numbers(cells: Sequence[str], where: str) -> Array:
    try:
        row = np.frombuffer(array.array("d", map(float, cells)))
    except ValueError:
        row = np.empty(0)
    if not row.size or not np.isfinite(row).all():
        wrong = next(place for place, cell in enumerate(cells) if not _is_finite(cell))
        raise NetworkError(
            f"{where}, column {wrong + 1}: {cells[wrong].strip()!r} is not a finite number. Write "
            "numbers as 0.5 or -1e-3, with commas between them."
        )
    return row


def _is_finite(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
