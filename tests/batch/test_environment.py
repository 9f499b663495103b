"""Full disks, read-only folders, folders that vanish, clocks that jump: named, and work resumes."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from batches import (
    copies,
    leavings,
    products,
    run,
    start,
    states,
    wait_for,
    write_config,
)

SCENES = 12
SHAPE = (400, 500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes, and the products of a batch that nothing disturbed."""
    made = tmp_path_factory.mktemp("environment")
    copies(made / "in", SCENES, SHAPE)
    config = write_config(made, batch={"min_free_space": 500_000})
    undisturbed = run("batch", config, made / "in", "-o", made / "undisturbed")
    assert undisturbed.code == 0, undisturbed.stderr
    return made


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
        ended = run("batch", config, folder / "in", "-o", output, "--workers", 1)
        assert ended.code == 1
        assert "the batch ends" in ended.stderr
        assert "are free" in ended.stderr or "No space left" in ended.stderr
        found = states(output)
        assert found["failed"] == found["running"] == 0
        assert found["done"] == len(products(output)) > 0
        assert found["pending"] == SCENES - found["done"]
        assert leavings(output) == []
        remount(disk, "size=100M")
        again = run("batch", config, folder / "in", "-o", output)
        assert again.code == 0, again.stderr
        made = {n.replace(".full.", ".test."): len(b) for n, b in products(output).items()}
        assert made.keys() == products(folder / "undisturbed").keys()
        assert states(output) == {"done": SCENES}


def test_a_disk_that_is_filled_by_others_midway(folder, tmp_path):
    """Even the ledger has no room: named, nothing half-written, and it goes on."""
    with mounted(tmp_path / "disk", "size=60M") as disk:
        output = disk / "out"
        process = start(*arguments(folder, output, "--workers", 1))
        wait_for(lambda: len(list(output.glob("*.nc"))) >= 2)
        with contextlib.suppress(OSError), (disk / "others").open("wb") as file:
            while True:
                file.write(bytes(65536))
                file.flush()
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1, stderr
        assert "Traceback" not in stderr
        assert "free" in stderr or "full" in stderr or "No space" in stderr
        (disk / "others").unlink()
        assert leavings(output) == []
        again = run(*arguments(folder, output))
        assert again.code == 0, again.stderr
        assert products(output) == products(folder / "undisturbed")


def test_a_read_only_folder(folder, tmp_path):
    """Refused before anything is done; a batch on which it comes ends, and goes on later."""
    with mounted(tmp_path / "disk", "size=60M") as disk:
        output = disk / "out"
        output.mkdir()
        remount(disk, "ro")
        ended = run(*arguments(folder, output))
        assert ended.code == 1
        assert "Read-only file system" in ended.stderr
        remount(disk, "rw")
        assert list(output.iterdir()) == []
        assert run(*arguments(folder, output, "--limit", 3)).code == 0
        remount(disk, "ro")
        ended = run(*arguments(folder, output))
        assert ended.code == 1
        assert "Read-only file system" in ended.stderr
        remount(disk, "rw")
        again = run(*arguments(folder, output))
        assert again.code == 0, again.stderr
        assert products(output) == products(folder / "undisturbed")


@pytest.mark.parametrize("how", ["removed", "unmounted"])
def test_a_folder_that_disappears(folder, tmp_path, how):
    """It is not made again, for it was a mount; named, and all is done when it is back."""
    with mounted(tmp_path / "disk", "size=60M") as disk:
        output = disk / "out" if how == "unmounted" else tmp_path / "out"
        process = start(*arguments(folder, output, "--workers", 1))
        wait_for(lambda: len(list(output.glob("*.nc"))) >= 2)
        if how == "unmounted":
            subprocess.run(["umount", "-l", str(disk)], check=True)
        else:
            shutil.move(output, tmp_path / "elsewhere")
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1, stderr
        assert "no longer exists" in stderr
        assert not output.exists()
        if how == "unmounted":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
        else:
            shutil.move(tmp_path / "elsewhere", output)
        again = run(*arguments(folder, output))
        assert again.code == 0, again.stderr
        assert products(output) == products(folder / "undisturbed")
        assert leavings(output) == []


JUMP = """\
import time as _time
_real, _begun = _time.time, _time.monotonic()
_time.time = lambda: _real() - (3600 if _time.monotonic() - _begun > 2.0 else 0)
"""


def test_a_clock_that_jumps_back_an_hour(folder, tmp_path):
    """Two calls share the work while the clock of one jumps; each scene is done once, none lost."""
    (tmp_path / "sitecustomize.py").write_text(JUMP)
    output = tmp_path / "out"
    jumping = start(*arguments(folder, output, "--workers", 1), PYTHONPATH=str(tmp_path))
    steady = start(*arguments(folder, output, "--workers", 1))
    for process in (jumping, steady):
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        assert "died" not in stderr
    assert products(output) == products(folder / "undisturbed")
    assert (output / "quality.jsonl").read_text().count("\n") == SCENES
    nothing = run(*arguments(folder, output), PYTHONPATH=str(tmp_path))
    assert "0 done, 0 skipped, 0 failed" in nothing.stderr
