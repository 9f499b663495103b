"""Commands in a row, as in a shell: simulate, train, evaluate, finetune, export, run."""

import dataclasses
import html
import json
import re
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from miniatures.cases import CASES
from warm_commands import training

from pipeline.networks import load_network


def call(*arguments, cwd):
    return training.run(*arguments, cwd=cwd)


def sgli_scene(folder):
    """A miniature in the format of SGLI, written from its description."""
    folder.mkdir(exist_ok=True)
    case = dataclasses.replace(CASES["sgli"], bands=(380, 412, 443, 490, 530, 565, 670))
    return case.written(folder).path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, a recipe that takes seconds, and what was trained by it."""
    made = tmp_path_factory.mktemp("row")
    simulated = call("simulate", "--sensor", "sgli", "-n", 3000, "-o", "sgli.nc", cwd=made)
    assert simulated.returncode == 0, simulated.stderr
    shipped = Path(__file__).parents[2] / "configs" / "training" / "sgli_iops.yaml"
    quick = yaml.safe_load(shipped.read_text())
    quick["network"], quick["fit"]["epochs"] = {"hidden": [20, 10]}, 12
    quick["fit"]["tensorboard"] = True
    (made / "quick.yaml").write_text(yaml.safe_dump(quick))
    trained = call("train", "quick.yaml", "--samples", "sgli.nc", "-o", "trained", cwd=made)
    assert trained.returncode == 0, trained.stderr
    (made / "said.txt").write_text(trained.stdout)
    return made


def test_a_trained_network_processes_a_scene(folder):
    """With the run configuration that lies beside it."""
    scene = sgli_scene(folder / "scene")
    ended = call("run", "-c", "trained/run.yaml", scene, "-o", "products", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    (product,) = (folder / "products").glob("*.nc")
    with netCDF4.Dataset(product) as file:
        assert {"aph_443", "bbp_565", "chlor_a"} <= set(file.variables)


def test_the_results_are_printed_at_the_end(folder):
    """Why it stopped, each part, and the algorithms on the held-out rows."""
    said = (folder / "said.txt").read_text()
    assert "stopped after all 12 epochs (fit.epochs); the weights are those of the best" in said
    assert "results of sgli_iops (rows: 2,400 train, 300 validation, 300 test)" in said
    measured = json.loads((folder / "trained" / "metrics.json").read_text())
    (line,) = (x for x in said.splitlines() if re.match(r"aph_443 +log10 ", x))
    errors = [measured[part]["outputs"][1]["metrics"]["mae"] for part in measured]
    assert line.split()[2:5] == [f"{error:.3f}" for error in errors]
    assert "models on the same held-out rows (test):" in said
    assert re.search(r"aph_443 +qaa_v6 +\d+ ", said)


def test_the_run_configuration_has_the_masks_of_the_format(folder):
    """The preset that stands for them, which each scene fills in."""
    text = (folder / "trained" / "run.yaml").read_text()
    assert yaml.safe_load(text)["science"]["masks"] == {"preset": "default"}
    scene = sgli_scene(folder / "masked")
    ended = call("run", "-c", "trained/run.yaml", scene, "-o", "masked_out", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    (product,) = (folder / "masked_out").glob("*.nc")
    with netCDF4.Dataset(product) as file:
        assert "masked_CLDICE" in file["quality_flags"].flag_meanings


def test_what_lies_in_the_folder(folder):
    """Network files, record, split, history, pictures, card, logs."""
    found = {path.name for path in (folder / "trained").iterdir()}
    assert {
        "sgli_iops.h5", "sgli_iops.keras", "sgli_iops.yaml", "sgli_iops.onnx", "training.yaml",
        "split.csv", "history.csv", "metrics.json", "metrics.csv", "scatter.png",
        "learning_curves.png", "comparison.png", "residuals_aph_443.png", "card.html",
        "checkpoints", "tensorboard", "run.yaml",
    } <= found  # fmt: skip
    assert not [name for name in found if name.startswith(".")]
    network = load_network(folder / "trained" / "sgli_iops.h5")  # golden spectra are checked
    assert network.training["rows"] == {"train": 2400, "validation": 300, "test": 300}
    assert network.training["metrics"]["test"]["aph_443"]["n"] == 300
    assert len(network.training["data"][0]["sha256"]) == 64
    assert network.golden is not None
    measured = json.loads((folder / "trained" / "metrics.json").read_text())
    assert set(measured) == {"train", "validation", "test"}


def test_a_network_is_judged(folder):
    """On a terminal and in a folder, beside published algorithms and another network."""
    network = "trained/sgli_iops.h5"
    ended = call(
        "evaluate", network, "trained/sgli_iops.keras", "-c", "quick.yaml", "-o", "report",
        cwd=folder,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "sgli_iops, test part: 300 rows" in ended.stdout
    assert "qaa_v6" in ended.stdout
    assert "sgli_iops (2)" in ended.stdout
    assert (folder / "report" / "card.html").is_file()


def test_networks_are_compared_on_the_outputs_that_they_share(folder, ocsmart):
    """Other outputs are named and left out, whichever network comes first."""
    networks = ["trained/sgli_iops.h5", ocsmart / "SGLI_aphNN.h5"]
    ended = call("evaluate", *networks, "-c", "quick.yaml", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "SGLI_aphNN does not have adg_412, adg_443, bbp_443, bbp_565, chlor_a" in ended.stderr
    rows = [x.split()[:2] for x in ended.stdout.splitlines()]
    assert ["aph_672", "SGLI_aphNN"] in rows
    assert ["adg_412", "SGLI_aphNN"] not in rows
    assert ["adg_412", "qaa_v6"] in rows
    ended = call("evaluate", *networks[::-1], "-c", "quick.yaml", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    rows = [x.split()[:2] for x in ended.stdout.splitlines()]
    assert ["aph_672", "sgli_iops"] in rows
    assert not [row for row in rows if row[:1] in (["adg_412"], ["chlor_a"])]


def test_networks_without_a_common_output_are_not_compared(folder):
    """The message names the outputs of both."""
    recipe = yaml.safe_load((folder / "quick.yaml").read_text())
    recipe["name"], recipe["baselines"], recipe["save"] = "chl", ["oci_2019"], ["h5"]
    recipe["samples"] |= {"targets": [{"quantity": "chlor_a"}], "files": ["sgli.nc"]}
    recipe["fit"] |= {"epochs": 1, "tensorboard": False}
    (folder / "chl.yaml").write_text(yaml.safe_dump(recipe))
    trained = call("train", "chl.yaml", "-o", "chl", cwd=folder)
    assert trained.returncode == 0, trained.stderr
    recipe["samples"]["targets"] = [{"quantity": "aph", "wavelengths_nm": [443]}]
    recipe["baselines"] = []
    (folder / "aph.yaml").write_text(yaml.safe_dump(recipe))
    for networks, config in (
        (["chl/chl.h5"], "aph.yaml"),
        (["trained/sgli_iops.h5", "chl/chl.h5"], "aph.yaml"),
    ):
        ended = call("evaluate", *networks, "-c", config, cwd=folder)
        assert ended.returncode == 2
        assert "chl has the outputs chlor_a, but" in ended.stderr
        assert "share an output" in ended.stderr
    ended = call("evaluate", "trained/sgli_iops.h5", "chl/chl.h5", "-c", "chl.yaml", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"chlor_a +chl +300 ", ended.stdout)


def test_a_network_is_exported(folder):
    """To another format, with the same numbers; a missing folder is made."""
    ended = call("export", "trained/sgli_iops.h5", "-o", "new/folder/copy.keras", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    (folder / "file").write_text("")
    ended = call("export", "trained/sgli_iops.h5", "-o", "file/copy.keras", cwd=folder)
    assert ended.returncode == 1
    assert "OutputError: file/copy.keras: the network cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    x = load_network(folder / "trained" / "sgli_iops.h5").golden.inputs
    first, second = (
        load_network(folder / name).predict(x, engine="numpy")
        for name in ("trained/sgli_iops.h5", "new/folder/copy.keras")
    )
    np.testing.assert_allclose(first, second, rtol=1e-10)


def test_the_real_network_is_fine_tuned_and_run(folder, ocsmart):
    """``ocpipe run`` takes the result as it took the original."""
    recipe = {
        "name": "SGLI_tuned",
        "sensors": ["SGLI"],
        "licence": "CC-BY-4.0",
        "save": ["h5", "keras", "onnx"],
        "samples": {
            "files": ["sgli.nc"],
            "targets": [{"quantity": "aph", "wavelengths_nm": [412, 443, 490]}],
        },
        "splits": {"by": "random"},
        "fit": {"precision": "float64", "epochs": 4},
        "finetune": {"stages": [{"freeze": 3}, {"freeze": "none", "learning_rate": 1e-4}]},
    }
    (folder / "tune.yaml").write_text(yaml.safe_dump(recipe))
    tuned = call("finetune", ocsmart / "SGLI_aphNN.h5", "tune.yaml", "-o", "tuned", cwd=folder)
    assert tuned.returncode == 0, tuned.stderr
    assert "SGLI_aphNN before" in (folder / "tuned" / "metrics.csv").read_text()
    assert re.search(r"aph_443 +SGLI_aphNN before +600 ", tuned.stdout)
    assert "stage 1: stopped after all 4 epochs" in tuned.stdout
    assert "stage 2: stopped after all 4 epochs" in tuned.stdout
    scene = sgli_scene(folder / "again")
    ended = call("run", "-c", "tuned/run.yaml", scene, "-o", "products_tuned", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    _check_origin(folder, load_network(ocsmart / "SGLI_aphNN.h5"))


def _check_origin(folder, origin):
    """The card, the network in each format, and the product state the terms of the start network.

    The licence that the recipe states comes first.
    """
    (product,) = (folder / "products_tuned").glob("*.nc")
    with netCDF4.Dataset(product) as file:
        assert file.license.startswith("CC-BY-4.0; of SGLI_aphNN")
        assert origin.licence in file.license
        assert file.references == origin.citation
    card = (folder / "tuned" / "card.html").read_text()
    for name in ("SGLI_tuned.h5", "SGLI_tuned.keras"):
        network = load_network(folder / "tuned" / name)
        assert (network.citation, origin.licence in network.licence) == (origin.citation, True)
        told = call("inspect", f"tuned/{name}", cwd=folder).stdout
        for text in (network.licence, origin.citation):
            assert text in told
            assert html.escape(text, quote=False) in card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("inputs: wavelengths_nm: [412]", "Rrs"),
        ("network: {activation: relu}", "OC-SMART's program could not run"),
        ("fit: {epoch: 5}", "did you mean 'epochs'"),
    ],
)
def test_wrong_recipes_end_in_words(folder, change, words):
    """Before training, without a traceback, with exit code 2, and nothing is made."""
    recipe = yaml.safe_load((folder / "quick.yaml").read_text())
    if change.startswith("inputs"):
        recipe["samples"]["inputs"] = [{"quantity": "Rrs", "wavelengths_nm": [700]}]
    else:
        for key, value in yaml.safe_load(change).items():
            recipe[key] |= value
    (folder / "wrong.yaml").write_text(yaml.safe_dump(recipe))
    ended = call("train", "wrong.yaml", "-o", "nothing", cwd=folder)
    assert ended.returncode == 2, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (folder / "nothing").exists()
