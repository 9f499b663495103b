"""Files that are still being copied: not read, or not blamed; complete files are not late."""

import os
import re
import shutil
import threading
from pathlib import Path

import pytest
from batches import products, run, scenes_by_name, write_config, write_scene
from miniatures.cases import CASES

from pipeline.batch import settling
from pipeline.batch.settling import may_be_incomplete, settled
from pipeline.batch.sources import found_at
from pipeline.errors import DamagedError, SceneError
from pipeline.process import _held
from pipeline.readers import open_scene


class Waiting(threading.Event):
    """Notes for how long somebody wants to wait, and lets something happen meanwhile."""

    def __init__(self, meanwhile=lambda: None):
        super().__init__()
        self.asked, self.meanwhile = [], meanwhile

    def wait(self, timeout=None):
        self.asked.append(timeout)
        self.meanwhile()
        return False


@pytest.fixture
def files(tmp_path):
    """Two files that were written just now."""
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_bytes(b"1234")
    return [found_at(str(tmp_path / name)) for name in ("a.nc", "b.nc")]


@pytest.fixture
def aged(monkeypatch):
    """Let all files look as if they had changed so many seconds earlier."""

    def set_age(seconds):
        real = settling._age
        monkeypatch.setattr(settling, "_age", lambda ns: real(ns) + seconds)

    return set_age


@pytest.mark.quick
def test_a_file_that_grows_is_left_out(files):
    """The others are ready; the call waits once, and not for longer than is configured."""
    stop = Waiting(lambda: Path(files[1].path).write_bytes(b"12345"))
    found = settled(files, 100, stop)
    assert (found.ready, found.changing) == (files[:1], [files[1].path])
    (asked,) = stop.asked
    assert 0 < asked <= 100


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"4321"),
        lambda path: path.unlink(),
        lambda path: os.utime(path, ns=(1, 1)),
    ],
    ids=["same-size", "removed", "time-set-back"],
)
def test_every_change_counts(files, change):
    """Also one after which the file has the same size, or an old time."""
    found = settled(files, 100, Waiting(lambda: change(Path(files[0].path))))
    assert found.changing == [files[0].path]


def test_old_files_cost_no_time(files, aged):
    """A batch begins at once."""
    aged(3600)
    stop = Waiting()
    assert settled(files, 100, stop).ready == files
    assert stop.asked == []


def test_a_clock_that_is_ahead(files, aged):
    """The wait has its limit, whatever the clock of a file server says."""
    aged(-3600)
    stop = Waiting()
    assert settled(files, 5, stop).ready == files
    assert stop.asked == [5]


def test_zero_takes_each_file_as_it_is(files):
    """And a path at which nothing exists is no file that changes."""
    stop = Waiting()
    missing = found_at("/no/such.nc")
    assert settled([*files, missing], 0, stop).ready == [*files, missing]
    assert settled([missing], 5, stop).ready == [missing]
    assert stop.asked == []
    assert not may_be_incomplete(Path(files[0].path), 0)


def test_a_folder_into_which_files_are_copied(tmp_path):
    """A file that appears in it is a change."""
    folder = tmp_path / "S3A.SEN3"
    folder.mkdir()
    (folder / "a.nc").write_bytes(b"1")
    found = [found_at(str(folder))]
    assert settled(found, 100, Waiting(lambda: (folder / "b.nc").write_bytes(b"2"))).ready == []


def batch(folder, code=0, **changes):
    ended = run("batch", folder / "test.yaml", folder / "in", "-o", folder / "out", "--workers", 1)
    assert ended.code == code, ended.stderr
    return ended.stderr


@pytest.fixture
def folder(tmp_path):
    """One good scene, and a configuration that waits for files."""
    (tmp_path / "in").mkdir()
    write_scene(tmp_path / "in" / "good.nc")
    write_config(tmp_path, batch={"settle": 0.2})
    return tmp_path


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_scene_that_is_cut_short_is_not_yet_a_failure(folder, share):
    """It is pending without an attempt; the next call makes it, once the copy is complete."""
    content = (folder / "in" / "good.nc").read_bytes()
    late = folder / "in" / "late.nc"
    late.write_bytes(content[: int(share * len(content))])
    for _ in range(2):
        said = batch(folder)
        assert not re.search(r"^\S+ \S+ error ", said, re.MULTILINE), said
        assert "may still be copied. The next call tries it again." in said
        assert "1 scene was still changing" in said
        row = scenes_by_name(folder / "out")["late.nc"]
        assert (row["state"], row["attempts"], row["kind"]) == ("pending", 0, None)
    late.write_bytes(content)
    assert "1 done" in batch(folder)
    assert len(products(folder / "out")) == 2


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
@pytest.mark.parametrize("name", CASES)
def test_in_every_format_a_file_that_is_cut_short_looks_damaged(tmp_path, name, share):
    """Other mistakes are failures at once; a folder that is copied may lack a whole file."""
    path = CASES[name].written(tmp_path).path
    file = min(path.glob("*.nc")) if path.is_dir() else path
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with (
        pytest.raises(SceneError) as caught,
        _held(path),
        open_scene(path, CASES[name].choice) as scene,
    ):
        scene.load()
    assert isinstance(caught.value, DamagedError) or path.is_dir()


@pytest.mark.parametrize("content", [b"no scene", b"<html>404</html>"])
def test_what_is_no_scene_fails_at_once(folder, content):
    """It does not become one when the copy goes on."""
    (folder / "in" / "bad.nc").write_bytes(content)
    assert "1 failed" in batch(folder, code=1)


def test_a_scene_that_stays_cut_short_fails(folder):
    """The alarm is only late: after ten minutes without a change, or if nothing is to settle."""
    content = (folder / "in" / "good.nc").read_bytes()
    (folder / "in" / "late.nc").write_bytes(content[:5000])
    batch(folder)
    write_config(folder, batch={"settle": 0})
    assert "1 failed" in batch(folder, code=1)


def test_a_copy_under_a_hidden_name(folder):
    """It is not looked at before it is renamed."""
    hidden = folder / "in" / ".late.nc.part"
    shutil.copyfile(folder / "in" / "good.nc", hidden)
    assert "1 done" in batch(folder)
    hidden.rename(folder / "in" / "late.nc")
    assert "1 done" in batch(folder)
