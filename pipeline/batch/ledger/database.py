"""Opens the database file of a ledger; defines its tables, transactions and error messages.

Every method raises a LedgerError if the file cannot be used.
"""

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pipeline.batch.filesystem import file_system, is_network
from pipeline.errors import LedgerError, MachineError
from pipeline.files.database import open_database
from pipeline.machine.refusal import (
    forget_last_number,
    hidden_number,
    is_about_files,
    refusal,
    refused_files,
    said,
)

# Version of the layout of the file.
LAYOUT = 1
LEDGER_STEM, LEDGER_SUFFIX = "ocpipe-ledger", ".sqlite"
# Longest wait for other processes that write (seconds).
PATIENCE = 30.0

_SCHEMA = """
CREATE TABLE holder (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,        -- in the names of temporary files
    process TEXT NOT NULL,             -- which process it is, see process_identity
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    output TEXT NOT NULL,              -- where its temporary files are
    slots INTEGER NOT NULL,
    threads INTEGER NOT NULL,          -- of each slot
    started TEXT NOT NULL,             -- for people
    beat INTEGER NOT NULL DEFAULT 0,
    elapsed REAL NOT NULL DEFAULT 0,   -- seconds, by its own monotonic clock
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'ended', 'interrupted', 'lost'))
);
CREATE TABLE networks (                -- with which scenes were done
    id INTEGER PRIMARY KEY,
    sensor TEXT NOT NULL,
    fingerprints TEXT NOT NULL,        -- JSON, by the names in the configuration
    UNIQUE (sensor, fingerprints)
);
CREATE TABLE scene (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,                 -- name of the configuration
    path TEXT NOT NULL,
    size INTEGER,                      -- of the input, when it was queued
    mtime_ns INTEGER,
    recipe TEXT NOT NULL,              -- hash of configuration and version
    state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'skipped', 'failed')),
    why TEXT NOT NULL,                 -- it is pending
    first_seen INTEGER NOT NULL,       -- seconds since 1970: the date of the product
    attempts INTEGER NOT NULL DEFAULT 0,
    holder INTEGER REFERENCES holder,
    kind TEXT,                         -- of the last failure
    reason TEXT,
    product TEXT,                      -- path from the folder of products, where it is known
    ours INTEGER NOT NULL DEFAULT 0,   -- whether what is there was made for this ledger
    sha256 TEXT,                       -- of the input, when it was done
    networks INTEGER REFERENCES networks,
    suspect TEXT,
    seconds REAL,
    pixels INTEGER,
    finished TEXT,                     -- for people
    UNIQUE (run, path)
);
CREATE UNIQUE INDEX scene_product ON scene (product) WHERE product IS NOT NULL;
CREATE INDEX scene_pending ON scene (attempts, id) WHERE state = 'pending';
CREATE INDEX scene_running ON scene (holder) WHERE state = 'running';
CREATE INDEX scene_state ON scene (run, state);
"""


def ledger_path(output: Path, shard: tuple[int, int] | None = None) -> Path:
    """Return the default path of the ledger in an output folder."""
    part = "" if shard is None else "-{}-of-{}".format(*shard)
    return output / f"{LEDGER_STEM}{part}{LEDGER_SUFFIX}"


class Database:
    """An open database file, to be used by one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection, products: Path) -> None:
        self.path = path
        self._db = connection
        self._products = products
        self._identity = _identity(path)

    @classmethod
    def open(cls, path: Path, products: Path = Path()) -> Self:
        """Open or create the ledger of an output folder; refuse a network file system."""
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
        with naming_errors(path):
            ledger = cls(path, _connected(path), products)
            ledger._lay_out()
            return ledger

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing ledger read-only."""
        if not path.is_file():
            raise LedgerError(f"{path}: no such ledger. Give the path of a ledger, or its folder.")
        with naming_errors(path):
            # Without this, SQLite leaves files of its own there even if nobody writes.
            still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
            connection = open_database(
                path, LedgerError, patience=PATIENCE, options=f"mode=ro{still}"
            )
            ledger = cls(path, connection, path.parent)
            ledger._check_layout()
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
            return self._db.execute(statement, given)

    def table(self, name: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        """Make or replace a temporary table of this connection."""
        with naming_errors(self.path):
            self._db.execute(f"DROP TABLE IF EXISTS temp.{name}")
            self._db.execute(f"CREATE TEMP TABLE {name} ({columns})")
            marks = ", ".join("?" * (columns.count(",") + 1))
            self._db.executemany(f"INSERT INTO temp.{name} VALUES ({marks})", rows)

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
        (layout,) = self.execute("PRAGMA user_version").fetchone()
        if layout == 0:
            with self.writing():
                (layout,) = self.execute("PRAGMA user_version").fetchone()
                (tables,) = self.execute("SELECT count(*) FROM sqlite_master").fetchone()
                if layout == 0 and tables == 0:
                    for statement in _SCHEMA.split(";\n"):
                        self.execute(statement)
                    self.execute(f"PRAGMA user_version = {LAYOUT}")
        self._check_layout()

    def _check_layout(self) -> None:
        (layout,) = self.execute("PRAGMA user_version").fetchone()
        if layout != LAYOUT:
            raise LedgerError(
                f"{self.path}: this is not a ledger of this version (layout {layout}, expected "
                f"{LAYOUT}). Use the version that made it, or give a new ledger with --ledger."
            )


def _connected(path: Path) -> sqlite3.Connection:
    connection = open_database(path, LedgerError, patience=PATIENCE)
    _use_write_ahead_log(connection)
    # A crash of the machine may lose the last entries, but never their order. The scene of a lost
    # entry is processed again.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Otherwise, a full or read-only folder for temporary files would end the batch.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


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
    except sqlite3.Error as error:
        number = hidden_number()
        refused = refused_files(number) if is_about_files(number) else _refused_files(path)
        if refused is not None:
            raise refused from error
        why = f"{error}; {said(number)}" if number else str(error)
        raise LedgerError(
            f"{path}: the ledger cannot be used ({why}). {_what_to_do(error, number)}"
        ) from error


def _refused_files(path: Path) -> MachineError | None:
    """Return the error if no more files can be opened; SQLite does not say so."""
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
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
