"""Names of files are bytes: any name is a scene, and what is recorded of it is valid text."""

import io
import json
import os
import shutil
import sys
from pathlib import Path

import h5py
import pytest
from batches import (
    products,
    run,
    scenes_by_name,
    write_config,
    write_scene,
)
from miniatures.cases import CASES

from pipeline.batch.sources import find_scenes
from pipeline.errors import SceneError
from pipeline.files.names import as_text, as_texts, is_text, openable
from pipeline.product.reading import ProductFile
from pipeline.readers import open_scene
from pipeline.verify import verify_product

BYTES = b"mesur\xe9.nc"
NAMES = (
    BYTES, b"quo'te\".nc", b"ha#sh.nc", b"que?ry.nc",
    b"per%41cent.nc", b"-dash.nc", b"co:lon.nc", b"a" * 240 + b".nc",
)  # fmt: skip


# Scenes with these names cannot give their names to products; others go on.
REFUSED = (b"new\nline.nc", b"esc\x1b[31m.nc")


def named(folder: Path, name: bytes) -> Path:
    return folder / os.fsdecode(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A batch of scenes with all names."""
    made = tmp_path_factory.mktemp("names")
    scene = write_scene(made / "scene.nc")
    (made / "in").mkdir()
    for name in (*NAMES, *REFUSED):
        shutil.copyfile(scene, named(made / "in", name))
    ended = run("batch", write_config(made), made / "in", "-o", made / "out", "--log-json")
    assert ended.code == 1, ended.stderr
    (made / "log").write_bytes(os.fsencode(ended.stderr))
    return made


def test_every_name_gives_a_product(folder):
    """Of this name, with the same numbers."""
    stems = {name.removesuffix(b".nc") for name in NAMES}
    found = {os.fsencode(name).removesuffix(b".test.nc") for name in products(folder / "out")}
    assert found == stems


def test_a_name_that_no_product_may_have_is_a_failure_of_its_scene(folder):
    """With a reason in one line."""
    rows = scenes_by_name(folder / "out")
    assert {rows[os.fsdecode(name)]["state"] for name in REFUSED} == {"failed"}
    states = {row["state"] for name, row in rows.items() if os.fsencode(name) in NAMES}
    assert states == {"done"}


def test_all_that_is_written_is_valid_text(folder):
    """A byte that is not UTF-8 is an escape in JSON, tables, logs and products."""
    for name in ("quality.jsonl", "summary.json", "log"):
        text = (folder / name if name == "log" else folder / "out" / name).read_bytes().decode()
        lines = [text] if name == "summary.json" else text.splitlines()
        for line in lines:
            json.loads(line)
            assert "\\udce9" not in line
    with h5py.File(named(folder / "out", b"mesur\xe9.test.nc")) as file:
        assert file["processing_control"].attrs["source"].decode() == "mesur\\xe9.nc"


def test_the_ledger_knows_the_name(folder):
    """A second call has nothing to do; a changed scene is processed again."""
    scene = named(folder / "in", BYTES)
    assert scenes_by_name(folder / "out")[scene.name]["state"] == "done"
    os.utime(scene, ns=(1, 1))
    ended = run("batch", folder / "test.yaml", folder / "in", "-o", folder / "out")
    assert f"1 scene to process ({len(NAMES) - 1} done before" in ended.stderr
    assert "the input has the same bytes as before; the product was kept" in ended.stderr


def test_a_product_with_such_a_name_is_verified(folder):
    """And read: the library for it opens no such name."""
    product = named(folder / "out", b"mesur\xe9.test.nc")
    scene = named(folder / "in", BYTES)
    with ProductFile(product) as file:
        assert "aph_443" in file.variables
    findings = list(verify_product(product, scenes=[scene], network_dirs=[folder]))
    assert all(finding.passed for finding in findings), findings


def test_a_missing_scene_with_such_a_name_is_one_failure(folder, tmp_path):
    """The others are done, and the table of failures is valid text."""
    given = (named(tmp_path, b"non\xe9.nc"), folder / "scene.nc")
    ended = run("batch", folder / "test.yaml", *given, "-o", tmp_path / "out")
    assert ended.code == 1
    assert len(products(tmp_path / "out")) == 1
    assert "non\\xe9.nc: no such file" in (tmp_path / "out" / "failures.csv").read_text("utf-8")


def test_a_name_that_is_too_long_for_a_product_is_said(folder, tmp_path):
    """It is a failure of this scene alone."""
    scene = named(tmp_path, b"a" * 252 + b".nc")
    shutil.copyfile(folder / "scene.nc", scene)
    ended = run("run", scene, "-c", folder / "test.yaml", "-o", tmp_path / "out")
    assert ended.code == 1
    assert "longer than 255 bytes" in ended.stderr


@pytest.mark.parametrize("key", ["sgli", "olci_wfr", "c2rcc", "occci_l3"])
def test_readers_open_any_name(tmp_path, key):
    """Folders and files of every format."""
    case = CASES[key]
    written = case.written(tmp_path)
    renamed = written.path.rename(named(tmp_path, b"n\xe9 \n#" + os.fsencode(written.path.suffix)))
    with open_scene(renamed, case.choice) as scene:
        scene["latitude"].load()


def test_a_format_whose_library_opens_no_such_name_says_so(tmp_path):
    """GDAL takes names in UTF-8 only."""
    case = CASES["geotiff"]
    renamed = case.written(tmp_path).path.rename(named(tmp_path, b"n\xe9.tif"))
    with pytest.raises(SceneError, match=r"is not UTF-8.* Rename it"):
        open_scene(renamed, case.choice)


def test_standard_input_may_have_such_names(tmp_path, monkeypatch):
    """In any locale."""
    named(tmp_path, BYTES).touch()
    given = io.TextIOWrapper(io.BytesIO(os.fsencode(tmp_path) + b"/" + BYTES + b"\n"), "utf-8")
    monkeypatch.setattr(sys, "stdin", given)
    (found,) = find_scenes(["-"], tmp_path / "out", "test")
    assert os.fsencode(found.path).endswith(BYTES)


def test_names_as_text(tmp_path):
    """Good names stay; a file is opened under any name."""
    assert as_text("ünï.nc") == "ünï.nc"
    assert as_texts({"a": ["m\udce9", 1, None], "b": {"c": "ok"}}) == {
        "a": ["m\\xe9", 1, None],
        "b": {"c": "ok"},
    }
    path = named(tmp_path, BYTES)
    path.write_text("content")
    assert not is_text(path)
    with openable(path) as other:
        assert is_text(other)
        assert other.read_text() == "content"
