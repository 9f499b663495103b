"""Opens SQLite files that are regular, and lets their content lead to no other file."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.files.regular import check_kind, open_regular

# SQLite opens these beside a database.
_BESIDE = ("", "-wal", "-shm", "-journal")
# The last bytes of a journal that names another journal, which SQLite would read and then remove.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")


def open_database(
    path: Path, error: type[PipelineError], *, patience: float, options: str | None = None
) -> sqlite3.Connection:
    """Open a database file, or create it; Python begins no transactions by itself.

    Args:
        path: the file.
        error: the class of error to raise if the file, or a file that SQLite keeps beside it, is
            not regular.
        patience: how long to wait for another process that locks the file (seconds).
        options: options of SQLite's address of the file, such as ``mode=ro``.

    Raises:
        PipelineError: a file is not regular. This exception has the class ``error``.
        sqlite3.Error: SQLite cannot open the file.
    """
    for beside in files_of_database(path):
        # The file must not be opened to look at it: closing it again would free all locks that
        # other connections of this process hold.
        with contextlib.suppress(FileNotFoundError):
            check_kind(beside, beside.stat(), error)
    address = str(path) if options is None else f"{path.absolute().as_uri()}?{options}"
    connection = sqlite3.connect(
        address, uri=options is not None, timeout=patience, isolation_level=None
    )
    # Statements that a damaged file brings along must not open other files or call functions.
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def files_of_database(path: Path) -> Iterator[Path]:
    """Yield the path of a database, and those of the files that SQLite keeps beside it."""
    yield from (path.with_name(f"{path.name}{ending}") for ending in _BESIDE)


def names_another_journal(path: Path) -> bool:
    """Return whether the journal beside a database leads SQLite to another file."""
    journal = path.with_name(f"{path.name}-journal")
    with contextlib.suppress(OSError), open_regular(journal, PipelineError) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - len(_NAMES_ANOTHER)))
        return file.read() == _NAMES_ANOTHER
    return False
