"""Weights of classes and targets: worked out by hand, in the loss, in the record."""

from pathlib import Path

import numpy as np
import pytest
from sample_tables import columns, write

from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError, NetworkError
from pipeline.networks import load_network
from pipeline.networks.saving import save_network
from pipeline.training.fit_network import TrainingResult
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.output_weights import output_weights
from pipeline.training.train import train

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])


class Silent:
    def epoch(self, _, __):
        pass


def of_classes(choice, classes, weights):
    weights = np.ones(len(LABELS)) if weights is None else weights
    sums = np.bincount(LABELS, weights=weights, minlength=len(classes))
    return output_weights("fit.class_weights", choice, classes, sums)


def test_balanced_by_hand() -> None:
    """Ten samples, three classes: 10 / (3 x 6), 10 / (3 x 2) twice; all sum to ten again."""
    found = of_classes("balanced", ("a", "b", "c"), None)
    np.testing.assert_allclose(found, [10 / 18, 10 / 6, 10 / 6])
    assert found[LABELS].sum() == pytest.approx(10)


def test_balanced_by_what_samples_weigh() -> None:
    """Two samples of weight 3 are as many as six."""
    weights = np.where(LABELS == 1, 3.0, 1.0)
    found = of_classes("balanced", ("a", "b", "c"), weights)
    np.testing.assert_allclose(found, [14 / 18, 14 / 18, 14 / 6])


def test_by_name_and_none() -> None:
    """A class that is not named counts 1; none leaves all as they are."""
    found = of_classes({"c": 4.0}, ("a", "b", "c"), None)
    np.testing.assert_array_equal(found, [1, 1, 4])
    assert of_classes("none", ("a", "b", "c"), None) is None


def test_what_cannot_be_weighed() -> None:
    """A name that is no class, and a class without a training sample."""
    with pytest.raises(ConfigError, match="found murky, expected one of a, b, c"):
        of_classes({"murky": 2.0}, ("a", "b", "c"), None)
    with pytest.raises(ConfigError, match="but d has none"):
        of_classes("balanced", ("a", "b", "c", "d"), None)


def recipe(folder: Path, **changes: object) -> TrainingConfig:
    """Three classes, a few epochs."""
    table = columns(120) | {"weight": [1.0 + row % 2 for row in range(120)]}
    file = folder / "samples.csv"
    if not file.exists():
        write(folder, table)
    data = {
        "name": "types",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(file)],
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555]}],
            "classes": {
                "quantity": "water_type",
                "rules": {"clear": "chlor_a < 1", "green": "chlor_a < 8"},
                "otherwise": "rich",
            },
            "weight": "weight",
        },
        "splits": {"by": "random"},
        "network": {"hidden": [8], "dropout": 0.2},
        "fit": {"epochs": 3, "class_weights": "balanced", "precision": "float64"},
        "beyond_ocsmart": True,
    }
    return load_recipe(data | changes, TrainingConfig)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[TrainingResult, Path]:
    folder = tmp_path_factory.mktemp("weights")
    made = train(recipe(folder), Silent())
    for ending in ("h5", "keras"):
        save_network(folder / f"types.{ending}", made.network)
    return made, folder


def test_the_loss_is_weighted(trained: tuple[TrainingResult, Path]) -> None:
    """The validation loss is the mean of -ln p by the weights of samples and of their classes."""
    made, _ = trained
    samples, split = made.prepared.samples, made.prepared.split
    own = samples.weights[split.train]
    of_class = [own.sum() / 3 / own[samples.labels[split.train] == c].sum() for c in range(3)]
    held_out = samples.take(split.validation)
    weights = held_out.weights * np.array(of_class)[held_out.labels]
    shares = made.network.reference(held_out.x)[np.arange(len(held_out)), held_out.labels]
    expected = (weights * -np.log(shares)).sum() / weights.sum()
    best = made.fitted.history[made.fitted.best_epoch - 1]
    assert best.validation_loss == pytest.approx(expected, rel=1e-9)
    # Unweighted it would be another number.
    assert expected != pytest.approx(-np.log(shares).mean(), rel=1e-3)


def test_weights_are_recorded(trained: tuple[TrainingResult, Path]) -> None:
    """The choice and the numbers it gave, in the file of the network."""
    _, folder = trained
    record = load_network(folder / "types.h5").training
    assert record["configuration"]["fit"]["class_weights"] == "balanced"
    assert list(record["class_weights"]) == ["clear", "green", "rich"]
    assert record["class_weights"]["clear"] > record["class_weights"]["rich"]


def test_dropout_learns_and_is_gone(trained: tuple[TrainingResult, Path], tmp_path: Path) -> None:
    """It changes what is learned; the saved model has dense layers alone, the network no noise."""
    made, folder = trained
    import keras

    model = keras.models.load_model(folder / "types.keras", compile=False)
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    x = made.prepared.samples.x
    np.testing.assert_array_equal(made.network.reference(x), made.network.reference(x))
    without = train(recipe(tmp_path, network={"hidden": [8]}), Silent())
    kernels = [one.network.layers[0].kernel for one in (made, without)]
    assert not np.array_equal(*kernels)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"baselines": ["qaa_v6"]}, "with classes, use class_baselines"),
        ({"fit": {"class_weights": "equal"}}, "class_weights"),
        ({"fit": {"class_weights": {"clear": -1}}}, "greater than 0"),
        (
            {"samples": {"files": ["a.csv"], "targets": [{"quantity": "aph"}]}},
            "are only for classes",
        ),
    ],
)
def test_recipes_that_contradict_themselves(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    """In words, before anything is read."""
    with pytest.raises(ConfigError, match=words):
        recipe(tmp_path, **changes)


def test_a_class_that_a_map_could_not_name_is_told_before_training(tmp_path: Path) -> None:
    """Flag meanings are parted by blanks."""

    class Never:
        def epoch(self, _, __):
            raise AssertionError

    config = recipe(tmp_path)
    classes = config.samples.classes.model_copy(update={"otherwise": "very rich"})
    samples = config.samples.model_copy(update={"classes": classes})
    with pytest.raises(NetworkError, match=r"samples.classes: 'very rich' is not a valid name"):
        train(config.model_copy(update={"samples": samples}), Never())


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"clear": "Rrs_488 > 0"}, "class_baselines.simple.rules.clear: no column 'Rrs_488'"),
        ({"blue": "Rrs_443 > 0"}, "class_baselines.simple: found the classes blue, expected clear"),
    ],
)
def test_thresholds_that_cannot_be(tmp_path: Path, rules: dict[str, str], words: str) -> None:
    """Are told before training."""
    config = recipe(tmp_path, class_baselines={"simple": {"rules": rules}})
    with pytest.raises(ConfigError, match=words):
        train(config, Silent())


def test_targets_that_few_rows_have(tmp_path: Path) -> None:
    """Each counts the same: with one epoch the loss is the mean of the targets' mean squares."""
    table = columns(40)
    table["aph_443"] = [0.01 * (row + 1) if row % 8 == 0 else None for row in range(40)]
    data = {
        "name": "targets", "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(write(tmp_path, table))], "group": "cruise",
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555]}],
            "targets": [{"quantity": "chlor_a"}, {"quantity": "aph", "wavelengths_nm": [443]}],
            "missing_targets": "mask",
        },
        "splits": {"by": "random", "validation": 0.2, "test": 0},
        "network": {"hidden": [4]},
        "fit": {"epochs": 1, "precision": "float64", "target_weights": "balanced",
                "optimizer": {"kind": "sgd", "learning_rate": 1e-30}},
    }  # fmt: skip
    made = train(load_recipe(data, TrainingConfig), Silent())
    network, samples, rows = made.network, made.prepared.samples, made.prepared.split.train
    error = np.log10(network.reference(samples.x[rows])) - np.log10(samples.y[rows])
    width = np.array([(v.maximum - v.minimum) / 2 for v in network.outputs])
    expected = np.nanmean(np.square(error / width), axis=0).mean()
    assert made.fitted.history[0].loss == pytest.approx(expected, rel=1e-9)
    weights = network.training["target_weights"]
    known = np.isfinite(samples.y[rows]).sum(axis=0)
    np.testing.assert_allclose(list(weights.values()), known.sum() / (2 * known))
    data["fit"]["target_weights"] = {"chl": 2.0}
    with pytest.raises(ConfigError, match="found chl, expected one of chlor_a, aph_443"):
        train(load_recipe(data, TrainingConfig), Silent())
