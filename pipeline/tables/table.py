"""A table of samples in memory: columns by name, and the place of each row in its file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError

Array = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]
Column = npt.NDArray[Any]
"""float64 or text with shape (rows,); a missing value is NaN or ""."""
Rows = npt.NDArray[np.int64]
# The number of rows that a message names.
NAMED_ROWS = 3


@dataclass(frozen=True, eq=False)
class Table:
    """The content of a file of samples."""

    path: Path
    sha256: str
    columns: Mapping[str, Column]
    units: Mapping[str, str]
    """Units by column, as spelled in the file; columns without units in the file are left out."""
    rows: Rows
    """Number of each row in its file, counted from 1; in a text file, the number of the line."""
    row_word: str = "row"
    told: tuple[str, ...] = field(default=())
    """Messages about what the reader left out or changed."""
    licence: str = ""
    """Licence or allowed use that the file states."""
    repeated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A name that several columns have in the file -> their different names in ``columns``."""
    beside: Mapping[str, str] = field(default_factory=dict)
    """Files with further columns of the same rows: name -> SHA-256 of the file."""

    @property
    def name(self) -> str:
        """The file name; every message begins with it."""
        return self.path.name

    def __len__(self) -> int:
        return len(self.rows)

    def is_text(self, column: str) -> bool:
        """Return whether a column contains text."""
        return self.columns[column].dtype.kind == "U"

    def numbers(self, column: str) -> Array:
        """Return a column of numbers.

        Raises:
            ConfigError: the column contains text; the message shows the first cells with text.
        """
        values: Array = self.columns[column]
        if not self.is_text(column):
            return values
        wrong = [row for row, cell in enumerate(values) if cell and not is_number(str(cell))]
        if not wrong and (values != "").any():  # Arrow tables may store numbers as text
            return np.array([float(cell or "nan") for cell in values])
        shown = ", ".join(repr(str(values[row])) for row in wrong[:NAMED_ROWS])
        raise table_error(
            self.name,
            f"column {column!r} has {shown or 'no value'} in {self.places(wrong)}, expected "
            "numbers with a decimal point. Correct these cells, or write NaN where there is no "
            "value",
        )

    def labels(self, column: str) -> Texts:
        """Return a column as text; whole numbers have no decimal point, missing values are ""."""
        values = self.columns[column]
        if self.is_text(column):
            return values
        return np.array(["" if np.isnan(v) else f"{v:.17g}" for v in values], dtype=np.str_)

    def places(self, indices: Sequence[int] | Rows) -> str:
        """Return the places of rows (indices from 0) as text: ``lines 86, 90, 101 and 12 more``."""
        return places(self.row_word, [int(self.rows[index]) for index in indices])


def places(word: str, numbers: Sequence[int]) -> str:
    """List the first few row numbers, and say how many others there are."""
    named = ", ".join(str(number) for number in numbers[:NAMED_ROWS])
    more = len(numbers) - NAMED_ROWS
    plural = "" if len(numbers) == 1 else "s"
    return f"{word}{plural} {named}{f' and {more} more' if more > 0 else ''}"


def listed(names: Sequence[str], most: int = 40) -> str:
    """Join names with commas; if there are very many, show the first and count the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def table_error(where: str, *complaints: str) -> ConfigError:
    """Return one error that lists all complaints about a file or a configuration of samples."""
    if len(complaints) == 1:
        return ConfigError(f"{where}: {complaints[0].removesuffix('.')}.")
    lines = "\n".join(f"  {complaint.removesuffix('.')}." for complaint in complaints)
    return ConfigError(f"{where}:\n{lines}")


def key_of(name: str) -> str:
    """Return the name of a key of the configuration, both for training and for match-ups."""
    return f"samples.{name} (training) or points.{name} (match-ups)"


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number; Python's ``1_000`` is not."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
