"""Weights that are kept as arrays with names, or without their model, and a YAML that says which.

The files in array_files were written by PyTorch with safetensors, and by Keras (make.py there).
"""

import io
import json
import random
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline import load_network
from pipeline.cli import main
from pipeline.errors import NetworkError
from pipeline.networks.reading import is_network
from pipeline.networks.reading.folder_contents import networks_in

MADE = Path(__file__).parent / "array_files"
EXPECTED = {
    name: np.array(each)
    for name, each in json.loads((MADE / "expected.json").read_text("utf-8")).items()
}
ENGINES = {"numpy": 1e-6, "onnxruntime": 1e-4, "tensorflow": 1e-4}
AS_IT_IS = {"transform": "none", "scaling": "none"}
INPUTS = [
    {"quantity": "Rrs", "wavelength_nm": nm, "units": "sr-1", **AS_IT_IS} for nm in (443, 488, 547)
]
OUTPUTS = [
    {"quantity": "aph", "wavelength_nm": nm, "units": "m-1", **AS_IT_IS} for nm in (443, 488)
]
TORCH = {
    "kernel_layout": "units_inputs",
    "layers": [
        {"kernel": "0.weight", "bias": "0.bias", "activation": "tanh"},
        {"kernel": "2.weight", "bias": "2.bias", "activation": "linear"},
    ],
}
PLAIN = {
    "layers": [
        {"kernel": "first/kernel", "bias": "first/bias", "activation": "tanh"},
        {"kernel": "second/kernel", "activation": "linear"},
    ]
}


def described(weights, **keys):
    """The YAML beside a file of weights."""
    data = {"schema": 1, "name": "net", "weights": weights.name, "sensors": ["MODIS-Aqua"],
            "inputs": INPUTS, "outputs": OUTPUTS, **keys}  # fmt: skip
    weights.with_name(f"{weights.stem}.yaml").write_text(yaml.safe_dump(data))
    return weights


def copied(name, folder, **keys):
    """A file of array_files with its YAML."""
    (folder / name).write_bytes((MADE / name).read_bytes())
    return described(folder / name, **keys)


def arrays(seed=5):
    drawn = np.random.default_rng(seed)
    return {
        "first/kernel": drawn.normal(0, 0.8, (3, 4)),
        "first/bias": drawn.normal(0, 0.3, 4),
        "second/kernel": drawn.normal(0, 0.8, (4, 2)),
        "unused": drawn.normal(0, 1, (7,)),
    }


def write_hdf5(path, found):
    with h5py.File(path, "w") as file:
        for name, each in found.items():
            file[name] = each
    return path


def write_npz(path, found):
    np.savez_compressed(path, **found)
    return path


def safetensors(header, content):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def write_safetensors(path, found):
    header, content = {"__metadata__": {"format": "np"}}, b""
    for name, each in found.items():
        stored = each.astype("<f8").tobytes()
        place = [len(content), len(content) + len(stored)]
        header[name] = {"dtype": "F64", "shape": list(each.shape), "data_offsets": place}
        content += stored
    path.write_bytes(safetensors(header, content))
    return path


WRITERS = {"w.h5": write_hdf5, "w.npz": write_npz, "w.safetensors": write_safetensors}


def forward(found, rows):
    hidden = np.tanh(rows @ found["first/kernel"] + found["first/bias"])
    return hidden @ found["second/kernel"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", WRITERS)
def test_arrays_by_name(tmp_path, name, engine):
    """Equal to a float64 pass; a layer may have no bias, and other arrays are not looked at."""
    found, rows = arrays(), np.random.default_rng(1).uniform(-1, 1, (50, 3))
    network = load_network(described(WRITERS[name](tmp_path / name, found), **PLAIN))
    assert network.shape_text == "3-4-2"
    expected = forward(found, rows)
    np.testing.assert_allclose(network.predict(rows, engine), expected, rtol=ENGINES[engine],
                               atol=ENGINES[engine])  # fmt: skip


def test_the_same_network_in_every_format(tmp_path):
    """So its values and flags are those of the CSV tables, with every engine."""
    found = arrays()
    tables = []
    for number, layer in enumerate(PLAIN["layers"]):
        tables.append(dict(layer))
        for part in ("kernel", "bias"):
            if part in layer:
                tables[-1][part] = f"{number}_{part}.csv"
                np.savetxt(tmp_path / f"{number}_{part}.csv", found[layer[part]], "%.17g", ",")
    data = {"schema": 1, "name": "net", "sensors": ["MODIS-Aqua"], "inputs": INPUTS,
            "outputs": OUTPUTS, "layers": tables}  # fmt: skip
    (tmp_path / "tables.yaml").write_text(yaml.safe_dump(data))
    expected = load_network(tmp_path / "tables.yaml").fingerprint
    for name, write in WRITERS.items():
        path = described(write(tmp_path / f"{name[2:]}_{name}", found), **PLAIN)
        assert load_network(path).fingerprint == expected, name


@pytest.mark.parametrize("name", ["torch", "torch_bf16"])
def test_weights_of_pytorch(tmp_path, name):
    """As its own forward pass computes them, in float32 and bfloat16."""
    network = load_network(copied(f"{name}.safetensors", tmp_path, **TORCH))
    found = network.predict(EXPECTED["rows"], "numpy")
    np.testing.assert_allclose(found, EXPECTED[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_of_keras_without_the_model(tmp_path, engine):
    """As Keras itself (float32) and a float64 pass compute them; Dropout has no weights."""
    path = copied("keras.weights.h5", tmp_path, activations=["tanh", "relu", "linear"])
    network = load_network(path)
    assert network.shape_text == "3-4-3-2"
    found = network.predict(EXPECTED["rows"], engine)
    np.testing.assert_allclose(found, EXPECTED["keras"], rtol=1e-4, atol=1e-6)
    with h5py.File(path) as file:
        kept = {name: file[f"layers/{name}"][...].astype(float)
                for name in ("dense/vars/0", "dense/vars/1", "dense_1/vars/0", "dense_1/vars/1",
                             "dense_2/vars/0")}  # fmt: skip
    hidden = np.tanh(EXPECTED["rows"] @ kept["dense/vars/0"] + kept["dense/vars/1"])
    hidden = np.maximum(hidden @ kept["dense_1/vars/0"] + kept["dense_1/vars/1"], 0)
    expected = hidden @ kept["dense_2/vars/0"]
    limit = ENGINES[engine]
    np.testing.assert_allclose(found, expected, rtol=limit, atol=limit)


def write_keras_2(path, found):
    """What save_weights of Keras 2 writes: the order of layers and weights as attributes."""
    layers = {"dense": ["first/kernel", "first/bias"], "dropout": [], "out": ["second/kernel"]}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in layers])
        file.attrs["keras_version"] = b"2.15.0"
        for layer, parts in layers.items():
            group = file.create_group(layer)
            names = [f"{layer}/{part.split('/')[1]}:0" for part in parts]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, part in zip(names, parts, strict=True):
                group[name] = found[part].astype("f4")
    return path


def test_weights_of_keras_2(tmp_path):
    """The file states the order of the layers."""
    found, rows = arrays(), np.random.default_rng(1).uniform(-1, 1, (50, 3))
    path = described(write_keras_2(tmp_path / "old.h5", found), activations=["tanh", "linear"])
    np.testing.assert_allclose(
        load_network(path).predict(rows, "numpy"), forward(found, rows), rtol=1e-5, atol=1e-6
    )


def test_files_of_matlab(tmp_path):
    """``save -v7.3`` keeps W (units, inputs) the other way round; an export is the same network."""
    found, rows = arrays(), np.random.default_rng(1).uniform(-1, 1, (50, 3))
    kept = {"W1": found["first/kernel"], "b1": found["first/bias"][np.newaxis],
            "W2": found["second/kernel"], "b2": np.zeros((1, 2))}  # fmt: skip
    layers = [
        {"kernel": f"W{n}", "bias": f"b{n}", "activation": each}
        for n, each in ((1, "tanh"), (2, "linear"))
    ]
    path = described(write_hdf5(tmp_path / "net.mat", kept), layers=layers)
    network = load_network(path)
    np.testing.assert_allclose(network.predict(rows, "numpy"), forward(found, rows), rtol=1e-6)
    exported = tmp_path / "again.onnx"
    result = CliRunner().invoke(main, ["export", str(path), "-o", str(exported)])
    assert result.exit_code == 0, result.output
    again = load_network(exported).predict(rows, "numpy")
    np.testing.assert_allclose(again, forward(found, rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [*WRITERS, "keras"])
def test_inspect_shows_the_network(tmp_path, name):
    """And it says what to write, if nothing describes the arrays."""
    if name == "keras":
        path = copied("keras.weights.h5", tmp_path, activations=["tanh", "relu", "linear"])
    else:
        path = described(WRITERS[name](tmp_path / name, arrays()), **PLAIN)
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 0
    assert "(tanh" in result.output
    path.with_name(f"{path.stem}.yaml").unlink()
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code != 0
    if name != "w.h5":  # which may be a scene
        assert f"rite {path.stem}.yaml beside it" in result.output


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            [{"kernel": "first/kernl", "activation": "tanh"}],
            "no array 'first/kernl'. It has first/",
        ),
        ([{"kernel": "first/bias", "activation": "tanh"}], "expected two dimensions"),
        (
            [{"kernel": "first/kernel", "bias": "second/kernel", "activation": "tanh"}],
            "expected one dimension",
        ),
        ([{"kernel": "second/kernel", "activation": "tanh"}], "second/kernel has 4 rows and 2 "),
        (
            [{"kernel": "first/kernel", "bias": "unused", "activation": "tanh"}],
            "unused has 7 numbers",
        ),
    ],
)
@pytest.mark.parametrize("name", WRITERS)
def test_names_that_do_not_fit(tmp_path, name, layers, words):
    """The message has the names that there are."""
    path = described(WRITERS[name](tmp_path / name, arrays()), layers=layers)
    with pytest.raises(NetworkError, match=f"w.yaml: .*{words}"):
        load_network(path)


def keras_3(folder, kept):
    """A file as save_weights of Keras 3 lays it out."""
    path = folder / "net.weights.h5"
    with h5py.File(path, "w") as file:
        for name, each in kept.items():
            file[name] = each
    return described(path, activations=["tanh", "linear"])


DENSE = {"layers/dense/vars/0": np.ones((3, 4)), "layers/dense/vars/1": np.ones(4),
         "layers/dense_1/vars/0": np.ones((4, 2))}  # fmt: skip
SCALE = {"layers/dense_1/vars/0": np.ones((4, 2), "i1"), "layers/dense_1/vars/1": np.ones(2)}


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (DENSE | SCALE, "'dense_1' has integers as weights, so that it is quantized"),
        (DENSE | {"first/vars/0": np.ones((3, 3))}, "'first' has weights.*only layers Dense"),
        (
            DENSE | {"layers/sequential/layers/dense/vars/0": np.ones((2, 2))},
            "'sequential/layers/dense' has weights.*only layers Dense",
        ),
        (DENSE | {"layers/dense_01/vars/0": np.ones((4, 2))}, "'dense_01' has weights"),
        (DENSE | {"layers/dense_3/vars/0": np.ones((2, 2))}, "before layers/dense_3/vars/0"),
        (DENSE | {"layers/dense_1/vars/2": np.ones(2)}, "before layers/dense_1/vars/0"),
        (DENSE | {"layers/dense_1/vars/1": np.ones(3)}, r"shapes \(4, 2\), \(3,\)"),
    ],
)
def test_keras_weights_that_leave_doubt(tmp_path, kept, words):
    """A quantized model, a class of the user, a model within a model, a layer that is missing."""
    with pytest.raises(NetworkError, match=words):
        load_network(keras_3(tmp_path, kept))


def test_the_state_of_training_is_left_out(tmp_path):
    """Keras keeps the optimizer and the state of random numbers beside the weights."""
    state = {"optimizer/vars/0": np.int64(3), "optimizer/vars/2": np.ones((3, 4)),
             "layers/dropout/seed_generator/vars/0": np.ones(2, "u4")}  # fmt: skip
    assert load_network(keras_3(tmp_path, DENSE | state)).shape_text == "3-4-2"


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"a": ["embeddings:0"]}, "'a' has the weights embeddings.*only layers Dense"),
        ({"a": ["kernel", "kernel_scale"]}, "has the weights kernel, kernel_scale"),
        ({"a": ["kernel"], "b": [], "": None}, "listed twice"),
    ],
)
def test_weights_of_keras_2_that_leave_doubt(tmp_path, layers, words):
    """Other layers with matrices, and a layer that is listed twice."""
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        twice = ["a"] if layers.pop("", 0) is None else []
        file.attrs["layer_names"] = [*layers, *twice]
        for layer, names in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}" for name in names]
            for name in names:
                group[f"{layer}/{name}"] = np.ones((3, 2))
    with pytest.raises(NetworkError, match=words):
        load_network(described(path, activations=["tanh"]))


def test_activations_for_each_layer(tmp_path):
    """Otherwise the layers are named."""
    path = copied("keras.weights.h5", tmp_path, activations=["tanh", "linear"])
    with pytest.raises(NetworkError, match=r"3 layers with weights .*dense_1, dense_2.*2 act"):
        load_network(path)


def test_other_layers_of_keras_are_refused(tmp_path):
    """Their order is not in the file."""
    path = copied("keras.weights.h5", tmp_path, activations=["tanh", "relu", "linear"])
    with h5py.File(path, "a") as file:
        file["layers/normalization/vars/0"] = np.zeros(3)
    with pytest.raises(NetworkError, match=r"'normalization' has weights.*only layers Dense"):
        load_network(path)


def test_values_that_are_not_finite(tmp_path):
    """In every format."""
    for name, write in WRITERS.items():
        found = arrays()
        found["first/bias"][1] = np.nan
        with pytest.raises(NetworkError, match="not finite"):
            load_network(described(write(tmp_path / name, found), **PLAIN))


def entry(shape=(2, 2), place=(0, 32), dtype="F64"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(place)}


HOSTILE = {
    "a long header": (struct.pack("<Q", 2**62) + b"{}", "no known network format"),
    "a header beyond the limit": (
        struct.pack("<Q", 2**25) + b"{" + bytes(2**25),
        "header of w.safetensors",
    ),
    "no JSON": (safetensors(b"{'a': 1}", b""), "is not JSON"),
    "deep JSON": (safetensors(b'{"a":' + b"[" * 100_000, b""), "is not JSON"),
    "a name twice": (
        safetensors(b'{"a": {}, "a": {}}', b""),
        "has a name twice",
    ),
    "no object": (safetensors({"a": 3}, b""), "is not an object"),
    "overlapping arrays": (
        safetensors({"a": entry(), "b": entry()}, bytes(32)),
        "overlap or leave a gap",
    ),
    "a gap": (safetensors({"a": entry(place=(8, 40))}, bytes(40)), "overlap or leave a gap"),
    "beyond the end": (safetensors({"a": entry()}, bytes(31)), "follow the header"),
    "more at the end": (safetensors({"a": entry()}, bytes(33)), "follow the header"),
    "a huge shape": (
        safetensors({"a": entry(shape=(2**20, 2**20), place=(0, 2**43))}, b""),
        "follow the header",
    ),
    "a negative shape": (safetensors({"a": entry(shape=(-1, 2))}, b""), "whole numbers"),
    "true as a shape": (safetensors({"a": entry(shape=(True, 2))}, b""), "whole numbers"),
    "more digits than Python prints": (
        safetensors(
            b'{"a": {"dtype": "F64", "shape": [1%s, 2], "data_offsets": [0, 0]}}' % (b"0" * 4000),
            b"",
        ),
        "plausible whole numbers",
    ),
    "a place of many digits": (
        safetensors({"a": entry(place=(0, 10**4000))}, b""),
        "plausible whole numbers",
    ),
    "truth values": (
        safetensors({"a": entry((3, 2), (0, 6), "BOOL")}, bytes(6)),
        "has the type bool",
    ),
    "places backwards": (safetensors({"a": entry(place=(32, 0))}, bytes(32)), "bytes, not 32"),
    "an unknown type": (safetensors({"a": entry(dtype="F8_E4M3")}, bytes(32)), "has the type"),
}


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_safetensors(tmp_path, content, words):
    """Nothing is allocated for what a header claims."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(NetworkError, match=words):
        load_network(described(path, layers=[{"kernel": "a", "activation": "tanh"}]))


def npz_of(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(header):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def objects():
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.npy": objects()}, "which is a pickle"),
        (
            {"a.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9)}")},
            "cannot be read|damaged",
        ),
        (
            {"a.npy": npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**14}, 9)}}")},
            "memory|cannot be read|damaged",
        ),
        ({"a.npy": b"no array"}, "cannot be read|damaged"),
        ({"a.npy": b"\x93NUMPY\x01\x00\x10\x00__import__('os')"}, "cannot be read|damaged"),
    ],
)
def test_hostile_npz(tmp_path, members, words):
    """No pickle is opened, and no expression is evaluated."""
    path = tmp_path / "w.npz"
    path.write_bytes(npz_of(members))
    with pytest.raises(NetworkError, match=words):
        load_network(described(path, layers=[{"kernel": "a", "activation": "tanh"}]))


def test_a_member_twice(tmp_path):
    """Programs differ in which of two members they read."""
    path = write_npz(tmp_path / "w.npz", arrays())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("unused.npy", archive.read("first/bias.npy"))
    with pytest.raises(NetworkError, match=r"contains a member twice: unused\.npy"):
        load_network(described(path, **PLAIN))


@pytest.mark.parametrize(("dtype", "stored"), [("F16", "<f2"), ("F32", "<f4"), ("I32", "<i4")])
def test_types_of_safetensors(tmp_path, dtype, stored):
    """Each is read as its numbers."""
    kernel = np.arange(-3, 3, dtype=stored).reshape(3, 2) / np.array(1, stored)
    content = kernel.astype(stored).tobytes()
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors({"a": entry((3, 2), (0, len(content)), dtype)}, content))
    network = load_network(described(path, layers=[{"kernel": "a", "activation": "tanh"}]))
    np.testing.assert_array_equal(network.layers[0].kernel, np.arange(-3.0, 3).reshape(3, 2))


@pytest.mark.parametrize("name", [*WRITERS, "keras.weights.h5"])
def test_mutations_end_in_words_or_in_a_network(tmp_path, name):
    """200 files with changed, lost, doubled and cut bytes."""
    if name == "keras.weights.h5":
        path = copied(name, tmp_path, activations=["tanh", "relu", "linear"])
    else:
        path = described(WRITERS[name](tmp_path / name, arrays()), **PLAIN)
    content, drawn, refused = path.read_bytes(), random.Random(7), 0  # noqa: S311 - no secrets
    for _ in range(200):
        mutant = bytearray(content)
        for _ in range(drawn.randrange(1, 6)):
            at = drawn.randrange(min(len(mutant), 3000))
            match drawn.randrange(4):
                case 0:
                    mutant[at] = drawn.randrange(256)
                case 1:
                    del mutant[at : at + drawn.randrange(1, 40)]
                case 2:
                    mutant[at:at] = mutant[at : at + drawn.randrange(1, 40)]
                case _:
                    mutant[at : at + 8] = struct.pack("<q", drawn.choice([0, -1, 2**40, 255]))
        path.write_bytes(mutant)
        try:
            load_network(path)
        except NetworkError:
            refused += 1
    assert refused > 50


def write_model(path, module, found):
    """A whole model as Keras 2 saves it, with the modules of its classes."""

    def of(class_name, **config):
        return {"class_name": class_name, "module": f"{module}.layers", "registered_name": None,
                "config": config}  # fmt: skip

    layers = [
        of("InputLayer", name="given", batch_input_shape=[None, 3]),
        of("Dense", name="first", units=4, activation="tanh", use_bias=True),
        of("Dense", name="second", units=2, activation="linear", use_bias=False),
    ]
    model = {"class_name": "Sequential", "module": module, "registered_name": None,
             "config": {"name": "net", "layers": layers}}  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        for layer, parts in (("first", ("kernel", "bias")), ("second", ("kernel",))):
            group = file.create_group(f"model_weights/{layer}")
            group.attrs["weight_names"] = [f"{layer}/{part}:0" for part in parts]
            for part in parts:
                group[f"{layer}/{part}:0"] = found[f"{layer}/{part}"]
    return path


@pytest.mark.parametrize("module", ["tf_keras", "tf_keras.src", "keras.src", "keras", "evil"])
def test_modules_of_keras(tmp_path, module):
    """``tf_keras`` is Keras 2 under another name; the code of other packages is not run."""
    found, rows = arrays(), np.random.default_rng(1).uniform(-1, 1, (50, 3))
    path = described(write_model(tmp_path / "net.h5", module, found))
    if module == "evil":
        with pytest.raises(NetworkError, match="Sequential of evil"):
            load_network(path)
        return
    expected = forward(found, rows)
    np.testing.assert_allclose(load_network(path).predict(rows, "numpy"), expected, rtol=1e-6)


def test_what_a_folder_of_networks_has(tmp_path):
    """A described file is listed once, by its YAML; other arrays of NumPy are no networks."""
    described(write_npz(tmp_path / "w.npz", arrays()), **PLAIN)
    write_npz(tmp_path / "data.npz", arrays())
    write_safetensors(tmp_path / "lost.safetensors", arrays())
    found = {each.path.name: each.problem for each in networks_in([tmp_path])}
    assert list(found) == ["lost.safetensors", "w.yaml"]
    assert "Write lost.yaml beside it" in found["lost.safetensors"]
    assert found["w.yaml"] == ""


@pytest.mark.parametrize("text", ["weights: [", "weights: scene.nc\nweights: b", "1: 2"])
def test_a_yaml_beside_a_scene_may_be_anything(tmp_path, text):
    """The scene is no network, and nothing is said about the YAML."""
    scene = write_hdf5(tmp_path / "scene.nc", arrays())
    (tmp_path / "scene.yaml").write_text(text)
    assert not is_network(scene)
