"""What a user gets from ``ocpipe batch`` and ``ocpipe status``."""

import json
import os
import re
import shutil
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from batches import (
    copies,
    leavings,
    products,
    quality_lines,
    rows,
    run,
    scenes_by_name,
    states,
    write_config,
    write_scene,
)
from small_network import write_network

from pipeline.files.contents import sha256_of


@pytest.fixture
def folder(tmp_path):
    """Three scenes and a configuration."""
    copies(tmp_path / "in", 3)
    write_config(tmp_path)
    return tmp_path


def batch(folder, *options, inputs=None, config="test.yaml", code=0, out="out", **changes):
    """A call with one worker; its exit code is as expected."""
    given = [folder / "in"] if inputs is None else inputs
    ended = run(
        "batch", folder / config, *given, "-o", folder / out, "--workers", 1, *options, **changes
    )
    assert ended.code == code, ended.stderr
    return ended


@pytest.mark.quick
def test_a_second_call_has_nothing_to_do(folder):
    """And changes no file but its own ledger's."""
    first = batch(folder)
    assert "3 done, 0 skipped, 0 failed" in first.stderr
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").iterdir() if "ledger" not in p.name}
    assert len(before) == 6, "three products, quality, failures, summary"
    second = batch(folder)
    assert "0 done, 0 skipped, 0 failed" in second.stderr
    assert all(p.stat().st_mtime_ns == then for p, then in before.items())


def test_a_dry_run_says_what_and_why(folder):
    """New, done, changed, failed: each with its reason; no file is made or changed."""
    plan = batch(folder, "--dry-run")
    assert plan.stdout.count("(new)") == 3
    assert "3 of 3 scenes would be processed" in plan.stdout
    assert not (folder / "out").exists()
    (folder / "in" / "bad.nc").write_text("no scene")
    batch(folder, code=1)
    os.utime(folder / "in" / "S001.nc")  # the three are one file: all change
    (folder / "out" / "S002.test.nc").unlink()
    before = {p: p.read_bytes() for p in (folder / "out").iterdir() if "ledger" not in p.name}
    plan = batch(folder, "--dry-run")
    lines = plan.stdout.splitlines()
    assert sum("(the input changed)" in line for line in lines) == 2
    assert any(line.startswith("run") and "(the product is missing)" in line for line in lines)
    assert any("bad.nc  (failed:" in line and "--retry-failed" in line for line in lines)
    assert {p: p.read_bytes() for p in before} == before
    again = batch(folder, code=1)
    assert "1 done, 2 skipped, 0 failed" in again.stderr
    assert "the same bytes as before; the product was kept" in again.stderr


def test_what_a_product_is_made_with_decides(folder):
    """Another network, another mask: all again; another folder for logs or threads: nothing."""
    batch(folder)
    before = products(folder / "out")
    assert "0 done" in batch(folder, "--threads", 2, "--log-level", "debug").stderr
    write_network(folder / "net.h5", seed=5)
    assert "a network changed" in batch(folder, "--dry-run").stdout
    assert "3 done" in batch(folder).stderr
    second = products(folder / "out")
    assert all(second[name] != before[name] for name in before)
    write_config(folder, science={"masks": {"flags": ["LAND"]}})
    assert "the configuration changed" in batch(folder, "--dry-run").stdout
    assert "3 done" in batch(folder).stderr
    assert set(products(folder / "out")) == set(before)


@pytest.mark.parametrize("fault", ["missing", "half copied", "changed by hand"])
def test_a_network_that_cannot_be_loaded_now_redoes_nothing(folder, fault):
    """An error line names it; new scenes fail and are tried again when it is back."""
    batch(folder)
    before = products(folder / "out")
    network = (folder / "net.h5").read_bytes()
    if fault == "missing":
        (folder / "net.h5").unlink()
    elif fault == "half copied":
        (folder / "net.h5").write_bytes(network[: len(network) // 2])
    else:
        with h5py.File(folder / "net.h5", "r+") as file:
            file["Weights/Layer1"][...] = np.nan
    said = batch(folder).stderr
    assert " error network iop: " in said
    assert "Finished scenes that were made with it stay as they are." in said
    assert states(folder / "out") == {"done": 3}
    assert "0 of 3 scenes would be processed" in batch(folder, "--dry-run").stdout
    shutil.copy(folder / "in" / "S000.nc", folder / "in" / "S009.nc")
    batch(folder, code=1)
    assert states(folder / "out") == {"done": 3, "failed": 1}
    (folder / "net.h5").write_bytes(network)
    assert "1 done, 0 skipped, 0 failed" in batch(folder).stderr
    assert {name: products(folder / "out")[name] for name in before} == before


def test_a_product_that_is_made_again_is_the_same_file(folder):
    """Its date is when the ledger first saw what it is made of."""
    batch(folder, SOURCE_DATE_EPOCH=None)
    before = products(folder / "out")
    (folder / "out" / "S001.test.nc").unlink()
    batch(folder, SOURCE_DATE_EPOCH=None)
    assert products(folder / "out") == before


@pytest.mark.parametrize("choice", ["overwrite", "skip", "error"])
def test_a_file_in_a_products_place(folder, choice):
    """That the ledger does not know is replaced, kept, or an error; its own are always replaced."""
    (folder / "out").mkdir()
    theirs = folder / "out" / "S001.test.nc"
    theirs.write_text("theirs")
    ended = batch(folder, "--if-exists", choice, code=int(choice == "error"))
    expected = {"overwrite": "done", "skip": "skipped", "error": "failed"}[choice]
    assert scenes_by_name(folder / "out")["S001.nc"]["state"] == expected
    assert (theirs.read_text(errors="replace") == "theirs") is (choice != "overwrite")
    assert ("already exists" in ended.stderr) is (choice != "overwrite")
    (folder / "out" / "S000.test.nc").write_bytes(b"damaged")
    write_network(folder / "net.h5", seed=5)
    batch(folder, "--if-exists", choice, code=int(choice == "error"))
    assert products(folder / "out")["S000.test.nc"].startswith(b"\x89HDF")


def test_names_by_template(folder):
    """Folders by sensor and day, of what the scene says."""
    template = "{sensor}/{start:%Y/%m}/{stem}_{name}.nc"
    write_config(folder, execution={"product": template})
    batch(folder)
    assert set(products(folder / "out")) == {f"MODIS-Aqua/2020/01/S00{n}_test.nc" for n in range(3)}
    assert "0 done" in batch(folder).stderr
    assert leavings(folder / "out") == []


@pytest.mark.parametrize("said", ["../../../evil", "/etc/evil", "..", "a/b"])
def test_a_scene_cannot_lead_out_of_the_folder(folder, said):
    """Whatever its attributes say."""
    scene = folder / "in" / "S000.nc"
    with netCDF4.Dataset(scene, "a") as file:
        file.platform = said
    write_config(
        folder,
        science={"sensor": "MODIS-Aqua"},
        execution={"product": "{platform}/{stem}.nc"},
    )
    outside = set(folder.iterdir()) | {folder / "out"}
    batch(folder)
    assert set(folder.iterdir()) == outside
    made = products(folder / "out")
    assert len(made) == 3
    assert all(name.count("/") == 1 and not name.startswith("..") for name in made)


def test_scenes_of_one_name(folder):
    """In two folders: the second fails with advice, which helps; where the scene tells, too."""
    write_scene(folder / "in" / "deep.nc", seed=3)
    (folder / "in" / "other").mkdir()
    write_scene(folder / "in" / "other" / "deep.nc", seed=4)
    ended = batch(folder, code=1)
    assert "{parent}/{stem}.{name}.nc" in (folder / "out" / "failures.csv").read_text()
    assert "4 done" in ended.stderr
    write_config(folder, execution={"product": "{parent}/{stem}.{name}.nc"})
    assert "5 done" in batch(folder).stderr
    write_config(folder, name="by_sensor", execution={"product": "{sensor}.nc"})
    ended = batch(folder, config="by_sensor.yaml", code=1, out="by_sensor")
    assert states(folder / "by_sensor") == {"done": 1, "failed": 4}
    assert "differs between the two" in (folder / "by_sensor" / "failures.csv").read_text()
    assert len(products(folder / "by_sensor")) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_scenes_of_one_file_name_and_one_product(folder, workers):
    """That only the scenes could tell apart: one of them has its product, the other its reason."""
    for name in ("one", "two"):
        (folder / name).mkdir()
        write_scene(folder / name / "same.nc", (500, 500), seed=len(name))
    write_config(folder, execution={"product": "{sensor}.nc"})
    arguments = (
        "batch",
        folder / "test.yaml",
        folder / "one",
        folder / "two",
        "-o",
        folder / "out",
    )
    ended = run(*arguments, "--workers", workers)
    assert ended.code == 1, ended.stderr
    for _ in range(2):
        assert states(folder / "out") == {"done": 1, "failed": 1}
        with rows(folder / "out") as ledger:
            (done,) = ledger.execute("SELECT * FROM scene WHERE state = 'done'")
        with netCDF4.Dataset(folder / "out" / "MODIS-Aqua.nc") as product:
            scene = product["processing_control/inputs/scene"]
            assert scene.sha256 == done["sha256"] == sha256_of(Path(done["path"]))
        run(*arguments)


def test_suspect_scenes(folder):
    """Thresholds of the configuration, in the log, the ledger, the summary and the quality line."""
    write_config(folder, qc={"valid_fraction_min": 0.99})
    ended = batch(folder)
    assert ended.stderr.count("suspect: iop computed on") == 3
    lines = quality_lines(folder / "out")
    assert {line["suspect"].split(" on")[0] for line in lines} == {"iop computed"}
    summary = json.loads((folder / "out" / "summary.json").read_text())
    of_config = summary["configurations"]["test"]
    assert of_config["scenes"]["suspect"] == len(of_config["suspects"]) == 3
    assert run("status", folder / "out").stdout.count("iop computed on") == 3


def test_the_quality_line_is_what_is_in_the_product(folder):
    """Shares of flags, inputs out of range, statistics; and times and memory."""
    batch(folder)
    line = next(x for x in quality_lines(folder / "out") if x["scene"] == "S000.nc")
    with netCDF4.Dataset(folder / "out" / "S000.test.nc") as file:
        flags, aph = file["quality_flags"], file["aph_443"][:]
        bits = dict(zip(flags.flag_meanings.split(), flags.flag_masks, strict=True))
        network = file["iop_flags"]
        out_bit = dict(zip(network.flag_meanings.split(), network.flag_masks, strict=True))
        clouds = ((flags[:] & bits["masked_CLDICE"]) != 0).mean()
        outside = ((network[:] & out_bit["input_out_of_range"]) != 0).sum()
    assert line["pixels"] == 600
    assert line["flags"]["quality_flags"]["masked_CLDICE"] == pytest.approx(clouds)
    assert line["valid_fraction"]["iop"] == pytest.approx(aph.count() / 600)
    assert line["products"]["aph_443"]["valid"] == aph.count()
    assert line["products"]["aph_443"]["mean"] == pytest.approx(float(aph.mean()), rel=1e-5)
    assert line["products"]["aph_443"]["standard_deviation"] == pytest.approx(
        float(aph.astype("f8").std()), rel=1e-5
    )
    worst = max(line["inputs_out_of_range"]["iop"].values())
    assert worst * aph.count() <= outside <= sum(line["inputs_out_of_range"]["iop"].values()) * 600
    assert line["seconds"].keys() == {"open", "plan", "hash", "process"}
    assert line["peak_memory_bytes"] > 5e7


def test_messages_as_json(folder):
    """One object a line, with what it is about."""
    (folder / "in" / "bad.nc").write_text("no scene")
    ended = batch(folder, "--log-json", code=1)
    messages = [json.loads(line) for line in ended.stderr.splitlines()]
    assert all(m.keys() >= {"time", "level", "message"} for m in messages)
    done = [m for m in messages if m.get("state") == "done"]
    (failed,) = (m for m in messages if m.get("state") == "failed")
    assert len(done) == 3
    assert done[0]["scene"].endswith(".nc")
    assert (failed["kind"], failed["level"]) == ("scene", "error")


@pytest.mark.quick
def test_exit_codes_of_failures(folder):
    """1 as long as a scene is failed, unless only new failures count; 0 once it is mended."""
    bad = folder / "in" / "bad.nc"
    bad.write_text("no scene")
    batch(folder, code=1)
    again = batch(folder, code=1)
    assert "1 failed in earlier calls (--retry-failed retries them)" in again.stderr
    batch(folder, "--new-failures-only", code=0)
    batch(folder, "--new-failures-only", "--retry-failed", code=1)
    bad.unlink()
    os.link(folder / "in" / "S000.nc", bad)
    assert "1 done" in batch(folder).stderr


def test_limit_and_lists(folder):
    """A part of the scenes; a list on standard input or in a file; a pattern."""
    assert "2 done" in batch(folder, "--limit", 2).stderr
    (folder / "list").write_text(f"{folder}/in/S002.nc\n")
    assert "1 done" in batch(folder, inputs=[f"@{folder}/list"]).stderr
    pattern = batch(folder, inputs=[f"{folder}/in/*[12].nc"])
    assert "in total 2 of 2 done" in pattern.stderr
    assert "in total 3 of 3 done" in batch(folder, inputs=[]).stderr, "those of the ledger"


def test_a_missing_file_costs_the_others_nothing(folder):
    """It is named, and the exit code says so."""
    ended = batch(folder, inputs=[folder / "in", folder / "no.nc"], code=1)
    assert states(folder / "out") == {"done": 3, "failed": 1}
    assert "no such file" in (folder / "out" / "failures.csv").read_text()
    assert "3 done" in ended.stderr


def test_a_missing_path_fails_in_this_call(folder):
    """It is not blamed on earlier calls, and --new-failures-only sees it too, each time."""
    for _ in range(2):
        ended = batch(folder, "--new-failures-only", inputs=[folder / "no.nc"], code=66)
        assert re.search("error .*no.nc: no such file", ended.stderr)
    assert "0 done, 0 skipped, 1 failed" in ended.stderr
    assert "earlier calls" not in ended.stderr


def test_a_locked_scene_is_tried_again_at_the_next_call(folder):
    """Another process may be writing it."""
    scene, locking = write_scene(folder / "S9.nc"), {"HDF5_USE_FILE_LOCKING": "TRUE"}
    with h5py.File(scene, "r+", locking=True):
        ended = batch(folder, inputs=[scene], code=1, **locking)
    assert "another process has locked the file" in ended.stderr
    assert "fetch it again" not in ended.stderr
    assert "1 done" in batch(folder, inputs=[scene], **locking).stderr


@pytest.mark.parametrize("name", ["x.zarr", "x.tif", "x.nc", "s3://bucket/out"])
def test_an_output_that_is_no_folder(folder, name):
    """The folder would only look like a file of that format."""
    for command in (["batch", folder / "test.yaml"], ["run", "-c", folder / "test.yaml"]):
        ended = run(*command, folder / "in" / "S000.nc", "-o", folder / name)
        assert ended.code == 2
        assert "expected a folder" in ended.stderr
    assert not list(folder.glob("x.*"))
    assert not list(folder.glob("s3*"))


def test_shards_and_their_status(folder):
    """Each with a ledger of its own; status adds them up; each scene is in one."""
    copies(folder / "many", 12)
    for number in (1, 2, 3):
        batch(folder, "--shard", f"{number}/3", inputs=[folder / "many"])
    assert len(products(folder / "out")) == 12
    status = json.loads(run("status", folder / "out", "--json").stdout)
    assert status["scenes"]["done"] == 12
    assert len(status["ledgers"]) == 3
    text = run("status", folder / "out").stdout
    assert re.search(r"together +12 +12 ", text)
    assert (folder / "out" / "summary-2-of-3.json").exists()


def test_status_says_what_is_left_and_what_failed(folder):
    """For people; and that nobody works."""
    (folder / "in" / "bad.nc").write_text("no scene")
    batch(folder, "--limit", 2, code=0, inputs=[folder / "in"])
    batch(folder, "--limit", 1, inputs=[folder / "in" / "bad.nc"], code=1)
    text = run("status", folder / "out").stdout
    assert re.search(r"configuration +scenes +done +failed +pending", text)
    assert re.search(r"test +4 +(2 +1 +1|1 +1 +2)", text)
    assert re.search(r"(1 scene is|2 scenes are) left; call ocpipe batch to continue", text)
    assert "no reader recognises" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shard", "0/4"], "the first of eight is 1/8"),
        (["--shard", "5/4"], "not a shard"),
        (["--timeout", "0"], "--timeout"),
        (["--workers", "0"], "--workers"),
        (["--memory-limit", "lots"], "memory_limit"),
        (["--networks", "no-such-folder"], "no such folder of networks"),
        (["--scheduler", "tcp://x", "--executor", "inline"], "set executor to dask"),
        (["--products", "adg"], "adg"),
    ],
)
def test_wrong_use(folder, arguments, words):
    """Exit code 2 and one message; nothing is done."""
    (folder / "net.h5").unlink()
    write_config(folder)
    ended = batch(folder, *arguments, code=2)
    assert words in ended.stderr
    assert not list((folder / "out").glob("*.nc"))


def test_no_scenes_are_named(folder):
    """Neither here, nor in the configuration, nor in a ledger."""
    assert "no scenes are given" in batch(folder, inputs=[], code=2).stderr


def test_a_configuration_that_fits_no_scene_ends_the_batch(folder):
    """What turns out with the first scene is said once, not once for each."""
    networks = [{"name": name, "file": str(folder / "net.h5")} for name in ("one", "two")]
    write_config(folder, science={"networks": networks})
    ended = batch(folder, code=2)
    assert ended.stderr.count("same name") == 1
    assert states(folder / "out") == {"pending": 3}


def test_in_this_process(folder):
    """The inline executor makes the same products."""
    batch(folder)
    batch(folder, "--executor", "inline", out="inline")
    assert products(folder / "inline") == products(folder / "out")


def test_a_ledger_elsewhere(folder):
    """As where the products are on a network file system."""
    (folder / "local").mkdir()
    ledger = folder / "local" / "modis.sqlite"
    batch(folder, "--ledger", ledger)
    assert not list((folder / "out").glob("*.sqlite"))
    assert re.search(r"test +3 +3 ", run("status", ledger).stdout)


def test_without_a_ledger_status_says_where_to_look(tmp_path):
    """Exit code 1 and what to give."""
    ended = run("status", tmp_path)
    assert ended.code == 1
    assert "no ledger" in ended.stderr
