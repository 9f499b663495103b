"""Inputs that name no scene: an error and a count in each call, and an exit code of their own."""

import json
import re

import pytest
from batches import copies, rows, run, scenes_by_name, states, write_config, write_scene


@pytest.fixture
def folder(tmp_path):
    """Two scenes, a configuration, and inputs in which there are no scenes."""
    copies(tmp_path / "in", 2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "readme.txt").write_text("x")
    (tmp_path / "list").write_text("# nothing\n")
    write_config(tmp_path)
    return tmp_path


def batch(folder, *inputs, code=0, options=()):
    """A call as the shipped examples make it."""
    given = [str(folder / each) if not each.startswith("@") else each for each in inputs]
    how = ("-o", folder / "out", "--workers", 1, "--new-failures-only", *options)
    ended = run("batch", folder / "test.yaml", *given, *how)
    assert ended.code == code, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("item", ["empty", "texts", "in/no*.nc", "@list", "no.nc", "no"])
def test_alone_it_has_an_exit_code_of_its_own(folder, monkeypatch, item):
    """In every call, not only in the first one."""
    monkeypatch.chdir(folder)
    for _ in range(2):
        said = batch(folder, item, code=66)
        assert len(re.findall(r"^\S+ \S+ error ", said, re.MULTILINE)) == 1, said


@pytest.mark.parametrize("item", ["empty", "texts", "in/no*.nc", "@list", "no.nc"])
def test_beside_scenes_it_is_a_failure_of_each_call(folder, monkeypatch, item):
    """The scenes are processed."""
    monkeypatch.chdir(folder)
    for done in (2, 0):
        said = batch(folder, "in", item, code=1)
        assert f"{done} done" in said
        assert re.search(r"^\S+ \S+ error ", said, re.MULTILINE), said
        assert "earlier calls" not in said
    assert states(folder / "out")["done"] == 2


def test_the_summary_names_inputs_without_scenes(folder):
    """For people who see the log too late."""
    said = batch(folder, "in", "empty", "texts", code=1)
    assert "2 inputs name no scene" in said
    summary = json.loads((folder / "out" / "summary.json").read_text())
    named = summary["configurations"]["test"]["last_call"]["inputs_without_scenes"]
    assert len(named) == 2
    assert "empty has no files" in named[0]


def test_two_scenes_of_one_product_name_fail_in_each_call(folder):
    """Not only in the call that first found them."""
    for name in ("one", "two"):
        (folder / "in" / name).mkdir()
        write_scene(folder / "in" / name / "same.nc", seed=len(name))
    for _ in range(2):
        said = batch(folder, "in", code=1)
        assert re.search("error .*that file is the product of", said)
        assert "1 failed in" in said


def test_a_path_that_was_not_there_is_forgotten_when_it_is_back(folder):
    """As a disk that was not mounted; nothing of it is left in the ledger or in the table."""
    batch(folder, "disk", code=66)
    assert states(folder / "out") == {"failed": 1}
    (folder / "in").rename(folder / "disk")
    assert "2 done" in batch(folder, "disk")
    assert states(folder / "out") == {"done": 2}
    assert (folder / "out" / "failures.csv").read_text().count("\n") == 1


def test_a_mistyped_path_is_forgotten_when_nobody_gives_it_any_more(folder):
    """It would be a failure for ever; a scene that was there before is not forgotten."""
    batch(folder, "in", "nm.nc", code=1)
    assert len(scenes_by_name(folder / "out")) == 3
    (folder / "in" / "S001.nc").unlink()
    batch(folder, "in")
    assert set(scenes_by_name(folder / "out")) == {"S000.nc", "S001.nc"}


def test_a_dry_run_has_the_same_code(folder):
    """It is the way to try an input."""
    batch(folder, "empty", code=66, options=["--dry-run"])
    batch(folder, "no.nc", code=66, options=["--dry-run"])
    batch(folder, "in", "no.nc", options=["--dry-run"])


def last_call(folder):
    with rows(folder / "out") as ledger:
        return dict(ledger.execute("SELECT how, problem FROM call").fetchone())


def test_the_ledger_records_a_call_that_found_no_scenes(folder):
    """So monitoring shows it, and not the good end of the call before it."""
    batch(folder, "in")
    assert last_call(folder) == {"how": "complete", "problem": None}
    batch(folder, "empty", code=66)
    assert last_call(folder)["how"] == "problem"
    assert "empty has no files" in last_call(folder)["problem"]
    batch(folder, "in")
    assert last_call(folder) == {"how": "complete", "problem": None}


@pytest.mark.parametrize("item", ["empty", "texts", "in/no*.nc", "@list"])
def test_inputs_that_may_be_empty(folder, monkeypatch, item):
    """Such a call is complete, and it makes the ledger for later calls."""
    monkeypatch.chdir(folder)
    options = ("--may-be-empty",)
    assert "nothing to process: " in batch(folder, item, options=options)
    assert last_call(folder) == {"how": "complete", "problem": None}
    assert "2 done" in batch(folder, "in", item, options=(*options, "--ledger-must-exist"))


@pytest.mark.parametrize("item", ["no.nc", "no/*.nc"])
def test_an_input_at_a_wrong_place_is_no_empty_one(folder, item):
    """A mistyped path stays an error."""
    batch(folder, item, code=66, options=("--may-be-empty",))
    batch(folder, "in", item, code=1, options=("--may-be-empty",))
