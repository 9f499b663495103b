"""``ocpipe forget`` and ``ocpipe prune``, and records that are put aside."""

import json
import os
import sqlite3
import time

import pytest
from batches import products, run, scenes_by_name, states
from old_products import unpacked_batch

from pipeline.batch import records, removed_inputs
from pipeline.batch.ledger import Ledger
from pipeline.machine.words import counted


@pytest.fixture
def old(tmp_path):
    return unpacked_batch(tmp_path)


@pytest.fixture
def idle(old):
    """No scene is in work: its process was dead, and somebody noticed."""
    with Ledger.open(old / "out/ocpipe-ledger.sqlite", old / "out") as ledger:
        for holder in ledger.holders(running=True):
            ledger.leave(holder, "lost", 1.0)
    return old


def names(folder):
    return sorted(scenes_by_name(folder / "out"))


@pytest.mark.parametrize(
    ("which", "gone"),
    [
        (["S1.nc"], ["S1.nc"]),
        (["S[45].nc"], ["S4.nc", "S5.nc"]),
        (["in/S0.nc"], ["S0.nc"]),
        (["in"], ["S0.nc", "S1.nc", "S2.nc", "S3.nc", "S4.nc", "S5.nc"]),
        (["--state", "failed"], ["S1.nc"]),
        (["--kind", "scene"], ["S1.nc"]),
        (["--config", "old", "S0.nc"], ["S0.nc"]),
        (["--config", "other"], []),
        (["--all"], ["S0.nc", "S1.nc", "S2.nc", "S3.nc", "S4.nc", "S5.nc"]),
    ],
)
def test_forget_removes_these_entries_and_no_product(idle, monkeypatch, which, gone):
    """By path, name, pattern, folder, state, kind or configuration; first as a dry run."""
    monkeypatch.chdir(idle)
    before, made = names(idle), products(idle / "out")
    dry = run("forget", "out", *which, "--dry-run")
    assert dry.code == 0, dry.stderr
    assert dry.stdout.count(".nc  (") == len(gone)
    assert f"{counted(len(gone), 'scene')} would be forgotten" in dry.stdout
    assert names(idle) == before
    assert run("forget", "out", *which).code == 0
    assert names(idle) == [name for name in before if name not in gone]
    assert products(idle / "out") == made


@pytest.mark.parametrize(
    ("which", "text"),
    [
        ([], "no scenes to forget were given"),
        (["S1.nc", "S9.nc"], "no scene in the ledger matches 'S9.nc'"),
    ],
)
def test_forget_refuses_what_is_no_scene(idle, which, text):
    """And forgets nothing then."""
    left = run("forget", idle / "out", *which)
    assert left.code == 2
    assert text in left.stderr
    assert len(names(idle)) == 6


def test_a_ledger_in_work_is_left_alone(idle):
    """The batch would miss the entries; a holder that is dead works no more."""
    with Ledger.open(idle / "out/ocpipe-ledger.sqlite", idle / "out") as ledger:
        holder = ledger.enter(idle / "out", 1, 1)
    left = run("forget", idle / "out", "S1.nc")
    assert left.code == 1
    assert "a batch is working with this ledger" in left.stderr
    with Ledger.open(idle / "out/ocpipe-ledger.sqlite", idle / "out") as ledger:
        ledger.leave(holder, "ended", 1.0)
    assert run("forget", idle / "out", "S1.nc").code == 0


def test_prune_removes_entries_of_removed_scenes(idle):
    """Not those of scenes that are there, nor finished scenes, nor any product."""
    for name in ("S0.nc", "S1.nc", "S4.nc"):
        (idle / "in" / name).unlink()
    made = products(idle / "out")
    assert "2 entries, 0 products and 0 records would be removed" in (
        run("prune", idle / "out", "--dry-run").stdout
    )
    assert run("prune", idle / "out").code == 0
    assert names(idle) == ["S0.nc", "S2.nc", "S3.nc", "S5.nc"]
    assert products(idle / "out") == made


def test_prune_removes_products_if_asked(idle):
    """With their entries; the ledger may lie elsewhere; a link that took their place stays."""
    (idle / "in/S0.nc").unlink()
    (idle / "in/S2.nc").unlink()
    (idle / "out/S2.old.nc").rename(idle / "S2.nc")
    (idle / "out/S2.old.nc").symlink_to(idle / "S2.nc")
    ledger = (idle / "out/ocpipe-ledger.sqlite").rename(idle / "batch.sqlite")
    left = run("prune", ledger, "--products")
    assert left.code == 0, left.stderr
    assert f"product  {idle}/out/S0.old.nc" in left.stdout
    assert not (idle / "out/S0.old.nc").exists()
    assert (idle / "out/S2.old.nc").is_symlink()
    assert (idle / "S2.nc").exists()
    with sqlite3.connect(ledger) as rows:
        assert rows.execute("SELECT count(*) FROM scene").fetchone() == (4,)


def test_prune_leaves_scenes_of_a_disk_that_may_not_be_mounted(idle):
    """Its folder is empty or gone; whoever knows better says so."""
    (idle / "in").rename(idle / "away")
    for make in (lambda: None, (idle / "in").mkdir):
        make()
        left = run("prune", idle / "out", "--products")
        assert "0 entries, 0 products" in left.stdout
        assert "6 scenes are missing below" in left.stderr
        assert "--removed-below" in left.stderr
    assert len(names(idle)) == 6
    left = run("prune", idle / "out", "--removed-below", idle / "in")
    assert "4 entries, 0 products" in left.stdout


def test_prune_keeps_what_is_young(idle):
    """Entries, records and calls that are older than some days go."""
    for name in ("S0.nc", "S1.nc"):
        (idle / "in" / name).unlink()
    old = idle / "out/quality-20200101T000000Z.jsonl"
    young = idle / "out/quality-20300101T000000Z.jsonl"
    for path in (old, young):
        path.write_text("{}\n")
    os.utime(old, (1e9, 1e9))
    days = (time.time() - 1_796_000_000) / 86_400  # before the batch of 0.2.0 ran
    kept = run("prune", idle / "out", "--products", "--keep-days", max(days, 0) + 20_000)
    assert "0 entries, 0 products and 0 records removed" in kept.stdout
    with sqlite3.connect(idle / "out/ocpipe-ledger.sqlite") as rows:
        rows.execute("UPDATE scene SET finished = '2020-01-01T00:00:00Z' WHERE state != 'pending'")
        rows.execute("UPDATE holder SET started = '2020-01-01T00:00:00Z'")
    pruned = run("prune", idle / "out", "--products", "--keep-days", 30)
    assert "1 entries, 1 products and 1 records removed" in pruned.stdout
    assert not old.exists()
    assert young.exists()
    with sqlite3.connect(idle / "out/ocpipe-ledger.sqlite") as rows:
        assert rows.execute("SELECT count(*) FROM holder").fetchone() == (1,)
    assert run("status", idle / "out").code == 0


def test_an_entry_that_changed_meanwhile_stays(idle):
    """Somebody processed the scene between the look and the removal."""
    from pipeline.batch.ledger.pruning import entries, remove

    path = idle / "out/ocpipe-ledger.sqlite"
    with Ledger.open(path, idle / "out") as ledger:
        found = entries(ledger)
        ledger.execute("UPDATE scene SET state = 'skipped' WHERE path LIKE '%S1.nc'")
        remove(ledger, found)
    assert names(idle) == ["S1.nc"]


def test_forgotten_scenes_are_new_to_the_next_batch(idle):
    """They are processed once more."""
    run("forget", idle / "out", "S0.nc")
    command = ("batch", idle / "old.yaml", idle / "in/S0.nc", "-o", idle / "out")
    left = run(*command, "--networks", idle, "--executor", "inline")
    assert left.code == 0, left.stderr
    assert "1 done" in left.stderr
    assert states(idle / "out")["done"] == 2


def test_removed_and_unmounted_are_told_apart(tmp_path):
    """A folder of one day may go; the disk is there if scenes of another day are."""
    for day in ("14", "15"):
        (tmp_path / "in" / day).mkdir(parents=True)
        (tmp_path / "in" / day / "a.nc").touch()
    gone = str(tmp_path / "in/13/a.nc")
    there = str(tmp_path / "in/14/a.nc")
    assert removed_inputs.look_at([gone, there]).removed == {gone}
    alone = removed_inputs.look_at([gone])
    assert alone.removed == set()
    assert dict(alone.unsure) == {str(tmp_path / "in"): 1}
    assert removed_inputs.look_at([gone], [str(tmp_path / "in")]).removed == {gone}
    missing = str(tmp_path / "in/14/b.nc")
    assert removed_inputs.look_at([missing]).removed == {missing}


def test_a_large_record_is_put_aside(tmp_path):
    """No line is lost or cut, and the files can be told by time."""
    path = tmp_path / "quality.jsonl"
    for number in range(20):
        records.append_line(path, {"number": number, "text": "x" * 50}, most_bytes=400)
    aside = records.rotated_records(tmp_path)
    assert len(aside) > 2
    assert all(each.stat().st_size <= 400 for each in (*aside, path))
    lines = [json.loads(line) for each in (*aside, path) for line in each.read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == list(range(20))
    records.append_line(path, {"text": "x" * 1000}, most_bytes=400)
    assert path.stat().st_size > 1000
