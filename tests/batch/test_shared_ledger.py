"""Several calls at once on one ledger share the work."""

import collections
import signal
import time

import pytest
from batches import (
    copies,
    end,
    leavings,
    products,
    quality_lines,
    rows,
    run,
    start,
    states,
    wait_for,
    write_config,
)

SCENES = 40


@pytest.fixture
def folder(tmp_path):
    copies(tmp_path / "in", SCENES, (400, 500))
    write_config(tmp_path)
    return tmp_path


def call(folder, *options):
    return start(
        "batch", folder / "test.yaml", folder / "in", "-o", folder / "out", "--workers", 1, *options
    )


def done_by(folder):
    with rows(folder / "out") as ledger:
        return [row["done"] for row in ledger.execute("SELECT done FROM holder ORDER BY id")]


def test_two_calls_do_each_scene_once(folder):
    """Both work, both end well, and neither does what the other did."""
    processes = [call(folder), call(folder)]
    for process in processes:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    assert states(folder / "out") == {"done": SCENES}
    counted = collections.Counter(line["scene"] for line in quality_lines(folder / "out"))
    assert counted == {f"S{n:03}.nc": 1 for n in range(SCENES)}
    assert sum(done_by(folder)) == SCENES
    assert min(done_by(folder)) >= 5, "both had a share"
    assert leavings(folder / "out") == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_one_dies_and_the_other_finishes_its_scenes(folder, number):
    """Killed it is noticed at once; a stopped one is alive, and its scenes are waited for."""
    first, second = call(folder), call(folder)
    wait_for(lambda: len(list((folder / "out").glob("*.nc"))) >= 6)
    first.send_signal(number)
    if number == signal.SIGSTOP:
        time.sleep(3)
        assert second.poll() is None or states(folder / "out") == {"done": SCENES}
        first.send_signal(signal.SIGCONT)
    _, stderr = second.communicate(timeout=120)
    first.communicate(timeout=120)
    assert second.returncode == 0, stderr
    assert states(folder / "out") == {"done": SCENES}
    assert len(products(folder / "out")) == SCENES
    assert leavings(folder / "out") == []
    if number == signal.SIGKILL:
        assert "died at work" in stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_batch_within_seconds(folder, number):
    """Exit code 75, a true ledger, nothing half-written; the next call goes on."""
    process = call(folder)
    wait_for(lambda: len(list((folder / "out").glob("*.nc"))) >= 4)
    begun = time.monotonic()
    ended = end(process, number)
    assert time.monotonic() - begun < 5
    assert ended.code == 75, ended.stderr
    assert "call again to continue" in ended.stderr
    assert leavings(folder / "out") == []
    found = states(folder / "out")
    assert found["running"] == found["failed"] == 0
    assert found["done"] == len(products(folder / "out")) >= 4
    assert found["done"] + found["pending"] == SCENES
    again = run("batch", folder / "test.yaml", folder / "in", "-o", folder / "out")
    assert again.code == 0, again.stderr
    assert f"{SCENES - found['done']} done" in again.stderr


@pytest.mark.parametrize("moment", [0.15, 0.3, 0.6, 1.0])
def test_a_signal_while_the_batch_begins(folder, moment):
    """Ends it like any other: what there is of a ledger is true."""
    process = call(folder)
    time.sleep(moment)
    ended = end(process)
    assert ended.code == 75, ended.stderr
    assert leavings(folder / "out") == []
    if (folder / "out" / "ocpipe-ledger.sqlite").exists():
        assert states(folder / "out")["running"] == 0


def test_looking_leaves_nothing_behind(folder):
    """``status`` and ``--dry-run`` are for others, too, who may own nothing there."""
    run("batch", folder / "test.yaml", folder / "in", "-o", folder / "out", "--limit", 1)
    before = sorted(path.name for path in (folder / "out").iterdir())
    assert run("status", folder / "out").code == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == before
