"""A table of samples in memory: columns by name, and where each row stood in its file."""

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
"""float64 with NaN where a value is missing, or text with "" there; with shape (rows,)."""
Rows = npt.NDArray[np.int64]
# So many rows are named in a message.
NAMED_ROWS = 3


@dataclass(frozen=True, eq=False)
class Table:
    """What a file of samples holds."""

    path: Path
    sha256: str
    columns: Mapping[str, Column]
    units: Mapping[str, str]
    """As the file spells them, of those columns whose units it says."""
    rows: Rows
    """Where each row stands in the file: line of a text, else number of the row, from 1."""
    row_word: str = "row"
    told: tuple[str, ...] = field(default=())
    """What a reader left out or took in another way than written."""
    licence: str = ""
    """What the file says of its use."""

    @property
    def name(self) -> str:
        """The file name, which begins every message."""
        return self.path.name

    def __len__(self) -> int:
        return len(self.rows)

    def is_text(self, column: str) -> bool:
        """Whether a column holds text."""
        return self.columns[column].dtype.kind == "U"

    def numbers(self, column: str) -> Array:
        """A column of numbers.

        Raises:
            ConfigError: it holds text; the message shows the first cells that are no numbers.
        """
        values: Array = self.columns[column]
        if not self.is_text(column):
            return values
        wrong = [row for row, cell in enumerate(values) if cell and not is_number(str(cell))]
        shown = ", ".join(repr(str(values[row])) for row in wrong[:NAMED_ROWS])
        raise table_error(
            self.name,
            f"column {column!r} has {shown or 'no value'} in {self.places(wrong)}, expected "
            "numbers with a decimal point. Correct these cells, or list what stands for a missing "
            "value under samples.missing",
        )

    def labels(self, column: str) -> Texts:
        """A column as text; whole numbers without a point, "" where a value is missing."""
        values = self.columns[column]
        if self.is_text(column):
            return values
        return np.array(["" if np.isnan(v) else f"{v:.17g}" for v in values], dtype=np.str_)

    def places(self, indices: Sequence[int] | Rows) -> str:
        """``lines 86, 90, 101 and 12 more``: where these rows (counted from 0) stand."""
        return places(self.row_word, [int(self.rows[index]) for index in indices])


def places(word: str, numbers: Sequence[int]) -> str:
    """The first few numbers of rows, and how many more there are."""
    named = ", ".join(str(number) for number in numbers[:NAMED_ROWS])
    more = len(numbers) - NAMED_ROWS
    plural = "" if len(numbers) == 1 else "s"
    return f"{word}{plural} {named}{f' and {more} more' if more > 0 else ''}"


def listed(names: Sequence[str], most: int = 40) -> str:
    """Names with commas between them, not all of them where there are very many."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def table_error(where: str, *complaints: str) -> ConfigError:
    """One message about a file or a configuration of samples, with all complaints."""
    if len(complaints) == 1:
        return ConfigError(f"{where}: {complaints[0].removesuffix('.')}.")
    lines = "\n".join(f"  {complaint.removesuffix('.')}." for complaint in complaints)
    return ConfigError(f"{where}:\n{lines}")


def is_number(cell: str) -> bool:
    """Whether a cell is a number; Python's ``1_000`` is not."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
