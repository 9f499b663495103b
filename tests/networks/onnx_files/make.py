"""Makes the ONNX files of this folder with the frameworks that users have; run by hand, once.

It needs torch, onnx, onnxscript, scikit-learn, skl2onnx, tensorflow, tf2onnx and keras:
``python make.py [NAME ...]``. For each file, ``NAME.json`` holds inputs and the outputs that the
framework itself computes from them, in float64 where the framework can.
"""

import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
BANDS = ("Rrs_443", "Rrs_490", "Rrs_560", "Rrs_665")
DRAW = np.random.default_rng(3)
TRAIN = 10.0 ** DRAW.uniform(-3.3, -1.5, (300, 4))
X = 10.0 ** DRAW.uniform(-3.2, -1.6, (12, 4)).astype(np.float32).astype(np.float64)
X = X.astype(np.float32).astype(np.float64)
TARGETS = np.stack([np.log(TRAIN[:, 0] / TRAIN[:, 2]), 50 * TRAIN[:, 3] - TRAIN[:, 1]], axis=1)
LABELS = np.array(["clear", "green", "turbid"])[np.argmax(TRAIN[:, [0, 2, 3]], axis=1)]


def keep(name: str, model: bytes, outputs: Any, inputs: Any = X) -> None:
    """Write the file and what is expected of it."""
    (HERE / f"{name}.onnx").write_bytes(model)
    expected = {"inputs": np.asarray(inputs).tolist(), "outputs": np.asarray(outputs).tolist()}
    (HERE / f"{name}.json").write_text(json.dumps(expected) + "\n")


# PyTorch


def _torch(name: str, model: Any, columns: bool = False, old: bool = False, **names: Any) -> None:
    import torch

    rows = torch.tensor(X, dtype=torch.float32)
    arguments = tuple(rows[:, [i]] for i in range(4)) if columns else (rows,)
    model = model.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        if old:
            torch.onnx.export(model, arguments, path, dynamo=False, **names)
        else:
            torch.onnx.export(model, arguments, path, external_data=False, **names)
        content = path.read_bytes()
    wide = model.double()
    with torch.no_grad():
        made = wide(*(a.double() for a in arguments))
    made = made if isinstance(made, tuple) else (made,)
    keep(name, content, torch.cat(made, dim=1).numpy())


def torch_mlp() -> None:
    """As the tutorial of PyTorch has it."""
    from torch import nn

    layers = (nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    _torch("torch_mlp", nn.Sequential(*layers))


def torch_old_exporter() -> None:
    """The exporter of older versions, with a size of batches that may change."""
    from torch import nn

    layers = (nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 2))
    axes = {"x": {0: "n"}, "y": {0: "n"}}
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
    _torch("torch_old_exporter", nn.Sequential(*layers), old=True, **names)


def torch_all_activations() -> None:
    """Everything that a prediction of PyTorch may do between two layers."""
    from torch import nn

    layers = [nn.Flatten()]
    width = 4
    for each in (
        nn.LeakyReLU(0.07), nn.ELU(0.6), nn.Softplus(), nn.BatchNorm1d(5), nn.Dropout(0.3),
        nn.PReLU(), nn.SELU(), nn.Hardtanh(0, float("inf")), nn.Identity(),
    ):  # fmt: skip
        layers += [nn.Linear(width, 5, bias=len(layers) != 7), each]
        width = 5
    network = nn.Sequential(*layers, nn.Linear(5, 2), nn.Tanh())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.uniform_(-1, 1)
    _torch("torch_all_activations", network)


def torch_physical() -> None:
    """A network that takes logarithms and scales by itself, from one column for each band."""
    import torch
    from torch import nn

    class Physical(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
            self.register_buffer("mean", torch.tensor([-2.2, -2.1, -2.4, -2.6]))
            self.register_buffer("std", torch.tensor([0.5, 0.4, 0.6, 0.7]))

        def forward(self, *bands: Any) -> Any:
            x = torch.log10(torch.cat(bands, dim=1))
            y = self.net((x - self.mean) / self.std) * torch.tensor([0.5, 0.4]) - 0.3
            return 10 ** y[:, 0:1], 10 ** y[:, 1:2]

    names = {"input_names": list(BANDS), "output_names": ["chlor_a", "bbp_443"]}
    _torch("torch_physical", Physical(), columns=True, **names)
    names["dynamic_axes"] = {name: {0: "n"} for name in (*BANDS, "chlor_a", "bbp_443")}
    _torch("torch_physical_old", Physical(), columns=True, old=True, **names)


def torch_classifier() -> None:
    """Probabilities and the class."""
    from torch import nn

    layers = (nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), nn.Softmax(dim=1))
    _torch("torch_classifier", nn.Sequential(*layers))


# scikit-learn


def _sklearn(name: str, model: Any, double: bool = False, **options: Any) -> None:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = DoubleTensorType if double else FloatTensorType
    made = to_onnx(model, initial_types=[("X", kind([None, 4]))], **options)
    found = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    keep(name, made.SerializeToString(), np.asarray(found).reshape(len(X), -1))


def sklearn_models() -> None:
    """The pipelines of the documentation of scikit-learn."""
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    small = {"hidden_layer_sizes": (6, 5), "max_iter": 60, "random_state": 1}
    one = TARGETS[:, 0]
    made = make_pipeline(StandardScaler(), MLPRegressor(**small)).fit(TRAIN, TARGETS)
    _sklearn("sklearn_mlp", made)
    _sklearn("sklearn_mlp_double", made, double=True)
    made = make_pipeline(MinMaxScaler(), MLPRegressor(activation="tanh", **small)).fit(TRAIN, one)
    _sklearn("sklearn_minmax", made)
    made = make_pipeline(MinMaxScaler((-1, 1)), MLPRegressor(activation="logistic", **small)).fit(
        TRAIN, one
    )
    _sklearn("sklearn_minmax_double", made, double=True)
    _sklearn(
        "sklearn_linear", make_pipeline(StandardScaler(), LinearRegression()).fit(TRAIN, TARGETS)
    )
    _sklearn("sklearn_linear_double", LinearRegression().fit(TRAIN, one), double=True)
    made = make_pipeline(StandardScaler(), MLPClassifier(**small)).fit(TRAIN, LABELS)
    _sklearn("sklearn_classifier", made)
    _sklearn("sklearn_classifier_arrays", made, options={"zipmap": False})
    two = make_pipeline(StandardScaler(), MLPClassifier(**small)).fit(TRAIN, LABELS == "green")
    _sklearn("sklearn_two_classes", two)
    made = make_pipeline(StandardScaler(), LogisticRegression()).fit(TRAIN, LABELS)
    _sklearn("sklearn_logistic", made)
    made = make_pipeline(StandardScaler(), LogisticRegression()).fit(TRAIN, LABELS == "green")
    _sklearn("sklearn_logistic_two", made)


# Keras


def keras_models() -> None:
    """Keras 3, by its own export and by tf2onnx."""
    import keras
    import tensorflow as tf
    import tf2onnx

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,), name="rrs"),
            keras.layers.Rescaling(100.0, -0.5),
            keras.layers.Dense(6, activation="elu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(5, activation="softplus"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(4, activation="leaky_relu"),
            keras.layers.Dense(2),
            keras.layers.Rescaling(2.0, 0.5),
        ]
    )
    expected = _in_double(keras, model)
    keep("keras_sequential", _exported(model), expected)
    # Keras exports the numbers of this layer as inputs that nobody can give.
    scaling = keras.layers.Normalization()
    scaling.adapt(TRAIN)
    model = keras.Sequential([keras.Input((4,), name="rrs"), scaling, keras.layers.Dense(1)])
    (HERE / "keras_normalization.onnx").write_bytes(_exported(model))
    inputs = {name: keras.Input((1,), name=name) for name in BANDS}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(6, activation="tanh")(joined)
    ends = keras.layers.Dense(1, name="chlor_a", activation="exponential")(hidden)
    model = keras.Model(list(inputs.values()), ends)
    columns = [X[:, [i]] for i in range(4)]
    keep("keras_functional", _exported(model, columns), _in_double(keras, model, columns))

    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="sigmoid"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    specification = [tf.TensorSpec((None, 4), tf.float32, name="rrs")]
    call = tf.function(model)
    made, _ = tf2onnx.convert.from_function(call, specification, opset=15)
    keep("tf2onnx_classifier", made.SerializeToString(), _in_double(keras, model))
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Rescaling(100.0),
            keras.layers.Reshape((4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dense(2, use_bias=False),
        ]
    )
    made, _ = tf2onnx.convert.from_function(tf.function(model), specification, opset=15)
    keep("tf2onnx_reshapes", made.SerializeToString(), _in_double(keras, model))


def _in_double(keras: Any, model: Any, rows: Any = X) -> Any:
    weights = model.get_weights()
    keras.config.set_dtype_policy("float64")
    config = model.get_config()
    text = json.dumps(config, default=lambda o: o.item() if hasattr(o, "item") else str(o))
    text = text.replace('"float32"', '"float64"')
    wide = type(model).from_config(json.loads(text))
    wide.set_weights(weights)
    keras.config.set_dtype_policy("float32")
    return np.asarray(wide(rows))


def _exported(model: Any, rows: Any = X) -> bytes:
    model(rows)  # the export refuses a model that was never called
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        model.export(path, format="onnx", verbose=False)
        assert [each.name for each in Path(folder).iterdir()] == ["net.onnx"]
        return path.read_bytes()


def documented() -> None:
    """The programs of docs/networks_from.md whose frameworks the tests do not have."""
    text = (HERE.parents[2] / "docs" / "networks_from.md").read_text(encoding="utf-8")
    for section in ("PyTorch", "scikit-learn", "TensorFlow by tf2onnx"):
        body = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
        names: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for program in re.findall(r"```python\n(.*?)```", body, re.DOTALL):
                exec(program, names)  # noqa: S102 - the document is ours
            for file in Path(folder).iterdir():
                slug = section.lower().replace(" ", "_").replace("-", "_")
                (HERE / f"docs_{slug}_{file.name}").write_bytes(file.read_bytes())


MAKERS: tuple[Callable[[], None], ...] = (
    torch_mlp, torch_old_exporter, torch_all_activations, torch_physical, torch_classifier,
    sklearn_models, keras_models, documented,
)  # fmt: skip

if __name__ == "__main__":
    for make in MAKERS:
        if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
            if make.__name__.startswith("torch"):
                import torch

                torch.manual_seed(1)
            make()
