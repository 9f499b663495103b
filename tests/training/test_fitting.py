"""Training anew: what is learned, folded, stopped, repeated, and gone on with."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.training import Architecture, TrainingConfig
from pipeline.errors import ConfigError, NetworkError
from pipeline.training.fitting.checkpoints import LAST
from pipeline.training.recipe import load_recipe
from pipeline.training.train import train


class Told:
    """Keeps what it is told."""

    def __init__(self):
        self.epochs = []

    def epoch(self, epoch, _):
        self.epochs.append(epoch)


def table(path: Path, rows=400, seed=3) -> Path:
    """Two bands and two quantities that follow from them, in four cruises."""
    drawn = np.random.default_rng(seed)
    blue, green = 10 ** drawn.uniform(-3, -1.7, (2, rows))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cruise", "Rrs_443", "Rrs_555", "aph_443", "chlor_a"))
        for row in range(rows):
            ratio = np.log10(blue[row] / green[row])
            writer.writerow(
                (f"cruise_{row % 8}", blue[row], green[row],
                 0.05 * 10 ** (-1.2 * ratio), 10 ** (0.3 - 2 * ratio + 0.5 * ratio**2))
            )  # fmt: skip
    return path


def recipe(folder: Path, **changes) -> TrainingConfig:
    """A small training; keys of ``fit`` and ``network`` are given with a prefix."""
    file = folder / "samples.csv"
    if not file.exists():
        table(file)
    data = {
        "name": "small",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(file)],
            "group": "cruise",
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555]}],
            "targets": [
                {"quantity": "aph", "wavelengths_nm": [443], "scaling": "zscore"},
                {"quantity": "chlor_a"},
            ],
        },
        "network": {"hidden": [12, 8]},
        "fit": {
            "epochs": 30,
            "batch_size": 32,
            "optimizer": {"learning_rate": 0.01},
            "schedule": {"kind": "cosine"},
        },
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            data[section] = data[section] | {name: value}
        else:
            data[section] = value
    return load_recipe(data, TrainingConfig)


def weights(trained) -> bytes:
    return b"".join(
        layer.kernel.tobytes() + layer.bias.tobytes() for layer in trained.network.layers
    )


@pytest.mark.quick
@pytest.mark.tensorflow
def test_it_learns(tmp_path):
    """What it has not seen is right to a few per cent, in physical units."""
    trained = train(recipe(tmp_path, fit__epochs=80), Told())
    prepared = trained.prepared
    held_out = prepared.samples.take(prepared.split.test)
    found = trained.network.reference(held_out.x)
    assert np.sqrt(np.mean(np.log10(found / held_out.y) ** 2)) < 0.03
    assert trained.network.shape_text == "2-12-8-2"


def test_the_same_call_makes_the_same_weights(tmp_path):
    """Bit by bit; another seed makes others."""
    first, second, other = (
        train(recipe(tmp_path, fit__seed=seed, fit__epochs=6, network__dropout=0.1), Told())
        for seed in (1, 1, 2)
    )
    assert weights(first) == weights(second) != weights(other)


@pytest.mark.parametrize(
    "network",
    [
        {"hidden": [16, 8], "batch_normalisation": True, "dropout": 0.05, "l2": 1e-5},
        {"hidden": [16, 8], "activation": ["relu", "leaky_relu"]},
        {"hidden": [16], "activation": "elu", "decorrelate": True, "batch_normalisation": True},
    ],
)
def test_the_network_is_what_was_trained(tmp_path, network):
    """Batch normalisation and decorrelation folded: the validation loss is the network's own."""
    config = recipe(
        tmp_path, network=network, beyond_ocsmart=True, fit__precision="float64", fit__epochs=12
    )
    trained = train(config, Told())
    prepared = trained.prepared
    held_out = prepared.samples.take(prepared.split.validation)
    found = trained.network.reference(held_out.x)
    errors = np.log10(found / held_out.y)
    first, second = trained.network.outputs
    widths = np.array([first.scaling_parameters[1], (second.maximum - second.minimum) / 2])
    best = trained.fitted.history[trained.fitted.best_epoch - 1]
    np.testing.assert_allclose(np.mean((errors / widths) ** 2), best.validation_loss, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "optimizer"),
    [
        ("mse", {"kind": "adam"}),
        ("mae", {"kind": "adamw", "weight_decay": 1e-3}),
        ("huber", {"kind": "nadam"}),
        ("log_cosh", {"kind": "rmsprop"}),
        ("mse", {"kind": "sgd", "momentum": 0.9, "clip_norm": 1.0, "learning_rate": 0.02}),
    ],
)
def test_losses_and_optimizers(tmp_path, loss, optimizer):
    """All of them lower the validation loss."""
    chosen = {"learning_rate": 0.003} | optimizer
    told = Told()
    train(recipe(tmp_path, fit__loss=loss, fit__optimizer=chosen, fit__epochs=6), told)
    assert told.epochs[-1].validation_loss < 0.8 * told.epochs[0].validation_loss


def test_early_stopping_restores_the_best_epoch(tmp_path):
    """It stops patience epochs after the best one, whose weights the network has."""
    fit = {"epochs": 400, "batch_size": 400, "optimizer": {"learning_rate": 0.3},
           "early_stopping": {"patience": 5}, "precision": "float64"}  # fmt: skip
    told = Told()
    trained = train(recipe(tmp_path, fit=fit), told)
    losses = [epoch.validation_loss for epoch in told.epochs]
    best = int(np.argmin(losses)) + 1
    assert trained.fitted.stopped_early
    assert trained.fitted.best_epoch == best == len(losses) - 5
    shorter = train(recipe(tmp_path, fit=fit | {"epochs": best}), Told())
    assert weights(shorter) == weights(trained)


def test_weights_of_samples_count(tmp_path):
    """As many wrong rows of weight 0 as right ones do not disturb."""
    file = table(tmp_path / "samples.csv")
    head, *lines = file.read_text().splitlines()
    wrong = [f"{line.rsplit(',', 2)[0]},0.05,1,0" for line in lines]
    file.write_text("\n".join([f"{head},w", *(f"{line},1" for line in lines), *wrong]))
    config = recipe(tmp_path, fit__epochs=80)
    samples = config.samples.model_copy(update={"weight": "w"})
    trained = train(config.model_copy(update={"samples": samples}), Told())
    held_out = trained.prepared.samples.take(trained.prepared.split.test)
    right = held_out.weights == 1
    errors = np.log10(trained.network.reference(held_out.x)[right] / held_out.y[right])
    assert np.sqrt(np.mean(errors**2)) < 0.05


def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path):
    """SIGKILL in the middle of an epoch; called again, the weights are those of a whole run."""
    table(tmp_path / "samples.csv", 1500)
    config = recipe(
        tmp_path, fit__epochs=24, network__dropout=0.1, fit__batch_size=16,
        fit__schedule={"kind": "plateau", "patience": 2},
    )  # fmt: skip
    whole = train(config, Told())
    script = tmp_path / "go.py"
    script.write_text(
        "import sys, pathlib\n"
        "from pipeline.config.training import TrainingConfig\n"
        "from pipeline.training.recipe import load_recipe\n"
        "from pipeline.training.train import train\n"
        "class L:\n    def epoch(self, e, n):\n"
        "        print(e.number, flush=True)\n"
        "        if e.number == 20: sys.stdin.read()\n"  # so that it does not end before the kill
        f"data = {config.model_dump(mode='json')!r}\n"
        "train(load_recipe(data, TrainingConfig), L(), pathlib.Path(sys.argv[1]))\n"
    )
    kept = tmp_path / "checkpoints"
    process = subprocess.Popen(
        [sys.executable, str(script), str(kept)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    for line in process.stdout:
        if int(line) >= 5:
            break
    time.sleep(0.03)  # into the next epoch
    process.send_signal(signal.SIGKILL)
    process.wait()
    with np.load(kept / LAST) as stored:
        assert stored["key"].size == 1
    told = Told()
    again = train(config, told, kept)
    assert 5 < told.epochs[0].number <= 21
    assert weights(again) == weights(whole)
    assert [e.loss for e in again.fitted.history] == [e.loss for e in whole.fitted.history]


def test_checkpoints_of_other_work_are_refused(tmp_path):
    """Another architecture or other samples; but it may go on for more epochs."""
    kept = tmp_path / "checkpoints"
    schedule = {"kind": "constant"}
    train(recipe(tmp_path, fit__epochs=4, fit__schedule=schedule, fit__keep_every=2), Told(), kept)
    assert sorted(path.name for path in kept.iterdir()) == [
        "best.npz", "epoch_00002.npz", "epoch_00004.npz", "last.npz",
    ]  # fmt: skip
    told = Told()
    train(recipe(tmp_path, fit__epochs=6, fit__schedule=schedule, fit__keep_every=2), told, kept)
    assert [epoch.number for epoch in told.epochs] == [5, 6]
    with pytest.raises(ConfigError, match="another configuration or of other samples"):
        train(recipe(tmp_path, network__hidden=[5], fit__schedule=schedule), Told(), kept)
    (kept / LAST).write_bytes(b"PK damaged")
    with pytest.raises(ConfigError, match="checkpoint is damaged"):
        train(recipe(tmp_path, fit__epochs=6, fit__schedule=schedule), Told(), kept)


def test_what_ocsmart_cannot_run_is_said_before_training(tmp_path):
    """Not after hours of it."""
    told = Told()
    with pytest.raises(NetworkError, match="relu"):
        train(recipe(tmp_path, network__activation="relu"), told)
    assert told.epochs == []


def test_a_training_that_runs_away_is_ended(tmp_path):
    """With words, not with a network of NaN."""
    with pytest.raises(ConfigError, match="training diverged"):
        train(
            recipe(
                tmp_path,
                network={"hidden": [8], "activation": "relu"},
                beyond_ocsmart=True,
                fit__optimizer={"kind": "sgd", "learning_rate": 1e9},
            ),
            Told(),
        )


@pytest.mark.parametrize("names", [2, 3])
def test_classes(tmp_path, names):
    """Two by one logit, three by three; probabilities of the network add up to 1 and are right."""
    file = tmp_path / "classes.csv"
    drawn = np.random.default_rng(0)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("site", "Rrs_443", "Rrs_555", "kind"))
        for row in range(600):
            blue, green = 10 ** drawn.uniform(-3, -1.7, 2)
            kind = int(np.digitize(np.log10(blue / green), [0.0] if names == 2 else [-0.3, 0.3]))
            writer.writerow((row % 12, blue, green, f"kind_{'abc'[kind]}"))
    samples = {
        "files": [str(file)], "group": "site",
        "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555]}],
        "classes": {"column": "kind", "quantity": "water_type"},
    }  # fmt: skip
    config = recipe(tmp_path, samples=samples, beyond_ocsmart=True, fit__epochs=40)
    trained = train(config, Told())
    held_out = trained.prepared.samples.take(trained.prepared.split.test)
    found = trained.network.reference(held_out.x)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.mean(found.argmax(axis=1) == held_out.labels) > 0.93
    assert trained.network.classes == tuple(f"kind_{c}" for c in "abc"[:names])


def test_architectures_that_cannot_be():
    """Are said in words."""
    with pytest.raises(ValueError, match="one for each of the 2 hidden layers, found 3"):
        Architecture(hidden=(5, 5), activation=("tanh", "relu", "tanh"))
