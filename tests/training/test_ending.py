"""Why a training stopped, in words."""

import pytest

from pipeline.config.training import FinetuneConfig, TrainingConfig
from pipeline.training.ending import why_it_stopped
from pipeline.training.fitting import Epoch
from pipeline.training.recipe import load_recipe
from pipeline.training.record import with_origin

SAMPLES = {"files": ["x.csv"], "targets": [{"quantity": "aph", "wavelengths_nm": [443]}]}
INPUTS = {"inputs": [{"quantity": "Rrs", "wavelengths_nm": [443]}]}


def epochs(best, stage=1, first=1):
    """Epochs of a stage; ``best`` says of each whether it was the best so far."""
    return [Epoch(n, stage, 0.1, 1.0, 1.0, is_best) for n, is_best in enumerate(best, start=first)]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("best", "words"),
    [
        ([1, 1, 0, 0], ["after 4 of 9 epochs", "not lower for 2 epochs", "best epoch, 2"]),
        ([1, 0, 1, 0, 0, 0, 1, 0, 0], ["after all 9 epochs", "best epoch, 7"]),
        ([1] * 9, ["after all 9 epochs", "best epoch, 9", "still falling"]),
    ],
)
def test_of_a_training(best, words):
    """Early stopping, or all epochs; and whether more epochs may help."""
    fit = {"epochs": 9, "early_stopping": {"patience": 2}}
    data = {"name": "n", "sensors": ["SGLI"], "samples": SAMPLES | INPUTS, "fit": fit}
    (said,) = why_it_stopped(load_recipe(data, TrainingConfig), epochs(map(bool, best)))
    assert all(word in said for word in words), said
    assert ("still falling" in said) == ("still falling" in words)


@pytest.mark.quick
def test_of_each_stage():
    """A stage has its own number of epochs and its own patience; a stage not begun is left out."""
    data = {
        "name": "n", "sensors": ["SGLI"], "samples": SAMPLES,
        "fit": {"epochs": 9, "early_stopping": {"patience": 5}},
        "finetune": {"stages": [{"epochs": 2}, {"early_stopping": {"patience": 1}}, {}]},
    }  # fmt: skip
    history = epochs([True, False]) + epochs([True, True, False], stage=2, first=3)
    first, second = why_it_stopped(load_recipe(data, FinetuneConfig), history)
    assert first.startswith("stage 1: stopped after all 2 epochs")
    assert second.startswith("stage 2: stopped after 3 of 9 epochs")
    assert "not lower for 1 epoch " in second
    assert second.endswith("the best epoch, 4")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("own", "origin", "expected"),
    [
        ("", "GPL-2", "GPL-2"),
        ("MIT", "", "MIT"),
        ("", "", ""),
        ("GPL-2", "GPL-2", "GPL-2"),
        ("MIT", "GPL-2", "MIT; of base, from which this network was made: GPL-2"),
    ],
)
def test_a_statement_of_the_origin_stays(own, origin, expected):
    """Beside the network's own statement, and only once."""
    assert with_origin(own, origin, "base") == expected
    assert with_origin(expected, origin, "base") == expected
