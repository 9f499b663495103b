"""Networks of one recipe that are run as one: folds, calibration, folder, commands."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from sample_tables import nomad
from warm_commands import training

from pipeline.config import SplitsConfig
from pipeline.config.training import EnsembleConfig, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.evaluation.coverage import coverage
from pipeline.networks import Variable, load_retrieval
from pipeline.networks.reading.ensemble_file import write_ensemble
from pipeline.networks.saving import save_network
from pipeline.training.calibration import UnseenRows, calibrate
from pipeline.training.ensemble import train_ensemble
from pipeline.training.recipe import load_recipe
from pipeline.training.results import write_results
from pipeline.training.samples.preparation import PreparedSamples, prepare
from pipeline.training.samples.samples import load_samples
from pipeline.training.samples.splits import Split, make_folds
from pipeline.training.train import train

NOISE = 0.1


class Silent:
    def epoch(self, epoch, epochs):
        pass


def write_table(path: Path, rows: int = 400) -> Path:
    """Two bands, one quantity with errors of 0.1 decades, twelve cruises."""
    drawn = np.random.default_rng(4)
    blue, green = 10 ** drawn.uniform(-3, -1.7, (2, rows))
    aph = 0.05 * (blue / green) ** -1.1 * 10 ** (NOISE * drawn.standard_normal(rows))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cruise", "Rrs_443", "Rrs_547", "aph_443"))
        for row in range(rows):
            writer.writerow((f"c{row % 12}", blue[row], green[row], aph[row]))
    return path


def settings(folder: Path, **keys):
    table = folder / "samples.csv"
    if not table.exists():
        write_table(table)
    return {
        "name": "net",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(table)],
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 547]}],
            "targets": [{"quantity": "aph", "wavelengths_nm": [443]}],
            "group": "cruise",
        },
        "network": {"hidden": [8]},
        "fit": {"epochs": 60, "batch_size": 64, "optimizer": {"learning_rate": 0.02}},
        **keys,
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    recipe = load_recipe(settings(folder), TrainingConfig)
    prepared = prepare(recipe.samples, recipe.splits)
    seen = []

    def fit(own, samples, checkpoints):
        seen.append((own, samples.split))
        return train(own, Silent(), checkpoints, samples)

    made = train_ensemble(recipe, EnsembleConfig(members=4, folds=4), prepared, fit)
    return made, prepared, seen


def test_every_row_is_unseen_by_a_member(trained):
    """Folds divide training and validation by cruise; the test part is in none of them."""
    _, prepared, seen = trained
    left_out = np.concatenate([split.validation for _, split in seen])
    pool = np.concatenate([prepared.split.train, prepared.split.validation])
    np.testing.assert_array_equal(np.sort(left_out), np.sort(pool))
    groups = np.array(prepared.samples.groups)
    for _, split in seen:
        assert not set(groups[split.train]) & set(groups[split.validation])
        assert not np.isin(
            prepared.split.test, np.concatenate([split.train, split.validation])
        ).any()
    assert [own.fit.seed for own, _ in seen] == [1, 2, 3, 4]
    assert [own.name for own, _ in seen] == ["net_01", "net_02", "net_03", "net_04"]


def test_stated_deviation_is_that_of_the_errors(trained):
    """The table's errors are normal with 0.1 decades: that is what is stated, and what is held."""
    made, prepared, _ = trained
    test = prepared.samples.take(prepared.split.test)
    modelled, deviation = made.network.predict_with_uncertainty(test.x, "numpy")
    assert np.median(deviation) == pytest.approx(NOISE, rel=0.2)
    held = coverage(test.y[:, 0], modelled[:, 0], deviation[:, 0], log=True)
    assert held.rows == len(test.y)
    assert 0.5 < held.held_68 < 0.85
    assert held.held_95 > 0.88
    record = made.network.calibration.record
    assert record["test"]["aph_443"]["held_68"] == pytest.approx(held.held_68, abs=1e-3)
    assert record["unseen"]["aph_443"]["rows"] == len(prepared.samples) - len(test.y)


@pytest.mark.parametrize(("factor", "floor"), [(1.0, 0.0), (2.5, 0.0), (1.0, 0.3), (0.5, 0.2)])
def test_calibration_finds_what_was_planted(factor, floor):
    """Errors drawn with sqrt((factor spread)^2 + floor^2); their size within a tenth."""
    drawn = np.random.default_rng(8)
    spread = 0.05 * 10 ** drawn.normal(0, 0.3, (20_000, 1))
    deviation = np.hypot(factor * spread, floor)
    errors = deviation * drawn.standard_normal(spread.shape)
    output = Variable("aph", 443.0, "m-1", "log10", -3.0, 1.0)
    found = calibrate((output,), UnseenRows(np.zeros_like(errors), errors, spread))
    assert np.percentile(np.abs(found(spread) / deviation - 1), 95) < 0.1
    held = coverage(np.zeros(len(errors)), errors[:, 0], found(spread)[:, 0], log=False)
    assert held.held_68 == pytest.approx(0.6827, abs=0.01)
    assert held.held_95 == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("factor", "floor"), [(2.5, 0.05), (1.0, 0.1), (0.0, 0.0)])
def test_the_share_of_the_inputs_is_left_out(factor, floor):
    """Errors of the network and of its inputs, added: only the former are what is found."""
    drawn = np.random.default_rng(9)
    spread = 0.05 * 10 ** drawn.normal(0, 0.3, (20_000, 1))
    from_inputs = 0.1 * 10 ** drawn.normal(0, 0.3, spread.shape)
    deviation = np.hypot(factor * spread, floor)
    errors = np.hypot(deviation, from_inputs) * drawn.standard_normal(spread.shape)
    output = Variable("aph", 443.0, "m-1", "log10", -3.0, 1.0)
    unseen = UnseenRows(np.zeros_like(errors), errors, spread, from_inputs=from_inputs)
    found = calibrate((output,), unseen)(spread)
    assert np.percentile(np.abs(found - deviation), 95) < 0.02
    total = np.hypot(found, from_inputs)
    held = coverage(np.zeros(len(errors)), errors[:, 0], total[:, 0], log=False)
    assert held.held_68 == pytest.approx(0.6827, abs=0.02)
    assert held.held_95 == pytest.approx(0.95, abs=0.01)


def test_a_recipe_states_the_uncertainty_of_its_inputs(tmp_path):
    """Noise of 10 % in both bands of a power law: their share, 0.068 decades, is left out."""
    table = tmp_path / "samples.csv"
    drawn = np.random.default_rng(4)
    blue, green = 10 ** drawn.uniform(-3, -1.7, (2, 600))
    aph = 0.05 * (blue / green) ** -1.1 * 10 ** (0.03 * drawn.standard_normal(600))
    blue, green = [blue, green] * (1 + 0.1 * drawn.standard_normal((2, 600)))
    np.savetxt(table, np.stack([blue, green, aph], axis=1), delimiter=",", comments="",
               header="Rrs_443,Rrs_547,aph_443")  # fmt: skip
    stated = {"inputs": {"Rrs": {"relative": 0.1}}, "correlation": {"length_nm": 1}}
    keys = settings(tmp_path, splits={"by": "random", "test": 0})
    keys["samples"].pop("group")
    keys["ensemble"] = {"members": 3, "folds": 3, "input_uncertainty": stated}
    recipe = load_recipe(keys, TrainingConfig)
    prepared = prepare(recipe.samples, recipe.splits)
    ensemble = train_ensemble(
        recipe, recipe.ensemble, prepared, lambda own, part, _: train(own, Silent(), None, part)
    ).network
    calibration = ensemble.calibration
    apart = calibration.without_inputs
    assert apart.record["input_uncertainty"]["inputs"] == {"Rrs": {"relative": 0.1}}
    assert 0.6 < apart.record["unseen"]["aph_443"]["held_68"] < 0.76
    assert apart.floor[0] < calibration.floor[0]
    whole = ensemble.predict_with_uncertainty(prepared.samples.x, "numpy")[1]
    alone = replace(ensemble, inputs_apart=True)
    rest = alone.predict_with_uncertainty(prepared.samples.x, "numpy")[1]
    assert np.median(rest) < 0.8 * np.median(whole)
    assert alone.fingerprint == ensemble.fingerprint
    path = tmp_path / "net.yaml"
    files = [save_network(tmp_path / f"{m.name}.h5", m)[0] for m in ensemble.members]
    write_ensemble(path, ensemble, files)
    read = load_retrieval(path).calibration.as_dict()
    assert json.dumps(read) == json.dumps(calibration.as_dict())
    changed = recipe.with_members(4).ensemble
    assert (changed.members, changed.input_uncertainty) == (4, recipe.ensemble.input_uncertainty)


def test_error_networks_find_where_errors_are_larger(tmp_path):
    """Errors are four times as large where green is bright; the mean stays the same."""
    table = tmp_path / "samples.csv"
    drawn = np.random.default_rng(4)
    blue, green = 10 ** drawn.uniform(-3, -1.7, (2, 900))
    size = np.where(green > 10**-2.35, 0.2, 0.05)
    aph = 0.05 * (blue / green) ** -1.1 * 10 ** (size * drawn.standard_normal(900))
    np.savetxt(table, np.stack([blue, green, aph], axis=1), delimiter=",", comments="",
               header="Rrs_443,Rrs_547,aph_443")  # fmt: skip
    keys = settings(tmp_path, splits={"by": "random", "test": 0})
    keys["samples"].pop("group")
    keys["ensemble"] = {"members": 3, "folds": 3, "error_networks": {"hidden": [4]}}
    recipe = load_recipe(keys, TrainingConfig)
    prepared = prepare(recipe.samples, recipe.splits)

    def fit(own, part, _):
        return train(own, Silent(), None, part)

    made = train_ensemble(recipe, recipe.ensemble, prepared, fit)
    ensemble = made.network
    assert [n.name for n in ensemble.error_networks] == [f"net_error_0{k}" for k in (1, 2, 3)]
    x, y = prepared.samples.x, prepared.samples.y
    modelled, stated = ensemble.predict_with_uncertainty(x, "numpy")
    bright = x[:, 1] > 10**-2.2
    dark = x[:, 1] < 10**-2.5
    assert np.median(stated[bright]) == pytest.approx(0.2, rel=0.25)
    assert np.median(stated[dark]) == pytest.approx(0.05, rel=0.4)
    for part in (bright, dark):
        held = coverage(y[part, 0], modelled[part, 0], stated[part, 0], log=True)
        assert 0.58 < held.held_68 < 0.8
    evaluated = write_results(tmp_path / "out", recipe, made)
    assert [file.name for file in evaluated.files[3:]] == [
        "net_error_01.h5", "net_error_02.h5", "net_error_03.h5", "net.yaml"
    ]  # fmt: skip
    read = load_retrieval(evaluated.files[-1])
    np.testing.assert_allclose(read.predict_with_uncertainty(x, "numpy")[1], stated, rtol=1e-9)
    np.testing.assert_array_equal(
        modelled, replace(ensemble, error_networks=()).predict(x, "numpy")
    )


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"inputs": {"Rrs": {"from_scene": True}}}, "samples do not come with a scene"),
        ({"inputs": {}}, "input_uncertainty"),
        ({"inputs": {"rhos": {"relative": 0.1}}}, "contains rhos, but the inputs of the samples"),
    ],
)
def test_stated_inputs_that_are_refused(stated, said, tmp_path):
    keys = {"members": 2, "folds": 2, "input_uncertainty": stated}

    def trained_with():
        recipe = load_recipe(settings(tmp_path, ensemble=keys), TrainingConfig)
        prepared = prepare(recipe.samples, recipe.splits)
        train_ensemble(recipe, recipe.ensemble, prepared, lambda *_: None)

    with pytest.raises(ConfigError, match=said):
        trained_with()


def test_coverage_counts():
    """Of ten rows by hand: factors of 2 around 1, with a deviation of log10(2)."""
    observed = np.array([1, 1.9, 0.51, 2.1, 0.45, 3.8, 0.26, 4.2, 0.2, np.nan])
    held = coverage(observed, np.ones(10), np.full(10, np.log10(2)), log=True)
    # Within a factor of 2: three of nine; within 2**1.96 = 3.89: seven.
    assert (held.rows, held.held_68, held.held_95) == (9, 3 / 9, 7 / 9)


def test_commands(tmp_path, sample_scene):
    """Train with members, evaluate, run; a single network is asked for where one is needed."""
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(settings(tmp_path, fit={"epochs": 5})))

    def call(*arguments):
        return training.run(*arguments, cwd=tmp_path)

    made = call("train", "net.yaml", "--members", 3, "-o", "trained")
    assert made.returncode == 0, made.stderr
    ensemble = load_retrieval(tmp_path / "trained" / "net.yaml")
    assert len(ensemble.members) == 3
    assert {"uncertainty.png", "card.html", "split.csv", "run.yaml", "metrics.json"} <= {
        path.name for path in (tmp_path / "trained").iterdir()
    }
    told = call("evaluate", "trained/net.yaml", "trained/members/net_01.h5", "-c", "net.yaml")
    assert told.returncode == 0, told.stderr
    assert "in 68 % interval" in told.stdout
    assert "net_01" in told.stdout
    ran = call("run", sample_scene, "-c", "trained/run.yaml", "-o", "products")
    assert ran.returncode == 0, ran.stderr
    (product,) = (tmp_path / "products").glob("*.nc")
    with netCDF4.Dataset(product) as file:
        assert file["aph_443_unc"][...].count() == file["aph_443"][...].count() > 0
    content = json.loads((tmp_path / "trained" / "metrics.json").read_text())
    assert content["test"]["outputs"][0]["uncertainty"]["rows"] > 0
    refused = call("export", "trained/net.yaml", "-o", "one.h5")
    assert refused.returncode == 2
    assert "ensemble of 3 networks" in refused.stderr
    wrong = call("train", "net.yaml", "--members", 1, "-o", "none")
    assert wrong.returncode == 2
    assert "members" in wrong.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("keys", [{"members": 3, "folds": 5}, {"members": 1}, {"folds": 1}])
def test_numbers_that_are_refused(keys, tmp_path):
    with pytest.raises(ConfigError, match="ensemble"):
        load_recipe(settings(tmp_path, ensemble=keys), TrainingConfig)


def test_too_few_groups(tmp_path):
    recipe = load_recipe(settings(tmp_path), TrainingConfig)
    prepared = prepare(recipe.samples, recipe.splits)
    with pytest.raises(ConfigError, match="folds"):
        train_ensemble(recipe, EnsembleConfig(members=20, folds=20), prepared, lambda *_: None)


def test_nomad(real_data):
    """Held-out cruises of NOMAD: 60-76 % in the 68 % interval, 90-98 % in the 95 % interval."""
    samples = nomad(real_data)
    recipe = load_recipe(
        {
            "name": "nomad", "sensors": ["SeaWiFS"], "samples": samples.model_dump(mode="json"),
            "network": {"hidden": [32, 16]},
            "fit": {"epochs": 100, "batch_size": 100_000, "early_stopping": None,
                    "optimizer": {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 1e-4},
                    "schedule": {"kind": "cosine"}},
        },
        TrainingConfig,
    )  # fmt: skip
    loaded = load_samples(samples)
    made = {"observed": [], "modelled": [], "deviation": []}
    for fold in make_folds(loaded, SplitsConfig(folds=3, seed=1)):
        rest = np.sort(np.concatenate([fold.train, fold.validation]))
        prepared = PreparedSamples(loaded, Split(rest, np.array([], dtype=np.int64), fold.test))
        ensemble = train_ensemble(
            recipe, EnsembleConfig(members=4, folds=4), prepared,
            lambda own, parts, _: train(own, Silent(), None, parts),
        ).network  # fmt: skip
        modelled, deviation = ensemble.predict_with_uncertainty(loaded.x[fold.test], "numpy")
        for name, values in (
            ("observed", loaded.y[fold.test]), ("modelled", modelled), ("deviation", deviation)
        ):  # fmt: skip
            made[name].append(values[:, 0])
    held = coverage(*(np.concatenate(values) for values in made.values()), log=True)
    assert held.rows == 817
    assert 0.60 <= held.held_68 <= 0.76
    assert 0.90 <= held.held_95 <= 0.98
