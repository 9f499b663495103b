"""Several calls at once on one ledger share the work."""

import collections
import signal
import time

import pytest
from batches import (
    copies,
    end,
    ended,
    leavings,
    products,
    quality_lines,
    rows,
    run,
    start,
    start_cold,
    states,
    wait_for,
    write_config,
)
from faults import KNOWS_FAULTS, Gate

SCENES = 12


@pytest.fixture
def folder(tmp_path):
    copies(tmp_path / "in", SCENES, (100, 120))
    write_config(tmp_path)
    return tmp_path


def arguments(folder, *options):
    return (
        "batch", folder / "test.yaml", folder / "in", "-o", folder / "out", "--workers", 1, *options
    )  # fmt: skip


def call(folder, *options):
    return start(*arguments(folder, *options), **KNOWS_FAULTS)


def gate_after(folder, number):
    """A closed gate: a call does the scenes up to this number and comes to it."""
    scenes = folder / "in"
    gate = Gate(scenes / f"S{number:03}g.nc", scenes / "S000.nc")
    gate.close()
    return gate


def done_by(folder):
    with rows(folder / "out") as ledger:
        return [row["done"] for row in ledger.execute("SELECT done FROM holder ORDER BY id")]


def test_two_calls_do_each_scene_once(folder):
    """Both work, both end well, and neither does what the other did."""
    limit = SCENES - 5  # of one call, so that five are left to the other one
    processes = [call(folder, "--limit", limit) for _ in range(2)]
    for process in processes:
        left = ended(process)
        assert left.code == 0, left.stderr
    assert states(folder / "out") == {"done": SCENES}
    counted = collections.Counter(line["scene"] for line in quality_lines(folder / "out"))
    assert counted == {f"S{n:03}.nc": 1 for n in range(SCENES)}
    assert sum(done_by(folder)) == SCENES
    assert min(done_by(folder)) >= 5, "both had a share"
    assert leavings(folder / "out") == []


def test_another_configuration_of_the_same_name_is_refused(folder):
    """While the first one is at work; otherwise each would replace the products of the other."""
    gate = gate_after(folder, 1)
    first = call(folder)
    wait_for(gate.is_reached)
    (folder / "other").mkdir()
    other = write_config(folder / "other", science={"masks": {"flags": ["LAND"]}})
    again = ("batch", other, folder / "in", "-o", folder / "out", "--workers", 1)
    refused = run(*again, **KNOWS_FAULTS)
    assert refused.code == 2
    assert "with another configuration that has the same name, test" in refused.stderr
    gate.open()
    assert ended(first).code == 0
    left = run(*again, "--limit", 1, **KNOWS_FAULTS)
    assert f"{SCENES + 1} scenes must be processed again" in left.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_one_dies_and_the_other_finishes_its_scenes(folder, number):
    """Killed it is noticed at once; a stopped one is alive, and its scenes are waited for."""
    gate, count = gate_after(folder, 5), SCENES + 1
    first = call(folder)
    wait_for(gate.is_reached)
    second = call(folder)
    if number == signal.SIGSTOP:
        first.send_signal(number)
        wait_for(lambda: states(folder / "out") == {"done": SCENES, "running": 1})
        time.sleep(1)
        assert second.poll() is None
        assert states(folder / "out") == {"done": SCENES, "running": 1}
        first.send_signal(signal.SIGCONT)
        gate.open()
    else:
        wait_for(lambda: len(list((folder / "out").glob("*.nc"))) > 6)
        first.send_signal(number)
        gate.open()
    left, _ = ended(second), ended(first)
    assert left.code == 0, left.stderr
    assert states(folder / "out") == {"done": count}
    assert len(products(folder / "out")) == count
    assert leavings(folder / "out") == []
    if number == signal.SIGKILL:
        assert "its unfinished scenes are pending again" in left.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_batch_at_once(folder, number):
    """Exit code 75, a true ledger, nothing half-written; the next call goes on.

    The scene in work would not end by itself: who waited for it would wait for ever.
    """
    gate, count = gate_after(folder, 3), SCENES + 1
    process = call(folder)
    wait_for(gate.is_reached)
    left = end(process, number)
    assert left.code == 75, left.stderr
    assert "call again to continue" in left.stderr
    assert leavings(folder / "out") == []
    found = states(folder / "out")
    assert found["running"] == found["failed"] == 0
    assert found["done"] == len(products(folder / "out")) == 4
    assert found["done"] + found["pending"] == count
    gate.open()
    again = run(*arguments(folder), **KNOWS_FAULTS)
    assert again.code == 0, again.stderr
    assert f"{count - found['done']} done" in again.stderr


@pytest.mark.parametrize("moment", [0.15, 0.3, 0.6, 1.0])
def test_a_signal_while_the_batch_begins(folder, moment):
    """Ends it like any other: what there is of a ledger is true, and the next call does the rest.

    How far it is by then is chance: before the command listens to signals, nothing is there.
    """
    process = start_cold(*arguments(folder))
    time.sleep(moment)
    left = end(process)
    assert left.code in (75, 128 + signal.SIGTERM, -signal.SIGTERM), left.stderr
    assert leavings(folder / "out") == []
    has_ledger = (folder / "out" / "ocpipe-ledger.sqlite").exists()
    if left.code != 75:
        assert not has_ledger
    if has_ledger:
        found = states(folder / "out")
        assert found["running"] == found["failed"] == 0
        assert found["done"] == len(products(folder / "out"))
    again = run(*arguments(folder))
    assert again.code == 0, again.stderr
    assert states(folder / "out") == {"done": SCENES}
    assert len(products(folder / "out")) == SCENES


def test_looking_leaves_nothing_behind(folder):
    """``status`` and ``--dry-run`` are for others, too, who may own nothing there."""
    run("batch", folder / "test.yaml", folder / "in", "-o", folder / "out", "--limit", 1)
    before = sorted(path.name for path in (folder / "out").iterdir())
    assert run("status", folder / "out").code == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == before
