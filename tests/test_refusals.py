"""What cannot be right is refused from the shell: one message that says what to do."""

import json

import h5py
import netCDF4
import numpy as np
import pytest
import yaml
from miniatures import acolite_l2r, geotiff, sgli_nwlr
from miniatures.truth import image_of_coordinates, map_of_coordinates
from small_network import write_network
from test_cli_failures import (
    SCENE_FAILED,
    WRONG_USE,
    assert_one_message,
    names_in,
    ocpipe,
)

__all__ = ["ocpipe"]  # a fixture

NOMINAL = (412, 443, 490)


@pytest.fixture
def refused(ocpipe, tmp_path):
    """Run one scene, which must fail so, and leave nothing behind; then its dry run."""
    out = tmp_path / "out"

    def run(code, error, words, scene, network, **science):
        config = {
            "name": "test",
            "science": {
                "networks": [{"name": "iop", "file": str(network)}],
                "engine": "numpy",
                **science,
            },
        }
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(config))
        for dry in ((), ("--dry-run",)):
            outcome = ocpipe("run", scene, "-c", path, "-o", out, *dry)
            message = assert_one_message(outcome, code, error, *words)
            assert names_in(out) == []
        return message

    return run


@pytest.fixture
def sgli(tmp_path):
    return sgli_nwlr.write(tmp_path, image_of_coordinates(21, 26, NOMINAL)).path


@pytest.fixture
def network(tmp_path):
    return write_network(tmp_path / "net.h5", bands=NOMINAL, sensors=("SGLI",))


def test_the_network_of_another_sensor(refused, sgli, tmp_path):
    """Names both sensors and the three ways out."""
    other = write_network(tmp_path / "olci.h5", bands=NOMINAL, sensors=("OLCI",))
    words = (sgli.name, "olci.h5 was trained for OLCI", "from SGLI", "allow_other_sensor: true")
    refused(SCENE_FAILED, "NetworkError", words, sgli, other)


def test_a_band_that_is_12_nm_away(refused, sgli, tmp_path):
    """Not taken for the nearest one; the bands are listed, and the tolerance is named."""
    other = write_network(tmp_path / "far.h5", bands=(412, 443, 502), sensors=("SGLI",))
    words = (
        sgli.name,
        "iop (far.h5) needs Rrs_502: no Rrs band within 3 nm of 502 nm",
        "412, 443, 490",
        "science.bands.tolerance_nm",
    )
    refused(SCENE_FAILED, "SceneError", words, sgli, other)


def test_a_variable_that_the_scene_lacks(refused, sgli, network):
    """The network that wants it is named, and the way to give one value for all pixels."""
    with h5py.File(network, "r+") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        described["inputs"][2] = {"quantity": "wind_speed", "units": "m s-1", "transform": "none"}
        file.attrs["ocpipe_description"] = json.dumps(described)
    words = (sgli.name, "iop (net.h5) needs wind_speed", "science.constants: {wind_speed: ...}")
    refused(SCENE_FAILED, "SceneError", words, sgli, network)


def test_a_band_that_is_too_far_in_an_expression(refused, sgli, network):
    """The same for the bands of a mask."""
    words = (sgli.name, "502 nm", "tolerance_nm")
    masks = {"expressions": {"bright": "Rrs_502 > 0.01"}}
    refused(SCENE_FAILED, "SceneError", words, sgli, network, masks=masks)


def test_reflectance_given_as_rrs(refused, tmp_path, network):
    """Dimensionless numbers under the name of Rrs: what to state if they are one or the other."""
    scene = tmp_path / "rho.nc"
    truth = image_of_coordinates(9, 8, NOMINAL)
    with netCDF4.Dataset(scene, "w") as file:
        file.createDimension("y", 9)
        file.createDimension("x", 8)
        for name, values in (("lat", truth.latitude), ("lon", truth.longitude)):
            file.createVariable(name, "f4", ("y", "x"))[:] = values
        for nm, rrs in truth.rrs.items():
            band = file.createVariable(f"Rrs_{nm:.0f}", "f4", ("y", "x"))
            band.units = "1"
            band[:] = rrs * np.pi
    spectral = [{"quantity": "Rrs", "variables": r"Rrs_(\d+)"}]
    mapping = {"latitude": "lat", "longitude": "lon", "spectral": spectral}
    reader = {"format": "cf_netcdf", "options": {"mapping": mapping}}
    words = ("rho.nc", "units '1'", "'sr-1'", "units: sr-1", "stored_as: rho_w", "1/pi")
    refused(SCENE_FAILED, "SceneError", words, scene, network, reader=reader)


def test_a_geotiff_without_units(refused, tmp_path, network):
    """The bands may be anything; the message says how to state it."""
    scene = geotiff.write(tmp_path, map_of_coordinates(9, 8, NOMINAL)).path
    words = ("rrs.tif", "no units", "options: {units: sr-1}", "stored_as: rho_w")
    refused(SCENE_FAILED, "SceneError", words, scene, network)


def test_surface_reflectance_that_is_no_rrs(refused, tmp_path, network):
    """A network on Rrs, a mapping that gives rho_s only: the spectral quantities are named."""
    scene = acolite_l2r.write(tmp_path, image_of_coordinates(9, 8, (443, 560, 665))).path
    spectral = [{"quantity": "rho_s", "variables": r"rhos_(\d+)", "units": "1"}]
    options = {"preset": "acolite_l2r", "mapping": {"spectral": spectral}}
    words = (scene.name, "iop (net.h5) needs Rrs_412: the scene has no Rrs", "rho_s")
    reader = {"format": "cf_netcdf", "options": options}
    refused(SCENE_FAILED, "SceneError", words, scene, network, reader=reader, sensor="SGLI")


def test_an_unknown_layout_of_qa(refused, tmp_path, network):
    """A file that does not name its bits: the layouts are listed, none is guessed."""
    truth = image_of_coordinates(21, 26, NOMINAL)
    scene = sgli_nwlr.write(tmp_path, truth, qa_layout="undescribed").path
    words = (scene.name, "does not name the bits of QA_flag", "qa_layout", "nwlr, iwpr, iwpr_v3")
    refused(SCENE_FAILED, "SceneError", words, scene, network)


def test_a_layout_of_qa_that_is_none(refused, sgli, network):
    """A mistake of the configuration: exit code 2."""
    reader = {"format": "sgli_l2", "options": {"qa_layout": "nwrl"}}
    words = ("reader.options of sgli_l2", "qa_layout", "nwlr, iwpr, iwpr_v3", "nwrl")
    refused(WRONG_USE, "ConfigError", words, sgli, network, reader=reader)


@pytest.mark.parametrize("format_", ["obpg_l2", "sgli_l2", "olci_wfr", "geotiff", "cf_netcdf"])
def test_an_unknown_option_of_a_reader(refused, sgli, network, format_):
    """Named with the reader, before the scene is opened."""
    reader = {"format": format_, "options": {"colour": "blue"}}
    words = (f"reader.options of {format_}", "colour: unknown key")
    message = refused(WRONG_USE, "ConfigError", words, sgli, network, reader=reader)
    assert not message.rstrip().endswith(("are", "are ."))


def test_an_unknown_key_deep_in_a_mapping(refused, sgli, network):
    """The keys that are proposed are those of that place."""
    spectral = [{"quantity": "Rrs", "variables": "a", "unit": "1"}]
    reader = {"format": "cf_netcdf", "options": {"mapping": {"spectral": spectral}}}
    words = ("reader.options of cf_netcdf", "mapping.spectral.0.unit", "did you mean 'units'?")
    refused(WRONG_USE, "ConfigError", words, sgli, network, reader=reader)


def test_options_without_a_format(refused, sgli, network):
    """Options of an unknown reader mean nothing: the message says to name it."""
    reader = {"options": {"qa_layout": "nwlr"}}
    words = ("run.yaml", "science.reader", "options need a reader")
    refused(WRONG_USE, "ConfigError", words, sgli, network, reader=reader)


@pytest.mark.parametrize(
    ("science", "words"),
    [
        ({"masks": {"preset": "nasa"}}, ("science.masks", "'nasa'", "nasa_l3")),
        (
            {"reader": {"format": "cf_netcdf", "options": {"preset": "nasa"}}},
            ("reader.options of cf_netcdf", "preset", "acolite_l2r"),
        ),
    ],
    ids=["masks", "mapping"],
)
def test_an_unknown_preset(refused, sgli, network, science, words):
    """Of masks and of mappings: those there are, exit code 2."""
    refused(WRONG_USE, "ConfigError", words, sgli, network, **science)


def test_a_growing_rule_that_is_none(refused, sgli, network):
    """The rules of the run are listed, exit code 2."""
    words = ("masks.dilate", "CLOUD", "LAND")
    masks = {"flags": ["LAND"], "dilate": {"CLOUD": 2}}
    refused(WRONG_USE, "ConfigError", words, sgli, network, masks=masks)


def test_a_mask_that_grows_beyond_the_scene(ocpipe, sgli, network, tmp_path):
    """A radius larger than a small scene is no reason to fail."""
    config = {
        "name": "test",
        "science": {
            "networks": [{"name": "iop", "file": str(network)}],
            "engine": "numpy",
            "masks": {"flags": ["LAND"], "dilate": {"LAND": 30}},
        },
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    outcome = ocpipe("run", sgli, "-c", tmp_path / "run.yaml", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr


@pytest.mark.parametrize(
    ("window", "code", "error", "words"),
    [
        ({"lines": [21, 22]}, SCENE_FAILED, "SceneError", ("has 21", "science.window.lines")),
        ({"bbox": [0, 0, 1, 1]}, SCENE_FAILED, "SceneError", ("latitude 34", "west, south")),
        ({"lines": [5, 2]}, WRONG_USE, "ConfigError", ("run.yaml", "first < end")),
        ({"bbox": [0, 2, 1, 1]}, WRONG_USE, "ConfigError", ("run.yaml", "south < north")),
    ],
    ids=["beyond", "nothing inside", "reversed", "upside down"],
)
def test_windows(refused, sgli, network, window, code, error, words):
    """What the configuration says wrong is exit code 2, what the scene lacks 1."""
    refused(code, error, words, sgli, network, window=window)


def test_the_radiance_of_sgli_without_a_scale_of_rrs(refused, sgli, network):
    """Radiance is not taken for reflectance."""
    with h5py.File(sgli, "a") as file:
        del file["Image_data/NWLR_443"].attrs["Rrs_slope"]
    words = (sgli.name, "NWLR_443", "Rrs_slope", "only radiance")
    refused(SCENE_FAILED, "SceneError", words, sgli, network)


def test_a_network_of_reflectance_on_rrs(refused, sgli, tmp_path):
    """A network that wants rho_w in units 1 is not fed Rrs."""
    path = write_network(tmp_path / "rho.h5", bands=NOMINAL, sensors=("SGLI",))
    with h5py.File(path, "a") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        for variable in described["inputs"]:
            variable |= {"quantity": "rho_w", "units": "1"}
        file.attrs["ocpipe_description"] = json.dumps(described)
    refused(SCENE_FAILED, "SceneError", (sgli.name, "no rho_w", "Rrs"), sgli, path)
