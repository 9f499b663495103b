"""Fine-tuning: where it starts, what stays, what comes out; the real SGLI network above all."""

import dataclasses

import numpy as np
import oracle
import pytest

from pipeline.config.training import FinetuneConfig
from pipeline.errors import ConfigError
from pipeline.networks import load_network
from pipeline.networks.saving import save_network
from pipeline.networks.variable import scale_factors, scaled
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.finetune import begin, finetune, with_inputs_of
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.preparation import prepare


class Told:
    """Keeps what it is told."""

    def __init__(self):
        self.epochs = []

    def epoch(self, epoch, _):
        self.epochs.append(epoch)


@pytest.fixture(scope="module")
def start(ocsmart):
    return load_network(ocsmart / "SGLI_aphNN.h5")


@pytest.fixture(scope="module")
def samples(start, tmp_path_factory):
    """Simulated water at the bands of the network."""
    path = tmp_path_factory.mktemp("samples") / "sgli.nc"
    bands = [variable.wavelength_nm for variable in start.inputs]
    write_samples(path, simulate_samples(1500, bands, seed=4))
    return path


def recipe(samples, **changes):
    bands = changes.pop("bands", [380, 412, 443, 490, 530, 565, 672])
    data = {
        "name": "tuned",
        "sensors": ["SGLI"],
        "samples": {
            "files": [str(samples)],
            "targets": [{"quantity": "aph", "wavelengths_nm": bands}],
        },
        "splits": {"by": "random"},
        "fit": {
            "precision": "float64",
            "epochs": 4,
            "optimizer": {"learning_rate": 1e-3},
            "early_stopping": None,
        },
        "finetune": changes,
    }
    return load_recipe(data, FinetuneConfig)


def outputs_of(beginning, x):
    """What the model gives before its first step, in physical units."""
    centre, width = scale_factors(beginning.outputs)
    signal = np.asarray(beginning.model(scaled(beginning.inputs, x)))
    return 10 ** (signal * width + centre)


@pytest.mark.parametrize("scaling", ["keep", "refit"])
@pytest.mark.parametrize("decorrelate", [False, True])
def test_it_starts_from_exactly_its_numbers(start, samples, ocsmart, scaling, decorrelate):
    """Judged by an independent forward pass on the file."""
    config = with_inputs_of(start, recipe(samples, scaling=scaling, decorrelate=decorrelate))
    prepared = prepare(config.samples, config.splits)
    x = prepared.samples.x
    expected = 10 ** oracle.forward_log10(ocsmart / "SGLI_aphNN.h5", x)
    np.testing.assert_allclose(outputs_of(begin(start, config, prepared), x), expected, rtol=1e-10)


def test_frozen_layers_stay_bit_by_bit(start, samples, tmp_path, ocsmart):
    """Through stages, and in the file, which an independent reader runs with the same outputs."""
    stages = [{"freeze": 3}, {"freeze": 2, "learning_rate": 1e-4, "l2_to_start": 1e-3}]
    told = Told()
    tuned = finetune(start, recipe(samples, stages=stages), told)
    assert [epoch.stage for epoch in told.epochs] == [1] * 4 + [2] * 4
    assert [epoch.number for epoch in told.epochs] == list(range(1, 9))
    assert told.epochs[-1].loss < told.epochs[0].loss
    save_network(tmp_path / "SGLI_tunedNN.h5", tuned.network)
    saved = load_network(tmp_path / "SGLI_tunedNN.h5")
    for place, (old, new) in enumerate(zip(start.layers, saved.layers, strict=True)):
        is_same = np.array_equal(old.kernel, new.kernel) and np.array_equal(old.bias, new.bias)
        assert is_same == (place < 2)
    x = tuned.prepared.samples.x[:300]
    np.testing.assert_allclose(
        10 ** oracle.forward_log10(tmp_path / "SGLI_tunedNN.h5", x),
        tuned.network.reference(x),
        rtol=1e-10,
    )
    assert saved.training["start"]["name"] == "SGLI_aphNN"
    np.testing.assert_array_equal(oracle.ranges(tmp_path / "SGLI_tunedNN.h5")[0],
                                  oracle.ranges(ocsmart / "SGLI_aphNN.h5")[0])  # fmt: skip


def test_some_outputs_are_kept(start, samples):
    """Those that are targets; it starts with their numbers."""
    config = with_inputs_of(start, recipe(samples, bands=[443, 672]))
    prepared = prepare(config.samples, config.splits)
    found = outputs_of(begin(start, config, prepared), prepared.samples.x)
    expected = start.reference(prepared.samples.x)[:, [2, 6]]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_new_head(start, samples):
    """For another quantity: the base stays bit by bit, new layers learn."""
    data = recipe(
        samples, head="new", new_hidden=[10], drop_layers=2, stages=[{"freeze": "base"}]
    ).model_dump()
    data["samples"] |= {"targets": [{"quantity": "chlor_a"}], "inputs": []}
    data["fit"] |= {"epochs": 40}
    tuned = finetune(start, load_recipe(data, FinetuneConfig), Told())
    assert tuned.network.shape_text == "7-100-75-50-10-1"
    for old, new in zip(start.layers[:3], tuned.network.layers[:3], strict=True):
        assert np.array_equal(old.kernel, new.kernel)
    rows = tuned.prepared.samples.take(tuned.prepared.split.test)
    error = np.log10(tuned.network.reference(rows.x) / rows.y)
    assert np.sqrt(np.mean(error**2)) < 0.7 * np.std(np.log10(rows.y))


def test_a_stopped_fine_tuning_goes_on(start, samples, tmp_path):
    """In the middle of its second stage, and it ends with the same weights."""
    stages = [{"freeze": 3, "epochs": 3}, {"epochs": 5}]
    whole = finetune(start, recipe(samples, stages=stages, dropout=0.1), Told())

    class Stopping(Told):
        def epoch(self, epoch, last):
            super().epoch(epoch, last)
            if epoch.number == self.end:
                raise KeyboardInterrupt

    again = None
    for end in (2, 3, 6, None):
        told = Stopping()
        told.end = end
        try:
            again = finetune(
                start, recipe(samples, stages=stages, dropout=0.1), told, tmp_path / "kept"
            )
        except KeyboardInterrupt:
            continue
    assert again is not None
    for one, other in zip(whole.network.layers, again.network.layers, strict=True):
        np.testing.assert_array_equal(one.kernel, other.kernel)
    assert [e.loss for e in whole.fitted.history] == [e.loss for e in again.fitted.history]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": [{"freeze": 5}]}, "freeze: 5, but the network has 5 layers"),
        ({"head": "new", "drop_layers": 5}, "SGLI_aphNN has 5 layers, so no layer is left"),
        (
            {"decorrelate": True, "stages": [{"freeze": 1}]},
            "decorrelate changes the weights of the first layer",
        ),
    ],
)
def test_what_cannot_be_is_said(start, samples, changes, words):
    """Before any training."""
    told = Told()
    with pytest.raises(ConfigError, match=words):
        finetune(start, recipe(samples, **changes), told)
    assert told.epochs == []


def test_a_target_by_its_former_name(start, samples, caplog):
    """The name ap is taken for the apg of the network, with a warning; aph has no former name."""
    config = with_inputs_of(start, recipe(samples))
    prepared = prepare(config.samples, config.splits)
    outputs = tuple(dataclasses.replace(v, quantity="apg") for v in start.outputs)
    renamed = dataclasses.replace(start, outputs=outputs)
    targets = tuple(dataclasses.replace(v, quantity="ap") for v in prepared.samples.targets)
    named = dataclasses.replace(
        prepared, samples=dataclasses.replace(prepared.samples, targets=targets)
    )
    found = outputs_of(begin(renamed, config, named), prepared.samples.x)
    np.testing.assert_array_equal(
        found, outputs_of(begin(start, config, prepared), prepared.samples.x)
    )
    assert caplog.text.count("ap is taken for apg") == 1
    with pytest.raises(ConfigError, match="is not an output"):
        begin(renamed, config, prepared)


def test_targets_that_the_network_has_not(start, samples):
    """Are named, with the way out."""
    data = recipe(samples).model_dump()
    data["samples"] |= {"targets": [{"quantity": "chlor_a"}]}
    with pytest.raises(ConfigError, match=r"chlor_a is not an output of SGLI_aphNN.*head: new"):
        finetune(start, load_recipe(data, FinetuneConfig), Told())
    data["samples"] |= {"inputs": [{"quantity": "Rrs", "wavelengths_nm": [412]}]}
    with pytest.raises(ConfigError, match="differs from the inputs of SGLI_aphNN"):
        finetune(start, load_recipe(data, FinetuneConfig), Told())
