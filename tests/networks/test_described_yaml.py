"""Networks described in YAML, with CSV tables, Keras files or OC-SMART's layout beside it."""

import hashlib
import json
import math

import h5py
import numpy as np
import pytest
import small_network
import yaml

from pipeline.errors import NetworkError
from pipeline.facts.shipped import shipped_configs
from pipeline.networks import load_network
from pipeline.networks.engines import get_engine
from pipeline.networks.reading import is_network

KERNELS = ([[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]], [[1.0], [-2.0], [0.5]])
BIASES = ([0.1, -0.2, 0.3], [0.4])


def band(nm, **changes):
    return {"quantity": "Rrs", "wavelength_nm": nm, "units": "sr-1", "transform": "log10",
            "scaling": "minmax", "range": [0.001, 0.1]} | changes  # fmt: skip


DESCRIPTION = {
    "schema": 1,
    "name": "mine",
    "title": "A network of mine",
    "sensors": ["MODIS-Aqua"],
    "inputs": [band(443), band(547)],
    "outputs": [{"quantity": "aph", "wavelength_nm": 443, "units": "m-1", "transform": "ln",
                 "scaling": "zscore", "mean": -3.0, "std": 1.5}],
    "layers": [{"kernel": "w1.csv", "bias": "b1.csv", "activation": "leaky_relu(0.3)"},
               {"kernel": "w2.csv", "bias": "b2.csv", "activation": "linear"}],
    "citation": "Somebody (2026)",
    "licence": "CC0-1.0",
    "training": {"samples": 5, "date": "2026-01-01"},
}  # fmt: skip


def table(rows):
    return "".join(", ".join(map(repr, row)) + "\n" for row in rows)


def write(folder, changes=None, files=None, without=()):
    """The YAML above and its tables, changed."""
    folder.mkdir(exist_ok=True)
    tables = {
        "w1.csv": table(KERNELS[0]),
        "b1.csv": table([BIASES[0]]),
        "w2.csv": "# weights of the output\n\n" + table(KERNELS[1]),
        "b2.csv": table([[number] for number in BIASES[1]]),
    }
    for name, text in (tables | (files or {})).items():
        (folder / name).write_text(text)
    described = {key: v for key, v in (DESCRIPTION | (changes or {})).items() if key not in without}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(described, sort_keys=False))
    return path


def by_hand(first, second):
    """The network above, number by number."""
    signal = [2 * (math.log10(x) + 3) / 2 - 1 for x in (first, second)]
    hidden = [sum(signal[i] * KERNELS[0][i][j] for i in range(2)) + BIASES[0][j] for j in range(3)]
    hidden = [value if value > 0 else 0.3 * value for value in hidden]
    output = sum(hidden[j] * KERNELS[1][j][0] for j in range(3)) + BIASES[1][0]
    return math.exp(output * 1.5 - 3.0)


def refused(path):
    with pytest.raises(NetworkError) as caught:
        load_network(path)
    return str(caught.value)


X = [[0.002, 0.03], [0.05, 0.004]]


@pytest.mark.parametrize(("engine", "rtol"), [("numpy", 1e-12), ("tensorflow", 1e-5)])
def test_csv_tables_are_a_network(tmp_path, engine, rtol):
    """Numbers as computed by hand, names and words as described."""
    path = write(tmp_path)
    assert is_network(path)
    network = load_network(path)
    expected = [[by_hand(*row)] for row in X]
    np.testing.assert_allclose(network.predict(X, engine), expected, rtol=rtol)
    assert (network.name, network.file_name, network.shape_text) == ("mine", "mine.yaml", "2-3-1")
    assert (network.citation, network.licence) == ("Somebody (2026)", "CC0-1.0")
    assert network.training == {"samples": 5, "date": "2026-01-01"}
    assert network.inputs[0].physical_range == pytest.approx((0.001, 0.1))
    assert network.outputs[0].physical_range == (-np.inf, np.inf)
    assert network.outputs[0].long_name == "absorption coefficient due to phytoplankton"
    assert network.inputs[0].standard_name.startswith("surface_ratio_of_upwelling_radiance")


def test_kernels_may_be_stored_the_other_way_round(tmp_path):
    """As PyTorch and MATLAB have them: a row for each unit."""
    turned = {
        "w1.csv": table(np.transpose(KERNELS[0]).tolist()),
        "w2.csv": table(np.transpose(KERNELS[1]).tolist()),
    }
    network = load_network(write(tmp_path, {"kernel_layout": "units_inputs"}, turned))
    np.testing.assert_allclose(network.predict(X, "numpy"), [[by_hand(*row)] for row in X])


def test_a_norm_is_of_the_transformed_quantity(tmp_path):
    """norm: [-3, -1] of log10 is range: [0.001, 0.1]."""
    inputs = [band(nm, norm=[-3, -1]) for nm in (443, 547)]
    for variable in inputs:
        del variable["range"]
    network = load_network(write(tmp_path, {"inputs": inputs}))
    np.testing.assert_allclose(network.predict(X, "numpy"), [[by_hand(*row)] for row in X])


def test_a_range_of_angles_turns_round(tmp_path):
    """The cosine of the smallest angle is the largest."""
    angle = {"quantity": "solar_zenith", "units": "degree", "transform": "cos_degrees",
             "scaling": "minmax", "range": [0, 60]}  # fmt: skip
    network = load_network(write(tmp_path, {"inputs": [band(443), angle]}))
    assert (network.inputs[1].minimum, network.inputs[1].maximum) == pytest.approx((0.5, 1))
    assert network.inputs[1].physical_range == pytest.approx((0, 60), abs=1e-6)


def test_the_sha256_is_over_all_its_files(tmp_path):
    """As sha256sum over what ``sha256sum mine.yaml w1.csv b1.csv w2.csv b2.csv`` prints."""
    path = write(tmp_path)
    names = ["mine.yaml", "w1.csv", "b1.csv", "w2.csv", "b2.csv"]
    lines = [
        f"{hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}  {name}\n" for name in names
    ]
    assert load_network(path).sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    (tmp_path / "b2.csv").write_text("0.41\n")
    assert load_network(path).sha256 != hashlib.sha256("".join(lines).encode()).hexdigest()


def test_golden_spectra_are_reproduced(tmp_path):
    """And a wrong one is found on load."""
    golden = {"inputs": X, "outputs": [[by_hand(*row)] for row in X]}
    assert load_network(write(tmp_path, {"golden": golden})).golden is not None
    golden["outputs"][1][0] *= 1.001
    assert "golden spectrum 1" in refused(write(tmp_path, {"golden": golden}))
    golden["outputs"] = [[1.0]]
    assert "golden.inputs must have one or more rows" in refused(
        write(tmp_path, {"golden": golden})
    )


CLASSES = {"quantity": "water_type", "names": ["clear", "turbid", "bloom"]}


def classifier(folder, classes=CLASSES, activation="softmax"):
    layers = [{"kernel": "w1.csv", "bias": "b1.csv", "activation": activation}]
    return write(folder, {"classes": classes, "layers": layers}, without=["outputs"])


def test_classes_take_the_place_of_outputs(tmp_path):
    """Each a probability, by name."""
    network = load_network(classifier(tmp_path))
    assert network.classes == ("clear", "turbid", "bloom")
    assert network.class_quantity == "water_type"
    assert [v.name for v in network.outputs] == list(network.classes)
    np.testing.assert_allclose(network.predict(X, "tensorflow").sum(axis=1), 1, rtol=1e-6)
    logits = [2 * (math.log10(x) + 3) / 2 - 1 for x in X[0]] @ np.array(KERNELS[0]) + BIASES[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(network.predict(X, "numpy")[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": CLASSES | {"names": ["a", "b"]}}, "3 units, but 2 classes"),
        ({"classes": CLASSES | {"names": ["a", "b", "a"]}}, "two classes have the name a"),
        ({"classes": CLASSES | {"names": ["a", "b", "c-d"]}}, "'c-d'"),
        ({"classes": CLASSES | {"names": [True, "b", "c"]}}, "classes.names.0"),
        ({"activation": "linear"}, "must be softmax"),
    ],
)
def test_classes_that_do_not_fit(tmp_path, options, says):
    """The message names the file."""
    found = refused(classifier(tmp_path, **options))
    assert says in found
    assert found.startswith("mine.yaml")


def inputs(**changes):
    first = {key: value for key, value in band(443, **changes).items() if value is not None}
    return {"inputs": [first, band(547)]}


MISTAKES = {
    "no scaling": (inputs(scaling=None), "inputs.0.scaling: Field required"),
    "no transform": (inputs(transform=None), "inputs.0.transform: Field required"),
    "unknown transform": (inputs(transform="log2"), "inputs.0.transform"),
    "unknown scaling": (inputs(scaling="robust"), "inputs.0.scaling"),
    "minmax without range": (inputs(range=None), "(Rrs_443) is [-inf, inf], expected finite"),
    "two ranges": (inputs(norm=[-3, -1]), "not both"),
    "a range that is none of the transform": (
        inputs(range=[0, 0.1]),
        "transform log10 cannot take range [0.0, 0.1]",
    ),
    "a range of angles beyond 180": (
        inputs(transform="cos_degrees", range=[-180, 180]),
        "transform cos_degrees cannot take range [-180.0, 180.0]",
    ),
    "a range the wrong way round": (inputs(range=[0.1, 0.001]), "[minimum, maximum]"),
    "half a range": (inputs(range=[0.1]), "inputs.0.range"),
    "an endless range": (inputs(range=[0.1, math.inf]), "Out of range float"),
    "half of the statistics": (inputs(scaling="zscore", mean=1.0), "only one of mean and std"),
    "zscore without statistics": (inputs(scaling="zscore"), "are missing"),
    "statistics without zscore": (inputs(mean=1.0, std=1.0), "Set scaling to zscore"),
    "no deviation": (inputs(scaling="zscore", mean=1.0, std=0.0), "above 0"),
    "an unknown key": ({"colour": "blue"}, "colour: Extra inputs"),
    "another schema": ({"schema": 2}, "schema"),
    "weights and layers": ({"weights": "w1.csv"}, "w1.csv has no arrays with names"),
    "neither weights nor layers": ({"layers": None}, "give weights or layers, or both"),
    "outputs and classes": ({"classes": CLASSES}, "not both"),
    "activations of layers": ({"activations": ["tanh"]}, "put the activations into the layers"),
    "no layers": ({"layers": []}, "the description has 2 inputs, but the weights take 0"),
    "an unknown activation": (
        {"layers": [DESCRIPTION["layers"][0], DESCRIPTION["layers"][1] | {"activation": "gelu"}]},
        "Layer2: unknown activation 'gelu'",
    ),
    "a missing table": (
        {"layers": [DESCRIPTION["layers"][0] | {"kernel": "w9.csv"}]},
        "w9.csv is not in",
    ),
    "too many inputs": ({"inputs": [band(443), band(488), band(547)]}, "expected 3 and 3"),
    "too many outputs": ({"outputs": [*DESCRIPTION["outputs"],
                                      DESCRIPTION["outputs"][0] | {"wavelength_nm": 488}]},
                         "last layer has 1 units"),
    "two of a name": ({"inputs": [band(443), band(443)]}, "two inputs have the name Rrs_443"),
    "bytes": ({"training": {"seed": b"\x80"}}, "not JSON serializable"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_description_that_does_not_fit(tmp_path, changes, says):
    """The message begins with the file and names the key."""
    found = refused(write(tmp_path, changes))
    assert found.startswith("mine.yaml")
    assert says in found


def test_outputs_or_classes_are_required(tmp_path):
    """One of them, and all that is missing is said at once."""
    found = refused(write(tmp_path, without=["outputs", "sensors"]))
    assert "outputs: Field required, unless classes" in found
    assert "sensors: Field required" in found


TABLES = {
    "a word": ({"w1.csv": "1,2,3\n4,five,6\n"}, "w1.csv: line 2, column 2: 'five'"),
    "an empty cell": ({"w1.csv": "# c\n1,2,\n4,5,6\n"}, "w1.csv: line 2, column 3: ''"),
    "NaN": ({"w1.csv": "1,2,3\nnan,5,6\n"}, "line 2, column 1: 'nan' is not a finite number"),
    "semicolons": ({"w1.csv": "1;2;3\n"}, "line 1, column 1: '1;2;3'"),
    "ragged": ({"w1.csv": "1,2,3\n\n4,5\n"}, "line 3 has 2 columns, expected 3"),
    "nothing": ({"w1.csv": "# only words\n"}, "w1.csv: no numbers"),
    "turned round": (
        {"w1.csv": table(np.transpose(KERNELS[0]).tolist())},
        "set kernel_layout: units_inputs",
    ),
    "too few rows": ({"w2.csv": "1\n2\n"}, "w2.csv has 2 rows and 1 columns, expected 3 and 1"),
    "a table for a bias": ({"b1.csv": "1,2\n3,4\n"}, "b1.csv: 2 rows and 2 columns"),
    "a long bias": ({"b1.csv": "1,2,3,4\n"}, "b1.csv has 4 numbers"),
}


@pytest.mark.parametrize(("files", "says"), TABLES.values(), ids=TABLES)
def test_a_table_that_does_not_fit(tmp_path, files, says):
    """The message names file, line and column, or both shapes."""
    found = refused(write(tmp_path, files=files))
    assert found.startswith("mine.yaml")
    assert says in found


def test_a_table_that_is_no_text(tmp_path):
    """A spreadsheet with another ending, say."""
    path = write(tmp_path)
    (tmp_path / "w1.csv").write_bytes(b"PK\x03\x04\xff\xfe")
    assert "w1.csv: not a text file" in refused(path)


@pytest.mark.parametrize("name", ["../secret.csv", "sub/../../secret.csv", "{tmp}/secret.csv"])
def test_paths_do_not_leave_the_folder(tmp_path, name):
    """A description from elsewhere opens no other file of the machine."""
    (tmp_path / "secret.csv").write_text("1\n")
    name = name.format(tmp=tmp_path)
    layers = [DESCRIPTION["layers"][0] | {"bias": name}, DESCRIPTION["layers"][1]]
    assert "leads out of the folder" in refused(write(tmp_path / "net", {"layers": layers}))


def test_links_do_not_leave_the_folder(tmp_path):
    """Nor does a symbolic link lead out of it."""
    (tmp_path / "secret.csv").write_text("0.1\n")
    path = write(tmp_path / "net")
    (tmp_path / "net" / "b2.csv").unlink()
    (tmp_path / "net" / "b2.csv").symlink_to(tmp_path / "secret.csv")
    assert "leads out of the folder" in refused(path)


YAML = {
    "broken": ("schema: [1\n", "not valid YAML"),
    "a list": ("- schema\n", "object"),
    "a key twice": (
        "schema: 1\nname: a\nname: b\nweights: x\n",
        "'name' appears twice (lines 2 and 3)",
    ),
    "an alias": ("schema: 1\ninputs: &a [1]\noutputs: *a\n", "an alias (line 3)"),
    "code": ("schema: 1\nname: !!python/object/apply:os.system [id]\n", "not valid YAML"),
    "binary": ("\x00", "not valid YAML"),
    "nothing of a network": ("science: {}\n", "schema: Field required"),
    "nested": ("[" * 3000, "not valid YAML"),
}


@pytest.mark.parametrize(("text", "says"), YAML.values(), ids=YAML)
def test_yaml_that_cannot_be_read(tmp_path, text, says):
    """The message says where, and nothing in it is run."""
    path = tmp_path / "net.yaml"
    path.write_text(text)
    assert not is_network(path) or "schema" in text
    assert says in refused(path)


def test_a_run_configuration_is_no_network():
    """It is YAML, too."""
    for path in (shipped_configs() / "runs").glob("*.yaml"):
        assert not is_network(path)


def keras_model(path):
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, activation=layers.LeakyReLU(0.3)), layers.Dense(1)]
    )
    arrays = [KERNELS[0], BIASES[0], KERNELS[1], BIASES[1]]
    model.set_weights([np.array(array, dtype=np.float32) for array in arrays])
    model.save(path)
    return path


def write_for(weights, changes=None):
    """The YAML that describes a weight file, beside it."""
    path = write(weights.parent, {"weights": weights.name} | (changes or {}), without=["layers"])
    return path.rename(weights.with_suffix(".yaml"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("given", ["yaml", "weights"])
def test_a_keras_file_is_described_beside_it(tmp_path, suffix, given):
    """Either of the two may be named; the one that was is the network's file."""
    weights = keras_model(tmp_path / f"net{suffix}")
    described = write_for(weights)
    network = load_network(described if given == "yaml" else weights)
    assert network.file_name == (described if given == "yaml" else weights).name
    assert network.sha256 == load_network(described).sha256
    np.testing.assert_allclose(
        network.predict(X, "numpy"), [[by_hand(*row)] for row in X], rtol=1e-6
    )


def test_a_description_of_something_else_does_not_count(tmp_path):
    """A YAML beside it must name the file; the message says that it does not."""
    weights = keras_model(tmp_path / "net.keras")
    write_for(weights, {"weights": "other.keras"})
    assert "net.yaml exists, but it does not describe net.keras" in refused(weights)


def test_a_broken_description_beside_a_keras_file_is_named(tmp_path):
    """It is what the user wrote for this file, so what is wrong with it is what counts."""
    weights = keras_model(tmp_path / "net.keras")
    weights.with_suffix(".yaml").write_text("weights: [net.keras\n")
    assert "net.yaml is not valid YAML" in refused(weights)
    weights.with_suffix(".yaml").write_text("weights: net.keras\n")
    assert "schema: Field required" in refused(weights)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": [band(443)]}, "the description has 1 inputs, but the weights take 2"),
        ({"activations": ["tanh", "linear"]}, "Remove the key 'activations'"),
        ({"weights": "net.csv"}, "net.csv is not in"),
        ({"kernel_layout": "units_inputs"}, "kernel_layout is only for layers"),
    ],
)
def test_a_description_that_does_not_fit_its_keras_file(tmp_path, changes, says):
    """The message names what was described and what is there."""
    assert says in refused(write_for(keras_model(tmp_path / "net.keras"), changes))


def test_weights_of_no_known_format_are_refused(tmp_path):
    """A pickle of PyTorch, say."""
    path = tmp_path / "net.pt"
    path.write_bytes(b"\x80\x04N.")
    assert "neither a Keras file" in refused(write_for(path))


def ocsmart(path):
    """A file in OC-SMART's layout that says nothing about itself."""
    small_network.write_network(path, bands=(443, 547), outputs=("aph",))
    with h5py.File(path, "a") as file:
        described = json.loads(file.attrs.pop("ocpipe_description"))
    return path, described


WITHOUT_RANGES = {
    "inputs": [{k: v for k, v in band(nm).items() if k != "range"} for nm in (443, 547)],
    "activations": ["tanh", "linear"],
}


@pytest.mark.parametrize("given", ["yaml", "weights"])
def test_a_file_in_the_layout_of_ocsmart_may_be_described(tmp_path, given):
    """Its name then means nothing; ranges are the file's own."""
    small_network.write_network(tmp_path / "own.h5", bands=(443, 547), outputs=("aph",))
    path, _ = ocsmart(tmp_path / "net.h5")
    output = {"quantity": "aph", "wavelength_nm": 443, "units": "m-1", "transform": "log10",
              "scaling": "minmax"}  # fmt: skip
    described = write_for(path, WITHOUT_RANGES | {"outputs": [output]})
    network = load_network(described if given == "yaml" else path)
    expected = load_network(tmp_path / "own.h5").predict(X, "numpy")
    np.testing.assert_array_equal(network.predict(X, "numpy"), expected)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": [band(443), band(547)]}, "Rrs has range or norm, but net.h5 has the ranges"),
        ({"activations": ["tanh"]}, "the description has 1 activations, but the file has 2"),
        (
            {"inputs": WITHOUT_RANGES["inputs"][:1]},
            "the description has 1 inputs, but the file has 2",
        ),
    ],
)
def test_a_description_that_does_not_fit_the_layout(tmp_path, changes, says):
    """The message names what is there."""
    path, _ = ocsmart(tmp_path / "net.h5")
    assert says in refused(write_for(path, WITHOUT_RANGES | changes))


def test_the_attribute_takes_other_functions_too(tmp_path):
    """Schema 1 as before, with z-scores, ranges that are not known, and classes."""
    path = small_network.write_network(tmp_path / "net.h5", bands=(443, 547), outputs=("aph", "b"))
    with h5py.File(path, "a") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        for variable in described["inputs"]:
            variable |= {"transform": "ln", "scaling": "zscore", "mean": -5.0, "std": 1.0}
        del described["outputs"]
        described["classes"] = {"quantity": "water_type", "names": ["clear", "turbid"]}
        described["activations"] = ["elu(0.5)", "softmax"]
        file.attrs["ocpipe_description"] = json.dumps(described)
        file["Norm_in"][...] = [[-np.inf, np.inf]] * 2
        kernels = [file[f"Weights/Layer{k}"][...].T for k in (1, 2)]
        biases = [file[f"Bias/Layer{k}"][...].reshape(-1) for k in (1, 2)]
    network = load_network(path)
    assert network.classes == ("clear", "turbid")
    signal = (np.log(X) + 5) @ kernels[0] + biases[0]
    signal = np.where(signal > 0, signal, 0.5 * (np.exp(signal) - 1)) @ kernels[1] + biases[1]
    expected = np.exp(signal) / np.exp(signal).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict(X, "numpy"), expected, rtol=1e-12)


def test_every_engine_takes_every_described_network(tmp_path):
    """The check of an engine against the reference passes where no range is known."""
    for path in (write(tmp_path / "a"), classifier(tmp_path / "b")):
        for engine in ("numpy", "onnxruntime", "tensorflow"):
            assert get_engine(load_network(path), engine).name == engine
