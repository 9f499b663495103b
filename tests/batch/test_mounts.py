"""Disks that are not mounted: an archive is not made again in their place."""

import shutil

import pytest
from batches import (
    copies,
    ended,
    products,
    run,
    scenes_by_name,
    start,
    states,
    wait_for,
    write_config,
)
from faults import KNOWS_FAULTS, Gate

from pipeline.batch.status import read_status


@pytest.fixture
def folder(tmp_path):
    """Two scenes that are done; the ledger is not in the output folder."""
    copies(tmp_path / "in", 2)
    write_config(tmp_path)
    (tmp_path / "local").mkdir()
    batch(tmp_path)
    return tmp_path


def batch(folder, *options, code=0, output="out"):
    ledger = ("--ledger", folder / "local" / "ocpipe-ledger.sqlite")
    ended = run(
        "batch", folder / "test.yaml", folder / "in", "-o", folder / output, "--workers", 1,
        *ledger, *options,
    )  # fmt: skip
    assert ended.code == code, ended.stderr
    return ended.stderr


def unmount(folder, how):
    """Let the output folder look as if its disk was not mounted."""
    shutil.move(folder / "out", folder / "elsewhere")
    if how != "no folder":
        (folder / "out").mkdir()
    if how == "root of a disk":
        (folder / "out" / "lost+found").mkdir()


@pytest.mark.parametrize("how", ["no folder", "empty folder", "root of a disk"])
def test_the_archive_is_not_made_again(folder, how):
    """The call ends before anything is made; when the disk is back, all is as it was."""
    unmount(folder, how)
    before = list(folder.glob("out/*"))
    for options in ((), ("--dry-run",)):
        said = batch(folder, *options, code=73)
        assert "has 2 products, but this output folder" in said
        assert "--remake-missing" in said
    assert (folder / "out").exists() is (how != "no folder")
    assert list(folder.glob("out/*")) == before
    (found,) = read_status(folder / "local")
    assert "but this output folder" in found.runs["test"].call.problem
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.move(folder / "elsewhere", folder / "out")
    assert "0 done, 0 skipped, 0 failed" in batch(folder)


def test_products_that_were_removed_on_purpose(folder):
    """Are made again on request."""
    unmount(folder, "empty folder")
    assert "2 done" in batch(folder, "--remake-missing")
    assert products(folder / "out") == products(folder / "elsewhere")


def test_products_alone_that_are_missing_are_made_again(folder):
    """What a batch writes beside them shows that the disk is mounted."""
    for path in (folder / "out").glob("*.nc"):
        path.unlink()
    assert "2 done" in batch(folder)


def test_another_output_folder_is_no_lost_one(folder):
    """The ledger never had products there."""
    assert "2 done" in batch(folder, output="other")


def test_a_ledger_that_must_exist(folder):
    """As in the shipped examples, whose ledger is on the disk of the products."""
    arguments = ("batch", folder / "test.yaml", folder / "in", "-o", folder / "new")
    for _ in range(2):
        ended = run(*arguments, "--ledger-must-exist")
        assert ended.code == 73
        assert "there is no ledger" in ended.stderr
        assert not (folder / "new").exists()
    assert run(*arguments, "--limit", 1).code == 0
    ended = run(*arguments, "--ledger-must-exist")
    assert ended.code == 0, ended.stderr
    assert len(products(folder / "new")) == 2


def test_a_disk_of_scenes_that_goes_during_a_batch(tmp_path):
    """Its scenes are missing and not wrong, so the next call tries them again by itself."""
    scenes = tmp_path / "in"
    copies(scenes, 4, (200, 150))
    gate = Gate(scenes / "S001g.nc", scenes / "S000.nc")
    gate.close()
    arguments = ("batch", write_config(tmp_path), scenes, "-o", tmp_path / "out", "--workers", 1)
    first = start(*arguments, **KNOWS_FAULTS)
    wait_for(gate.is_reached)
    scenes.rename(tmp_path / "unmounted")
    scenes.mkdir()
    gate.open()
    assert ended(first).code == 1
    assert states(tmp_path / "out") == {"done": 2, "failed": 3}
    failed = [row for row in scenes_by_name(tmp_path / "out").values() if row["state"] == "failed"]
    assert {row["kind"] for row in failed} == {"missing"}
    shutil.rmtree(scenes)
    (tmp_path / "unmounted").rename(scenes)
    gate.open()
    again = run(*arguments, "--new-failures-only", **KNOWS_FAULTS)
    assert (again.code, "3 done" in again.stderr) == (0, True), again.stderr
