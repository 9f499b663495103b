"""The files next to the products: several configurations in one folder, and none out of date."""

import csv
import json

import pytest
from batches import copies, quality_lines, run, states, write_config, write_scene

from pipeline.batch import records
from pipeline.errors import OutputError


@pytest.fixture
def folder(tmp_path):
    """Two scenes of which one is none, and two configurations."""
    copies(tmp_path / "in", 1)
    (tmp_path / "in" / "bad.nc").write_text("no scene")
    for name in ("one", "two"):
        write_config(tmp_path, name)
        (tmp_path / f"ledger-{name}").mkdir()
    return tmp_path


def batch(folder, name, *options, code=1):
    ended = run(
        "batch", folder / f"{name}.yaml", folder / "in", "-o", folder / "out", "--workers", 1,
        *options,
    )  # fmt: skip
    assert ended.code == code, ended.stderr
    return ended.stderr


def failures(folder):
    with (folder / "out" / "failures.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def summaries(folder):
    return json.loads((folder / "out" / "summary.json").read_text())["configurations"]


@pytest.mark.parametrize("ledgers", ["one ledger", "two ledgers"])
def test_two_configurations_in_one_folder(folder, ledgers):
    """Each line names its configuration and time; a call changes what is said of its own."""

    def both(code):
        for name in ("one", "two"):
            where = ("--ledger", folder / f"ledger-{name}" / "x.sqlite")
            batch(folder, name, *(where if ledgers == "two ledgers" else ()), code=code)

    both(1)
    rows = failures(folder)
    assert sorted(row["configuration"] for row in rows) == ["one", "two"]
    assert all(row["finished"].endswith("Z") for row in rows)
    lines = quality_lines(folder / "out")
    assert [line["configuration"] for line in lines] == ["one", "two"]
    assert all(line["time"].endswith("Z") for line in lines)
    found = summaries(folder)
    assert {name: found[name]["scenes"]["failed"] for name in found} == {"one": 1, "two": 1}
    assert all(found[name]["time"].endswith("Z") for name in found)
    (folder / "in" / "bad.nc").unlink()
    write_scene(folder / "in" / "bad.nc", seed=3)
    both(0)
    assert failures(folder) == []
    assert all(each["scenes"]["done"] == 2 for each in summaries(folder).values())


def test_files_that_could_not_be_written_are_written_by_the_next_call(folder):
    """Even if it has nothing else to do; a second one changes no file."""
    batch(folder, "one")
    stale = {
        name: (folder / "out" / name).read_bytes() for name in ("failures.csv", "summary.json")
    }
    (folder / "in" / "bad.nc").unlink()
    write_scene(folder / "in" / "bad.nc", seed=3)
    batch(folder, "one", code=0)
    for name, content in stale.items():
        (folder / "out" / name).write_bytes(content)  # as if the disk had refused the new ones
    assert "0 done" in batch(folder, "one", code=0)
    assert failures(folder) == []
    assert summaries(folder)["one"]["scenes"]["done"] == 2
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("[fqs]*")}
    batch(folder, "one", code=0)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_scene_without_its_quality_line_is_not_done(folder):
    """As when the disk of the products refuses the line; the next call makes up for it."""
    (folder / "in" / "bad.nc").unlink()
    (folder / "out").mkdir()
    (folder / "out" / "quality.jsonl").mkdir()
    said = batch(folder, "one", code=73)
    assert "quality.jsonl: cannot be written" in said
    assert states(folder / "out") == {"pending": 1}
    (folder / "out" / "quality.jsonl").rmdir()
    assert "1 done" in batch(folder, "one", code=0)
    assert len(quality_lines(folder / "out")) == 1


@pytest.mark.parametrize(
    "content",
    ["", "scene,kind\na,b\n", '"', "configuration,scene,kind\n\x00", "[1]", "{", "\ud800"],
)
def test_damaged_files_are_replaced(tmp_path, content):
    """Also those of an earlier version, which had other columns."""
    path = tmp_path / "x"
    path.write_text(content, errors="surrogatepass")
    records.write_failures(path, {"one": []})
    assert path.read_text() == ",".join(records.FAILURE_COLUMNS) + "\n"
    path.write_text(content, errors="surrogatepass")
    records.write_summary(path, "one", {"a": 1})
    assert records.summary_of(path, "one") == {"a": 1}
    assert records.summary_of(path, "two") == {}


def test_what_cannot_be_replaced_is_an_error(tmp_path):
    """A folder in the place of a file."""
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        records.write_failures(tmp_path / "x", {})
