"""ONNX files of real frameworks give the frameworks' numbers; see onnx_files/make.py."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import onnxruntime
import pytest
import yaml
from obpg_miniature import counts_of, write_obpg_l2

import pipeline
from pipeline.errors import NetworkError
from pipeline.inspection import inspect_file
from pipeline.networks import load_network
from pipeline.networks.reading.onnx.network import read_onnx_graph

FILES = Path(__file__).resolve().parent / "onnx_files"
# This one is not whole: see test_keras_normalization.
NAMES = sorted(path.stem for path in FILES.glob("*.json"))
BANDS = (443, 490, 560, 665)
CLASSES = {
    "sklearn_classifier": ["clear", "green", "turbid"],
    "sklearn_classifier_arrays": ["clear", "green", "turbid"],
    "sklearn_logistic": ["clear", "green", "turbid"],
    "sklearn_two_classes": ["other", "green"],
    "sklearn_logistic_two": ["other", "green"],
    "tf2onnx_classifier": ["a", "b", "c"],
    "torch_classifier": ["a", "b", "c"],
}
ENGINES = [
    ("numpy", 1e-6),
    ("onnxruntime", 1e-4),
    pytest.param("tensorflow", 1e-4, marks=pytest.mark.tensorflow),
]


def variables(quantity, units, wavelengths, **more):
    common = {"units": units, "transform": "none", "scaling": "none", **more}
    return [{"quantity": quantity, "wavelength_nm": nm, **common} for nm in wavelengths]


def described(folder, name, **changes):
    """A copy of a file with a YAML beside it."""
    expected = json.loads((FILES / f"{name}.json").read_text())
    keys = {
        "schema": 1,
        "name": name,
        "sensors": ["MODIS-Aqua"],
        "weights": f"{name}.onnx",
        "inputs": variables("Rrs", "sr-1", BANDS),
    }
    if name in CLASSES:
        keys["classes"] = {"quantity": "water_type", "names": CLASSES[name]}
    else:
        count = len(expected["outputs"][0])
        keys["outputs"] = variables("aph", "m-1", BANDS[:count])
    shutil.copy(FILES / f"{name}.onnx", folder)
    (folder / f"{name}.yaml").write_text(json.dumps(keys | changes))
    return folder / f"{name}.onnx"


def expected_of(name):
    stored = json.loads((FILES / f"{name}.json").read_text())
    return np.array(stored["inputs"]), np.array(stored["outputs"])


def assert_close(found, expected, tolerance):
    """Relative to each value, or to the largest of its column where a value is near zero."""
    np.testing.assert_array_less(
        np.abs(found - expected),
        tolerance * np.maximum(np.abs(expected), np.abs(expected).max(axis=0)),
    )


@pytest.mark.parametrize(("engine", "tolerance"), ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_framework(tmp_path, name, engine, tolerance):
    """What torch, scikit-learn or Keras computed in float64 when the file was made."""
    network = load_network(described(tmp_path, name))
    x, expected = expected_of(name)
    assert_close(network.predict(x, engine), expected, tolerance)


@pytest.mark.quick
@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_onnxruntime(tmp_path, name):
    """Which runs the file itself."""
    network = load_network(described(tmp_path, name))
    x, _ = expected_of(name)
    session = onnxruntime.InferenceSession(str(FILES / f"{name}.onnx"))
    ports = session.get_inputs()
    kind = np.float64 if ports[0].type == "tensor(double)" else np.float32
    parts = np.split(x.astype(kind), 4, axis=1) if len(ports) == 4 else [x.astype(kind)]
    made = session.run(None, {port.name: part for port, part in zip(ports, parts, strict=True)})
    if name in CLASSES:
        made = made[-1:]  # the first is the class itself
        if isinstance(made[0], list):  # a mapping for each pixel
            made = [np.array([list(each.values()) for each in made[0]])]
    found = np.concatenate([np.reshape(part, (len(x), -1)) for part in made], axis=1)
    assert_close(network.predict(x, "numpy"), found, 1e-4)


def test_class_names_come_from_the_file():
    """In the order of the probabilities."""
    assert read_onnx_graph(FILES / "sklearn_classifier.onnx").class_names == (
        "clear", "green", "turbid",
    )  # fmt: skip


def test_classes_in_another_order_are_refused(tmp_path):
    """A class map of the wrong names would look plausible."""
    other = {"quantity": "water_type", "names": ["turbid", "clear", "green"]}
    path = described(tmp_path, "sklearn_classifier", classes=other)
    with pytest.raises(NetworkError, match=r"in the order clear, green, turbid"):
        load_network(path)


def test_names_of_inputs_and_outputs_describe_a_network(tmp_path):
    """And the transforms come from the graph: log10 in, a power of 10 out."""
    path = Path(shutil.copy(FILES / "torch_physical.onnx", tmp_path))
    network = load_network(path)
    assert [v.name for v in network.inputs] == ["Rrs_443", "Rrs_490", "Rrs_560", "Rrs_665"]
    assert [v.name for v in network.outputs] == ["chlor_a", "bbp_443"]
    assert [v.units for v in network.outputs] == ["mg m-3", "m-1"]
    assert {v.transform_name for v in (*network.inputs, *network.outputs)} == {"ln"}
    x, expected = expected_of("torch_physical")
    assert_close(network.predict(x, "numpy"), expected, 1e-6)
    assert "none named" in "\n".join(inspect_file(path))


def test_a_yaml_goes_before_the_names(tmp_path):
    """It may name sensors, ranges and licence."""
    path = described(
        tmp_path,
        "torch_physical",
        inputs=variables("Rrs", "sr-1", BANDS, range=[0.001, 0.02]),
        licence="CC0-1.0",
    )
    network = load_network(path)
    assert network.licence == "CC0-1.0"
    assert network.sensors == ("MODIS-Aqua",)
    low, high = network.inputs[0].physical_range
    assert (low, high) == (pytest.approx(0.001), pytest.approx(0.02))
    assert network.inputs[0].transform_name == "ln"


def test_norm_of_a_variable_that_the_graph_transforms_is_physical(tmp_path):
    """Because the YAML says transform: none."""
    ends = variables("Rrs", "sr-1", BANDS, norm=[0.001, 0.02])
    network = load_network(described(tmp_path, "torch_physical", inputs=ends))
    assert network.inputs[0].minimum == pytest.approx(np.log(0.001))


def test_a_transform_is_not_applied_twice(tmp_path):
    """The YAML states a logarithm, and the graph takes one."""
    ends = variables("Rrs", "sr-1", BANDS)
    for each in ends:
        each["transform"] = "log10"
    with pytest.raises(NetworkError, match="Write transform: none and scaling: none"):
        load_network(described(tmp_path, "torch_physical", inputs=ends))


def test_a_range_that_the_graph_cannot_take_is_refused(tmp_path):
    """The logarithm of zero."""
    ends = variables("Rrs", "sr-1", BANDS, range=[0, 0.02])
    with pytest.raises(NetworkError, match="transform ln cannot take range"):
        load_network(described(tmp_path, "torch_physical", inputs=ends))


def test_what_no_file_describes_gets_a_draft(tmp_path):
    """With the classes of the file."""
    path = shutil.copy(FILES / "sklearn_classifier.onnx", tmp_path)
    with pytest.raises(NetworkError) as caught:
        load_network(path)
    draft = yaml.safe_load(str(caught.value).split(":\n", 1)[1])
    assert draft["weights"] == "sklearn_classifier.onnx"
    assert draft["classes"]["names"] == ["clear", "green", "turbid"]
    assert "4-6-5-3 (relu, relu, softmax)" in str(caught.value)


def test_keras_normalization(tmp_path):
    """Keras exports the numbers of this layer as inputs of the graph: they are not in the file."""
    name = "keras_normalization"
    shutil.copy(FILES / f"{name}.onnx", tmp_path)
    keys = yaml.safe_load(described(tmp_path, "torch_mlp").with_suffix(".yaml").read_text())
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(keys | {"weights": f"{name}.onnx"}))
    with pytest.raises(NetworkError, match=r"but the graph takes 12: rrs \(4\).*Normalization"):
        load_network(tmp_path / f"{name}.onnx")


@pytest.mark.parametrize("name", ["torch_physical", "sklearn_classifier"])
def test_products_are_equal_with_all_engines(tmp_path, name):
    """Flags, classes and values, also where inputs are not positive or outside the range."""
    rrs = 10.0 ** np.random.default_rng(2).uniform(-3.2, -1.6, (6, 5, 4))
    rrs[0, 0, 1], rrs[1, 1, 2], rrs[2, 2, :] = -0.002, 0.0, 0.04
    scene = write_obpg_l2(
        tmp_path / "s.nc",
        {nm: counts_of(rrs[..., i]) for i, nm in enumerate((443, 488, 555, 667))},
        flags=np.zeros((6, 5), np.int32),
        chunk=(3, 3),
    )
    ends = variables("Rrs", "sr-1", BANDS, range=[0.0008, 0.02])
    path = described(tmp_path, name, inputs=ends)
    found = {}
    for engine in ("numpy", "onnxruntime", "tensorflow"):
        config = {
            "name": engine,
            "science": {
                "networks": [{"name": "net", "file": str(path)}],
                "bands": {"tolerance_nm": 6},
                "engine": engine,
            },
            "execution": {"output": str(tmp_path / engine)},
        }
        with netCDF4.Dataset(pipeline.process_scene(scene, config)) as file:
            file.set_auto_mask(False)
            found[engine] = {key: each[:] for key, each in file.variables.items() if each.ndim == 2}
    first = found.pop("numpy")
    flags = [key for key, values in first.items() if values.dtype.kind == "u"]
    assert any(np.any(first[key] != first[key].flat[0]) for key in flags)
    for other in found.values():
        for key, values in first.items():
            if key in flags:
                np.testing.assert_array_equal(other[key], values, err_msg=key)
            else:
                np.testing.assert_allclose(other[key], values, rtol=1e-4, err_msg=key)


def test_reading_imports_no_onnx():
    """Neither a library of ONNX nor a framework."""
    program = (
        "import sys, pathlib; from pipeline.networks.reading.onnx.network import read_onnx_graph;"
        "[read_onnx_graph(pathlib.Path(path)) for path in sys.argv[1:]];"
        "print(sorted({'onnx', 'onnxruntime', 'keras', 'tensorflow'} & set(sys.modules)))"
    )
    files = [str(FILES / f"{name}.onnx") for name in NAMES]
    done = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
