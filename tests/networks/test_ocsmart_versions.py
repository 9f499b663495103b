"""The shapes of OC-SMART's networks: the file has the band counts, the sensor the wavelengths.

The miniatures have the numbers of inputs and outputs of the 129 files of OC-SMART 2.6.3 and of its
older OCI folders (facts on OC-SMART network files; Fan et al. 2021), with few hidden units.
"""

from itertools import pairwise

import h5py
import netCDF4
import numpy as np
import oracle
import pytest
from obpg_miniature import counts_of, write_obpg_l2
from ocsmart_sizes import COUNTS

from pipeline.errors import NetworkError
from pipeline.facts.sensors import sensors
from pipeline.networks import load_network
from pipeline.process import plan_scene, process_scene

OLDER_OCI = {"": (197, 150, 128), "_v1": (198, 150, 128), "_v2": (107, 83, 66)}
ANGLES = ("solar_zenith", "sensor_zenith", "relative_azimuth")
IOP_KINDS = ("aphNN", "adgNN", "bbpNN", "apNN", "bpNN")


def shapes(counts):
    """Inputs and outputs of the eight kinds of a sensor."""
    lrc, rrs, iop = counts
    yield "Lrc_aaNN", lrc + 4, lrc
    yield "Lrc_aodNN", lrc + 4, lrc
    yield "Lrc_rrsNN", lrc + 3, rrs
    for kind in IOP_KINDS:
        yield kind, rrs, iop


INSTALLATION = [
    (f"{sensor}_{kind}.h5", inputs, outputs)
    for sensor, counts in COUNTS.items()
    for kind, inputs, outputs in shapes(counts)
] + [("OLCI_Lrc_LrcaNN.h5", 15, 12)]
OLDER = [
    (f"OCI_{kind}{ending}.h5", inputs, outputs)
    for ending, counts in OLDER_OCI.items()
    for kind, inputs, outputs in shapes(counts)
]


def write(path, inputs, outputs, wavelengths=None):
    """A miniature of this shape; its hidden layers have few units."""
    sizes = (inputs, 5, 3, outputs)
    drawn = np.random.default_rng(inputs * 1000 + outputs)
    low = np.full((inputs, 2), [-3.5, -1.5])
    if "_Lrc_" in path.name:
        low[:3] = [0.3, 0.9]
    with h5py.File(path, "w") as file:
        file["Layers"] = np.array(sizes, np.int16 if max(sizes) > 127 else np.int8)
        file["Norm_in"] = low + drawn.uniform(0, 0.1, (inputs, 1))
        file["Norm_out"] = np.full((outputs, 2), [-3.0, 0.0])
        if wavelengths is not None:
            file["Wavelength"] = np.asarray(wavelengths, np.float64)
        for k, (n_in, n_out) in enumerate(pairwise(sizes), 1):
            file[f"Weights/Layer{k}"] = drawn.normal(0, 0.5, (n_out, n_in))
            file[f"Bias/Layer{k}"] = drawn.normal(0, 0.3, (n_out, 1))
    return path


def assert_equals_oracle(path):
    x = oracle.random_inputs(path, 20, seed=1)
    np.testing.assert_allclose(load_network(path).reference(x), oracle.forward(path, x), rtol=1e-11)


def test_an_installation_has_129_networks():
    """Sixteen sensors with eight kinds each, and one more kind of OLCI."""
    assert len(INSTALLATION) == 129
    assert set(COUNTS) == {name for name, sensor in sensors().items() if sensor.ocsmart}


@pytest.mark.parametrize(("name", "inputs", "outputs"), INSTALLATION)
def test_every_network_of_an_installation_loads(tmp_path, name, inputs, outputs):
    """With the wavelengths of its sensor, and values as of an independent forward pass."""
    path = write(tmp_path / name, inputs, outputs)
    network = load_network(path)
    (sensor,) = network.sensors
    assert name.startswith(f"{sensor}_")
    bands = sensors()[sensor].ocsmart.lrc_bands_nm
    found = [v.wavelength_nm for v in network.inputs if v.wavelength_nm is not None]
    assert found == list(bands[: len(found)])
    assert [v.wavelength_nm for v in network.outputs] == list(bands[:outputs])
    assert_equals_oracle(path)


@pytest.mark.parametrize(("name", "inputs", "outputs"), OLDER)
def test_every_older_network_of_oci_loads(tmp_path, name, inputs, outputs):
    """Values do not depend on whether the wavelengths are known."""
    assert_equals_oracle(write(tmp_path / name, inputs, outputs))


def test_the_older_folder_of_oci_has_four_bands_more(tmp_path):
    """687, 689, 727 and 758 nm; a prefix of the newer bands would be wrong above 684 nm."""
    network = load_network(write(tmp_path / "OCI_aphNN.h5", 150, 128))
    newer = sensors()["OCI"].ocsmart.lrc_bands_nm
    bands = [v.wavelength_nm for v in network.inputs]
    assert sorted(set(bands) - set(newer)) == [687, 689, 727]
    assert bands[-1] == 753


@pytest.mark.parametrize(("inputs", "outputs"), [(145, 126), (150, 128), (83, 66)])
def test_wavelengths_in_the_file_beat_every_table(tmp_path, inputs, outputs):
    """Every OCI file has 193 values; the bands of a network are the first of them."""
    wavelengths = np.linspace(379.5, 880.25, 193)
    path = write(tmp_path / "OCI_bbpNN.h5", inputs, outputs, wavelengths)
    network = load_network(path)
    assert [v.wavelength_nm for v in network.inputs] == wavelengths[:inputs].tolist()
    assert [v.wavelength_nm for v in network.outputs] == wavelengths[:outputs].tolist()


@pytest.mark.parametrize("wavelengths", [None, np.linspace(380, 880, 193)])
def test_bands_of_unknown_wavelength_are_numbered_and_refused_in_a_run(tmp_path, wavelengths):
    """No version has 198 bands, and 193 wavelengths do not say which bands these are."""
    path = write(tmp_path / "OCI_Lrc_rrsNN_v1.h5", 201, 150, wavelengths)
    network = load_network(path)
    assert [v.name for v in network.inputs[2:5]] == [
        "relative_azimuth", "Lrc_band_1", "Lrc_band_2"
    ]  # fmt: skip
    assert network.outputs[-1].name == "Rrs_band_150"
    assert {v.units for v in network.outputs} == {"sr-1"}


def test_a_run_says_how_to_state_unknown_wavelengths(tmp_path):
    """A network that SeaWiFS has with seven bands, named as one of MODIS."""
    path = write(tmp_path / "MODIS-Aqua_aphNN.h5", 7, 6)
    counts = {nm: counts_of(np.full((3, 4), 0.004)) for nm in (412, 443, 488, 531, 547, 667, 678)}
    scene = write_obpg_l2(tmp_path / "scene.nc", counts)
    config = {"name": "t", "science": {"networks": [{"name": "aph", "file": str(path)}]}}
    with pytest.raises(NetworkError, match="wavelengths of the network's bands are not known"):
        plan_scene(scene, config)


def test_the_aerosol_network_of_olci_runs(tmp_path):
    """OLCI_Lrc_LrcaNN takes three angles and the first twelve Lrc bands of a scene with fifteen."""
    path = write(tmp_path / "OLCI_Lrc_LrcaNN.h5", 15, 12)
    x = oracle.random_inputs(path, 12, seed=4)
    bands = sensors()["OLCI"].ocsmart.lrc_bands_nm
    scene = tmp_path / "scene.nc"
    with netCDF4.Dataset(scene, "w") as file:
        file.createDimension("y", 3)
        file.createDimension("x", 4)
        planes = {"latitude": np.linspace(50, 51, 12), "longitude": np.linspace(3, 4, 12)}
        planes |= dict(zip(ANGLES, x[:, :3].T, strict=True))
        planes |= {f"Lrc_{nm:g}": column for nm, column in zip(bands, x[:, 3:].T, strict=False)}
        planes |= {f"Lrc_{nm:g}": np.full(12, 0.01) for nm in bands[12:]}
        for name, values in planes.items():
            made = file.createVariable(name, "f4", ("y", "x"))
            made.units = "sr-1" if name.startswith("Lrc") else "degrees"
            made[:] = values.reshape(3, 4)
    mapping = {
        "spectral": [{"quantity": "Lrc", "variables": r"Lrc_(\d+)"}],
        "plain": {name: name for name in ANGLES},
    }
    science = {
        "reader": {"format": "cf_netcdf", "options": {"mapping": mapping}},
        "sensor": "OLCI",
        "networks": [{"name": "aerosol", "file": "{sensor}_Lrc_LrcaNN.h5"}],
        "engine": "numpy",
    }
    execution = {"output": str(tmp_path / "out"), "network_dirs": [str(tmp_path)]}
    product = process_scene(scene, {"name": "t", "science": science, "execution": execution})
    expected = oracle.forward(path, x)
    with netCDF4.Dataset(product) as file:
        for column, nm in enumerate(bands[:12]):
            found = file[f"Lrca_{nm:g}"]
            assert found.units == "sr-1"
            np.testing.assert_allclose(found[:].ravel(), expected[:, column], rtol=1e-4)
