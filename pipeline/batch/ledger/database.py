"""Opens the database file of a ledger; defines its tables, transactions and error messages.

Every method raises a LedgerError if the file cannot be used.
"""

import contextlib
import errno
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pipeline.batch.ages import iso_time
from pipeline.batch.filesystem import file_system, is_network
from pipeline.batch.ledger.schema import (
    LAYOUT,
    LONGEST,
    MOST_NUMBER,
    SCHEMA,
    check_content,
    check_definitions,
    damaged,
    has_table,
)
from pipeline.errors import LedgerError, MachineError
from pipeline.files.database import files_of_database, names_another_journal, open_database
from pipeline.files.names import is_text
from pipeline.machine.refusal import (
    forget_last_number,
    hidden_number,
    is_about_files,
    refusal,
    refused_files,
    said,
)

LEDGER_STEM, LEDGER_SUFFIX = "ocpipe-ledger", ".sqlite"
# Longest wait for other processes that write (seconds).
PATIENCE = 30.0


_IS_ORPHAN = (
    "state = 'running' AND NOT EXISTS (SELECT 1 FROM holder WHERE holder.id = scene.holder AND "
    "holder.state = 'running')"
)


def ledger_path(output: Path, shard: tuple[int, int] | None = None) -> Path:
    """Return the default path of the ledger in an output folder."""
    part = "" if shard is None else "-{}-of-{}".format(*shard)
    return output / f"{LEDGER_STEM}{part}{LEDGER_SUFFIX}"


class Database:
    """An open database file, to be used by one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection, products: Path) -> None:
        self.path = path
        self._db = connection
        self._db.row_factory = _as_python
        self._products = products
        self._identity = _identity(path)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        connection.text_factory = lambda data: data.decode(errors="backslashreplace")

    @classmethod
    def open(
        cls,
        path: Path,
        products: Path = Path(),
        is_known: bool = False,
        may_repair: bool = True,
    ) -> Self:
        """Open or create the ledger of an output folder; refuse a network file system.

        Args:
            path: the ledger.
            products: the output folder.
            is_known: whether this process has checked the content before.
            may_repair: whether missing indices and later tables are made, and whether scenes that
                no process works on become pending.
        """
        folder = path.absolute().parent
        if not folder.is_dir():
            raise LedgerError(f"{path}: the folder {path.parent} does not exist. Create it first.")
        if path.is_symlink():
            raise LedgerError(
                f"{path}: this is a link, expected a file. A ledger is not written through a link. "
                "Remove the link, or give the file itself with --ledger."
            )
        kind = file_system(folder)
        if is_network(kind):
            raise LedgerError(
                f"{path}: a ledger cannot be on a network file system ({kind}), because only "
                "processes on one machine can share a SQLite file. Give a file on a disk of this "
                "machine with --ledger; or give each machine a part of the scenes (--shard i/n) "
                "and its own ledger; or let one machine distribute the scenes (--executor dask)."
            )
        _refuse_what_is_no_ledger(path)
        with naming_errors(path):
            connection = open_database(path, LedgerError, patience=PATIENCE)
            ledger = cls(path, connection, products)
            with ledger._closing_on_failure():
                if ledger._is_laid_out():
                    ledger._check_layout()
                    check_definitions(connection, path)
                _prepare_to_write(connection)
                ledger._lay_out()
                if not is_known:
                    ledger._check(may_repair)
            return ledger

    @classmethod
    def read(cls, path: Path, products: Path | None = None) -> Self:
        """Open an existing ledger read-only; by default its folder is that of the products."""
        if not path.is_file():
            raise LedgerError(f"{path}: no such ledger. Give the path of a ledger, or its folder.")
        _refuse_what_is_no_ledger(path)
        with naming_errors(path):
            # Without immutable=1, SQLite would leave files beside the ledger, even if nobody
            # writes.
            still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
            connection = open_database(
                path, LedgerError, patience=PATIENCE, options=f"mode=ro{still}"
            )
            ledger = cls(path, connection, products or path.parent)
            with ledger._closing_on_failure():
                ledger._check_layout()
                check_definitions(connection, path)
                check_content(connection, path)
            return ledger

    @classmethod
    def instead_of(cls, path: Path, products: Path) -> Self:
        """Make a ledger in memory; a dry run uses it if there is no ledger file."""
        ledger = cls(path, sqlite3.connect(":memory:", isolation_level=None), products)
        ledger._lay_out()
        return ledger

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check_presence(self) -> None:
        """Check that the file still exists; raise LedgerError if it was removed."""
        if self._identity is None:  # the file was created after the last check
            self._identity = _identity(self.path)
        if _identity(self.path) != self._identity or self._identity is None:
            raise LedgerError(
                f"{self.path}: the ledger no longer exists; its folder was removed or unmounted. "
                "Restore the folder, then start the batch again."
            )

    def execute(
        self, statement: str, given: Sequence[Any] | Mapping[str, Any] = ()
    ) -> sqlite3.Cursor:
        """Execute one statement."""
        with naming_errors(self.path):
            return self._db.execute(statement, _storable(given))

    def table(self, name: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        """Make or replace a temporary table of this connection."""
        with naming_errors(self.path):
            self._db.execute(f"DROP TABLE IF EXISTS temp.{name}")
            self._db.execute(f"CREATE TEMP TABLE {name} ({columns})")
            marks = ", ".join("?" * (columns.count(",") + 1))
            self._db.executemany(f"INSERT INTO temp.{name} VALUES ({marks})", map(_storable, rows))

    @contextlib.contextmanager
    def writing(self, keep: bool = True) -> Iterator[None]:
        """Write the changes of a ``with`` block; undo them if it fails or ``keep`` is false."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self.execute("COMMIT" if keep else "ROLLBACK")

    def has_table(self, name: str) -> bool:
        """Return whether the file has a table; a table that was added later may be missing."""
        with naming_errors(self.path):
            return has_table(self._db, name)

    def stored(self, product: str) -> str:
        """Return a product's path relative to the output folder, because the folder may move."""
        return os.path.relpath(product, self._products)

    def located(self, product: str) -> str:
        """Return a product's full path from the relative path that the ledger stores."""
        return os.path.normpath(os.path.join(self._products, product))

    def is_there(self, product: str) -> bool:
        """Return whether a product exists; ``product`` is the path that the ledger stores."""
        return os.path.exists(self.located(product))

    def _lay_out(self) -> None:
        if not self._is_laid_out():
            with self.writing():
                if not self._is_laid_out():
                    for statement in SCHEMA.split(";\n"):
                        self.execute(statement)
                    self.execute(f"PRAGMA user_version = {LAYOUT}")
        self._check_layout()

    def _is_laid_out(self) -> bool:
        """Return whether the file has any content."""
        (layout,) = self.execute("PRAGMA user_version").fetchone()
        (tables,) = self.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(layout != 0 or tables != 0)

    def _check(self, may_repair: bool) -> None:
        """Refuse a damaged ledger; make missing parts; set scenes without a process to pending."""
        missing = check_definitions(self._db, self.path)
        check_content(self._db, self.path)
        orphans = f"SELECT 1 FROM scene WHERE {_IS_ORPHAN} LIMIT 1"
        is_whole = not missing and self._db.execute(orphans).fetchone() is None
        if is_whole or not may_repair:
            return
        with self.writing():
            # The check is repeated, because another process may have made the missing parts by now.
            for statement in check_definitions(self._db, self.path):
                try:
                    self._db.execute(statement)
                except sqlite3.IntegrityError as error:
                    raise damaged(self.path, f"two rows have the same product ({error})") from error
            # Otherwise, a batch would wait for ever for the end of these scenes.
            self._db.execute(
                "UPDATE scene SET state = 'pending', attempts = max(attempts - 1, 0), "
                f"why = 'nobody works on this scene' WHERE {_IS_ORPHAN}"
            )

    @contextlib.contextmanager
    def _closing_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _check_layout(self) -> None:
        (layout,) = self.execute("PRAGMA user_version").fetchone()
        if layout != LAYOUT:
            raise LedgerError(
                f"{self.path}: this is not a ledger of this version (layout {layout}, expected "
                f"{LAYOUT}). Use the version that made it, or give a new ledger with --ledger."
            )


def _prepare_to_write(connection: sqlite3.Connection) -> None:
    _use_write_ahead_log(connection)
    # A crash of the machine may lose the last entries, but never their order. The scene of a lost
    # entry is processed again.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Otherwise, a full or read-only folder for temporary files would end the batch.
    connection.execute("PRAGMA temp_store = MEMORY")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL mode.

    SQLite does not wait for a locked file when it changes the mode, so this function retries.
    """
    deadline = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _refuse_what_is_no_ledger(path: Path) -> None:
    """Refuse files that are not regular (SQLite might wait for ever), and a foreign journal."""
    for beside in files_of_database(path):
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(beside.stat().st_mode):
                raise LedgerError(
                    f"{beside}: this is not a regular file, so it cannot be a ledger or belong to "
                    "one. Give another path with --ledger, or move it away."
                )
    if names_another_journal(path):
        raise damaged(path, f"{path.name}-journal was not made by ocpipe")


def _storable(given: Any) -> Any:
    """Return the values of a statement as SQLite can store them.

    A name that is not UTF-8 becomes bytes, which SQLite stores unchanged and compares with others.
    Numbers are limited to what SQLite can store.
    """
    if isinstance(given, Mapping):
        return dict(zip(given, _storable(tuple(given.values())), strict=True))
    return [_storable_value(value) for value in given]


def _storable_value(value: Any) -> Any:
    if isinstance(value, str) and not is_text(value):
        return os.fsencode(value)
    if isinstance(value, int):  # the time of change of a file may be in the year 2600
        return min(max(value, -MOST_NUMBER), MOST_NUMBER)
    return value


def _as_python(_: sqlite3.Cursor, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the columns of a row; names that are stored as bytes become text again."""
    return tuple(os.fsdecode(value) if isinstance(value, bytes) else value for value in row)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """If SQLite reports an error, raise a LedgerError that says what to do."""
    forget_last_number()
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's own message quotes a damaged statement
        raise damaged(path, f"a text in it is not UTF-8 ({error.reason})") from error
    except sqlite3.Error as error:
        number = hidden_number()
        refused = refused_files(number) if is_about_files(number) else _refused_files(path)
        if refused is not None:
            raise refused from error
        why = f"{error}; {said(number)}" if number else str(error)
        raise LedgerError(
            f"{path}: the ledger cannot be used ({why[:300]}). {_what_to_do(error, number)}"
        ) from error


def _refused_files(path: Path) -> MachineError | None:
    """Return an error if no more files can be opened, because SQLite does not report this cause."""
    try:
        os.close(os.open(path.absolute().parent, os.O_RDONLY))
    except OSError as error:
        return refusal(error)
    return None


def _what_to_do(error: sqlite3.Error, number: int) -> str:
    text = str(error)
    if "full" in text or number in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space on the disk of the ledger, then start the batch again."
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return "Choose a folder that is writable, or give another ledger with --ledger."
    if "not a database" in text:
        return (
            "If this path is wrong, correct it. If the file is a damaged ledger, move the file "
            "away; a new ledger is then made, and every scene is processed again."
        )
    if "malformed" in text:
        return "Move the file away. A new ledger is then made, and every scene is processed again."
    if "locked" in text:
        return "Another process locks the ledger. End that process, then start the batch again."
    return "Check the disk of the ledger, then start the batch again."


def stamp() -> str:
    """Return the present time as a text that people can read."""
    return iso_time(time.time())
