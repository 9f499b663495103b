"""OC-SMART's layout: what a file says, and that every fault of one is named."""

import hashlib
import json
from itertools import pairwise

import h5py
import numpy as np
import oracle
import pytest

from pipeline.errors import NetworkError
from pipeline.facts.sensors import sensors
from pipeline.networks import load_network
from pipeline.networks.reading import is_network
from pipeline.networks.reading.ocsmart_h5 import PARTS
from pipeline.networks.reading.self_description import ATTRIBUTE

SIZES = (7, 9, 5, 6)  # no two neighbours alike, so that no transposed kernel fits
NAME = "SeaWiFS_aphNN.h5"  # seven inputs, six outputs
MISSING = object()
SEAWIFS = (412, 443, 490, 510, 555, 670)
ANGLES = ("solar_zenith", "sensor_zenith", "relative_azimuth")


def datasets(sizes=SIZES, layers_dtype=np.int8):
    """The datasets of a sound file with tanh layers of random weights."""
    drawn = np.random.default_rng(sum(sizes))
    found = {
        "Layers": np.array(sizes, layers_dtype),
        "Norm_in": np.stack([np.linspace(-4, -3, sizes[0]), np.linspace(-2, -1, sizes[0])], 1),
        "Norm_out": np.stack([np.linspace(-3, -2, sizes[-1]), np.linspace(0, 1, sizes[-1])], 1),
    }
    for k, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        found[f"Weights/Layer{k}"] = drawn.normal(0, 0.7, (n_out, n_in))
        found[f"Bias/Layer{k}"] = drawn.normal(0, 0.3, (n_out, 1))
    return found


def write(path, content=None, description=None):
    """A file of the layout; MISSING leaves a dataset out."""
    with h5py.File(path, "w") as file:
        for name, data in (datasets() if content is None else content).items():
            if data is not MISSING:
                file[name] = data
        if description is not None:
            is_data = isinstance(description, dict)
            file.attrs[ATTRIBUTE] = json.dumps(description) if is_data else description
    return path


def message(path):
    with pytest.raises(NetworkError) as caught:
        load_network(path)
    return str(caught.value)


# Sound files


def test_a_file_without_self_description_is_known_by_its_name(tmp_path):
    """Sensor and kind give the meaning, the file gives ranges and weights."""
    network = load_network(write(tmp_path / NAME))
    assert network.name == "SeaWiFS_aphNN"
    assert network.sensors == ("SeaWiFS",)
    assert network.shape_text == "7-9-5-6"
    assert [v.name for v in network.inputs] == [f"Rrs_{nm}" for nm in (*SEAWIFS, 765)]
    assert [v.name for v in network.outputs] == [f"aph_{nm}" for nm in SEAWIFS]
    assert {(v.units, v.transform_name) for v in network.inputs} == {("sr-1", "log10")}
    assert {(v.units, v.transform_name) for v in network.outputs} == {("m-1", "log10")}
    assert [layer.activation for layer in network.layers] == ["tanh", "tanh", "linear"]
    assert [(v.minimum, v.maximum) for v in network.inputs] == [
        tuple(row) for row in datasets()["Norm_in"].tolist()
    ]
    assert "10.1016/j.rse.2020.112236" in network.citation
    assert network.licence
    assert network.golden is None


@pytest.mark.quick
@pytest.mark.parametrize("transform", [np.asarray, np.float32])
def test_values_equal_the_oracle(tmp_path, transform):
    """Kernels are transposed, biases flattened, hidden layers tanh; float32 weights are fine."""
    content = {
        name: data if name == "Layers" else transform(data) for name, data in datasets().items()
    }
    path = write(tmp_path / NAME, content)
    x = oracle.random_inputs(path, 200, seed=3)
    np.testing.assert_allclose(load_network(path).reference(x), oracle.forward(path, x), rtol=1e-12)


# Bands of the inputs, other inputs, bands and quantity of the outputs.
KINDS = {
    "Lrc_aaNN": ("lrc", 4, "lrc", "Lrc"),
    "Lrc_aodNN": ("lrc", 4, "lrc", "aod"),
    "Lrc_rrsNN": ("lrc", 3, "rrs", "Rrs"),
    "Lrc_LrcaNN": ("lrc", 3, "rrs", "Lrca"),
    "aphNN": ("rrs", 0, "iop", "aph"),
    "adgNN": ("rrs", 0, "iop", "adg"),
    "bbpNN": ("rrs", 0, "iop", "bbp"),
    "apNN": ("rrs", 0, "iop", "apg"),
    "bpNN": ("rrs", 0, "iop", "bp"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sensor", sorted(n for n, s in sensors().items() if s.ocsmart))
def test_every_kind_of_every_sensor(tmp_path, sensor, kind):
    """Inputs in the file's order: three angles, bands, humidity where the kind has it."""
    in_bands, others, out_bands, quantity = KINDS[kind]
    bands = sensors()[sensor].ocsmart.bands
    sizes = (len(bands(in_bands)) + others, 2, len(bands(out_bands)))
    path = write(tmp_path / f"{sensor}_{kind}.h5", datasets(sizes, layers_dtype=np.int16))
    network = load_network(path)
    taken = "Rrs" if in_bands == "rrs" else "Lrc"
    expected = [f"{taken}_{nm:.0f}" for nm in bands(in_bands)]
    expected = [*ANGLES[:others], *expected, *["relative_humidity"][: others // 4]]
    assert expected == [v.name for v in network.inputs]
    assert [f"{quantity}_{nm:.0f}" for nm in bands(out_bands)] == [v.name for v in network.outputs]
    assert network.sensors == (sensor,)
    for variable in network.inputs:
        is_angle = variable.quantity in ANGLES
        assert variable.transform_name == ("cos_degrees" if is_angle else "log10")


@pytest.mark.parametrize("name", ["SeaWiFS_aphNN.H5", "seawifs_aphnn.h5", "SEAWIFS_APHNN.h5"])
def test_letter_case_of_the_name_does_not_matter(tmp_path, name):
    """One of OC-SMART's own files ends in .H5."""
    network = load_network(write(tmp_path / name))
    assert network.name == "SeaWiFS_aphNN"
    assert name == network.file_name


@pytest.mark.parametrize("shape", [(7,), (7, 1), (1, 7)])
def test_wavelengths_in_the_file_beat_the_table(tmp_path, shape):
    """Inputs and outputs both, outputs being the first of the inputs."""
    wavelengths = np.array([411.5, 442.0, 491.0, 511.0, 556.0, 671.0, 766.0])
    content = datasets() | {"Wavelength": wavelengths.reshape(shape)}
    network = load_network(write(tmp_path / NAME, content))
    assert [v.wavelength_nm for v in network.inputs] == wavelengths.tolist()
    assert [v.wavelength_nm for v in network.outputs] == wavelengths[:6].tolist()


def test_sizes_are_counted_without_overflow(tmp_path):
    """100 + 100 does not fit into the int8 that Layers is stored in."""
    network = load_network(write(tmp_path / NAME, datasets((7, 100, 100, 6))))
    assert network.shape_text == "7-100-100-6"


def test_the_sha256_is_that_of_the_file(tmp_path):
    """It goes into every product, so that the network can be told from others."""
    path = write(tmp_path / NAME)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == load_network(path).sha256


# Faults of the layout


def nan_at(name, value=np.nan):
    data = datasets()[name].copy()
    data[-1, -1] = value
    return data


def row(name, minimum, maximum):
    data = datasets()[name].copy()
    data[2] = minimum, maximum
    return data


FAULTS = {
    **{f"no {part}": ({part: MISSING}, part) for part in ("Layers", "Norm_in", "Norm_out")},
    **{
        f"no {group}/Layer{k}": ({f"{group}/Layer{k}": MISSING}, f"{group}/Layer{k}")
        for group in ("Weights", "Bias")
        for k in (1, 3)
    },
    "no Weights at all": ({f"Weights/Layer{k}": MISSING for k in (1, 2, 3)}, "Weights/Layer1"),
    "Weights is a dataset": (
        {f"Weights/Layer{k}": MISSING for k in (1, 2, 3)} | {"Weights": np.zeros(3)},
        "Weights/Layer1",
    ),
    "Layer1 is a group": (
        {"Weights/Layer1": MISSING, "Weights/Layer1/kernel": np.zeros((9, 7))},
        "Weights/Layer1",
    ),
    "a link to nowhere": ({"Norm_in": h5py.SoftLink("/nowhere")}, "Norm_in"),
    "a link to another file": ({"Layers": h5py.ExternalLink("no.h5", "/Layers")}, "Layers"),
    "kernel not transposed": (
        {"Weights/Layer1": datasets()["Weights/Layer1"].T},
        r"Weights/Layer1 has shape \(7, 9\), expected \(9, 7\)",
    ),
    "kernel flat": ({"Weights/Layer2": np.zeros(45)}, r"Weights/Layer2 has shape \(45,\)"),
    "bias flat": ({"Bias/Layer2": np.zeros(5)}, r"Bias/Layer2 has shape \(5,\)"),
    "bias as a row": ({"Bias/Layer3": np.zeros((1, 6))}, r"Bias/Layer3 has shape \(1, 6\)"),
    "norms flat": ({"Norm_in": np.zeros(7)}, r"Norm_in has shape \(7,\), expected \(7, 2\)"),
    "norms transposed": ({"Norm_out": np.zeros((2, 6))}, r"Norm_out has shape \(2, 6\)"),
    "NaN weight": ({"Weights/Layer2": nan_at("Weights/Layer2")}, "Weights/Layer2"),
    "infinite weight": ({"Weights/Layer1": nan_at("Weights/Layer1", -np.inf)}, "Weights/Layer1"),
    "NaN bias": ({"Bias/Layer3": nan_at("Bias/Layer3")}, "Bias/Layer3"),
    "minimum is maximum": ({"Norm_in": row("Norm_in", -2, -2)}, r"Norm_in row 2 \(Rrs_490\)"),
    "minimum above maximum": ({"Norm_in": row("Norm_in", -1, -2)}, r"Norm_in row 2 \(Rrs_490\)"),
    "NaN norm": ({"Norm_out": nan_at("Norm_out")}, r"Norm_out row 5 \(aph_670\)"),
    "infinite norm": ({"Norm_out": nan_at("Norm_out", np.inf)}, r"Norm_out row 5 \(aph_670\)"),
    "Layers of text": ({"Layers": "7 9 5 6"}, "Layers is object, expected numbers"),
    "Layers of bytes": ({"Layers": np.array([b"7", b"9"])}, "Layers is .*, expected numbers"),
    "weights of text": ({"Weights/Layer1": "zero"}, "Weights/Layer1 is .*, expected numbers"),
    "complex weights": ({"Weights/Layer1": np.zeros((9, 7), "c16")}, "Weights/Layer1 is complex"),
    "wavelengths of text": ({"Wavelength": "412 443"}, "Wavelength is .*, expected numbers"),
    "NaN wavelength": ({"Wavelength": np.array([412, 443, 490, 510, 555, 670, np.nan])},
                       "Wavelength"),
    "193 in an int8": ({"Layers": np.array([7, 193 - 256, 5, 6], np.int8)}, r"Layers.*-63"),
    "a layer of nothing": ({"Layers": np.array([7, 0, 5, 6], np.int8)}, "Layers"),
    "no layers": ({"Layers": np.array([], np.int8)}, r"Layers is \[\]"),
    "one layer size": ({"Layers": np.array([7], np.int8)}, r"Layers is \[7\]"),
    "NaN in Layers": ({"Layers": np.array([7, np.nan, 5, 6])}, "Layers"),
    "infinity in Layers": ({"Layers": np.array([7, np.inf, 5, 6])}, "Layers"),
    "infinite wavelength": ({"Wavelength": np.array([412, 443, 490, 510, 555, 670, np.inf])},
                            "Wavelength"),
    "half a neuron": ({"Layers": np.array([7, 9.5, 5, 6])}, "Layers"),
    "an empty dataset": ({"Norm_in": h5py.Empty("f8")}, "Norm_in"),
    "fewer layers than sizes": ({"Layers": np.array([7, 9, 5, 6, 6], np.int8)}, "Weights/Layer4"),
    "more inputs than norms": (
        {"Norm_in": datasets()["Norm_in"][:-1]},
        r"Norm_in has shape \(6, 2\), expected \(7, 2\)",
    ),
    "more norms than outputs": (
        {"Norm_out": np.zeros((7, 2))},
        r"Norm_out has shape \(7, 2\), expected \(6, 2\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "says"), FAULTS.values(), ids=FAULTS)
def test_one_fault_is_named(tmp_path, fault, says):
    """A NetworkError with the file and the dataset, whatever is wrong with it."""
    content = datasets() | fault
    path = write(tmp_path / NAME, dict(sorted(content.items(), key=lambda item: len(item[0]))))
    with pytest.raises(NetworkError, match=says) as caught:
        load_network(path)
    assert NAME in str(caught.value)


def test_a_damaged_chunk_is_named(tmp_path):
    """A download with a few wrong bytes opens, but does not read."""
    content = datasets() | {"Weights/Layer2": MISSING}
    path = write(tmp_path / NAME, content)
    with h5py.File(path, "a") as file:
        stored = file.create_dataset(
            "Weights/Layer2", data=datasets()["Weights/Layer2"], chunks=(5, 9), compression="gzip"
        )
        start = stored.id.get_chunk_info(0).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[start : start + 40] = bytes(40)
    path.write_bytes(damaged)
    assert "Weights/Layer2" in message(path)


def test_a_file_cut_short_is_named(tmp_path):
    """It is not taken for an unknown format: it is HDF5, and it is incomplete."""
    path = write(tmp_path / NAME)
    path.write_bytes(path.read_bytes()[:-500])
    found = message(path)
    assert NAME in found
    assert "Fetch it again" in found


@pytest.mark.parametrize(
    "content", [b"", b"Layers Norm_in", b"\x89HDF"], ids=["empty", "text", "start"]
)
def test_what_is_no_hdf5_is_no_network(tmp_path, content):
    """The message says what a network would be."""
    path = tmp_path / NAME
    path.write_bytes(content)
    assert not is_network(path)
    assert "no known network format, expected one of ocsmart_h5" in message(path)


def test_an_hdf5_file_of_something_else_is_no_network(tmp_path):
    """One of the five parts may be there by accident."""
    path = write(tmp_path / NAME, {"Layers": np.arange(3), "temperature": np.zeros(3)})
    assert not is_network(path)
    assert set(PARTS) == {name.split("/")[0] for name in datasets()}
    assert "no known network format" in message(path)


@pytest.mark.parametrize("name", ["missing.h5", "."])
def test_a_path_without_a_file(tmp_path, name):
    """A folder is not a file, either."""
    assert "no such network file" in message(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MERIS2_aphNN.h5", "unknown sensor 'MERIS2'"),
        ("SeaWiFS_chlNN.h5", "<kind> is one of Lrc_aaNN, Lrc_aodNN"),
        ("SeaWiFS_aph.h5", "<kind> is one of"),
        ("aphNN.h5", "<sensor>_<kind>.h5"),
        ("SeaWiFS_aphNN_2.h5", "<sensor>_<kind>.h5"),
        ("SeaWiFS aphNN.h5", "<sensor>_<kind>.h5"),
        ("network.h5", ATTRIBUTE),
        ("SeaWiFS_Lrc_rrsNN.h5", "Norm_in has 7 rows, Norm_out has 6, and Lrc_rrsNN has 3 inputs"),
        ("SeaWiFS_Lrc_aaNN.h5", "Lrc_aaNN has 4 inputs that are not bands"),
    ],
)
def test_a_name_that_does_not_fit(tmp_path, name, says):
    """Without self-description the name must be one of OC-SMART's and fit the sizes."""
    found = message(write(tmp_path / name))
    assert name in found
    assert says in found


# Files that describe themselves


def band(quantity, nm, units):
    return {"quantity": quantity, "wavelength_nm": nm, "units": units, "transform": "log10"}


DESCRIPTION = {
    "schema": 1,
    "name": "mine",
    "title": "A network of mine",
    "sensors": ["SGLI", "OLCI"],
    "inputs": [{"quantity": "solar_zenith", "wavelength_nm": None, "units": "degree",
                "transform": "cos_degrees"}, band("Rrs", 443, "sr-1"), band("Rrs", 560.5, "sr-1")],
    "outputs": [band("aph", 443, "m-1") | {"long_name": "absorption"},
                {"quantity": "temperature", "units": "kelvin", "transform": "none"}],
    "activations": ["tanh", "linear"],
    "citation": "Somebody (2026)",
    "licence": "CC0",
    "training": {"samples": 5},
}  # fmt: skip
SMALL = (3, 4, 2)


def small_datasets():
    """Ranges that suit a cosine, two reflectances, an absorption and a temperature."""
    return datasets(SMALL) | {
        "Norm_in": np.array([[0.3, 1.0], [-4, -1], [-4, -1]]),
        "Norm_out": np.array([[-3.0, 1.0], [270.0, 310.0]]),
    }


INPUTS = [[30.0, 0.003, 0.002], [60.0, 0.01, 0.02]]


def described(tmp_path, **changes):
    return write(tmp_path / "anything.h5", small_datasets(), DESCRIPTION | changes)


@pytest.fixture
def golden(tmp_path):
    """Two spectra with what the network gives for them."""
    outputs = load_network(described(tmp_path)).reference(INPUTS)
    return {"inputs": INPUTS, "outputs": outputs.tolist()}


def test_a_file_may_describe_itself(tmp_path):
    """Then its name means nothing and no table is asked."""
    network = load_network(described(tmp_path))
    assert network.name == "mine"
    assert network.sensors == ("SGLI", "OLCI")
    assert [v.name for v in network.inputs] == ["solar_zenith", "Rrs_443", "Rrs_560"]
    assert [v.name for v in network.outputs] == ["aph_443", "temperature"]
    assert [v.transform_name for v in network.outputs] == ["log10", "none"]
    assert network.outputs[1].physical_range == (270.0, 310.0)
    assert network.inputs[0].physical_range == pytest.approx((0.0, np.degrees(np.arccos(0.3))))
    assert (network.citation, network.licence) == ("Somebody (2026)", "CC0")
    assert network.training == {"samples": 5}
    assert network.outputs[0].long_name == "absorption"


def test_its_own_description_beats_its_name(tmp_path):
    """A file called as OC-SMART's may still be another."""
    path = described(tmp_path).rename(tmp_path / NAME)
    assert load_network(path).name == "mine"


@pytest.mark.parametrize("kind", [str, np.bytes_])
def test_the_description_may_be_stored_as_text_or_bytes(tmp_path, kind):
    """MATLAB and C write fixed-length strings."""
    path = write(tmp_path / "x.h5", small_datasets(), kind(json.dumps(DESCRIPTION)))
    assert load_network(path).name == "mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Invalid JSON"),
        ("", "Invalid JSON"),
        ("[]", "object"),
        ("null", "object"),
        (np.int64(5), "text"),
        (np.bytes_(b"\xff{}"), "Invalid JSON"),
        (h5py.Empty("S1"), "text"),
    ],
    ids=["open bracket", "nothing", "list", "null", "number", "not UTF-8", "empty"],
)
def test_a_description_that_is_no_json(tmp_path, text, says):
    """The message names the attribute."""
    found = message(write(tmp_path / "x.h5", small_datasets(), text))
    assert f"attribute {ATTRIBUTE} is not a valid description" in found
    assert says in found


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"colour": "blue"}, "colour: Extra inputs are not permitted"),
        ({"inputs": [*DESCRIPTION["inputs"][:2], band("Rrs", 560, "sr-1") | {"unit": "1"}]},
         "inputs.2.unit: Extra"),
        ({"schema": 2}, "schema: "),
        ({"sensors": "SGLI"}, "sensors: "),
        ({"activations": None}, "activations: "),
        ({"inputs": [{"quantity": "Rrs"}] * 3}, "inputs.0.units: Field required"),
        ({"inputs": [band("Rrs", 443, "sr-1") | {"transform": "log2"}] * 3}, "inputs.0.transform"),
        ({"inputs": DESCRIPTION["inputs"][:2]}, "has 2 inputs, but the file has 3"),
        ({"outputs": DESCRIPTION["outputs"] * 2}, "has 4 outputs, but the file has 2"),
        ({"activations": ["tanh"]}, "has 1 activations, but the file has 2"),
        ({"activations": ["gelu", "linear"]}, "Layer1: unknown activation 'gelu', expected one of"),
        ({"activations": ["tanh", "swish"]}, "Layer2: unknown activation 'swish'"),
    ],
)  # fmt: skip
def test_a_description_that_does_not_fit(tmp_path, changes, says):
    """The message has the file and what is wrong in it."""
    found = message(described(tmp_path, **changes))
    assert found.startswith("anything.h5")
    assert says in found


def test_a_missing_key_is_named(tmp_path):
    """All that the schema requires, at once."""
    found = message(write(tmp_path / "x.h5", small_datasets(), {"schema": 1}))
    for key in ("name", "sensors", "inputs", "outputs", "activations"):
        assert f"{key}: Field required" in found


def test_golden_spectra_are_reproduced(tmp_path, golden):
    """A sound file proves itself on every load."""
    network = load_network(described(tmp_path, golden=golden))
    np.testing.assert_array_equal(network.golden.inputs, INPUTS)
    np.testing.assert_array_equal(network.golden.outputs, golden["outputs"])


@pytest.mark.parametrize("part", ["Weights/Layer1", "Weights/Layer2", "Bias/Layer2", "Norm_in"])
def test_a_changed_number_does_not_reproduce_golden_spectra(tmp_path, golden, part):
    """One number, changed in its seventh digit, is found, with both values."""
    content = small_datasets()
    content[part][0, 0] *= 1 + 1e-6
    found = message(write(tmp_path / "x.h5", content, DESCRIPTION | {"golden": golden}))
    assert "golden spectrum" in found
    assert "the file expects" in found


@pytest.mark.parametrize(
    ("factor", "row"), [([[1, 1 + 1e-6], [1, 1]], 0), ([[1, 1], [-1, 1]], 1), ([[1, 1], [0, 1]], 1)]
)
def test_a_wrong_golden_spectrum_is_named(tmp_path, golden, factor, row):
    """Which of them, and which output."""
    golden["outputs"] = (np.array(golden["outputs"]) * factor).tolist()
    found = message(described(tmp_path, golden=golden))
    assert f"golden spectrum {row} gives" in found
    assert ("temperature" if row == 0 else "aph_443") in found


def test_a_golden_output_may_be_zero(tmp_path):
    """A temperature difference, say: a relative difference from it does not exist."""
    content = small_datasets() | {
        "Weights/Layer2": np.zeros((2, 4)),
        "Bias/Layer2": np.zeros((2, 1)),
        "Norm_out": np.array([[-3.0, 1.0], [-5.0, 5.0]]),
    }
    golden = {"inputs": INPUTS, "outputs": [[0.1, 0.0], [0.1, 0.0]]}
    network = load_network(write(tmp_path / "x.h5", content, DESCRIPTION | {"golden": golden}))
    assert network.golden.outputs.tolist() == golden["outputs"]


NOT_TABLES = {
    "no spectra": {"inputs": [], "outputs": []},
    "empty spectra": {"inputs": [[], []], "outputs": [[], []]},
    "ragged": {"inputs": [[30.0, 0.003, 0.002], [60.0]], "outputs": [[1.0, 1.0], [1.0, 1.0]]},
    "too few inputs": {"inputs": [[30.0, 0.003]], "outputs": [[1.0, 1.0]]},
    "too many inputs": {"inputs": [[30.0, 0.003, 0.002, 1.0]], "outputs": [[1.0, 1.0]]},
    "transposed": {"inputs": np.array(INPUTS).T.tolist(), "outputs": [[1.0] * 3] * 2},
    "too many outputs": {"inputs": [INPUTS[0]], "outputs": [[1.0, 280.0, 1.0]]},
    "too few outputs": {"inputs": INPUTS, "outputs": [[1.0, 280.0]]},
    "two rows in one": {"inputs": [INPUTS[0] + INPUTS[1]], "outputs": [[1.0, 280.0]]},
    "missing value": {"inputs": [[30.0, None, 0.002]], "outputs": [[1.0, 280.0]]},
}


@pytest.mark.parametrize("golden", NOT_TABLES.values(), ids=NOT_TABLES)
def test_golden_spectra_that_are_no_tables(tmp_path, golden):
    """A mistake in the attribute is not taken for changed weights."""
    assert f"attribute {ATTRIBUTE}" in message(described(tmp_path, golden=golden))


def test_a_golden_spectrum_that_gives_nan_is_found(tmp_path):
    """A negative reflectance has no logarithm; NaN equals nothing."""
    golden = {"inputs": [[30.0, -0.003, 0.002]], "outputs": [[1.0, 280.0]]}
    assert "golden spectrum 0" in message(described(tmp_path, golden=golden))


def test_the_shipped_network_proves_itself(sample_networks):
    """The demonstration network carries golden spectra, and loads."""
    for path in sample_networks.glob("*.h5"):
        network = load_network(path)
        assert len(network.golden.inputs) >= 3
        assert network.citation
        assert network.licence


@pytest.mark.quick
def test_real_files_are_described_by_their_names(ocsmart):
    """All of them load; hyperspectral or not, their sizes fit the tables."""
    for path in sorted(ocsmart.iterdir()):
        network = load_network(path)
        assert path.name == f"{network.name}.h5"
        assert path.name.split("_")[0] == network.sensors[0]
        x = oracle.random_inputs(path, 50, seed=5)
        np.testing.assert_allclose(network.reference(x), oracle.forward(path, x), rtol=1e-10)
