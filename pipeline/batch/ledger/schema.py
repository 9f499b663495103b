"""The tables of a ledger, and checks that a file has these tables and nothing else.

A user may give a file that another program made, damaged or changed. Without these checks, such a
file could cause an endless loop or a traceback. Examples are a file with a trigger, with a number
out of range, or with a view instead of a table.
"""

import contextlib
import functools
import re
import sqlite3
import time
from pathlib import Path

from pipeline.errors import LedgerError

# Version of the layout of the file.
LAYOUT = 1
# Longest text or row (bytes); ocpipe itself writes at most a few kB.
LONGEST = 4 * 2**20
LONGEST_PATH = 16_384
# Longest time to read a file to its end (seconds), and how often to look (steps of SQLite).
PATIENCE, STEPS = 120.0, 100_000
MOST_CONFIGURATIONS = MOST_RUNNING = 10_000

SCHEMA = """
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
    recipe TEXT NOT NULL,              -- see recipe.py
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
CREATE TABLE call (                    -- the last call of each configuration
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    process TEXT NOT NULL,             -- which process it is, see process_identity
    begun TEXT NOT NULL,
    ended TEXT,                        -- NULL: at work, or killed
    how TEXT CHECK (how IN ('complete', 'interrupted', 'problem')),
    problem TEXT,                      -- why it ended early
    completed TEXT                     -- end of the last call that was complete
);
"""
# Tables that older versions did not make. A ledger without them is not damaged; a batch makes them.
ADDED_LATER = frozenset(("call",))

_MOVE_AWAY = "Move the file away. A new ledger is then made, and every scene is processed again."


def _text(name: str, longest: int = LONGEST) -> str:
    return f"typeof({name}) = 'text' AND length({name}) <= {longest}"


def _words(name: str) -> str:
    """Return a condition for a message, which may quote a name that is stored as bytes."""
    return f"typeof({name}) IN ('text', 'blob') AND length({name}) <= {LONGEST}"


def _path(name: str, start: str) -> str:
    """Return a condition for a path; names that are not UTF-8 may be stored as bytes."""
    stored = f"CAST({name} AS BLOB)"
    return (
        f"typeof({name}) IN ('text', 'blob') AND length({stored}) BETWEEN 1 AND {LONGEST_PATH} "
        f"AND instr({stored}, x'00') = 0{start.format(stored)}"
    )


def _number(name: str, low: float, high: float, kind: str = "'integer'") -> str:
    return f"typeof({name}) IN ({kind}) AND {name} BETWEEN {low!r} AND {high!r}"


_ABSOLUTE = " AND substr({}, 1, 1) = x'2f'"
# The largest number that SQLite stores; the smallest is -MOST_NUMBER - 1.
MOST_NUMBER = 2**63 - 1
_MOST = 2**62
_LAST_SECOND = 253_402_300_799  # of the year 9999
_REAL = "'real', 'integer'"
_HEX = "[0-9a-f]" * 8
# The name of a configuration, as the configuration checks it.
_RUN = "run GLOB '[A-Za-z]*' AND run NOT GLOB '*[^A-Za-z0-9_]*' AND length(run) <= 1000"
# Conditions for each value that is not NULL; quick_check finds forbidden NULLs.
_VALUES = {
    "holder": {
        "token": f"typeof(token) = 'text' AND token GLOB '{_HEX}'",
        "process": _text("process", 1000),
        "host": _text("host", 1000),
        "pid": _number("pid", 0, _MOST),
        "output": _path("output", _ABSOLUTE),
        "slots": _number("slots", 1, 100_000),
        "threads": _number("threads", 1, 100_000),
        "started": _text("started", 1000),
        "beat": _number("beat", 0, _MOST),
        "elapsed": _number("elapsed", 0, 1e12, _REAL),
        "done": _number("done", 0, _MOST),
        "failed": _number("failed", 0, _MOST),
        "state": "state IN ('running', 'ended', 'interrupted', 'lost')",
    },
    "networks": {"sensor": _text("sensor", 1000), "fingerprints": _text("fingerprints")},
    "scene": {
        "run": _RUN,
        "path": _path("path", _ABSOLUTE),
        "size": _number("size", 0, _MOST),
        "mtime_ns": _number("mtime_ns", -MOST_NUMBER, MOST_NUMBER),
        "recipe": _text("recipe", 1000),
        "state": "state IN ('pending', 'running', 'done', 'skipped', 'failed')",
        "why": _words("why"),
        "first_seen": _number("first_seen", 0, _LAST_SECOND),
        "attempts": _number("attempts", 0, 1_000_000_000),
        "holder": "typeof(holder) = 'integer'",
        "kind": _text("kind", 1000),
        "reason": _words("reason"),
        "product": _path("product", ""),
        "ours": _number("ours", 0, 1),
        "sha256": _text("sha256", 1000),
        "networks": "typeof(networks) = 'integer'",
        "suspect": _words("suspect"),
        "seconds": _number("seconds", 0, 1e12, _REAL),
        "pixels": _number("pixels", 0, _MOST),
        "finished": _text("finished", 1000),
    },
    "call": {
        "run": _RUN,
        "process": _text("process", 1000),
        "begun": _text("begun", 1000),
        "ended": _text("ended", 1000),
        "how": "how IN ('complete', 'interrupted', 'problem')",
        "problem": _words("problem"),
        "completed": _text("completed", 1000),
    },
}
# Conditions for whole rows.
_ROWS = {"scene": "state != 'failed' OR (kind IS NOT NULL AND reason IS NOT NULL)"}


def check_definitions(database: sqlite3.Connection, path: Path) -> list[str]:
    """Check that the file has the tables of a ledger, and no triggers or views.

    Returns:
        The statements that make the indices and the later tables that are missing.
    """
    query = "SELECT type, name, coalesce(sql, '') FROM sqlite_master LIMIT 100"
    found = {name: (kind, _plain(sql)) for kind, name, sql in database.execute(query)}
    expected = _expected()
    for name, (kind, sql) in found.items():
        if name not in expected and not _is_internal(kind, name):
            raise damaged(path, f"it has the {kind} {name[:100]!r}, which is not part of a ledger")
        if name in expected and (kind, sql) != expected[name][:2]:
            raise damaged(path, f"its {expected[name][0]} {name} is not that of a ledger")
    missing = [name for name in expected if name not in found]
    for name in missing:
        if expected[name][0] == "table" and name not in ADDED_LATER:
            raise damaged(path, f"its table {name} is missing")
    return [expected[name][2] for name in missing]


def check_content(database: sqlite3.Connection, path: Path) -> None:
    """Read the whole file, and refuse values that ocpipe never writes.

    Raises:
        LedgerError: the file is damaged, or it takes too long to read.
        sqlite3.Error: SQLite cannot read the file.
    """
    deadline = time.monotonic() + PATIENCE
    database.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        # Also finds pages that belong to several tables, through which a scan would never end.
        ((verdict,), *_) = database.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise damaged(path, " ".join(str(verdict).split())[:200])
        for table in _VALUES:
            if table not in ADDED_LATER or has_table(database, table):
                _check_values(database, path, table)
        _check_counts(database, path)
    except sqlite3.OperationalError as error:
        if "interrupt" in str(error):
            raise damaged(path, f"it cannot be read within {PATIENCE:.0f} s") from error
        raise
    finally:
        database.set_progress_handler(None, 0)


def has_table(database: sqlite3.Connection, name: str) -> bool:
    """Return whether the file has a table; one that was added later may be missing."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return database.execute(query, (name,)).fetchone() is not None


def _check_values(database: sqlite3.Connection, path: Path, table: str) -> None:
    checks = {name: f"{name} IS NULL OR ({told})" for name, told in _VALUES[table].items()}
    all_hold = " AND ".join(f"({told})" for told in (*checks.values(), _ROWS.get(table, "1")))
    # A comparison with NULL is NULL, and so not true.
    where = f"WHERE ({all_hold}) IS NOT TRUE LIMIT 1"
    row = database.execute(f"SELECT id FROM {table} {where}").fetchone()
    if row is None:
        return
    told = ", ".join(f"({condition}) IS TRUE" for condition in checks.values())
    holds = database.execute(f"SELECT {told} FROM {table} WHERE id = ?", row).fetchone()
    wrong = [name for name, true in zip(checks, holds, strict=True) if not true]
    columns = ", ".join(wrong) or "kind, reason"
    raise damaged(path, f"row {row[0]} of its table {table} has impossible values ({columns})")


def _check_counts(database: sqlite3.Connection, path: Path) -> None:
    for what, most, query in (
        ("configurations", MOST_CONFIGURATIONS, "SELECT DISTINCT run FROM scene"),
        ("running processes", MOST_RUNNING, "SELECT 1 FROM holder WHERE state = 'running'"),
    ):
        count = f"SELECT count(*) FROM ({query} LIMIT {most + 1})"
        if database.execute(count).fetchone()[0] > most:
            raise damaged(path, f"it has more than {most:,} {what}")


def damaged(path: Path, what: str) -> LedgerError:
    """Return an error for a ledger that is damaged or was changed by another program."""
    return LedgerError(f"{path}: the ledger is damaged: {what}. {_MOVE_AWAY}")


@functools.cache
def _expected() -> dict[str, tuple[str, str, str]]:
    """Return a mapping: name of each table or index -> type, plain definition, SQL statement."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.executescript(SCHEMA)
        query = "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL"
        return {name: (kind, _plain(sql), sql) for name, kind, sql in made.execute(query)}


def _plain(sql: str) -> str:
    """Return a definition without its comments and line breaks."""
    return " ".join(re.sub(r"--[^\n]*", "", sql).split())


def _is_internal(kind: str, name: str) -> bool:
    """Return whether SQLite itself made this table or index, for UNIQUE or for ANALYZE."""
    return (kind == "index" and name.startswith("sqlite_autoindex_")) or (
        kind == "table" and name in ("sqlite_stat1", "sqlite_stat4")
    )
