"""Limits of what is read. Each has a reason, and an environment variable that raises the limit.

A small file can state any size, or expand to any size. So every size is compared with a limit
before memory is allocated for it. docs/limits.md lists the limits for users.
"""

import os
import re
from dataclasses import dataclass

from pipeline.errors import ConfigError, PipelineError

PREFIX = "OCPIPE_MOST_"
_PREFIX_BYTES = os.fsencode(PREFIX)


@dataclass(frozen=True)
class Limit:
    """The largest size of one kind of thing."""

    name: str
    default: int
    counted: str
    """What is counted, as a message says it after the number: ``bytes of text``."""
    reason: str
    """Why the default is enough, or what the limit prevents; docs/limits.md has the same words."""

    @property
    def variable(self) -> str:
        """Name of the environment variable that overrides the default."""
        return f"{PREFIX}{self.name}"

    @property
    def most(self) -> int:
        """The largest number that is allowed now.

        Raises:
            ConfigError: an environment variable of a limit is wrong.
        """
        return _stated().get(self.variable, self.default)

    def check(self, found: int, what: str, error: type[PipelineError]) -> None:
        """Raise ``error`` if a number is above the limit.

        Args:
            found: the number.
            what: the file, or the part of a file, that has this number.
            error: the class of error to raise.
        """
        complaint = self.complaint(found, what)
        if complaint is not None:
            raise error(complaint)

    def complaint(self, found: int, what: str) -> str | None:
        """Return the message of :meth:`check`, or None if the number is within the limit."""
        most = self.most
        if found <= most:
            return None
        return (
            f"{what} has {found:,} {self.counted}, expected at most {most:,}. Check the file. If "
            f"the file is right, set the environment variable {self.variable} to a larger number."
        )


YAML_BYTES = Limit("YAML_BYTES", 2 * 2**20, "bytes", "a megabyte takes three seconds to scan")
YAML_VALUES = Limit(
    "YAML_VALUES", 50_000, "values", "50,000 keys, numbers and texts take five seconds to read"
)
TEXT_BYTES = Limit(
    "TEXT_BYTES", 64 * 2**20, "bytes of text", "lists of files: a million paths have 64 bytes each"
)
NETWORK_BYTES = Limit(
    "NETWORK_BYTES", 256 * 2**20, "bytes", "the largest network and the state of its training"
)
NETWORK_NUMBERS = Limit(
    "NETWORK_NUMBERS",
    20_000_000,
    "numbers",
    "OC-SMART's largest network has 0.1 million numbers; each number is copied several times",
)
NETWORK_TEXT_BYTES = Limit(
    "NETWORK_TEXT_BYTES",
    32 * 2**20,
    "bytes of text",
    "enough for three million weights as CSV; a number in a text takes 60 bytes of memory while it "
    "is read",
)
DESCRIPTION_BYTES = Limit(
    "DESCRIPTION_BYTES", 16 * 2**20, "bytes", "a description contains no weights"
)
TABLE_BYTES = Limit(
    "TABLE_BYTES",
    256 * 2**20,
    "bytes",
    "text takes three times its size while it is split into cells",
)
TABLE_ROWS = Limit("TABLE_ROWS", 5_000_000, "rows", "a row of text takes at least 60 bytes")
TABLE_COLUMNS = Limit(
    "TABLE_COLUMNS", 10_000, "columns", "hyperspectral tables have a few thousand columns"
)
TABLE_CELLS = Limit(
    "TABLE_CELLS", 20_000_000, "cells", "a cell of text takes 60 bytes while it is read"
)
CELL_CHARACTERS = Limit(
    "CELL_CHARACTERS", 32_767, "characters",
    "the same limit as in spreadsheets; in a column of text, every cell takes as much memory as "
    "the longest cell",
)  # fmt: skip
PRODUCT_NUMBERS = Limit(
    "PRODUCT_NUMBERS", 10_000_000, "numbers", "the record of a product has a few hundred numbers"
)
COORDINATE_BYTES = Limit(
    "COORDINATE_BYTES",
    128 * 2**20,
    "bytes",
    "an axis with 10 million numbers has 80 megabytes; xarray reads it when it opens the file",
)
ATTRIBUTE_BYTES = Limit(
    "ATTRIBUTE_BYTES",
    128 * 2**20,
    "bytes of attributes",
    "texts of attributes in real files have a few megabytes; they are read at opening",
)
CHUNK_BYTES = Limit(
    "CHUNK_BYTES",
    512 * 2**20,
    "bytes",
    "chunks of real files have at most some ten megabytes; a chunk is decompressed as a whole",
)
CHECKPOINT_BYTES = Limit(
    "CHECKPOINT_BYTES", 2 * 2**30, "bytes", "weights, optimizer and best weights of a training"
)
MEMBERS = Limit(
    "MEMBERS", 10_000, "members", "the archives that ocpipe reads have only a few members"
)
INFLATION = Limit(
    "INFLATION",
    200,
    "times its stored size",
    "compressed tables have a fifth to a twentieth of their size; only repeated bytes shrink to a "
    "thousandth",
)

LIMITS = (
    YAML_BYTES,
    YAML_VALUES,
    TEXT_BYTES,
    NETWORK_BYTES,
    NETWORK_NUMBERS,
    NETWORK_TEXT_BYTES,
    DESCRIPTION_BYTES,
    TABLE_BYTES,
    TABLE_ROWS,
    TABLE_COLUMNS,
    TABLE_CELLS,
    CELL_CHARACTERS,
    PRODUCT_NUMBERS,
    COORDINATE_BYTES,
    ATTRIBUTE_BYTES,
    CHUNK_BYTES,
    CHECKPOINT_BYTES,
    MEMBERS,
    INFLATION,
)
"""All limits, in the order of docs/limits.md."""


def _stated() -> dict[str, int]:
    """Return the limits in environment variables; refuse unknown names and wrong values."""
    # Thousands of numbers are compared with limits. The names are compared as bytes, because
    # decoding the whole environment takes ten times as long.
    names = [os.fsdecode(name) for name in os.environb if name.startswith(_PREFIX_BYTES)]
    stated = {name: os.environ[name].strip() for name in names}
    known = {limit.variable for limit in LIMITS} if stated else set()
    for name, text in stated.items():
        if name not in known:
            raise ConfigError(
                f"the environment variable {name} is not a limit of ocpipe. The limits are "
                f"{', '.join(sorted(known))}. Correct its name, or unset it."
            )
        if not re.fullmatch("[0-9]{1,18}", text) or int(text) == 0:
            raise ConfigError(
                f"the environment variable {name} is {text!r}, expected a whole number above 0. "
                "Correct it, or unset it."
            )
    return {name: int(text) for name, text in stated.items()}
