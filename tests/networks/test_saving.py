"""Networks that are saved: the same numbers in every format, and what OC-SMART cannot run."""

import dataclasses
import json

import h5py
import numpy as np
import onnx
import onnxruntime
import oracle
import pytest

from pipeline.errors import NetworkError, OutputError
from pipeline.networks import load_network
from pipeline.networks.description import GoldenSpectra, Layer, Network
from pipeline.networks.rescaling import rescaled, scaled_as, with_outputs
from pipeline.networks.saving import beyond_ocsmart, check_savable, save_network
from pipeline.networks.variable import Variable

ALL = sorted(
    f"SGLI_{kind}NN.h5" for kind in ("aph", "adg", "bbp", "ap", "bp", "Lrc_aa", "Lrc_rrs")
)  # fmt: skip


def inputs_of(network, rows=200):
    """Physical inputs, log-uniform or uniform within the training ranges."""
    drawn = np.random.default_rng(5).uniform(0.02, 0.98, (rows, len(network.inputs)))
    columns = []
    for variable, share in zip(network.inputs, drawn.T, strict=True):
        at = variable.minimum + share * (variable.maximum - variable.minimum)
        columns.append(variable.transform.inverse(at))
    return np.stack(columns, axis=1)


@pytest.fixture
def network(ocsmart):
    return load_network(ocsmart / "SGLI_aphNN.h5")


@pytest.mark.parametrize("name", ALL)
def test_ocsmart_files_come_back_bit_by_bit(ocsmart, tmp_path, name):
    """Read, saved, and read with h5py alone: every dataset is the one of the original."""
    original = ocsmart / name
    save_network(tmp_path / name, load_network(original))
    with h5py.File(original) as old, h5py.File(tmp_path / name) as new:
        assert new["Layers"].dtype == np.int8
        names = ["Layers", "Norm_in", "Norm_out"]
        names += [f"{group}/{key}" for group in ("Weights", "Bias") for key in old[group]]
        for dataset in names:
            np.testing.assert_array_equal(new[dataset][...].ravel(), old[dataset][...].ravel())
            assert new[dataset].shape == old[dataset].shape or dataset == "Layers"


@pytest.mark.quick
@pytest.mark.tensorflow
def test_all_formats_give_the_same_numbers(network, tmp_path):
    """Judged by an independent forward pass on the original's weights."""
    x = inputs_of(network)
    save_network(tmp_path / "original.h5", network)
    expected = 10 ** oracle.forward_log10(tmp_path / "original.h5", x)
    for ending in (".h5", ".keras", ".onnx"):
        save_network(tmp_path / f"aph{ending}", network)
    for name in ("aph.h5", "aph.keras", "aph.yaml"):
        saved = load_network(tmp_path / name)
        np.testing.assert_allclose(saved.reference(x), expected, rtol=1e-12)
        assert saved.inputs == network.inputs
        assert saved.outputs == network.outputs
    session = onnxruntime.InferenceSession(str(tmp_path / "aph.onnx"))
    (found,) = session.run(None, {"physical_inputs": x.astype(np.float32)})
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    described = session.get_modelmeta().custom_metadata_map["ocpipe_description"]
    assert json.loads(described)["name"] == "SGLI_aphNN"
    again = load_network(tmp_path / "aph.onnx")
    np.testing.assert_allclose(again.reference(x), expected, rtol=1e-4)  # its weights are float32
    assert (again.inputs, again.outputs) == (network.inputs, network.outputs)
    assert again.shape_text == network.shape_text


def test_keras_loads_what_was_saved_for_it(network, tmp_path):
    """And gives the scaled outputs of the scaled inputs."""
    import keras  # late, for it takes seconds: quick runs need not load it

    save_network(tmp_path / "aph.keras", network)
    model = keras.models.load_model(tmp_path / "aph.keras")
    middle = np.zeros((1, 7))
    signal = middle
    for layer in network.layers[:-1]:
        signal = np.tanh(signal @ layer.kernel + layer.bias)
    signal = signal @ network.layers[-1].kernel + network.layers[-1].bias
    np.testing.assert_allclose(model.predict(middle, verbose=0), signal, rtol=1e-12)


def test_what_a_file_says_of_itself_is_kept(network, tmp_path):
    """Training record, golden spectra, licence, classes, means and deviations."""
    x = inputs_of(network, 3)
    inputs = tuple(
        dataclasses.replace(v, scaling_name="zscore", scaling_parameters=(-2.5, 0.4))
        for v in network.inputs
    )
    scaled = rescaled(network, inputs, network.outputs)
    told = dataclasses.replace(
        scaled,
        training={"rows": {"train": 5}},
        licence="CC0-1.0",
        citation="Somebody",
        golden=GoldenSpectra(x, scaled.reference(x)),
    )
    for ending in (".h5", ".keras"):
        save_network(tmp_path / f"told{ending}", told)
        saved = load_network(tmp_path / f"told{ending}")
        assert (saved.training, saved.licence, saved.citation) == (
            told.training, "CC0-1.0", "Somebody",
        )  # fmt: skip
        np.testing.assert_array_equal(saved.golden.outputs, told.golden.outputs)
    assert load_network(tmp_path / "told.keras").inputs == inputs
    save_network(tmp_path / "told.onnx", told)
    saved = load_network(tmp_path / "told.onnx")
    assert saved.inputs == inputs
    assert (saved.training, saved.licence) == (told.training, "CC0-1.0")
    # What the file's own float32 weights give, which loading has just recomputed.
    np.testing.assert_allclose(saved.golden.outputs, told.golden.outputs, rtol=1e-4)
    # OC-SMART knows one scaling: onto [-1, 1]; the first layer took up the difference.
    assert {v.scaling_name for v in load_network(tmp_path / "told.h5").inputs} == {"minmax"}


def test_classes_are_saved(network, tmp_path):
    """With softmax as the last activation."""
    names = tuple(f"class_{number}" for number in range(7))
    layers = (*network.layers[:-1], dataclasses.replace(network.layers[-1], activation="softmax"))
    from pipeline.networks.description import class_outputs

    classes = dataclasses.replace(
        network,
        layers=layers,
        outputs=class_outputs(names),
        classes=names,
        class_quantity="water_type",
    )
    x = inputs_of(network, 5)
    for name in ("classes.h5", "classes.keras"):
        save_network(tmp_path / name, classes)
        saved = load_network(tmp_path / name)
        assert saved.classes == names
        np.testing.assert_allclose(saved.reference(x), classes.reference(x), rtol=1e-12)
    save_network(tmp_path / "classes.onnx", classes)
    saved = load_network(tmp_path / "classes.onnx")
    assert (saved.classes, saved.class_quantity) == (names, "water_type")
    np.testing.assert_allclose(saved.reference(x), classes.reference(x), rtol=1e-4)


@pytest.mark.quick
def test_onnx_keeps_every_transform_and_scaling(tmp_path):
    """Of inputs and of outputs, also behind an activation that is not linear."""
    kinds = [
        ("none", "none", None), ("log10", "minmax", None), ("ln", "zscore", (-4.0, 0.7)),
        ("sqrt", "minmax_01", None), ("cos_degrees", "minmax", None),
    ]  # fmt: skip
    ends = {"none": (0.1, 0.9), "log10": (-3.0, -1.0), "ln": (-6.0, -2.0), "sqrt": (0.1, 0.6),
            "cos_degrees": (0.2, 0.95)}  # fmt: skip
    variables = tuple(
        Variable(f"q{n}", None, "1", name, *ends[name], scaling_name=scaling,
                 scaling_parameters=parameters)
        for n, (name, scaling, parameters) in enumerate(kinds)
    )  # fmt: skip
    drawn = np.random.default_rng(4)
    layers = tuple(
        Layer(drawn.normal(0, 0.4, (5, 5)), drawn.normal(0, 0.1, 5), activation)
        for activation in ("leaky_relu(0.1)", "sigmoid")
    )
    network = Network(
        name="every", title="", inputs=variables, outputs=variables, layers=layers,
        sensors=("MODIS-Aqua",), citation="", licence="", file_name="", sha256="",
    )  # fmt: skip
    x = inputs_of(network, 50)
    save_network(tmp_path / "every.onnx", network)
    saved = load_network(tmp_path / "every.onnx")
    assert (saved.inputs, saved.outputs) == (network.inputs, network.outputs)
    np.testing.assert_allclose(saved.reference(x), network.reference(x), rtol=2e-6)
    # Files of older versions hold no ranges: the same numbers, with other scalings.
    model = onnx.load(tmp_path / "every.onnx")
    described = json.loads(model.metadata_props[0].value)
    for entry in (*described["inputs"], *described["outputs"]):
        entry.pop("norm", None)
    model.metadata_props[0].value = json.dumps(described)
    onnx.save(model, tmp_path / "older.onnx")
    older = load_network(tmp_path / "older.onnx")
    assert {v.scaling_name for v in older.inputs} == {"none", "zscore"}
    np.testing.assert_allclose(older.reference(x), saved.reference(x), rtol=1e-12)


def test_a_changed_description_of_onnx_is_refused(network, tmp_path):
    """It must fit the graph."""
    save_network(tmp_path / "aph.onnx", network)
    model = onnx.load(tmp_path / "aph.onnx")
    whole = model.metadata_props[0].value
    described = json.loads(whole)
    for text, words in (
        (
            json.dumps(described | {"inputs": described["inputs"][:2]}),
            "2 inputs and 7 outputs, but",
        ),
        (whole.replace('"log10"', '"sqrt"'), "states the transform sqrt"),
        (whole.replace('"schema": 1', '"schema": 2'), "is not a valid description"),
        ("[", "is not a valid description"),
    ):
        model.metadata_props[0].value = text
        onnx.save(model, tmp_path / "changed.onnx")
        with pytest.raises(NetworkError, match=words):
            load_network(tmp_path / "changed.onnx")


def test_equal_networks_are_equal_bytes(network, tmp_path):
    """In OC-SMART's layout and in ONNX; Keras writes times into its files."""
    for ending in (".h5", ".onnx"):
        for name in ("first", "second"):
            save_network(tmp_path / f"{name}{ending}", network)
        assert (tmp_path / f"first{ending}").read_bytes() == (
            tmp_path / f"second{ending}"
        ).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_what_ocsmart_cannot_run_is_refused(network, tmp_path):
    """ReLU, more than 127 units, no log10: all reasons at once; and saved if asked for."""
    wide = Layer(np.zeros((7, 200)), np.zeros(200), "relu")
    last = Layer(np.zeros((200, 7)), np.zeros(7), "linear")
    outputs = tuple(dataclasses.replace(v, transform_name="none") for v in network.outputs)
    other = dataclasses.replace(network, layers=(wide, last), outputs=outputs)
    assert beyond_ocsmart(network) == []
    with pytest.raises(NetworkError) as refused:
        check_savable(tmp_path / "other.h5", other)
    for part in ("relu", "200 units, expected at most 127", "aph_380", "the transform log10"):
        assert part in str(refused.value)
    check_savable(tmp_path / "other.keras", other)
    save_network(tmp_path / "other.h5", other)
    assert load_network(tmp_path / "other.h5").shape_text == "7-200-7"
    with h5py.File(tmp_path / "other.h5") as file:
        assert file["Layers"].dtype == np.int16


def test_rescaling_changes_no_number(network):
    """Any scaling in place of any other, of inputs and outputs."""
    x = inputs_of(network)
    expected = network.reference(x)
    for scaling in ("minmax_01", "none"):
        other = rescaled(
            network, scaled_as(network.inputs, scaling), scaled_as(network.outputs, scaling)
        )
        np.testing.assert_allclose(other.reference(x), expected, rtol=1e-11)
    soft = dataclasses.replace(
        network, layers=(*network.layers[:-1], Layer(network.layers[-1].kernel,
                                                     network.layers[-1].bias, "tanh")),
    )  # fmt: skip
    other = rescaled(soft, soft.inputs, scaled_as(soft.outputs, "none"))
    np.testing.assert_allclose(other.reference(x), soft.reference(x), rtol=1e-11)


def test_some_outputs_of_a_network(network):
    """In the order asked for."""
    x = inputs_of(network)
    some = with_outputs(network, [2, 0])
    assert [v.name for v in some.outputs] == ["aph_443", "aph_380"]
    np.testing.assert_allclose(some.reference(x), network.reference(x)[:, [2, 0]], rtol=1e-13)


def test_names_and_folders_that_cannot_be(network, tmp_path):
    """Are said in words, and nothing is left."""
    with pytest.raises(NetworkError, match=r"expected one of \.h5, \.keras, \.onnx"):
        save_network(tmp_path / "aph.pkl", network)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Check that the folder is writable"):
        save_network(tmp_path / "file" / "aph.h5", network)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("ending", [".h5", ".keras", ".onnx"])
def test_a_missing_folder_is_made(network, tmp_path, ending):
    """In each format, and its parents too."""
    files = save_network(tmp_path / "new" / "folder" / f"aph{ending}", network)
    assert all(file.is_file() for file in files)


def test_a_long_description_has_room(network, tmp_path):
    """More than HDF5's oldest layout takes as an attribute (64 kB)."""
    told = dataclasses.replace(network, training={"told": "x" * 300_000})
    save_network(tmp_path / "long.h5", told)
    assert load_network(tmp_path / "long.h5").training == told.training
