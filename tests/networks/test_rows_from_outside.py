"""One row added from outside to a table of networks is used everywhere, with no other change."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.networks import engines, load_network
from pipeline.networks.activations import ACTIVATIONS, Activation
from pipeline.networks.description import Layer, Network
from pipeline.networks.engines import ENGINES, example_inputs
from pipeline.networks.engines.numpy_engine import NumpyEngine
from pipeline.networks.jacobian import jacobian
from pipeline.networks.reading import FORMATS, Format, is_network
from pipeline.networks.reading.keras_file import keras_layers
from pipeline.networks.reading.keras_layers import READERS, dense_layers
from pipeline.networks.saving import SAVERS, save_network
from pipeline.networks.transforms import TRANSFORMS, GraphFunction, Transform
from pipeline.networks.variable import SCALINGS, Scaling, Variable
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
SQUARE = Activation(
    lambda x, rate: np.square(x) * rate,
    onnx=lambda op, x, rate: op("Mul", op("Mul", x, x), rate),
    derivative=lambda y, rate: 2 * np.sqrt(y * rate),
    default=1.0,
    keras=lambda keras, rate: lambda x: keras.ops.square(x) * rate,
    keras_layers={"Squared": lambda config: config["rate"]},
)
ALL = ("numpy", "onnxruntime", "tensorflow")


def variable(quantity: str, transform: str) -> dict[str, object]:
    """One input or output of the description."""
    return {"quantity": quantity, "units": "1", "transform": transform, "scaling": "none"}


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two rows in their tables; no engine that uses them outlives a test."""
    monkeypatch.setattr(engines, "_built", {})
    monkeypatch.setitem(TRANSFORMS, "cube", CUBE)
    monkeypatch.setitem(ACTIVATIONS, "square", SQUARE)


@pytest.mark.parametrize("engine", ALL)
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
    transforms = "none, log10, ln, sqrt, cos_degrees, azimuth_difference, cube"
    activations = "linear, tanh, sigmoid, relu, leaky_relu, elu, softplus, square"
    assert str(caught.value).splitlines() == [
        "configuration is not a valid training configuration:",
        f"  samples.inputs.0.transform: expected one of {transforms} (found 'cubes')",
        f"  network.activation: expected one of {activations} (found 'softmax')",
    ]


def network(scaling="minmax", activation="tanh", transform="none"):
    """Three inputs, four hidden units, two outputs in the middle of the range."""
    drawn = np.random.default_rng(4)
    middle = {"minmax": 0.0, "minmax_01": 0.5}[scaling]
    variables = [
        Variable(f"v{i}", None, "1", transform, 0.2, 0.9, scaling_name=scaling) for i in range(5)
    ]
    return Network(
        name="net",
        title="",
        inputs=tuple(variables[:3]),
        outputs=tuple(variables[3:]),
        layers=(
            Layer(drawn.normal(0, 0.5, (3, 4)), drawn.normal(0, 0.2, 4), activation),
            Layer(drawn.normal(0, 0.05, (4, 2)), np.full(2, middle), "linear"),
        ),
        sensors=("MODIS-Aqua",),
        citation="",
        licence="",
        file_name="net.yaml",
        sha256="",
    )


def differences(net, x):
    """The derivatives of the outputs by the inputs, by central differences."""
    steps = 1e-6 * np.eye(x.shape[1])
    parts = [(net.reference(x * (1 + s)) - net.reference(x * (1 - s))) / 2e-6 for s in steps]
    return np.stack(parts, axis=2) / x[:, np.newaxis, :]


@pytest.mark.parametrize("engine", ALL)
def test_an_activation(engine):
    """Every engine computes it, with its parameter and without."""
    for text, rate in (("square", 1.0), ("square(0.5)", 0.5)):
        net = network(activation=text)
        x = example_inputs(net, 40)
        hidden = net.layers[0]
        signal = (2 * (x - 0.2) / 0.7 - 1) @ hidden.kernel + hidden.bias
        signal = rate * signal**2 @ net.layers[1].kernel + net.layers[1].bias
        expected = (signal + 1) / 2 * 0.7 + 0.2
        np.testing.assert_allclose(net.predict(x, engine), expected, rtol=1e-5)


def test_the_derivative_of_an_activation():
    """Uncertainties by derivatives use it: it is that of the reference."""
    net = network(activation="sigmoid")
    first = Layer(np.abs(net.layers[0].kernel), np.full(4, 2.0), "square(0.5)")  # no sign changes
    net = dataclasses.replace(net, layers=(first, net.layers[1]))
    x = example_inputs(net, 20)
    np.testing.assert_allclose(jacobian(net, x), differences(net, x), rtol=1e-6, atol=1e-9)


def test_an_activation_in_files(monkeypatch, tmp_path):
    """Saved in OC-SMART's layout and as ONNX, and read from a Keras file by name and as a layer."""
    monkeypatch.setitem(
        ACTIVATIONS, "softsign", dataclasses.replace(SQUARE, default=None, keras_layers={})
    )
    net = network(activation="square(0.5)")
    for ending in (".h5", ".onnx"):
        save_network(tmp_path / f"net{ending}", net)
    x = example_inputs(net, 10)
    saved = load_network(tmp_path / "net.h5")
    assert saved.layers[0].activation == "square(0.5)"
    np.testing.assert_allclose(saved.reference(x), net.reference(x), rtol=1e-12)

    def layer(name, **config):
        return {"class_name": name, "config": {"name": name.lower(), **config}}

    sequence = [
        layer("InputLayer", batch_shape=[None, 2]),
        layer("Dense", units=2, activation="softsign"),
        layer("Squared", rate=0.25),
    ]
    model = {"class_name": "Sequential", "config": {"layers": sequence}}
    found = dense_layers(model, lambda _: [np.eye(2), np.zeros(2)])
    assert [one.activation for one in found] == ["softsign", "square(0.25)"]


@pytest.mark.parametrize("engine", ALL)
def test_a_transform(engine):
    """Every engine applies it to inputs and undoes it for outputs; so does the derivative."""
    net = network(transform="cube")
    x = example_inputs(net, 40)
    expected = np.cbrt(network().reference(x**3))
    np.testing.assert_allclose(net.predict(x, engine), expected, rtol=1e-4)
    np.testing.assert_allclose(jacobian(net, x), differences(net, x), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("engine", ALL)
def test_a_scaling(monkeypatch, engine):
    """Onto [0, 100], as a hundred times minmax_01."""
    percent = Scaling(
        lambda v: v.minimum, lambda v: (v.maximum - v.minimum) / 100, needs_range=True
    )
    monkeypatch.setitem(SCALINGS, "percent", percent)
    inputs = tuple(dataclasses.replace(v, scaling_name="percent") for v in network().inputs)
    first, last = network(scaling="minmax_01").layers
    scaled = Layer(first.kernel / 100, first.bias, first.activation)
    net = dataclasses.replace(network(scaling="minmax_01"), inputs=inputs, layers=(scaled, last))
    x = example_inputs(net, 40)
    expected = network(scaling="minmax_01").reference(x)
    np.testing.assert_allclose(net.predict(x, engine), expected, rtol=1e-4)


def test_an_engine(monkeypatch):
    """It is built, checked against the reference, and named by users."""

    class Reversed(NumpyEngine):
        name = "reversed"

        def predict(self, x):
            return super().predict(x[::-1])[::-1]

    monkeypatch.setitem(ENGINES, "reversed", Reversed)
    net = network()
    x = example_inputs(net, 30)
    np.testing.assert_allclose(net.predict(x, engine="reversed"), net.reference(x), rtol=1e-12)


def test_a_format(monkeypatch, tmp_path):
    """Saved by its ending and read by its content; a message of refusal names it."""

    def write(path, net, _):
        path.write_text(json.dumps({"net": [layer.kernel.tolist() for layer in net.layers]}))
        return [path]

    def read(path):
        kernels = json.loads(path.read_text())["net"]
        layers = [
            dataclasses.replace(layer, kernel=np.array(kernel))
            for layer, kernel in zip(network().layers, kernels, strict=True)
        ]
        return dataclasses.replace(network(), layers=tuple(layers), file_name=path.name)

    starts = Format(lambda path: path.read_bytes().startswith(b'{"net"'), read, "JSON of kernels")
    monkeypatch.setitem(SAVERS, ".json", write)
    monkeypatch.setitem(FORMATS, "json", starts)
    (path,) = save_network(tmp_path / "net.json", network())
    assert is_network(path)
    x = example_inputs(network(), 5)
    np.testing.assert_array_equal(load_network(path).reference(x), network().reference(x))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(Exception, match=r"json \(JSON of kernels\)"):
        load_network(tmp_path / "other.json")


def test_a_keras_layer(monkeypatch, tmp_path):
    """A layer that is added to the readers is read from a real file: here, one that doubles."""
    monkeypatch.setitem(
        READERS, "UnitNormalization", lambda chain, *_: chain.linear(np.array(2.0), np.array(0.0))
    )
    import keras  # late, for it takes seconds

    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.UnitNormalization()])
    model.save(tmp_path / "model.keras")
    (found,) = keras_layers(tmp_path / "model.keras")
    np.testing.assert_allclose(found.kernel, 2 * model.layers[0].get_weights()[0])
