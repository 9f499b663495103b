"""Files that Keras saved: the numbers of Keras itself, and nothing in them is ever run."""

import io
import json
import pickle
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from pipeline.errors import NetworkError
from pipeline.networks import load_network
from pipeline.networks.activations import activation_function
from pipeline.networks.reading import is_network, keras_file
from pipeline.networks.reading.keras_file import keras_layers

REAL = "networks/keras/modisnn_lna_14_64_64_3.h5"
SUFFIXES = (".keras", ".h5")


def run(layers, x):
    for layer in layers:
        x = activation_function(layer.activation)(x @ layer.kernel + layer.bias)
    return x


def assert_close(found, expected):
    """The float32 rounding of Keras, near zero relative to the range of the output."""
    limit = 1e-4 * np.abs(expected) + 1e-5 * np.ptp(expected, axis=0)
    assert (np.abs(found - expected) <= limit).all()


def randomised(model, seed=0):
    """Weights that are not trivial anywhere; variances stay positive."""
    drawn = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype == "float32":
            low = 0.5 if "variance" in weight.path else -0.8
            weight.assign(drawn.uniform(low, 1.2, weight.shape))
    return model


def plain():
    import keras
    from keras import layers

    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)]
    )


def every_layer():
    """Statistics, scaling and noise around dense layers, several of one class, some renamed."""
    import keras
    from keras import layers

    seen = layers.Normalization(name="seen")
    seen.adapt(np.random.default_rng(1).normal(3, 2, (200, 4)))
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Rescaling(0.5, offset=-0.2),
            seen,
            layers.Dense(6, name="first"),
            layers.BatchNormalization(epsilon=0.01),
            layers.Activation("tanh"),
            layers.Dropout(0.4),
            layers.GaussianNoise(0.1),
            layers.Dense(5, use_bias=False),
            layers.BatchNormalization(center=False, name="second_statistics"),
            layers.LeakyReLU(negative_slope=0.1),
            layers.GaussianDropout(0.1),
            layers.AlphaDropout(0.1),
            layers.ActivityRegularization(l1=0.1),
            layers.Dense(5, activation=layers.LeakyReLU(negative_slope=0.4)),
            layers.BatchNormalization(scale=False),
            layers.Dense(5),
            layers.ELU(alpha=0.5),
            layers.Dense(5, activation="softplus"),
            layers.Dense(5, activation="leaky_relu"),
            layers.Dense(5, activation="elu"),
            layers.Dense(4, activation="sigmoid"),
            layers.ReLU(negative_slope=0.2),
            layers.Dense(4),
            layers.Dense(3),  # two linear layers become one
            layers.Rescaling(np.array([1.0, 2.0, 3.0]), offset=[0.1, 0.2, 0.3]),
        ]
    )


def functional():
    import keras
    from keras import layers

    inputs = keras.Input((3,), name="reflectance")
    signal = layers.Dense(4, activation="relu", name="hidden")(inputs)
    signal = layers.BatchNormalization()(signal)
    signal = layers.Dropout(0.2)(signal)
    signal = layers.Dense(4)(signal)
    return keras.Model(inputs, layers.Softmax()(signal))


def linear_at_both_ends():
    """An activation at once, statistics given and not learned, and one after the last layer."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Activation("sigmoid"),
            layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 1.0, 2.0]),
            layers.Dense(3, activation="softmax"),
            layers.BatchNormalization(),
            layers.Normalization(axis=None, mean=0.3, variance=0.7),
            layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 9.0, 16.0], invert=True),
        ]
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", [plain, every_layer, functional, linear_at_both_ends])
def test_a_saved_model_gives_the_numbers_of_keras(tmp_path, make, suffix):
    """Whatever is folded, merged, renamed or without effect at inference."""
    import keras

    model = randomised(make())
    path = tmp_path / f"model{suffix}"
    model.save(path)
    loaded = keras.models.load_model(path, compile=False)
    x = np.random.default_rng(2).normal(0, 1, (200, model.input_shape[1]))
    assert_close(run(keras_layers(path), x), loaded.predict(x, verbose=0).astype("f8"))


def test_linear_layers_are_merged(tmp_path):
    """What is left are dense layers, as of any other network."""
    path = tmp_path / "model.keras"
    randomised(every_layer()).save(path)
    layers = keras_layers(path)
    assert [layer.kernel.shape[1] for layer in layers] == [6, 5, 5, 5, 5, 5, 5, 4, 4, 3]
    assert [layer.activation for layer in layers] == [
        "tanh",
        "leaky_relu(0.1)",
        "leaky_relu(0.4)",
        "elu(0.5)",
        "softplus",
        "leaky_relu",
        "elu",
        "sigmoid",
        "leaky_relu(0.2)",
        "linear",
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_plain_weights_are_not_touched(tmp_path, suffix):
    """Not by a bit: nothing is multiplied with one or added to zero in another order."""
    model = randomised(plain())
    model.save(tmp_path / f"model{suffix}")
    layers = keras_layers(tmp_path / f"model{suffix}")
    stored = [weight.numpy() for weight in model.weights]
    for layer, kernel, bias in zip(layers, stored[::2], stored[1::2], strict=True):
        np.testing.assert_array_equal(layer.kernel, kernel)
        np.testing.assert_array_equal(layer.bias, bias)


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "tensorflow"])
def test_the_real_file_equals_keras(real_data, engine):
    """A full model of Keras 2.4, described by a shipped YAML."""
    import keras

    network = load_network(real_data / REAL)
    assert network.name == "modisnn_lna"
    assert network.shape_text == "14-64-64-3"
    assert network.inputs[-1].name == "rho_s_1240"
    assert [v.name for v in network.outputs] == [f"rho_meris_{nm}" for nm in (681, 708, 753)]
    model = keras.models.load_model(real_data / REAL, compile=False)
    x = np.random.default_rng(3).uniform(0, 0.3, (5000, 14)).astype(np.float32)
    assert_close(network.predict(x, engine), model.predict(x, verbose=0).astype("f8"))


def test_loading_a_keras_file_imports_no_keras(tmp_path):
    """Neither Keras nor TensorFlow: the file is read, not deserialised."""
    plain().save(tmp_path / "model.keras")
    plain().save(tmp_path / "model.h5")
    program = (
        "import sys, pathlib; from pipeline.networks.reading.keras_file import keras_layers;"
        "[keras_layers(pathlib.Path(path)) for path in sys.argv[1:]];"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    files = [tmp_path / "model.keras", tmp_path / "model.h5"]
    done = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# Nothing in a file is run


class Canary:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


@pytest.fixture
def canary(tmp_path):
    """A path that no test may leave a file at."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


def refused(path):
    with pytest.raises(NetworkError) as caught:
        load_network(path)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_lambda_layer_is_refused(tmp_path, canary, suffix):
    """Its code is in the file; Keras would run it, if told that the file is safe."""
    import keras

    written = str(canary)
    spy = keras.layers.Lambda(lambda x: (open(written, "w").close(), x)[1], name="spy")  # noqa: PTH123
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2),
            spy,
        ]
    )
    model.save(tmp_path / f"model{suffix}")
    canary.unlink()  # building the model ran it
    found = refused(tmp_path / f"model{suffix}")
    assert "layer 'spy' is a Lambda" in found
    assert "save it again" in found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_class_of_ones_own_is_refused(tmp_path, suffix):
    """Even where it is called as one of Keras', if the file says whose it is."""
    import keras

    @keras.saving.register_keras_serializable(package="mine")
    class Dense(keras.layers.Dense):
        def call(self, inputs):
            return super().call(inputs) * 2

    model = keras.Sequential([keras.Input((3,)), Dense(2, name="doubled")])
    model.save(tmp_path / f"model{suffix}")
    found = refused(tmp_path / f"model{suffix}")
    assert "layer 'doubled' is a" in found
    assert "Dense" in found


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".yaml", ".H5"])
@pytest.mark.parametrize("protocol", [0, 4])
def test_a_renamed_pickle_is_refused(tmp_path, canary, suffix, protocol):
    """It is not even opened as one."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(Canary(canary), protocol))
    refused(path)


def members(**content):
    """The members of a sound .keras file, changed."""
    buffer = io.BytesIO()
    path = content.pop("path")
    with zipfile.ZipFile(path) as archive:
        sound = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (sound | content).items():
            if data is not None:
                archive.writestr(name, data)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.keras"
    randomised(plain()).save(path)
    return path


@pytest.mark.parametrize("name", ["data.pkl", "assets/vocabulary.txt", "../config.json"])
def test_a_zip_with_something_else_in_it_is_refused(saved, canary, name):
    """A pickle, or whatever else a model of single pixels does not need."""
    members(path=saved, **{name: pickle.dumps(Canary(canary))})
    assert f"'{name}'" in refused(saved)


@pytest.mark.parametrize("protocol", [0, 4])
def test_a_configuration_that_is_a_pickle_is_refused(tmp_path, saved, canary, protocol):
    """In a zip and in HDF5, as bytes or as text."""
    data = pickle.dumps(Canary(canary), protocol)
    members(path=saved, **{"config.json": data})
    assert "config.json is not JSON" in refused(saved)
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = np.void(data)
        file.create_group("model_weights")
    assert "model_config is not JSON" in refused(path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_missing_member_is_named(saved, name):
    """An incomplete download, say."""
    members(path=saved, **{name: None})
    assert f"lacks {name}" in refused(saved)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_what_would_fill_the_memory_is_refused(saved, monkeypatch, name):
    """A few bytes may unpack to gigabytes: the size is looked at first."""
    monkeypatch.setenv(keras_file.MEMBERS[name].variable, "1000000")
    members(path=saved, **{name: bytes(2_000_000)})
    assert saved.stat().st_size < 100_000
    assert "expected at most 1,000,000" in refused(saved)


def changed_config(path, change):
    """Pass the configuration of a .keras file through a function."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    change(config, config["config"]["layers"])
    return members(path=path, **{"config.json": json.dumps(config)})


def _wrap(value):
    return lambda _, layers: layers[1].update(value)


def _dense(**changes):
    return lambda _, layers: layers[1]["config"].update(changes)


CONFIGURATIONS = {
    "a module": (_wrap({"module": "os"}), "a Dense of os, a custom class"),
    "a registered name": (_wrap({"registered_name": "mine>Dense"}), "a custom class"),
    "a recurrent layer": (_wrap({"class_name": "LSTM"}), "LSTM, which ocpipe cannot read"),
    "a model in the model": (_wrap({"class_name": "Functional"}), "a model within the model"),
    "another model": (lambda c, _: c.update(class_name="MyModel"), "the model is a MyModel"),
    "another module": (lambda c, _: c.update(module="mine"), "the model is a Sequential of mine"),
    "an activation": (_dense(activation="gelu"), "activation 'gelu' cannot be read"),
    "an activation's brackets": (_dense(activation="elu(0.5)"), "'elu(0.5)' cannot be read"),
    "a function": (
        _dense(activation={"module": "builtins", "class_name": "function", "config": "f"}),
        "activation 'function' cannot be read",
    ),
    "somebody's activation": (
        _dense(activation={"module": "mine", "class_name": "ReLU", "config": {}}),
        "activation ReLU of mine is not Keras' own",
    ),
    "a bounded ReLU": (
        _dense(activation={"class_name": "ReLU", "config": {"max_value": 6.0}}),
        "a maximum or a threshold",
    ),
    "integers": (_dense(dtype="int8"), "computes in int8"),
    "quantization": (_dense(quantization_config={"mode": "int8"}), "quantized"),
    "more units": (_dense(units=5), r"expected (inputs, 5)"),
    "no bias": (_dense(use_bias=False), "has 2 arrays of weights, expected 1"),
    "another name": (_dense(name="other"), "expected 'other'. Save the model"),
    "more inputs": (
        lambda _, layers: layers[0]["config"].update(batch_shape=[None, 7]),
        "takes 3 values, but the layer before gives 7",
    ),
    "a row of rows": (
        lambda _, layers: layers[0]["config"].update(batch_shape=[None, 4, 3]),
        "expected (None, inputs)",
    ),
    "absurdly many": (
        lambda _, layers: layers[0]["config"].update(batch_shape=[None, 10**12]),
        "expected 1 to 8,192",
    ),
    "no layers": (lambda c, _: c["config"].update(layers=[]), "0 inputs"),
    "no units": (lambda _, layers: layers[1]["config"].pop("units"), "units"),
    "a list": (lambda _, layers: layers.insert(0, []), "not a model as Keras saves it"),
    "no class": (lambda _, layers: layers[1].pop("class_name"), "class_name"),
}


@pytest.mark.parametrize(("change", "says"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration_that_cannot_be_read(saved, change, says):
    """The layer, its class and what to do, or that the file is damaged."""
    assert says in refused(changed_config(saved, change))


def test_deeply_nested_json_is_refused(saved):
    """The parser gives up, and that is all."""
    members(path=saved, **{"config.json": "[" * 200_000})
    assert "config.json is not JSON" in refused(saved)


def branching():
    import keras
    from keras import layers

    inputs = keras.Input((3,))
    left, right = layers.Dense(2)(inputs), layers.Dense(2)(inputs)
    return keras.Model(inputs, layers.Add()([left, right]))


def forked():
    import keras
    from keras import layers

    inputs = keras.Input((3,))
    hidden = layers.Dense(2)(inputs)
    return keras.Model(inputs, [layers.Dense(2)(hidden), layers.Dense(2)(hidden)])


def used_twice():
    import keras
    from keras import layers

    inputs = keras.Input((3,))
    layer = layers.Dense(3)
    return keras.Model(inputs, layer(layer(inputs)))


def dropout_at_work():
    import keras
    from keras import layers

    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dropout(0.5)(layers.Dense(2)(inputs), training=True))


def nested():
    import keras
    from keras import layers

    return keras.Sequential([keras.Input((3,)), plain(), layers.Dense(2)])


def two_inputs():
    import keras

    first, second = keras.Input((3,)), keras.Input((3,))
    return keras.Model([first, second], keras.layers.Concatenate()([first, second]))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (branching, "is a Add"),
        (forked, "goes into two layers"),
        (used_twice, "is used 2 times"),
        (dropout_at_work, "is called with training"),
        (nested, "a model within the model"),
        (two_inputs, "is a Concatenate"),
    ],
)
def test_a_model_that_is_no_chain_of_layers_is_refused(tmp_path, make, says, suffix):
    """The message names the layer and the way out."""
    make().save(tmp_path / f"model{suffix}")
    found = refused(tmp_path / f"model{suffix}")
    assert says in found
    assert "CSV tables" in found


def test_a_chain_that_is_stored_out_of_order_is_put_in_order(tmp_path):
    """The connections count, not the order of the list; Keras' own numbers of layers do, too."""
    model = randomised(functional())
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].reverse()
        file.attrs["model_config"] = json.dumps(config)
    x = np.random.default_rng(2).normal(0, 1, (50, 3))
    assert_close(run(keras_layers(tmp_path / "model.h5"), x), model.predict(x, verbose=0))


def test_connections_as_keras_2_wrote_them(tmp_path):
    """Lists of layer, node, tensor and arguments; the ends are lists of such lists."""
    model = randomised(functional())
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            for node in layer["inbound_nodes"]:
                history = node["args"][0]["config"]["keras_history"]
                layer["inbound_nodes"] = [[[*history, {}]]]
        for end in ("input_layers", "output_layers"):
            config["config"][end] = [config["config"][end]]
        config["class_name"] = "Model"
        file.attrs["model_config"] = json.dumps(config)
    x = np.random.default_rng(2).normal(0, 1, (50, 3))
    assert_close(run(keras_layers(tmp_path / "model.h5"), x), model.predict(x, verbose=0))


def test_layers_as_the_first_keras_2_wrote_them(tmp_path):
    """A list of layers without an input, activations by alpha, axes in lists."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4),
            layers.LeakyReLU(negative_slope=0.25),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )
    path = tmp_path / "model.h5"
    randomised(model).save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        _, first, leaky, statistics, last = config["config"]["layers"]
        first["config"]["batch_input_shape"] = [None, 3]
        leaky["config"] = {"name": leaky["config"]["name"], "alpha": 0.25}
        statistics["config"]["axis"] = [1]
        config["config"] = [first, leaky, statistics, last]
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
    x = np.random.default_rng(2).normal(0, 1, (50, 3))
    assert_close(run(keras_layers(path), x), model.predict(x, verbose=0))


def weights_at(path):
    with h5py.File(path) as file:
        found = []
        file["model_weights"].visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
    return [f"model_weights/{name}" for name in found]


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (None, "are missing"),
        (h5py.SoftLink("/model_weights"), "under two names"),
        (h5py.ExternalLink("other.h5", "/secret"), "points to /secret in other.h5"),
        (np.full((3, 4), np.nan), "not finite"),
        ("0.5", "expected integers or floats"),
        (np.zeros((3, 4), "c8"), "expected integers or floats"),
        (np.zeros((4, 3)), "kernel has shape"),
        (h5py.Empty("f4"), "are missing"),
    ],
)
def test_weights_that_are_not_numbers_in_place(tmp_path, stored, says):
    """Links could lead to other files of the machine; they are not followed."""
    path = tmp_path / "model.h5"
    randomised(plain()).save(path)
    name = next(name for name in weights_at(path) if name.endswith("kernel"))
    with h5py.File(path, "a") as file:
        del file[name]
        if stored is not None:
            file[name] = stored
    assert says in refused(path)


def test_more_weights_than_plausible_are_not_read(tmp_path, monkeypatch):
    """HDF5 compresses, too: the shape is looked at before the numbers."""
    path = tmp_path / "model.h5"
    plain().save(path)
    monkeypatch.setenv("OCPIPE_MOST_NETWORK_NUMBERS", "15")
    found = refused(path)
    assert "expected at most 15" in found
    assert "OCPIPE_MOST_NETWORK_NUMBERS" in found


def test_weights_without_a_model_are_refused(tmp_path):
    """The message says how to save the whole."""
    path = tmp_path / "model.h5"
    plain().save(path)
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]
    assert "the file has weights but no model" in refused(path)


def test_a_model_nobody_describes_says_what_to_write(saved):
    """Its layers, and a YAML to begin with."""
    found = refused(saved)
    assert "a Keras model 3-4-2 (tanh, linear)" in found
    assert "model.yaml" in found
    assert "weights: model.keras" in found


def test_what_is_recognised(tmp_path, saved, real_data):
    """Keras files are, zips and HDF5 files of others are not."""
    assert is_network(saved)
    assert is_network(real_data / REAL)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("data.txt", "1")
    assert not is_network(tmp_path / "other.zip")


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_damaged_zip_is_refused(saved, where):
    """Checksums and headers tell, in one kind of error."""
    data = bytearray(saved.read_bytes())
    start = int(len(data) * where)
    data[start : start + 400] = bytes(400)
    saved.write_bytes(data)
    refused(saved)
