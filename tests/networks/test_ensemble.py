"""Several networks as one: mean, spread, files, runs."""

import json
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import oracle
import pytest
import yaml
from small_network import write_network
from small_runs import counted_reads

import pipeline
from pipeline.errors import NetworkError
from pipeline.inspection import inspect_file
from pipeline.networks import Ensemble, load_network, load_retrieval
from pipeline.networks.engines import example_inputs, predict_with_uncertainty
from pipeline.verify import verify_product

FACTOR, FLOOR = (2.0, 1.5), (0.05, 0.1)


def write_members(folder: Path, count: int = 4, **network) -> list[Path]:
    (folder / "members").mkdir(exist_ok=True)
    return [
        write_network(folder / "members" / f"{number}.h5", seed=number, **network)
        for number in range(count)
    ]


def write_yaml(folder: Path, **keys) -> Path:
    path = folder / "iop.yaml"
    members = [f"members/{number}.h5" for number in range(4)]
    content = {"schema": 1, "name": "iop", "members": members, **keys}
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    return path


def expected(folder: Path, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of log10 and its standard deviation, by the independent forward pass."""
    made = [np.log10(oracle.forward(folder / "members" / f"{n}.h5", x)) for n in range(4)]
    return 10 ** np.mean(made, axis=0), np.std(made, axis=0, ddof=1)


@pytest.mark.quick
@pytest.mark.parametrize(
    "engine", ["numpy", "onnxruntime", pytest.param("tensorflow", marks=pytest.mark.tensorflow)]
)
def test_mean_and_calibrated_spread(engine, tmp_path):
    write_members(tmp_path)
    calibration = {"factor": list(FACTOR), "floor": list(FLOOR)}
    ensemble = load_retrieval(write_yaml(tmp_path, calibration=calibration))
    x = example_inputs(ensemble, 300)
    mean, spread = expected(tmp_path, x)
    found, deviation = predict_with_uncertainty(ensemble, engine, x)
    np.testing.assert_allclose(found, mean, rtol=1e-4)
    np.testing.assert_allclose(
        deviation, np.sqrt((FACTOR * spread) ** 2 + np.square(FLOOR)), rtol=1e-3
    )
    np.testing.assert_allclose(ensemble.reference(x), mean, rtol=1e-12)
    by_itself = ensemble.predict_with_uncertainty(x, engine)
    np.testing.assert_array_equal(by_itself[1], deviation)


def test_without_calibration_it_is_the_spread(tmp_path):
    write_members(tmp_path)
    ensemble = load_retrieval(write_yaml(tmp_path))
    x = example_inputs(ensemble, 50)
    np.testing.assert_allclose(
        ensemble.predict_with_uncertainty(x, "numpy")[1], expected(tmp_path, x)[1], rtol=1e-10
    )


def test_linear_outputs_are_averaged_as_they_are(tmp_path):
    write_members(tmp_path, output_transform="none")
    members = [load_network(tmp_path / "members" / f"{n}.h5") for n in range(4)]
    ensemble = Ensemble.of(tuple(members), name="iop")
    x = example_inputs(ensemble, 20)
    made = [member.reference(x) for member in members]
    found, deviation = ensemble.predict_with_uncertainty(x, "numpy")
    np.testing.assert_allclose(found, np.mean(made, axis=0), rtol=1e-10)
    np.testing.assert_allclose(deviation, np.std(made, axis=0, ddof=1), rtol=1e-8)


def test_a_run_takes_it_as_one_network(sample_scene, tmp_path):
    """Values, uncertainty, attributes and record; the product is verified."""
    write_members(tmp_path)
    path = write_yaml(tmp_path, calibration={"factor": [1, 1], "floor": [0, 0]})
    run = {
        "name": "test",
        "science": {"networks": [{"name": "iop", "file": str(path)}], "engine": "numpy"},
        "execution": {"output": str(tmp_path / "out")},
    }
    product = pipeline.process_scene(sample_scene, run)
    with netCDF4.Dataset(product) as file, netCDF4.Dataset(sample_scene) as scene:
        data = scene["geophysical_data"]
        rrs = [np.ma.filled(data[f"Rrs_{nm}"][...].astype(float), np.nan) for nm in (412, 443, 488)]
        x = np.stack(rrs, axis=-1)
        found = np.ma.filled(file["aph_443"][...], np.nan)
        deviation = np.ma.filled(file["aph_443_unc"][...], np.nan)
        computed = np.isfinite(found)
        assert computed.sum() > 1000
        mean, spread = expected(tmp_path, x[computed])
        np.testing.assert_allclose(found[computed], mean[:, 0], rtol=1e-4)
        np.testing.assert_allclose(deviation[computed], spread[:, 0], rtol=2e-3, atol=1e-5)
        assert "spread of 4 networks, calibrated" in file["aph_443_unc"].comment
        record = file["processing_control/networks/iop"]
        assert record.kind == "network ensemble"
        assert record.members.count("sha256") == 4
        assert json.loads(record.calibration)["factor"] == [1, 1]
    findings = list(verify_product(product, scenes=[sample_scene], network_dirs=[tmp_path]))
    assert all(finding.passed for finding in findings), findings


def write_error_networks(folder: Path, count: int = 2, **network) -> list[str]:
    """Networks of the typical errors of log10 of both outputs, at tens of percents."""
    (folder / "errors").mkdir(exist_ok=True)
    first = load_network(folder / "members" / "0.h5")
    names = []
    for number in range(count):
        path = folder / "errors" / f"{number}.h5"
        write_network(path, seed=50 + number, norm_out=np.tile([-1.5, -0.5], (2, 1)), **network)
        with h5py.File(path, "r+") as file:
            described = json.loads(file.attrs["ocpipe_description"])
            for output, described_output in zip(first.outputs, described["outputs"], strict=True):
                described_output |= {"quantity": f"{output.quantity}_error", "units": "1"}
            file.attrs["ocpipe_description"] = json.dumps(described)
        names.append(f"errors/{number}.h5")
    return names


@pytest.mark.parametrize(
    "engine", ["numpy", "onnxruntime", pytest.param("tensorflow", marks=pytest.mark.tensorflow)]
)
def test_error_networks_differ_from_row_to_row(engine, tmp_path):
    """Stated: root of (factor x spread)^2 + (floor x geometric mean of the error networks)^2."""
    write_members(tmp_path)
    errors = write_error_networks(tmp_path)
    calibration = {"factor": list(FACTOR), "floor": list(FLOOR)}
    path = write_yaml(tmp_path, calibration=calibration, error_networks=errors)
    ensemble = load_retrieval(path)
    x = example_inputs(ensemble, 300)
    mean, spread = expected(tmp_path, x)
    logs = [np.log10(oracle.forward(tmp_path / name, x)) for name in errors]
    typical = 10 ** np.mean(logs, axis=0)
    assert np.ptp(typical[:, 0]) > 0.01
    found, deviation = predict_with_uncertainty(ensemble, engine, x)
    np.testing.assert_allclose(found, mean, rtol=1e-4)
    total = np.sqrt((FACTOR * spread) ** 2 + (FLOOR * typical) ** 2)
    np.testing.assert_allclose(deviation, total, rtol=1e-3)
    without = load_retrieval(write_yaml(tmp_path, calibration=calibration))
    assert without.fingerprint != ensemble.fingerprint
    np.testing.assert_array_equal(ensemble.reference(x), without.reference(x))
    said = "\n".join(inspect_file(write_yaml(tmp_path, error_networks=errors)))
    assert said.count("errors       ") == 2


def test_a_run_uses_and_records_error_networks(sample_scene, tmp_path):
    write_members(tmp_path)
    errors = write_error_networks(tmp_path)
    path = write_yaml(tmp_path, error_networks=errors)
    run = {
        "name": "test",
        "science": {"networks": [{"name": "iop", "file": str(path)}], "engine": "numpy"},
        "execution": {"output": str(tmp_path / "out")},
    }
    product = pipeline.process_scene(sample_scene, run)
    with netCDF4.Dataset(product) as file:
        assert "errors estimated by 2 networks" in file["aph_443_unc"].comment
        assert file["processing_control/networks/iop"].error_networks.count("sha256") == 2
        assert np.ma.ptp(file["aph_443_unc"][...]) > 0.01
    findings = list(verify_product(product, scenes=[sample_scene], network_dirs=[tmp_path]))
    assert all(finding.passed for finding in findings), findings


def test_error_networks_of_other_outputs_are_refused(tmp_path):
    write_members(tmp_path)
    write_error_networks(tmp_path)
    write_network(tmp_path / "errors" / "0.h5")
    with pytest.raises(NetworkError, match="outputs of the error network"):
        load_retrieval(write_yaml(tmp_path, error_networks=["errors/0.h5"]))


@pytest.mark.parametrize("written", [True, False])
def test_uncertain_inputs_count_once(written, sample_scene, tmp_path):
    """Beside uncertain inputs, the calibration without their share is used, if there is one."""
    write_members(tmp_path)
    whole = {"factor": [0, 0], "floor": [0.4, 0.4]}
    apart = {"without_inputs": {"factor": [0, 0], "floor": [0.3, 0.3]}} if written else {}
    path = write_yaml(tmp_path, calibration=whole | apart)
    found = {}
    for name, inputs in (("exact", {}), ("uncertain", {"Rrs": {"relative": 1e-6}})):
        run = {
            "name": "test",
            "science": {
                "networks": [{"name": "iop", "file": str(path)}],
                "engine": "numpy",
                "uncertainty": {"inputs": inputs},
            },
            "execution": {"output": str(tmp_path / name)},
        }
        product = pipeline.process_scene(sample_scene, run)
        with netCDF4.Dataset(product) as file:
            found[name] = np.ma.median(file["aph_443_unc"][...])
            comment = file["aph_443_unc"].comment
            record = json.loads(file["processing_control/networks/iop"].calibration)
        assert ("without the share" in comment) == (written and name == "uncertain")
        assert ("without_inputs" in record) == written
        findings = list(verify_product(product, scenes=[sample_scene], network_dirs=[tmp_path]))
        assert all(finding.passed for finding in findings), findings
    assert found["exact"] == pytest.approx(0.4, rel=1e-5)
    assert found["uncertain"] == pytest.approx(0.3 if written else 0.4, rel=1e-3)


def test_probabilities_of_classes_are_averaged(sample_scene, tmp_path):
    """The class map is of the mean probabilities; there is no uncertainty beside them."""
    members = write_members(tmp_path, output_transform="none", outputs=("clear", "turbid"),
                            norm_out=np.tile([0.0, 1.0], (2, 1)))  # fmt: skip
    for member in members:
        with h5py.File(member, "r+") as file:
            described = json.loads(file.attrs["ocpipe_description"])
            described.pop("outputs")
            described["classes"] = {"quantity": "water_type", "names": ["clear", "turbid"]}
            described["activations"][-1] = "softmax"
            file.attrs["ocpipe_description"] = json.dumps(described)
    ensemble = load_retrieval(write_yaml(tmp_path))
    x = example_inputs(ensemble, 50)
    made = [load_network(member).reference(x) for member in members]
    np.testing.assert_allclose(ensemble.predict(x, "numpy"), np.mean(made, axis=0), rtol=1e-10)
    run = {
        "name": "test",
        "science": {"networks": [{"name": "owt", "file": str(tmp_path / "iop.yaml")}]},
        "execution": {"output": str(tmp_path / "out")},
    }
    with netCDF4.Dataset(pipeline.process_scene(sample_scene, run)) as file:
        file.set_auto_mask(False)
        assert set(np.unique(file["water_type"][...])) <= {0, 1, 2}
        assert not [name for name in file.variables if name.endswith("_unc")]


def test_it_is_not_a_single_network(tmp_path):
    write_members(tmp_path)
    path = write_yaml(tmp_path)
    with pytest.raises(NetworkError, match="is an ensemble, expected a single network"):
        load_network(path)
    assert len(pipeline.load_retrieval(path).members) == 4


def test_inspect_tells_what_it_is(tmp_path):
    write_members(tmp_path)
    said = "\n".join(inspect_file(write_yaml(tmp_path)))
    assert "4 x 3-5-2" in said
    assert said.count("member ") == 4


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"members": ["members/0.h5"]}, "members"),
        ({"members": ["members/0.h5", "members/0.h5"]}, "contains a network twice"),
        ({"members": ["members/0.h5", "members/none.h5"]}, "members/none.h5 is not in"),
        ({"members": ["members/0.h5", "../other.h5"]}, "leads out of the folder"),
        ({"members": ["members/0.h5", "other.h5"]}, "outputs of other.h5 are"),
        ({"calibration": {"factor": [1], "floor": [1]}}, "expected 2"),
        (
            {"calibration": {"factor": [1, -1], "floor": [1, 1]}},
            "contains -1, expected only finite numbers of 0 or more",
        ),
        ({"name": None}, "name: Field required"),
        ({"averaged": "yes"}, "averaged"),
    ],
)
def test_what_is_refused(keys, said, tmp_path):
    write_members(tmp_path)
    write_network(tmp_path / "other.h5", outputs=("aph",))
    with pytest.raises(NetworkError, match=said):
        load_retrieval(write_yaml(tmp_path, **keys))


def test_the_scene_is_read_once(sample_scene, tmp_path, monkeypatch):
    """By ten networks with uncertain inputs as by one: every storage chunk once."""
    (tmp_path / "members").mkdir()
    members = [
        write_network(tmp_path / "members" / f"{number}.h5", seed=number) for number in range(10)
    ]
    names = [f"members/{member.name}" for member in members]
    path = write_yaml(tmp_path, members=names)
    run = {
        "name": "test",
        "science": {
            "networks": [{"name": "iop", "file": str(path)}],
            "uncertainty": {"inputs": {"Rrs": {"relative": 0.05}}},
            "output": {"chunk": [64, 100]},
        },
        "execution": {"output": str(tmp_path / "out"), "threads": 2},
    }
    with counted_reads(sample_scene, monkeypatch) as reads:
        pipeline.process_scene(sample_scene, run)
    for band in ("Rrs_412", "Rrs_443", "Rrs_488"):
        counted = reads.of(band)
        assert set(counted.values()) == {1}
