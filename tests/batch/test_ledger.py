"""What the ledger makes pending, hands out, and takes back."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.batch import holders, process_identity
from pipeline.batch.holders import Watch, bury_the_dead
from pipeline.batch.job import JobOutcome
from pipeline.batch.kinds import CRASH, DONE, NETWORK, SCENE, SKIPPED, UNCHANGED
from pipeline.batch.ledger import Ledger, SceneCounts, SceneQueue
from pipeline.batch.sources import FoundScene
from pipeline.errors import LedgerError

NETWORKS = {"aph": "f1"}
# The first bytes of an HDF5 file, which say that it ends after 64 bytes.
PRODUCT = b"\x89HDF\r\n\x1a\n\x02\x08\x08\0" + bytes(8) + b"\xff" * 8 + b"\x40" + bytes(35)


class Batch:
    """A ledger in a folder, and what a call would ask of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger.open(folder / "ocpipe-ledger.sqlite", folder)
        self.found = {f"/in/S{n}.nc": (100, 1) for n in range(3)}
        self.networks = dict(NETWORKS)
        self.recipe = "r1"
        self.name_of = lambda path: f"{Path(path).stem}.test.nc"

    def queue(self, **how):
        found = [FoundScene(path, *identity) for path, identity in sorted(self.found.items())]
        networks = dict(self.networks)
        return SceneQueue("test", self.recipe, found, self.name_of, lambda _: networks, **how)

    def product_of(self, path):
        return self.folder / self.name_of(path)

    def enqueue(self, **how):
        self.ledger.enqueue(self.queue(**how))
        return self.ledger.counts_of_chosen()

    def why(self):
        return {Path(e.path).name: e.why for e in self.ledger.chosen() if e.state == "pending"}

    def enter(self):
        return self.ledger.enter(self.folder, 1, 1)

    def do_all(self, kind=DONE, reason="", max_attempts=2):
        """Claim and settle until nothing is pending."""
        me = self.enter()
        done = []
        while (lease := self.ledger.claim(me)) is not None:
            product = self.product_of(lease.path)
            if kind == DONE:
                product.write_bytes(PRODUCT)
            outcome = JobOutcome(
                kind, reason, product=str(product), sha256="abc", networks=NETWORKS,
                record={"pixels": 5},
            )  # fmt: skip
            self.ledger.settle(me, lease, outcome, max_attempts, None)
            done.append(lease)
        self.ledger.leave(me, "ended", 1.0)
        return done


@pytest.fixture
def batch(tmp_path):
    made = Batch(tmp_path)
    yield made
    made.ledger.close()


def test_new_scenes_are_pending_and_done_ones_are_not(batch):
    """In the order of their paths; a second call has nothing to do."""
    assert batch.enqueue() == SceneCounts(pending=3)
    assert [lease.path for lease in batch.do_all()] == ["/in/S0.nc", "/in/S1.nc", "/in/S2.nc"]
    assert batch.enqueue() == SceneCounts(done=3)
    assert batch.do_all() == []


@pytest.mark.quick
@pytest.mark.parametrize(
    ("change", "why", "keeps_date", "keeps_hash"),
    [
        (lambda b: b.found.update({"/in/S1.nc": (100, 2)}), "the input changed", False, True),
        (lambda b: b.found.update({"/in/S1.nc": (101, 1)}), "the input changed", False, True),
        (lambda b: b.product_of("/in/S1.nc").unlink(), "the product is missing", True, False),
    ],
)
def test_a_change_of_one_scene_makes_it_pending(
    batch, monkeypatch, change, why, keeps_date, keeps_hash
):
    """It alone. What is made of the same bytes keeps its date; a changed input may be the same."""
    batch.enqueue()
    (first, *_) = batch.do_all()
    change(batch)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert batch.enqueue() == SceneCounts(done=2, pending=1)
    assert batch.why() == {"S1.nc": why}
    (lease,) = batch.do_all()
    assert (lease.first_seen == first.first_seen) is keeps_date
    assert (lease.known_sha256 is not None) is keeps_hash
    assert lease.owned == str(batch.product_of("/in/S1.nc"))
    assert batch.enqueue() == SceneCounts(done=3)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda b: setattr(b, "recipe", "r2"), "the configuration changed"),
        (lambda b: b.networks.update(aph="f2"), "a network changed"),
        (lambda b: b.networks.clear(), "a network changed"),
    ],
)
def test_a_change_of_what_all_are_made_with_makes_all_pending(batch, change, why):
    """And their inputs are not believed to be the same, for the product has to change."""
    batch.enqueue()
    batch.do_all()
    change(batch)
    assert batch.enqueue() == SceneCounts(pending=3)
    assert set(batch.why().values()) == {why}
    me = batch.enter()
    assert batch.ledger.claim(me).known_sha256 is None


def test_a_network_that_is_unknown_now_makes_nothing_pending(batch):
    """Beside another one that did change, which does."""
    batch.enqueue()
    batch.do_all()
    batch.networks.update(aph=None)
    assert batch.enqueue() == SceneCounts(done=3)
    batch.networks.update(chl="f1")
    assert batch.enqueue() == SceneCounts(pending=3)


def test_a_touched_input_and_another_network_at_once(batch):
    """In one call or in two: the product has to change, whatever the bytes of the input."""
    batch.enqueue()
    batch.do_all()
    batch.found["/in/S1.nc"] = (100, 9)
    batch.enqueue()
    batch.networks["aph"] = "f2"
    batch.enqueue()
    me = batch.enter()
    assert {batch.ledger.claim(me).known_sha256 for _ in range(3)} == {None}


def test_a_product_that_goes_elsewhere_is_made_there(batch):
    """Another output folder or another template."""
    batch.enqueue()
    batch.do_all()
    batch.name_of = lambda path: f"new/{Path(path).stem}.nc"
    assert batch.enqueue() == SceneCounts(pending=3)
    me = batch.enter()
    assert batch.ledger.claim(me).owned == str(batch.folder / "new" / "S0.nc")


def test_the_folder_may_be_moved(batch, tmp_path):
    """Ledger and products together."""
    batch.enqueue()
    batch.do_all()
    batch.ledger.close()
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    there = Batch(moved)
    assert there.enqueue() == SceneCounts(done=3)
    there.ledger.close()
    moved.rename(tmp_path)
    batch.ledger = Ledger.open(tmp_path / "ocpipe-ledger.sqlite", tmp_path)


def test_what_is_wrong_with_a_scene_is_not_tried_again_unless_asked(batch):
    """What failed for want of something else is, at the next call."""
    batch.enqueue()
    assert len(batch.do_all(SCENE, "damaged")) == 3
    assert batch.enqueue() == SceneCounts(failed=3)
    assert batch.enqueue(retry_failed=True) == SceneCounts(pending=3)
    assert len(batch.do_all(NETWORK, "no such network")) == 3
    assert batch.enqueue() == SceneCounts(pending=3)


def test_a_crash_is_tried_again_after_the_others(batch):
    """Up to the limit of attempts, in the same call; and it keeps its reason."""
    batch.enqueue()
    leases = batch.do_all(CRASH, "crashed", max_attempts=2)
    names = [(Path(lease.path).stem, lease.attempt) for lease in leases]
    assert names == [("S0", 1), ("S1", 1), ("S2", 1), ("S0", 2), ("S1", 2), ("S2", 2)]
    assert [(e.kind, e.reason) for e in batch.ledger.failures("test")] == [(CRASH, "crashed")] * 3
    assert batch.enqueue() == SceneCounts(failed=3)
    batch.found["/in/S1.nc"] = (7, 7)
    assert batch.enqueue() == SceneCounts(failed=2, pending=1)


def test_a_failed_scene_with_a_new_network_is_tried_again(batch):
    """Its recipe changed."""
    batch.enqueue()
    batch.do_all(SCENE, "damaged")
    batch.recipe = "r2"
    assert batch.enqueue() == SceneCounts(pending=3)


def test_a_missing_file_fails_at_once_and_is_done_when_it_comes(batch):
    """With its path in the reason; the others go on."""
    batch.found["/in/S9.nc"] = (None, None)
    assert batch.enqueue() == SceneCounts(pending=3, failed=1)
    (entry,) = batch.ledger.failures("test")
    assert entry.reason == "/in/S9.nc: no such file. Check the path."
    batch.found["/in/S9.nc"] = (5, 5)
    assert batch.enqueue() == SceneCounts(pending=4)


def test_an_input_that_was_removed_after_it_was_done_stays_done(batch):
    """Archives are emptied behind a batch."""
    batch.enqueue()
    batch.do_all()
    batch.found["/in/S1.nc"] = (None, None)
    assert batch.enqueue() == SceneCounts(done=3)


def test_two_scenes_of_one_product_name(batch):
    """The first in the order of paths gets it; the other fails with both paths."""
    batch.found["/other/S1.nc"] = (3, 3)
    assert batch.enqueue() == SceneCounts(pending=3, failed=1)
    (entry,) = batch.ledger.failures("test")
    assert entry.path == "/other/S1.nc"
    for words in ("/in/S1.nc", "S1.test.nc", "{parent}/{stem}.{name}.nc"):
        assert words in entry.reason
    batch.name_of = lambda path: path.replace("/", "_")
    assert batch.enqueue() == SceneCounts(pending=4)


def test_a_call_sees_only_its_own_scenes(batch):
    """Others of the ledger are neither claimed nor counted."""
    batch.enqueue()
    batch.found = {"/in/S1.nc": (100, 1)}
    assert batch.enqueue() == SceneCounts(pending=1)
    assert [lease.path for lease in batch.do_all()] == ["/in/S1.nc"]
    assert batch.ledger.counts() == SceneCounts(pending=2, done=1)


def test_a_path_that_is_not_named_any_more_is_forgotten(batch):
    """Only if nothing ever was there; and only the paths of this configuration."""
    batch.enqueue()
    batch.do_all()
    batch.found |= {"/in": (None, None), "/in/S2.nc": (None, None)}
    batch.found["/in/S9.nc"] = (100, 1)
    batch.enqueue()
    batch.do_all(SCENE, "damaged")
    assert {e.path: e.kind for e in batch.ledger.failures()} == {
        "/in": "missing",
        "/in/S9.nc": "scene",
    }
    for path in ("/in", "/in/S2.nc", "/in/S9.nc"):
        del batch.found[path]
    batch.enqueue()
    assert batch.ledger.paths("test") == [f"/in/S{n}.nc" for n in (0, 1, 2, 9)]


def test_the_number_of_a_forgotten_path_names_no_other_scene(batch):
    """SQLite gives it to the next scene, which another call did not choose."""
    batch.found = {"/in": (None, None)}
    with Ledger.open(batch.folder / "ocpipe-ledger.sqlite", batch.folder) as other:
        other.enqueue(batch.queue())
        batch.found = {}
        batch.enqueue()
        batch.found = {"/in/S0.nc": (100, 1)}
        batch.enqueue()
        assert other.counts_of_chosen() == SceneCounts()
        holder = other.enter(batch.folder, 1, 1)
        assert other.claim(holder) is None
    assert batch.ledger.claim(batch.enter()) is not None


def test_a_dry_run_changes_nothing(batch):
    """It tells what would be pending, and why."""
    before = dump(batch.ledger.path)
    entries = batch.ledger.dry_run(batch.queue())
    assert [(e.state, e.why) for e in entries] == [("pending", "new")] * 3
    assert dump(batch.ledger.path) == before


def dump(path):
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def test_a_name_that_a_ledger_found_free_is_its_own(batch):
    """What is there when work begins is not; what appears later is, whoever made it."""
    batch.product_of("/in/S1.nc").write_text("somebody's")
    batch.enqueue()
    me = batch.enter()
    leases = [batch.ledger.claim(me) for _ in range(3)]
    assert [lease.owned is not None for lease in leases] == [True, False, True]
    batch.ledger.settle(me, leases[1], JobOutcome(SKIPPED, "is there already"), 1, None)
    assert batch.ledger.counts() == SceneCounts(running=2, skipped=1)


def test_an_unchanged_scene_keeps_what_is_known_of_it(batch):
    """Its product, its hash and its networks."""
    batch.enqueue()
    batch.do_all()
    batch.found["/in/S1.nc"] = (100, 5)
    batch.enqueue()
    batch.do_all(UNCHANGED)
    assert batch.enqueue() == SceneCounts(done=3)
    batch.networks["aph"] = "f2"
    assert batch.enqueue() == SceneCounts(pending=3)


@pytest.mark.quick
def test_no_scene_is_handed_out_twice(batch):
    """Two holders get different ones, and settle only their own."""
    batch.enqueue()
    one, two = batch.enter(), batch.enter()
    first, second = batch.ledger.claim(one), batch.ledger.claim(two)
    assert first.path != second.path
    assert batch.ledger.settle(two, first, JobOutcome(SCENE, "mine?"), 1, None) is None
    assert batch.ledger.counts().running == 2
    assert batch.ledger.held_by_others(one) == 1
    batch.ledger.release(one, first)
    again = batch.ledger.claim(one)
    assert (again.path, again.attempt) == (first.path, 1)


def test_the_scenes_of_a_dead_process_are_taken_over(batch, tmp_path):
    """At once, for its process is gone; its temporary files go, and its attempt does not count."""
    batch.enqueue()
    script = (
        "import sys; from pathlib import Path\n"
        "from pipeline.batch.ledger import Ledger, SceneQueue\n"
        "from pipeline.batch.sources import FoundScene\n"
        "ledger = Ledger.open(Path(sys.argv[1]), Path(sys.argv[1]).parent)\n"
        "found = [FoundScene('/in/S0.nc', 100, 1)]\n"
        "ledger.enqueue(SceneQueue('test', 'r1', found, lambda p: sys.argv[2], lambda s: {}))\n"
        "me = ledger.enter(Path(sys.argv[1]).parent, 1, 1)\n"
        "print(me.token, ledger.claim(me).path)\n"
    )
    target = batch.product_of("/in/S0.nc")
    done = subprocess.run(
        [sys.executable, "-c", script, batch.ledger.path, target.name],
        capture_output=True,
        text=True,
        check=True,
    )
    token, path = done.stdout.split()
    assert path == "/in/S0.nc"
    (tmp_path / "deep").mkdir()
    left = [
        tmp_path / name
        for name in (f".a.nc.{token}_1_1-ab.partial", f"deep/.b.nc.{token}_2_1-c.partial")
    ]
    kept = tmp_path / ".c.nc.other_1_1-ab.partial"
    for file in (*left, kept):
        file.write_text("")
    me = batch.enter()
    bury_the_dead(batch.ledger, Watch(), me)
    assert not any(file.exists() for file in left)
    assert kept.exists()
    assert batch.ledger.counts() == SceneCounts(pending=3)
    assert batch.ledger.claim(me).attempt == 1


def test_a_heart_that_stands_still_is_dead_by_the_clock_of_who_looks(batch, monkeypatch):
    """Where its process cannot be seen; a beat in between begins the time anew."""
    monkeypatch.setattr(process_identity, "is_dead", lambda _: None)
    now = [1000.0]
    monkeypatch.setattr(holders.time, "monotonic", lambda: now[0])
    watch, other = Watch(), batch.enter()

    def is_dead():
        (seen,) = batch.ledger.holders(running=True)
        return watch.is_dead(seen)

    assert not is_dead()
    now[0] += 0.9 * holders.PATIENCE
    assert not is_dead()
    batch.ledger.beat(other, 1.0)
    assert not is_dead()
    now[0] += 0.9 * holders.PATIENCE
    assert not is_dead()
    now[0] += 0.2 * holders.PATIENCE
    assert is_dead()


def test_a_process_is_told_from_another_of_its_number(monkeypatch):
    """Numbers are used again; in another container they mean nothing; a restart ends them all."""
    mine = process_identity.mine()
    assert process_identity.is_dead(mine) is False
    boot, namespace, pid, start = mine.split("/")
    assert process_identity.is_dead(f"{boot}/{namespace}/{pid}/{int(start) + 1}") is True
    assert process_identity.is_dead(f"{boot}/1/{pid}/{start}") is None
    assert process_identity.is_dead(f"other/{namespace}/{pid}/{start}") is True
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert process_identity.is_dead(f"{boot}/{namespace}/{process.pid}/1") is True


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no database at all, but long enough to be read as one" * 50, "not a database"),
        (None, "layout 99"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused(tmp_path, content, words):
    """Of another program, or of another version."""
    path = tmp_path / "ledger.sqlite"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        path.write_bytes(content)
    with pytest.raises(LedgerError, match=words):
        Ledger.open(path)


def test_a_foreign_database_is_not_touched(tmp_path):
    """Its tables would make a ledger of a kind."""
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger.open(path)
    assert "CREATE TABLE theirs" in "".join(dump(path))


def test_a_new_ledger_may_be_opened_by_many_at_once(tmp_path):
    """Each waits for the one that makes its tables."""
    script = (
        "import sys; from pathlib import Path; from pipeline.batch.ledger import Ledger\n"
        "sys.stdin.readline()\n"
        "for n in range(20): Ledger.open(Path(sys.argv[1]) / f'{n}.sqlite').close()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(6)]
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * 6


def test_a_ledger_that_vanishes_is_noticed(batch):
    """Removed, or replaced by another."""
    batch.ledger.check_presence()
    batch.ledger.path.unlink()
    with pytest.raises(LedgerError, match="no longer exists"):
        batch.ledger.check_presence()
    batch.ledger.path.write_text("")
    with pytest.raises(LedgerError, match="no longer exists"):
        batch.ledger.check_presence()


def test_a_missing_ledger_or_folder(tmp_path):
    """Nothing is made where one only looks, nor where there is no folder."""
    with pytest.raises(LedgerError, match="no such ledger"):
        Ledger.read(tmp_path / "no.sqlite")
    with pytest.raises(LedgerError, match=r"does not exist\. Create it first"):
        Ledger.open(tmp_path / "no" / "ledger.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", ["claim", "beat"])
def test_a_batch_that_was_stopped_for_long_is_not_lost(batch, first):
    """Others took it for dead and have its scenes; what it claims from now on is its own."""
    batch.enqueue()
    me = batch.enter()
    batch.ledger.claim(me)
    batch.ledger.leave(me, "lost", 1.0)
    if first == "beat":
        batch.ledger.beat(me, 2.0)
    lease = batch.ledger.claim(me)
    assert [holder.token for holder in batch.ledger.holders(running=True)] == [me.token]
    with Ledger.open(batch.ledger.path, batch.folder) as other:
        assert other.counts() == SceneCounts(pending=2, running=1)
    assert batch.ledger.settle(me, lease, JobOutcome(SCENE, "damaged"), 2, None) == "failed"


def test_a_holder_that_left_stays_away(batch):
    """A heartbeat that comes late does not bring it back."""
    me = batch.enter()
    batch.ledger.leave(me, "ended", 1.0)
    batch.ledger.beat(me, 2.0)
    assert batch.ledger.holders(running=True) == []


@pytest.mark.parametrize("year", [1600, 2200, 2600])
def test_a_file_of_an_unlikely_time(batch, year):
    """No time that a file can have makes a ledger unusable; the next call knows it again."""
    batch.found = {"/in/S0.nc": (100, (year - 1970) * 31_556_952 * 10**9)}
    assert batch.enqueue() == SceneCounts(pending=1)
    batch.do_all()
    batch.ledger.close()
    batch.ledger = Ledger.open(batch.ledger.path, batch.folder)
    assert batch.enqueue() == SceneCounts(done=1)


def test_a_ledger_that_is_only_looked_at_is_not_repaired(batch):
    """A scene may seem to be nobody's for a moment; a dry run takes it from nobody."""
    batch.enqueue()
    me = batch.enter()
    batch.ledger.claim(me)
    batch.ledger.execute("UPDATE holder SET state = 'lost'")
    with Ledger.open(batch.ledger.path, batch.folder, may_repair=False) as other:
        other.dry_run(batch.queue())
    assert batch.ledger.counts() == SceneCounts(pending=2, running=1)
