"""Opens regular SQLite files, in such a way that their content cannot open other files."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.files.regular import check_kind, open_regular

# SQLite opens files with these endings beside a database.
_BESIDE = ("", "-wal", "-shm", "-journal")
# A journal that ends with these bytes names another journal, which SQLite would read and remove.
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
        # This check must not open the file, because closing it would release all locks that other
        # connections of this process hold.
        with contextlib.suppress(FileNotFoundError):
            check_kind(beside, beside.stat(), error)
    address = str(path) if options is None else f"{path.absolute().as_uri()}?{options}"
    connection = sqlite3.connect(
        address, uri=options is not None, timeout=patience, isolation_level=None
    )
    # Statements that are stored in a damaged file must not open other files or call functions.
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def files_of_database(path: Path) -> Iterator[Path]:
    """Yield the path of a database, and those of the files that SQLite keeps beside it."""
    yield from (path.with_name(f"{path.name}{ending}") for ending in _BESIDE)


def names_another_journal(path: Path) -> bool:
    """Return whether the journal beside a database makes SQLite open another file."""
    journal = path.with_name(f"{path.name}-journal")
    with contextlib.suppress(OSError), open_regular(journal, PipelineError) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - len(_NAMES_ANOTHER)))
        return file.read() == _NAMES_ANOTHER
    return False
