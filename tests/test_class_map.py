"""Networks that classify: the class map and the winning probability in a product."""

import netCDF4
import numpy as np
import pytest
import yaml
from obpg_miniature import LAND, counts_of, write_obpg_l2

import pipeline

CLASSES = ("clear", "green", "turbid")
WAVELENGTHS = (443, 547, 667)


@pytest.fixture
def network(tmp_path):
    """Three bands, log10, straight into softmax: the largest band wins."""
    folder = tmp_path / "nets"
    folder.mkdir()
    np.savetxt(folder / "kernel.csv", 4 * np.eye(3), delimiter=",")
    np.savetxt(folder / "bias.csv", [[0.0, 0.0, 0.0]], delimiter=",")
    inputs = [
        {
            "quantity": "Rrs",
            "wavelength_nm": nm,
            "units": "sr-1",
            "transform": "log10",
            "scaling": "minmax",
            "range": [1e-4, 0.1],
        }
        for nm in WAVELENGTHS
    ]
    described = {
        "schema": 1,
        "name": "types",
        "sensors": ["MODIS-Aqua"],
        "inputs": inputs,
        "classes": {"quantity": "water_type", "names": list(CLASSES)},
        "layers": [{"kernel": "kernel.csv", "bias": "bias.csv", "activation": "softmax"}],
    }
    path = folder / "types.yaml"
    path.write_text(yaml.safe_dump(described))
    return path


def scene_of(folder, rrs):
    """A scene with these spectra (lines, pixels, 3); the last pixel is land."""
    flags = np.zeros(rrs.shape[:2], np.int32)
    flags[-1, -1] = LAND
    counts = {nm: counts_of(rrs[..., i]) for i, nm in enumerate(WAVELENGTHS)}
    return write_obpg_l2(folder / "s.nc", counts, flags=flags, chunk=(2, 2))


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "tensorflow"])
def test_class_map_and_probability(tmp_path, network, engine):
    """The class of the largest output counts from 1; 0 where nothing was computed."""
    spectra = np.array([[0.02, 0.01, 0.001], [0.004, 0.01, 0.005], [0.003, 0.01, 0.02]])
    rrs = spectra[np.array([[0, 1], [2, 0], [1, 2]])]
    rrs[0, 1] = -0.001
    config = {
        "name": "types",
        "science": {
            "networks": [{"name": "types", "file": str(network)}],
            "masks": {"flags": ["LAND"]},
            "engine": engine,
        },
        "execution": {"output": str(tmp_path / "out")},
    }
    product = pipeline.process_scene(scene_of(tmp_path, rrs), config)
    with netCDF4.Dataset(product) as file:
        file.set_auto_mask(False)
        assert file["water_type"][:].tolist() == [[1, 0], [3, 1], [2, 0]]
        assert file["water_type"].dtype == np.uint8
        assert file["water_type"].flag_meanings == " ".join(CLASSES)
        assert file["water_type"].flag_values.tolist() == [1, 2, 3]
        assert file["water_type"]._FillValue == 0
        scaled = 2 * (np.log10(rrs[1, 0].astype(np.float32)) + 4) / 3 - 1
        odds = np.exp(4 * scaled)
        found = file["water_type_probability"][1, 0]
        assert found == pytest.approx(odds[2] / odds.sum(), rel=1e-3)
        counts = file["processing_control/flag_percentages/water_type_count"][:]
        assert counts.tolist() == [2, 1, 1]
        assert file["types_flags"].flag_meanings.split() == [
            "input_missing",
            "input_not_positive",
            "input_out_of_range",
        ]


def test_engines_agree_on_the_class_where_two_are_as_probable(tmp_path, network):
    """Rounding does not choose the class: the float64 reference does, for every engine."""
    drawn = np.random.default_rng(5).uniform(-3, -1.5, (40, 40, 3))
    drawn[..., 1] = drawn[..., 0]
    scene = scene_of(tmp_path, 10**drawn)
    maps = []
    for engine in ("numpy", "onnxruntime", "tensorflow"):
        config = {
            "name": engine,
            "science": {
                "networks": [{"name": "types", "file": str(network)}],
                "engine": engine,
            },
            "execution": {"output": str(tmp_path / "out")},
        }
        with netCDF4.Dataset(pipeline.process_scene(scene, config)) as file:
            maps.append(np.asarray(file["water_type"][:]))
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])
    assert set(np.unique(maps[0])) >= {1, 3}
