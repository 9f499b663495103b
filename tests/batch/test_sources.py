"""Which scenes a call is about."""

import errno
import io
import itertools
import os
from collections import Counter
from pathlib import Path

import pytest

from pipeline.batch.sources import find_scenes, search, shard_of
from pipeline.errors import ConfigError, NoSceneError

pytestmark = pytest.mark.quick


@pytest.fixture
def tree(tmp_path):
    """Scenes in folders, and what is none."""
    for name in (
        "in/a.nc", "in/deep/b.h5", "in/deep/er/c.TIF", "in/.hidden.nc", "in/.git/d.nc",
        "in/readme.txt", "in/S3A_OL_2_WFR.SEN3/x.nc", "out/a.test.nc", "in/e f.nc",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
    return tmp_path


def names(found, root):
    return [str(Path(f.path).relative_to(root)) for f in found]


def find(tree, *inputs, output="out", **options):
    return find_scenes([str(i) for i in inputs], tree / output, "test", **options)


def test_a_folder_is_searched_to_any_depth(tree):
    """Hidden files and folders and other endings are passed over; a .SEN3 folder is a scene."""
    found = find(tree, tree / "in")
    expected = ["in/S3A_OL_2_WFR.SEN3", "in/a.nc", "in/deep/b.h5", "in/deep/er/c.TIF", "in/e f.nc"]
    assert names(found, tree) == expected
    assert {f.size for f in found} == {4}


def test_products_are_no_scenes(tree):
    """The output folder is passed over, and products where scenes lie in it."""
    assert not any("out" in name for name in names(find(tree, tree), tree))
    (tree / "in" / "a.test.nc").write_bytes(b"a product")
    assert "in/a.test.nc" not in names(find(tree, tree / "in", output="in"), tree)
    assert "in/a.nc" in names(find(tree, tree / "in", output="in"), tree)


def test_patterns_lists_and_standard_input(tree, monkeypatch):
    """Each once, whatever names it; comments and empty lines in lists are passed over."""
    (tree / "list").write_text(f"# scenes\n\n{tree}/in/a.nc\n{tree}/in/e f.nc\n{tree}/in/*.nc\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tree}/in/deep\n"))
    found = find(tree, f"@{tree}/list", "-", tree / "in/a.nc", f"{tree}/in/**/c.*")
    expected = ["in/a.nc", "in/deep/b.h5", "in/deep/er/c.TIF", "in/e f.nc"]
    assert names(found, tree) == expected


def test_what_is_not_there_is_found_as_missing(tree):
    """A named file, that is; a pattern that matches nothing names nothing."""
    (found,) = find(tree, tree / "in/no.nc", f"{tree}/in/no*.nc")
    assert not found.exists


def test_a_file_whose_name_looks_like_a_pattern(tree):
    """Is taken as it is."""
    odd = tree / "in" / "x[1].nc"
    odd.write_bytes(b"12")
    (found,) = find(tree, odd)
    assert found.size == 2


@pytest.mark.parametrize(
    ("item", "words"), [("@no", "cannot read the list"), ("@list", "another list")]
)
def test_a_list_that_is_wrong_is_refused(tree, monkeypatch, item, words):
    """It is about all scenes, not about one."""
    monkeypatch.chdir(tree)
    Path("list").write_text("@list\n")
    with pytest.raises(ConfigError, match=words):
        find(tree, item)


def test_shards_part_the_scenes():
    """Each scene is in exactly one, in about equal numbers, wherever its folder is mounted."""
    paths = [f"/data/S{number:05}.nc" for number in range(4000)]
    counts = Counter(shard_of(path, 8) for path in paths)
    assert set(counts) == set(range(1, 9))
    assert max(counts.values()) < 1.3 * min(counts.values())
    assert shard_of("/data/S00001.nc", 8) == shard_of("/mnt/other/S00001.nc", 8)


def test_a_shard_of_a_folder(tree):
    """All shards together are all scenes."""
    parts = [names(find(tree, tree / "in", shard=(number, 3)), tree) for number in (1, 2, 3)]
    assert sorted(itertools.chain(*parts)) == names(find(tree, tree / "in"), tree)


# Nothing found


def test_a_folder_with_archives_only_is_an_error(tmp_path):
    """Each archive is named with the way to unpack it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "S3A.SEN3.tar").write_bytes(bytes(1024))
    (tmp_path / "in" / "b.nc.gz").write_bytes(b"\x1f\x8b\x08x")
    with pytest.raises(ConfigError, match="no scene was found") as caught:
        find(tmp_path, tmp_path / "in")
    assert "tar -xf S3A.SEN3.tar" in str(caught.value)
    assert "gunzip b.nc.gz" in str(caught.value)


def test_archives_beside_scenes_are_named(tree, caplog):
    """The scenes are processed; an archive whose content lies beside it does not matter."""
    (tree / "in" / "new.nc.gz").write_bytes(b"\x1f\x8b\x08x")
    (tree / "in" / "a.nc.gz").write_bytes(b"\x1f\x8b\x08x")
    (tree / "in" / "S3A_OL_2_WFR.SEN3.zip").write_bytes(b"PK\x05\x06")
    assert len(find(tree, tree / "in")) == 5
    (message,) = caplog.messages
    assert "new.nc.gz: this is a gzip file" in message


def test_a_folder_of_other_files_is_an_error(tmp_path):
    """It is probably the wrong folder; an empty one is only mentioned, as scenes may come."""
    (tmp_path / "in").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "in" / "readme.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"has 1 file \(readme.txt\), and none is a scene"):
        find(tmp_path, tmp_path / "in")


def test_an_empty_folder_is_an_error(tmp_path):
    """It may be the place of a disk that is not mounted; the root of a disk has lost+found."""
    (tmp_path / "empty" / "lost+found").mkdir(parents=True)
    with pytest.raises(NoSceneError, match=r"has no files but hidden ones .*mount the disk"):
        find(tmp_path, tmp_path / "empty")


def test_each_input_without_a_scene_is_counted(tree, caplog):
    """The scenes of the others are found; a folder without scenes in a list counts too."""
    for name in ("empty", "texts"):
        (tree / name).mkdir()
    (tree / "texts" / "a.txt").write_text("x")
    (tree / "list").write_text(f"{tree}/empty\n{tree}/in/no*.nc\n")
    (tree / "none").write_text("")
    inputs = (tree / "in", tree / "texts", f"@{tree}/list", f"@{tree}/none")
    found = search([str(each) for each in inputs], tree / "out", "test")
    assert len(found.scenes) == 5
    expected = ("none is a scene", "has no files", "no path matches", "contains no paths")
    assert len(found.nothing) == len(expected)
    assert all(words in said for words, said in zip(expected, found.nothing, strict=True))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == len(expected)


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read every folder")
def test_a_folder_that_cannot_be_searched(tree):
    """Its scenes would be passed over in silence."""
    (tree / "in" / "deep").chmod(0)
    try:
        found = search([str(tree / "in")], tree / "out", "test")
        assert "deep: this folder cannot be searched (Permission denied)" in found.nothing[0]
        assert len(found.scenes) == 3
    finally:
        (tree / "in" / "deep").chmod(0o755)


def test_a_folder_whose_disk_refuses_it(tree, monkeypatch):
    """Whatever the reason, it is said, also for a pattern."""

    def refuse(path="."):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("os.listdir", refuse)
    for item in (tree / "in", f"{tree}/in/*.nc"):
        with pytest.raises(NoSceneError, match="in: this folder cannot be searched"):
            find(tree, item)


def test_a_link_to_another_folder_is_named(tree, tmp_path, caplog):
    """Links are not searched, because they may form a circle; one inside the folder is no loss."""
    (tree / "linked").mkdir()
    (tree / "linked" / "to_in").symlink_to(tree / "in")
    with pytest.raises(ConfigError, match="links to folders, which are not searched: to_in"):
        find(tree, tree / "linked")
    (tree / "in" / "latest").symlink_to(tree / "in" / "deep")
    assert len(find(tree, tree / "in")) == 5
    assert not caplog.messages


def test_a_zarr_store_in_a_folder_is_named(tmp_path):
    """Its files are hidden, or have names such as 0.0, so they say nothing."""
    for name in ("a.zarr/.zgroup", "b.zarr/zarr.json", "b.zarr/Rrs/c/0/0"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"{}")
    with pytest.raises(ConfigError) as caught:
        find(tmp_path, tmp_path / "in")
    assert str(caught.value).count("this is a Zarr store") == 2


def test_a_safe_folder_matters_only_without_scenes(tmp_path, caplog):
    """ACOLITE writes its netCDF files where the user likes, also beside its input."""
    safe = tmp_path / "in" / "S2A_MSIL1C.SAFE"
    safe.mkdir(parents=True)
    (safe / "manifest.safe").write_text("x")
    with pytest.raises(ConfigError, match="a Sentinel product"):
        find(tmp_path, tmp_path / "in")
    (safe / "L2W.nc").write_bytes(b"1234")
    assert names(find(tmp_path, tmp_path / "in"), tmp_path) == ["in/S2A_MSIL1C.SAFE/L2W.nc"]
    assert not caplog.messages


def test_files_that_are_still_fetched(tmp_path):
    """Their endings would be called those of no scene."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nc.part").write_bytes(b"1")
    with pytest.raises(ConfigError, match=r"not fetched completely \(a.nc.part\)"):
        find(tmp_path, tmp_path / "in")


def test_a_folder_of_hidden_files(tree):
    """It does not look empty to everybody."""
    assert find(tree, tree / "in" / ".git") != []
    (tree / "only_hidden").mkdir()
    (tree / "only_hidden" / ".a.nc").write_bytes(b"1")
    with pytest.raises(NoSceneError, match=r"has no files but hidden ones \(.a.nc\)"):
        find(tree, tree / "only_hidden")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "\ufeff\r\n"])
def test_a_list_without_paths_is_an_error(tree, text):
    """The search that made it may have gone wrong."""
    (tree / "list").write_text(text, encoding="utf-8")
    with pytest.raises(NoSceneError, match="contains no paths"):
        find(tree, f"@{tree}/list")


def test_quotes_and_empty_inputs_are_refused(tree):
    """Windows copies paths with quotes; a variable of the shell may not be set."""
    (tree / "list").write_text(f'"{tree}/in/a.nc"\n')
    with pytest.raises(ConfigError, match="Remove the quotes"):
        find(tree, f"@{tree}/list")
    with pytest.raises(ConfigError, match="variable of the shell"):
        find(tree, "")


def test_a_shard_without_scenes_says_so(tree, caplog):
    """One scene belongs to one of two shards."""
    caplog.set_level("INFO")
    found = [find(tree, tree / "in" / "a.nc", shard=(number, 2)) for number in (1, 2)]
    assert sorted(map(len, found)) == [0, 1]
    assert "none of the 1 scenes belongs to shard" in caplog.text


def test_a_pattern_that_matches_nothing_is_an_error(tree, tmp_path):
    """The message says what is there instead, or that the folder does not exist."""
    with pytest.raises(ConfigError, match=r"no path matches .*no\*\.nc; .* has"):
        find(tree, f"{tree}/in/no*.nc")
    with pytest.raises(ConfigError, match="there is no folder"):
        find(tree, f"{tree}/other/*.nc")
    (tree / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty has no files"):
        find(tree, f"{tree}/empty/*.nc")


def test_the_output_folder_without_scenes(tree):
    """After a batch it holds products and records only, which are no scenes."""
    (tree / "out" / "summary.json").write_text("{}")
    with pytest.raises(NoSceneError, match="out has no files"):
        find(tree, tree / "out")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_as_windows_writes_them(tree, encoding):
    """With a byte order mark and carriage returns; PowerShell writes UTF-16."""
    (tree / "list").write_text(f"{tree}/in/a.nc\r\n", encoding=encoding, newline="")
    assert names(find(tree, f"@{tree}/list"), tree) == ["in/a.nc"]


def test_a_mark_on_standard_input(tree, monkeypatch):
    """As from ``type list | ocpipe batch``."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"\ufeff{tree}/in/a.nc\n"))
    assert names(find(tree, "-"), tree) == ["in/a.nc"]


@pytest.mark.parametrize("address", ["s3://bucket/a.nc", "https://x.org/*.nc", "hdfs://a/b"])
def test_addresses_are_refused(tree, address):
    """Also in a list."""
    (tree / "list").write_text(f"{address}\n")
    for item in (address, f"@{tree}/list"):
        with pytest.raises(ConfigError, match="reads files on this machine only"):
            find(tree, item)
