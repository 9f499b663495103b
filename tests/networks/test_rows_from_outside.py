"""A transform or an activation is one row of a table: descriptions, engines and recipes take it."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.networks import load_network
from pipeline.networks.activations import ACTIVATIONS, Activation
from pipeline.networks.transforms import TRANSFORMS, GraphFunction, Transform
from pipeline.training.recipe import load_recipe

CUBE = Transform(
    lambda x: x**3,
    np.cbrt,
    lambda x: 3 * x**2,
    GraphFunction(
        lambda ops, x: ops.power(x, 3),
        lambda ops, y: ops.power(y, 1 / 3),
        lambda op, x: op("Pow", x, 3.0),
        lambda op, y: op("Pow", y, 1 / 3),
    ),
)
SQUARE = Activation(np.square, onnx=lambda op, x: op("Mul", x, x), derivative=lambda y: 2 * y**0.5)


def variable(quantity: str, transform: str) -> dict[str, object]:
    """One input or output of the description."""
    return {"quantity": quantity, "units": "1", "transform": transform, "scaling": "none"}


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two rows in their tables."""
    monkeypatch.setitem(TRANSFORMS, "cube", CUBE)
    monkeypatch.setitem(ACTIVATIONS, "square", SQUARE)


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
def test_a_described_network_uses_the_rows(tmp_path: Path, engine: str) -> None:
    """A network of one unit: 0.5 times the cube, squared, times 2, and back through the cube."""
    for name, number in {"w1": 0.5, "b1": 0.0, "w2": 2.0, "b2": 0.0}.items():
        (tmp_path / f"{name}.csv").write_text(f"{number}\n")
    described = {
        "schema": 1,
        "name": "cubes",
        "sensors": ["MODIS-Aqua"],
        "inputs": [variable("chlor_a", "cube")],
        "outputs": [variable("Kd", "cube")],
        "layers": [
            {"kernel": "w1.csv", "bias": "b1.csv", "activation": "square"},
            {"kernel": "w2.csv", "bias": "b2.csv", "activation": "linear"},
        ],
    }
    (tmp_path / "cubes.yaml").write_text(yaml.safe_dump(described))
    x = np.array([[0.5], [1.0], [1.7]])
    found = load_network(tmp_path / "cubes.yaml").predict(x, engine=engine)
    np.testing.assert_allclose(found, np.cbrt(2 * (0.5 * x**3) ** 2), rtol=1e-5)


def recipe(transform: str, activation: str) -> TrainingConfig:
    """A training configuration with these names."""
    samples = {
        "files": ["samples.csv"],
        "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443], "transform": transform}],
        "targets": [{"quantity": "chlor_a"}],
    }
    network = {"hidden": [8], "activation": activation}
    data = {"name": "mine", "sensors": ["MODIS-Aqua"], "samples": samples, "network": network}
    return load_recipe(data, TrainingConfig)


def test_a_training_configuration_may_name_the_rows() -> None:
    """Other names are refused with those of the tables; softmax is for the last layer alone."""
    made = recipe("cube", "square")
    assert made.samples.inputs[0].transform == "cube"
    assert made.network.activation == "square"
    with pytest.raises(ConfigError) as caught:
        recipe("cubes", "softmax")
    transforms = "none, log10, ln, sqrt, cos_degrees, cube"
    activations = "linear, tanh, sigmoid, relu, leaky_relu, elu, softplus, square"
    assert str(caught.value).splitlines() == [
        "configuration is not a valid training configuration:",
        f"  samples.inputs.0.transform: expected one of {transforms} (found 'cubes')",
        f"  network.activation: expected one of {activations} (found 'softmax')",
    ]
