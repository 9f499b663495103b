"""Full disks, read-only folders, folders that vanish, clocks that jump: named, and work resumes."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from batches import (
    copies,
    ended,
    leavings,
    products,
    run,
    run_cold,
    start,
    start_cold,
    states,
    wait_for,
    write_config,
)
from faults import KNOWS_FAULTS, PATH_TO_FAULTS, Gate

SCENES = 9
SHAPE = (400, 500)
GATE = "S001g.nc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes, and the products of a batch that nothing disturbed."""
    made = tmp_path_factory.mktemp("environment")
    good = copies(made / "in", SCENES - 1, SHAPE)[0]
    Gate(made / "in" / GATE, good)
    config = write_config(made, batch={"min_free_space": 500_000})
    undisturbed = run_cold("batch", config, made / "in", "-o", made / "undisturbed", **KNOWS_FAULTS)
    assert undisturbed.code == 0, undisturbed.stderr
    return made


@pytest.fixture
def gate(folder):
    """After two scenes; closed until the test opens it, so that the batch is at work till then."""
    made = Gate(folder / "in" / GATE, folder / "in" / "S000.nc")
    made.close()
    yield made
    made.open()


@contextlib.contextmanager
def mounted(place: Path, options: str):
    """A file system in memory."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def arguments(folder, output, *options):
    return ("batch", folder / "test.yaml", folder / "in", "-o", output, *options)


@pytest.mark.parametrize("checked", [True, False], ids=["before-a-scene", "while-it-is-written"])
def test_a_full_disk(folder, tmp_path, checked):
    """The batch ends and names it, scenes stay pending, and it goes on once there is space."""
    size = len(next(iter(products(folder / "undisturbed").values())))
    spare = 500_000 if checked else 0
    config = write_config(folder, "full", batch={"min_free_space": spare})
    # Room for the ledger, for four or five products, and none for the rest.
    with mounted(tmp_path / "disk", f"size={int(4.5 * size) + 700_000}") as disk:
        if not checked:  # what the check asks for is there, what the product takes is not
            (disk / "filler").write_bytes(bytes(0))
        output = disk / "out"
        left = run("batch", config, folder / "in", "-o", output, "--workers", 1, **KNOWS_FAULTS)
        assert left.code == 73
        assert "the batch ends" in left.stderr
        assert "are free" in left.stderr or "No space left" in left.stderr
        found = states(output)
        assert found["failed"] == found["running"] == 0
        assert found["done"] == len(products(output)) > 0
        assert found["pending"] == SCENES - found["done"]
        assert leavings(output) == []
        remount(disk, "size=100M")
        again = run("batch", config, folder / "in", "-o", output, **KNOWS_FAULTS)
        assert again.code == 0, again.stderr
        made = {n.replace(".full.", ".test."): len(b) for n, b in products(output).items()}
        assert made.keys() == products(folder / "undisturbed").keys()
        assert states(output) == {"done": SCENES}


def test_a_disk_that_is_filled_by_others_midway(folder, gate, tmp_path):
    """Even the ledger has no room: named, nothing half-written, and it goes on."""
    with mounted(tmp_path / "disk", "size=60M") as disk:
        output = disk / "out"
        process = start(*arguments(folder, output, "--workers", 1), **KNOWS_FAULTS)
        wait_for(gate.is_reached)
        with contextlib.suppress(OSError), (disk / "others").open("wb") as file:
            while True:
                file.write(bytes(65536))
                file.flush()
        gate.open()
        left = ended(process)
        assert left.code == 73, left.stderr
        assert any(word in left.stderr for word in ("free", "full", "No space"))
        (disk / "others").unlink()
        assert leavings(output) == []
        again = run(*arguments(folder, output), **KNOWS_FAULTS)
        assert again.code == 0, again.stderr
        assert products(output) == products(folder / "undisturbed")


def test_a_read_only_folder(folder, tmp_path):
    """Refused before anything is done; a batch on which it comes ends, and goes on later."""
    with mounted(tmp_path / "disk", "size=60M") as disk:
        output = disk / "out"
        output.mkdir()
        remount(disk, "ro")
        left = run(*arguments(folder, output), **KNOWS_FAULTS)
        assert left.code == 73
        assert "Read-only file system" in left.stderr
        remount(disk, "rw")
        assert list(output.iterdir()) == []
        assert run(*arguments(folder, output, "--limit", 3), **KNOWS_FAULTS).code == 0
        remount(disk, "ro")
        left = run(*arguments(folder, output), **KNOWS_FAULTS)
        assert left.code == 73
        assert "Read-only file system" in left.stderr
        remount(disk, "rw")
        again = run(*arguments(folder, output), **KNOWS_FAULTS)
        assert again.code == 0, again.stderr
        assert products(output) == products(folder / "undisturbed")


@pytest.mark.parametrize("how", ["removed", "unmounted"])
def test_a_folder_that_disappears(folder, gate, tmp_path, how):
    """It is not made again, for it was a mount; named, and all is done when it is back."""
    with mounted(tmp_path / "disk", "size=60M") as disk:
        output = disk / "out" if how == "unmounted" else tmp_path / "out"
        process = start(*arguments(folder, output, "--workers", 1), **KNOWS_FAULTS)
        wait_for(gate.is_reached)
        if how == "unmounted":
            subprocess.run(["umount", "-l", str(disk)], check=True)
        else:
            shutil.move(output, tmp_path / "elsewhere")
        gate.open()
        left = ended(process)
        assert left.code == 73, left.stderr
        assert "no longer exists" in left.stderr
        assert not output.exists()
        if how == "unmounted":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
        else:
            shutil.move(tmp_path / "elsewhere", output)
        again = run(*arguments(folder, output), **KNOWS_FAULTS)
        assert again.code == 0, again.stderr
        assert products(output) == products(folder / "undisturbed")
        assert leavings(output) == []


JUMP = """\
import os as _os, time as _time
_real = _time.time
_time.time = lambda: _real() - (3600 if _os.path.exists(_os.environ["JUMPED"]) else 0)
"""


def test_a_clock_that_jumps_back_an_hour(folder, gate, tmp_path):
    """Two calls share the work while the clock of one jumps; each scene is done once, none lost."""
    (tmp_path / "sitecustomize.py").write_text(JUMP)
    output, jumped = tmp_path / "out", tmp_path / "jumped"
    changed = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{PATH_TO_FAULTS}", "JUMPED": str(jumped)}
    jumping = start_cold(*arguments(folder, output, "--workers", 1), **changed)
    wait_for(gate.is_reached)  # it is at work
    jumped.touch()
    steady = start(*arguments(folder, output, "--workers", 1), **KNOWS_FAULTS)
    wait_for(lambda: len(products(output)) > 2)  # so is the other one
    gate.open()
    for process in (jumping, steady):
        left = ended(process)
        assert left.code == 0, left.stderr
        assert "died" not in left.stderr
    assert products(output) == products(folder / "undisturbed")
    assert (output / "quality.jsonl").read_text().count("\n") == SCENES
    nothing = run_cold(*arguments(folder, output), **changed)
    assert "0 done, 0 skipped, 0 failed" in nothing.stderr
