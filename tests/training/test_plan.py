"""``--dry-run`` of train, finetune and tune: what would be trained."""

import pytest
import sample_tables
import yaml
from click.testing import CliRunner

from pipeline.cli import main

pytestmark = pytest.mark.tensorflow
RECIPE = {
    "name": "chl",
    "sensors": ["MODIS-Aqua"],
    "samples": {
        "files": ["samples.csv"],
        "inputs": [sample_tables.RRS],
        "targets": [{**sample_tables.CHL}],
        "units": {"Rrs_443": "sr-1", "Rrs_555": "sr-1", "chlor_a": "mg m-3"},
        "group": "cruise",
    },
    "splits": {"validation": 0.25, "test": 0.25},
    "network": {"hidden": [5]},
    "fit": {"epochs": 7, "batch_size": 10},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = sample_tables.columns(80)
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def called(folder, command, recipe, *more):
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return CliRunner().invoke(main, [*command, "recipe.yaml", "-o", "out", "--dry-run", *more])


def test_a_dry_run_says_what_would_be_trained(folder):
    """Rows, variables, layers and epochs; nothing is written."""
    recipe = RECIPE | {"splits": RECIPE["splits"] | {"by": "random"}}
    more = ["--members", "2", "--study", "sizes=tiny,small"]
    done = called(folder, ["train"], recipe, *more)
    assert done.exit_code == 0, done.output
    assert "samples   samples.csv: 80 rows" in done.stdout
    assert "80 usable, 4 groups; 40 train, 20 validation, 20 test (by random" in done.stdout
    assert "network   2-5-1 (tanh, linear), 21 weights" in done.stdout
    assert "at most 7 epochs of 4 batches (10 rows), adam" in done.stdout
    assert "ensemble  2 networks" in done.stdout
    assert "study     tiny, small" in done.stdout
    assert "chl.h5 and reports in out, which is made" in done.stdout
    assert {path.name for path in folder.iterdir()} == {"samples.csv", "recipe.yaml"}


def test_the_same_rows_are_then_trained(folder):
    """The split of the plan is that of the training; a second dry run tells of the folder."""
    planned = called(folder, ["train"], RECIPE).stdout
    trained = CliRunner().invoke(main, ["train", "recipe.yaml", "-o", "out"])
    assert trained.exit_code == 0, trained.output
    split = (folder / "out" / "split.csv").read_text()
    assert f"{split.count(',train')} train, {split.count(',validation')} val" in planned
    assert "which exists" in called(folder, ["train"], RECIPE).stdout


def test_stages_of_fine_tuning_are_listed(folder):
    """Settings that a stage lacks are those of fit."""
    called(folder, ["train"], RECIPE)
    assert CliRunner().invoke(main, ["train", "recipe.yaml", "-o", "first"]).exit_code == 0
    recipe = {key: RECIPE[key] for key in ("name", "sensors", "splits", "fit")}
    recipe["samples"] = {k: v for k, v in RECIPE["samples"].items() if k != "inputs"}
    recipe["finetune"] = {"stages": [{"freeze": 1, "epochs": 3}, {"learning_rate": 1e-4}]}
    done = called(folder, ["finetune", "first/chl.h5"], recipe)
    assert done.exit_code == 0, done.output
    assert "stage 1   at most 3 epochs" in done.stdout
    assert "frozen layers: 1" in done.stdout
    assert "stage 2   at most 7 epochs" in done.stdout
    assert "learning rate 0.0001" in done.stdout
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"samples": {**RECIPE["samples"], "files": ["none.csv"]}}, "none.csv"),
        ({"samples": {**RECIPE["samples"], "group": "ship"}}, "ship"),
        ({"sensors": ["MODES"]}, "unknown sensor"),
        ({"baselines": ["qaa_v6"]}, "qaa_v6"),
        ({"network": {"hidden": [500]}}, "OC-SMART"),
        ({"ensemble": {"members": 9, "folds": 9}}, "fold"),
        ({"fit": {"target_weights": {"aph_443": 2}}}, "aph_443"),
    ],
)
def test_mistakes_are_found_before_training(folder, change, expected):
    """In the samples, the sensors, the baselines, the layers and the folds."""
    done = called(folder, ["train"], RECIPE | change)
    assert done.exit_code == 2, done.output
    assert expected in done.output


def test_a_dry_run_says_what_would_be_searched(folder):
    """Method, trials, epochs and the space; nothing is written, and a wrong space is refused."""
    space = {"units": {"min": 4, "max": 16}, "activation": ["tanh", "elu"]}
    recipe = RECIPE | {"tune": {"method": "random", "trials": 6, "space": space}, "save": ["keras"]}
    recipe["splits"] = RECIPE["splits"] | {"by": "random"}
    done = called(folder, ["tune"], recipe)
    assert done.exit_code == 0, done.output
    assert "80 usable; 40 train, 20 validation; no trial uses the test part" in done.stdout
    assert "search    random, 6 trials of at most 7 epochs" in done.stdout
    assert "units         4 to 16" in done.stdout
    assert "activation    tanh, elu" in done.stdout
    assert {path.name for path in folder.iterdir()} == {"samples.csv", "recipe.yaml"}
    recipe["tune"]["space"]["weight_decay"] = {"min": 1e-6, "max": 1e-3}
    assert called(folder, ["tune"], recipe).exit_code == 2
