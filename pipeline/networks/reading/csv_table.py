"""Reads kernels and biases from CSV tables: commas separate numbers, and # begins a comment."""

import math
from pathlib import Path

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.variable import Array

# About 5 million weights; networks of single pixels are far smaller.
MOST_BYTES = 128 * 2**20


def read_matrix(path: Path) -> Array:
    """Return the numbers of a table, with shape (rows, columns).

    Raises:
        NetworkError: a cell is not a finite number, or the rows differ in length.
    """
    rows: list[list[float]] = []
    for line_number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = [
            _number(cell, f"{path.name}: line {line_number}, column {column}")
            for column, cell in enumerate(line.split(","), start=1)
        ]
        if rows and len(row) != len(rows[0]):
            raise NetworkError(
                f"{path.name}: line {line_number} has {len(row)} columns, expected {len(rows[0])} "
                "as in the lines above."
            )
        rows.append(row)
    if not rows:
        raise NetworkError(f"{path.name}: no numbers, expected numbers separated by commas.")
    return np.array(rows, dtype=np.float64)


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
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise NetworkError(
            f"{path.name} has {size:,} bytes, expected at most {MOST_BYTES:,}. Choose another file."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise NetworkError(
            f"{path.name}: not a text file ({error.reason} at byte {error.start}), expected rows "
            "of numbers separated by commas."
        ) from None


def _number(cell: str, where: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NetworkError(
            f"{where}: {cell.strip()!r} is not a finite number. Write numbers as 0.5 or -1e-3, "
            "with commas between them."
        )
    return number
