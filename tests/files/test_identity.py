"""Files that are held open while they are read and hashed."""

import gc
import os
import time
from pathlib import Path

import pytest

from pipeline.errors import ChangedError, NetworkError
from pipeline.files import identity
from pipeline.files.contents import sha256_of
from pipeline.files.identity import holding, stamp_of, unchanged

pytestmark = pytest.mark.quick


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "S3A.SEN3"
    (made / "deep").mkdir(parents=True)
    for name in ("a.nc", "b.nc", "deep/c.nc"):
        (made / name).write_bytes(name.encode())
    return made


def rename_over(path):
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    found = path.stat()
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    new.replace(path)


def write_in_place(path):
    found, content = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.write(content[::-1])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def there_and_back(path):
    path.rename(path.with_name("away"))
    path.with_name("away").rename(path)


CHANGES = (
    rename_over,
    write_in_place,
    there_and_back,
    lambda path: path.unlink(),
    lambda path: os.truncate(path, 1),
)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["a.nc", "deep/c.nc"])
def test_a_file_that_changes_is_noticed(folder, change, name):
    """Alone or in the folder of a scene, even if size and time stay; and at once."""
    path = folder / name
    with holding(path) as file, holding(folder) as whole:
        file.check()
        whole.check()
        change(path)
        for held in (file, whole):
            with pytest.raises(ChangedError, match="was replaced or changed while it was read"):
                held.check()


def test_a_file_that_comes_to_a_folder_is_noticed(folder):
    """The hash of a folder is that of all its files."""
    with holding(folder) as held:
        (folder / "d.nc").touch()
        assert held.has_changed


def test_reading_is_no_change(folder):
    """Nor is a file beside the one that is held."""
    with holding(folder / "a.nc") as held:
        (folder / "a.nc").read_bytes()
        (folder / "other").touch()
        held.check()


def test_the_hash_is_that_of_the_file_that_is_held(folder):
    """Even if its path names another file."""
    before = sha256_of(folder / "a.nc"), sha256_of(folder)
    with holding(folder / "a.nc") as file, holding(folder) as whole:
        assert (file.sha256(), whole.sha256()) == before
        other = folder.parent / "other"
        other.write_bytes(b"other")
        other.replace(folder / "a.nc")
        assert (file.sha256(), whole.sha256()) == before


def test_two_changes_in_one_step_of_the_clock_are_told_apart(tmp_path):
    """A file is written, is held at once, and is written again at once."""
    for number in range(50):
        path = tmp_path / "f"
        path.write_bytes(b"%03d" % number)
        with holding(path) as held:
            write_in_place(path)
            assert held.has_changed


def test_a_file_that_has_not_just_changed_makes_nobody_wait(tmp_path, monkeypatch):
    """The wait is for files that are written at this moment."""
    path = tmp_path / "f"
    path.touch()
    changed = path.stat().st_ctime_ns
    while time.time_ns() < changed + identity.CLOCK_STEP:
        pass
    monkeypatch.setattr(time, "sleep", None)
    with holding(path) as held:
        held.check()


def test_what_cannot_be_held_is_said_when_it_is_checked(tmp_path, folder, monkeypatch):
    """A pipe does not hang, a folder of many files takes no descriptors, and none is left open."""
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(identity, "MOST_HELD", 2)
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path, found in (
        (tmp_path / "pipe", "neither a file nor a folder"),
        (tmp_path / "none", "removed or renamed"),
        (folder, "more than 2 files"),
    ):
        with holding(path) as held, pytest.raises(ChangedError, match=found):
            held.check()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_failure_while_a_file_changes_is_blamed_on_the_change(folder):
    """A half-written file looks damaged."""
    path = folder / "a.nc"

    def fail(before=lambda: None):
        with unchanged([path], NetworkError):
            before()
            raise NetworkError("damaged")

    with pytest.raises(NetworkError, match=r"a\.nc was replaced or changed"):
        fail(lambda: os.truncate(path, 0))
    with pytest.raises(NetworkError, match="damaged"):
        fail()


def test_a_stamp_changes_with_any_file(folder):
    """It has the size of all files and the latest time; nothing has no stamp."""
    before = stamp_of(folder)
    assert before.size == len("a.ncb.ncdeep/c.nc")
    assert before == stamp_of(folder)
    write_in_place(folder / "deep" / "c.nc")
    after = stamp_of(folder)
    assert (after.size, after.mtime_ns) == (before.size, before.mtime_ns)
    assert after != before
    assert stamp_of(folder / "none") is None
