"""Capacity studies: which size underfits, which overfits, which is chosen, what is untouched."""

import contextlib
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from warm_commands import training

from pipeline.config.study import StudyConfig, hidden_of, parse_study
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError, NetworkError
from pipeline.evaluation.capacity import SizeRuns, judge, risen
from pipeline.evaluation.capacity_report import capacity_csv, capacity_text
from pipeline.networks import load_network
from pipeline.training.recipe import load_recipe
from pipeline.training.results import write_study
from pipeline.training.samples.divisions import divisions, folds_that_stop
from pipeline.training.samples.samples import load_samples
from pipeline.training.samples.splits import make_split
from pipeline.training.study import row_losses, study
from pipeline.training.train import train


class Silent:
    def epoch(self, epoch, epochs):
        pass


def quiet(_):
    return contextlib.nullcontext(Silent())


def runs(name, weights, held_out, training_loss, *, end=1.0, gap=1.2):
    """A size whose validation loss ends at so many times its minimum."""
    validation = np.concatenate([np.linspace(3, 1, 50), np.linspace(1, end, 50)])
    learned = np.linspace(3, end / gap, 100)
    return SizeRuns(
        name, (weights,), weights, ((learned, validation),), (50,), training_loss, held_out
    )


def judged(*sizes, groups=None):
    count = sizes[0].held_out.size
    labels = np.arange(count) if groups is None else groups
    return judge(sizes, labels, loss_name="mse", rows=count, grouped_by="cruise")


def noisy(mean, seed=1, count=400):
    return mean * np.random.default_rng(seed).gamma(2.0, 0.5, count)


def test_sizes_are_judged_by_their_losses():
    """Too few weights: both losses are high; too many: the validation loss rises again."""
    found = judged(
        runs("few", 10, noisy(3.0), 2.9),
        runs("right", 100, noisy(1.0), 0.9),
        runs("many", 1000, noisy(1.0, 2), 0.5, end=1.4),
    )
    assert [one.verdict for one in found.results] == ["underfits", "", "overfits"]
    assert found.chosen == "right"
    assert found.result("many").rise == pytest.approx(0.4, abs=0.03)


def test_a_wide_gap_is_overfitting():
    """Even where the best epoch's weights do as well on held-out rows."""
    same = noisy(1.0)
    found = judged(runs("right", 100, same, 0.9), runs("many", 1000, same * 1.001, 0.5, gap=3))
    assert [one.verdict for one in found.results] == ["", "overfits"]


def test_the_smallest_within_one_standard_error_is_chosen():
    """By the paired difference: what all sizes find hard does not count."""
    hard = noisy(1.0)
    rng = np.random.default_rng(5)
    nearly = hard + rng.normal(0.0, 0.1, hard.size)
    nearly += hard.mean() - nearly.mean() + 0.4 * 0.1 / np.sqrt(hard.size)
    worse = hard + 2.5 * 0.1 / np.sqrt(hard.size) + rng.normal(0, 0.1, hard.size)
    worse += hard.mean() + 2.5 * 0.1 / np.sqrt(hard.size) - worse.mean()
    found = judged(
        runs("worse", 1, worse, 1.0), runs("nearly", 2, nearly, 1.0), runs("best", 3, hard, 1.0)
    )
    assert (found.best, found.chosen) == ("best", "nearly")
    # A standard error by hand, of independent rows: 0.1 / sqrt(n).
    error = np.std(worse - hard) / np.sqrt(hard.size)
    difference = found.result("worse").difference
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_groups_are_drawn_not_rows():
    """Rows of one cruise are alike, so an interval over cruises is wider."""
    of_cruise = np.repeat(np.random.default_rng(2).normal(0, 0.2, 20), 20)
    first = noisy(1.0)
    second = first + 0.05 + of_cruise
    sizes = runs("a", 1, first, 1.0), runs("b", 2, second, 1.0)
    by_row = judged(*sizes).result("b").difference
    by_cruise = judged(*sizes, groups=np.repeat(np.arange(20), 20)).result("b").difference
    assert by_cruise.high - by_cruise.low > 3 * (by_row.high - by_row.low)


def test_a_loss_that_goes_up_and_down_has_not_risen():
    """Noise of an epoch is averaged before the minimum is sought."""
    rng = np.random.default_rng(3)
    flat = 1 + rng.normal(0, 0.1, 400)
    assert risen([flat])[0] < 0.12
    assert flat[-1] / flat.min() - 1 > 0.2


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (["sizes=tiny,huge"], "found huge, expected tiny"),
        (["sizes=tiny"], "at least 2"),
        (["sizes=tiny,4"], "these sizes have the same layers: tiny, 4"),
        (["size=tiny,small"], "did you mean 'sizes'"),
        (["tiny,small"], "expected sizes=NAME,NAME or folds=N"),
        (["sizes=tiny,small", "folds=none"], "folds"),
    ],
)
def test_a_wrong_study_is_refused(said, complaint):
    """In one message, before any sample is read."""
    with pytest.raises(ConfigError, match=complaint):
        parse_study(said)


def test_sizes_are_presets_or_units():
    """``64-32`` is two layers."""
    parsed = parse_study(["sizes=tiny,64-32", "folds=3", "seeds=2"])
    assert (parsed.folds, parsed.seeds) == (3, 2)
    assert [hidden_of(size) for size in parsed.sizes] == [(4,), (64, 32)]


def table(path: Path, rows=240, noise=0.0, seed=3) -> Path:
    """Two bands and a quantity that oscillates with their ratio, in twelve cruises."""
    drawn = np.random.default_rng(seed)
    blue, green = 10 ** drawn.uniform(-3, -1.7, (2, rows))
    ratio = np.log10(blue / green)
    level = np.sin(4 * ratio) + drawn.normal(0, noise, rows)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cruise", "Rrs_443", "Rrs_555", "aph_443"))
        for row in range(rows):
            writer.writerow((f"c{row % 12}", blue[row], green[row], 0.01 * 10 ** level[row]))
    return path


def recipe(folder: Path, **changes) -> TrainingConfig:
    file = table(folder / "samples.csv", noise=changes.pop("noise", 0.0))
    data = {
        "name": "waves",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(file)],
            "group": "cruise",
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555], "scaling": "zscore"}],
            "targets": [{"quantity": "aph", "wavelengths_nm": [443], "scaling": "zscore"}],
        },
        "splits": {"by": "group", "validation": 0.2, "test": 0.2},
        "fit": {"epochs": 40, "batch_size": 64, "optimizer": {"learning_rate": 0.03}},
    }
    return load_recipe(data | changes, TrainingConfig)


def test_the_test_part_is_in_no_division(tmp_path):
    """What a size is chosen by is not what the chosen network is judged by."""
    config = recipe(tmp_path)
    samples = load_samples(config.samples)
    untouched = set(samples.rows[make_split(samples, config.splits).test].tolist())
    assert untouched
    seen = []
    for folds in (1, 4):
        for part in divisions(samples, config.splits, folds):
            split = part.split
            rows = np.concatenate([split.train, split.validation, split.test])
            assert not untouched & set(part.samples.rows[rows].tolist())
            assert len(set(rows.tolist())) == len(rows) == len(part.samples)
            if folds == 4:
                seen += part.samples.rows[split.test].tolist()
    assert sorted(seen) == sorted(set(samples.rows.tolist()) - untouched)
    for folds in (None, 3):
        for part in folds_that_stop(samples, config.splits, folds):
            rows = np.concatenate([part.split.train, part.split.validation])
            assert not untouched & set(part.samples.rows[rows].tolist())
            assert not set(part.split.train.tolist()) & set(part.split.validation.tolist())


def test_a_size_that_cannot_be_saved_is_refused_before_training(tmp_path):
    """OC-SMART's program takes layers of 127 units."""
    with pytest.raises(NetworkError, match="200 units"):
        study(recipe(tmp_path), StudyConfig(sizes=("tiny", "200")), quiet)


def test_several_activations_are_refused(tmp_path):
    """A study changes how many layers there are."""
    config = recipe(
        tmp_path, network={"hidden": [8, 8], "activation": ["tanh", "relu"]}, save=["keras"]
    )
    with pytest.raises(ConfigError, match="expected one activation for all hidden layers"):
        study(config, StudyConfig(sizes=("tiny", "small")), quiet)


def test_losses_of_rows_are_the_loss_of_the_trainer(tmp_path):
    """Row by row in double precision, and at once in the graph of an epoch; with weights, too."""
    for config in (recipe(tmp_path, noise=0.1), classes(tmp_path)):
        trained = train(config, Silent())
        rows = trained.prepared.split.validation
        found = row_losses(config, trained.network, trained.prepared, rows).mean()
        least = min(epoch.validation_loss for epoch in trained.fitted.history)
        assert found == pytest.approx(least, rel=1e-4)


def classes(folder: Path) -> TrainingConfig:
    """Three kinds of water, some samples of which count more."""
    lines = list(csv.DictReader(table(folder / "waves.csv").read_text().splitlines()))
    with (folder / "waters.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cruise", "Rrs_443", "Rrs_555", "water", "weight"))
        for number, line in enumerate(lines):
            kind = min(2, int((np.log10(float(line["aph_443"])) + 3) * 1.5))
            writer.writerow((line["cruise"], line["Rrs_443"], line["Rrs_555"], f"kind_{kind}",
                             1 + number % 3))  # fmt: skip
    samples = {
        "files": [str(folder / "waters.csv")], "group": "cruise", "weight": "weight",
        "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555]}],
        "classes": {"column": "water"},
    }  # fmt: skip
    return recipe(folder, samples=samples, save=["keras"], fit={"epochs": 5})


def test_one_unit_cannot_follow_a_wave(tmp_path):
    """It underfits; the chosen size is recorded in files, and a stopped study goes on."""
    config, sizes = recipe(tmp_path), StudyConfig(sizes=("1", "32"), folds=2)
    whole = study(config, sizes, quiet)
    assert whole.capacity.result("1").verdict == "underfits"
    assert whole.capacity.chosen == "32"
    assert whole.recipe.network.hidden == (32,)
    assert whole.capacity.rows == len(load_samples(config.samples)) - 40

    class Stops:
        def epoch(self, *_):
            raise KeyboardInterrupt

    def stops(name):
        is_late = "32, division 2" in name
        return contextlib.nullcontext(Stops() if is_late else Silent())

    with pytest.raises(KeyboardInterrupt):
        study(config, sizes, stops, tmp_path / "kept")
    gone_on = study(config, sizes, quiet, tmp_path / "kept")
    assert gone_on.capacity.results == whole.capacity.results

    write_study(tmp_path / "out", whole)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "study.txt", "study.csv", "study.json", "study.png", "training.yaml"
    }  # fmt: skip
    again = load_recipe(tmp_path / "out" / "training.yaml", TrainingConfig)
    assert again.network.hidden == (32,)
    content = json.loads((tmp_path / "out" / "study.json").read_text())
    assert [len(size["curves"]) for size in content["sizes"]] == [2, 2]
    lines = list(csv.DictReader(capacity_csv(whole.capacity).splitlines()))
    assert [(line["size"], line["chosen"]) for line in lines] == [("1", "False"), ("32", "True")]
    assert "chosen: 32 (32, 129 weights)" in capacity_text(whole.capacity)


def test_noise_is_learned_by_heart(tmp_path):
    """By a network with many weights for its rows, and not by a small one."""
    config = recipe(
        tmp_path, noise=1.0, fit={"epochs": 150, "batch_size": 64,
                                  "optimizer": {"learning_rate": 0.01}},
    )  # fmt: skip
    found = study(config, StudyConfig(sizes=("4", "100-100"), folds=2), quiet).capacity
    assert found.result("100-100").verdict == "overfits"
    assert found.result("4").verdict == ""
    assert found.chosen == "4"


def test_the_command_studies_and_trains(tmp_path):
    """Text on the terminal, and beside the study what ``train`` saves."""
    config = recipe(tmp_path, fit={"epochs": 5, "batch_size": 64})
    (tmp_path / "waves.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    ended = training.run(
        "train", "waves.yaml", "--study", "sizes=2,8", "--study", "folds=2", "-o", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "chosen: " in ended.stdout
    assert "retracing" not in ended.stderr
    hidden = yaml.safe_load((tmp_path / "out" / "training.yaml").read_text())["network"]["hidden"]
    network = load_network(tmp_path / "out" / "waves.h5")
    assert [layer.bias.size for layer in network.layers] == [*hidden, 1]
    wrong = training.run("train", "waves.yaml", "--study", "sizes=2", "-o", "other", cwd=tmp_path)
    assert (wrong.returncode, (tmp_path / "other").exists()) == (2, False)
    assert "Traceback" not in wrong.stderr
