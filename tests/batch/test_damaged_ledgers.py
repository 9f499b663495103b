"""A ledger that was damaged, or that somebody else made, costs one message and little time."""

import contextlib
import os
import sqlite3
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batches import copies, run, write_config

from pipeline.batch import status
from pipeline.batch.ledger import Ledger, SceneCounts
from pipeline.batch.ledger.schema import LONGEST
from pipeline.errors import LedgerError

SCENES = 3
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) "
    "SELECT i AS id, 'test' AS run, '/' || i AS path FROM n"
)


@pytest.fixture
def ledger(tmp_path):
    """The path of a ledger with a scene that is pending, one that is done, and one that failed."""
    path = tmp_path / "ocpipe-ledger.sqlite"
    Ledger.open(path).close()
    with changing(path) as rows:
        rows.execute(
            "INSERT INTO holder (token, process, host, pid, output, slots, threads, started, state)"
            " VALUES ('0123abcd', 'b/n/1/2', 'here', 1, '/out', 2, 1, 'now', 'ended')"
        )
        rows.execute("INSERT INTO networks (sensor, fingerprints) VALUES ('MODIS', '{}')")
        for number, state in enumerate(("pending", "done", "failed")):
            rows.execute(
                "INSERT INTO scene (run, path, size, mtime_ns, recipe, state, why, first_seen, "
                "kind, reason, product) VALUES ('test', ?, 1, 2, 'r', ?, 'new', 3, 'scene', "
                "'damaged', ?)",
                (f"/in/S{number}.nc", state, f"S{number}.test.nc"),
            )
    return path


@contextlib.contextmanager
def changing(path):
    """The file in the hands of somebody who knows SQLite."""
    rows = sqlite3.connect(path, isolation_level=None)
    rows.execute("PRAGMA ignore_check_constraints = ON")
    try:
        yield rows
        rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        rows.close()


def sql(*statements):
    def change(path):
        with changing(path) as rows:
            for statement in statements:
                rows.execute(statement)

    return change


def in_the_schema(old, new):
    """Change a definition in place, as SQLite itself would not."""

    def change(path):
        with changing(path) as rows:
            rows.execute("PRAGMA writable_schema = ON")
            rows.execute("UPDATE sqlite_master SET sql = replace(sql, ?, ?)", (old, new))

    return change


def cut(path):
    os.truncate(path, path.stat().st_size - 6000)


def overwritten(path):
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(os.urandom(5 * 4096))


def page_in_a_circle(path):
    """The pages of a table name each other, so that a scan never ends."""
    with changing(path) as rows:
        rows.executemany(
            "INSERT INTO networks (sensor, fingerprints) VALUES ('a', ?)",
            [(f'{{"a": "{number:0500}"}}',) for number in range(100)],
        )
        (root,) = rows.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'networks'"
        ).fetchone()
        (size,) = rows.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        start = (root - 1) * size
        file.seek(start)
        page = bytearray(file.read(size))
        assert page[0] == 5, "an inner page of a table"
        first = struct.unpack(">H", page[12:14])[0]
        for cell in range(struct.unpack(">H", page[3:5])[0]):
            place = struct.unpack(">H", page[12 + 2 * cell : 14 + 2 * cell])[0]
            page[place : place + 4] = page[first : first + 4]
        page[8:12] = page[first : first + 4]
        file.seek(start)
        file.write(page)


def journal_of_another(path):
    """SQLite would roll it back, and remove the file that it names."""
    journal = path.with_name(f"{path.name}-journal")
    journal.write_bytes(b"\0" * 600 + bytes.fromhex("d9d505f920a163d7"))


def set_scene(column, value):
    return sql(f"UPDATE scene SET {column} = {value} WHERE id = 2")


def set_holder(column, value):
    return sql(f"UPDATE holder SET {column} = {value}")


DAMAGED = {
    "a view in place of the scenes": sql("DROP TABLE scene", f"CREATE VIEW scene AS {ENDLESS}"),
    "a view in place of the networks": sql(
        "DROP TABLE networks", f"CREATE VIEW networks AS {ENDLESS}"
    ),
    "a view beside the tables": sql(f"CREATE VIEW many AS {ENDLESS}"),
    "a trigger": sql(
        "CREATE TRIGGER again AFTER UPDATE ON scene BEGIN UPDATE scene SET state = 'pending'; END"
    ),
    "a trigger that deletes": sql(
        "CREATE TRIGGER no AFTER INSERT ON holder BEGIN DELETE FROM holder; END"
    ),
    "a table of the name of a temporary one": sql("CREATE TABLE chosen (id INTEGER PRIMARY KEY)"),
    "a virtual table": sql("CREATE VIRTUAL TABLE more USING fts4(words)"),
    "a table without rows": sql("DROP TABLE holder", "CREATE TABLE holder (id INTEGER)"),
    "a generated column": in_the_schema("suspect TEXT,", "suspect TEXT AS (why),"),
    "another default": in_the_schema("attempts INTEGER NOT NULL DEFAULT 0", "attempts INTEGER"),
    "an index over an expression": sql("CREATE INDEX other ON scene (hex(zeroblob(attempts)))"),
    "another index of the same name": sql(
        "DROP INDEX scene_state", "CREATE INDEX scene_state ON scene (why)"
    ),
    "no table of scenes": sql("DROP TABLE scene"),
    "no table of networks": sql("DROP TABLE networks"),
    "another layout": sql("PRAGMA user_version = 7"),
    "no layout": sql("PRAGMA user_version = 0"),
    "an unknown state": set_scene("state", "'burning'"),
    "no text as a path": set_scene("path", "7"),
    "a path with a null byte": set_scene("path", "CAST(x'2f696e002f' AS TEXT)"),
    "a relative path": set_scene("path", "'@/etc/passwd'"),
    "a path of 100 kB": set_scene("path", "'/' || hex(zeroblob(50000))"),
    "a configuration that is not UTF-8": set_scene("run", "CAST(x'ff41' AS TEXT)"),
    "text of 50 MB": set_scene("reason", "hex(zeroblob(25000000))"),
    "bytes as a hash": set_scene("sha256", "x'00ff'"),
    "a failure without a reason": sql("UPDATE scene SET reason = NULL WHERE state = 'failed'"),
    "a failure without a kind": sql("UPDATE scene SET kind = NULL WHERE state = 'failed'"),
    "negative attempts": set_scene("attempts", "-5"),
    "attempts of text": set_scene("attempts", "'many'"),
    "a date after the last year": set_scene("first_seen", "10000000000000"),
    "a date before the first year": set_scene("first_seen", "-100000000000000"),
    "a product with a null byte": set_scene("product", "CAST(x'610062' AS TEXT)"),
    "endless seconds": set_scene("seconds", "9e999"),
    "a size of text": set_scene("size", "'big'"),
    "a holder with a wide token": set_holder("token", "''"),
    "a holder with -10^18 slots": set_holder("slots", "-1000000000000000000"),
    "a holder with 10^18 threads": set_holder("threads", "1000000000000000000"),
    "a holder with a relative output": set_holder("output", "'.'"),
    "a holder for ever": set_holder("elapsed", "9e999"),
    "a holder in no state": set_holder("state", "'asleep'"),
    "a holder without a process": set_holder("process", "x'ff'"),
    "10,001 configurations": sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) INSERT "
        "INTO scene (run, path, recipe, state, why, first_seen) SELECT 'r' || i, '/a', '', 'done', "
        "'', 0 FROM n"
    ),
    "a file that was cut": cut,
    "pages that were overwritten": overwritten,
    "pages in a circle": page_in_a_circle,
    "a journal of another program": journal_of_another,
    "a text": lambda path: path.write_text("no ledger\n" * 1000),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_ledger_is_refused(ledger, what):
    """By every command that opens one, with the way out; the file stays as it was."""
    DAMAGED[what](ledger)
    before, begun = ledger.read_bytes(), time.monotonic()
    for open_it in (status.read_status, Ledger.open, Ledger.read):
        with pytest.raises(LedgerError, match=r"ocpipe-ledger\.sqlite: .*\.") as caught:
            open_it(ledger)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 800
    assert before == ledger.read_bytes()
    assert time.monotonic() - begun < 20


def test_two_products_of_one_name(ledger):
    """Refused where somebody is to work with them."""
    sql("DROP INDEX scene_product", "UPDATE scene SET product = 'S.nc'")(ledger)
    with pytest.raises(LedgerError, match="two rows have the same product"):
        Ledger.open(ledger)


REPAIRED = {
    "missing indices": sql("DROP INDEX scene_pending", "DROP INDEX scene_product"),
    "a scene that nobody works on": set_scene("state", "'running'"),
    "a scene whose holder has ended": sql(
        "UPDATE scene SET state = 'running', holder = 1, attempts = 1 WHERE id = 2"
    ),
    "a scene of a holder that was never there": sql(
        "UPDATE scene SET state = 'running', holder = 9 WHERE id = 2"
    ),
    "statistics of SQLite": sql("ANALYZE"),
    "space that is not used": sql("PRAGMA auto_vacuum = 1", "VACUUM"),
}


@pytest.mark.parametrize("what", REPAIRED)
def test_what_can_be_repaired_is(ledger, what):
    """Without a word, as nothing is lost."""
    REPAIRED[what](ledger)
    with Ledger.open(ledger) as opened:
        counts = opened.counts()
        assert counts in (
            SceneCounts(pending=1, done=1, failed=1), SceneCounts(pending=2, failed=1),
        )  # fmt: skip
        names = {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}
    assert {"scene_pending", "scene_product", "scene_running", "scene_state"} <= names


def test_rubbish_in_the_log_beside_a_ledger_is_passed_over(ledger):
    """SQLite knows the frames that it wrote itself."""
    ledger.with_name(f"{ledger.name}-wal").write_bytes(os.urandom(100_000))
    with Ledger.open(ledger) as opened:
        assert opened.counts().total == SCENES


def test_fingerprints_that_are_no_json(ledger):
    """Found when networks are compared."""
    from pipeline.batch.ledger.queueing import _recorded

    with Ledger.open(ledger) as opened:
        for text in ("{", "[1]", "[" * 100_000, "NaN"):
            with pytest.raises(LedgerError, match="not JSON"):
                _recorded(opened, text)


def test_a_process_that_cannot_be(ledger):
    """A holder with such an identity is dead."""
    from pipeline.batch import process_identity

    boot, namespace, *_ = process_identity.mine().split("/")
    for identity in ("", "a/b", "1/2/3/4/5", f"{boot}/{namespace}/x/1",
                     f"{boot}/{namespace}/../1", f"{boot}/{namespace}/{'9' * 5000}/1"):  # fmt: skip
        assert process_identity.is_dead(identity)


@pytest.mark.parametrize(
    "what", ["a view in place of the scenes", "text of 50 MB", "a file that was cut"]
)
def test_commands_refuse_it(ledger, tmp_path, what):
    """One exit code, one line, no product; also where a row is long or has no end."""
    DAMAGED[what](ledger)
    copies(tmp_path / "in", 1)
    arguments = ("batch", write_config(tmp_path), tmp_path / "in", "-o", tmp_path / "out")
    for command in (
        ("status", ledger),
        (*arguments, "--ledger", ledger),
        (*arguments, "--ledger", ledger, "--dry-run"),
    ):
        ended = run(*command)
        assert ended.code == (1 if command[0] == "status" else 73), ended.stderr
        assert ended.stderr.count("LedgerError: ") == 1
        assert ended.stdout == ""
    assert not list((tmp_path / "out").glob("*.nc"))


READING = """
import resource, sys
from pathlib import Path
from pipeline.batch.ledger import Ledger
pages = int(Path("/proc/self/statm").read_text().split()[5])
resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + 40_000_000,) * 2)
with Ledger.open(Path(sys.argv[1])) as ledger:
    print(len(ledger.failures("test")))
"""


def test_a_large_ledger_takes_little_memory(ledger):
    """Long texts are cut where they are read; only what is shown is kept."""
    with changing(ledger) as rows:
        rows.execute("PRAGMA synchronous = OFF")
        rows.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT "
            "INTO scene (run, path, recipe, state, why, first_seen, kind, reason, finished) "
            f"SELECT 'test', '/a' || i, '', 'failed', '', 0, 'scene', hex(zeroblob({LONGEST} / 2 - "
            "500)), '' FROM n"
        )
    done = subprocess.run(
        [sys.executable, "-c", READING, str(ledger)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "21\n", done.stderr


@pytest.mark.parametrize("stored", ["CAST(x'ff41' AS TEXT)", "x'ff41'"])
def test_text_that_is_not_utf8_is_shown(ledger, stored):
    """A reason of a failure, escaped; it may quote the name of a file."""
    sql(f"UPDATE scene SET reason = {stored} WHERE state = 'failed'")(ledger)
    ended = run("status", ledger)
    assert ended.code == 0, ended.stderr
    assert "\\xffA" in ended.stdout


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["folder", "named pipe"])
def test_what_is_no_file_is_refused(tmp_path, kind, ending):
    """In place of a ledger, or of what SQLite keeps beside it; nothing waits for a writer."""
    path = tmp_path / "ledger.sqlite"
    if ending:
        Ledger.open(path).close()
    beside = Path(f"{path}{ending}")
    beside.unlink(missing_ok=True)
    beside.mkdir() if kind == "folder" else os.mkfifo(beside)
    for open_it in (Ledger.open, Ledger.read):
        with pytest.raises(LedgerError, match="ledger"):
            open_it(path)
