"""The shipped configurations run on every format, without any option about the format."""

import dataclasses
import json
import re

import h5py
import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from miniatures.cases import CASES

import pipeline
from pipeline.cli import main
from pipeline.config import load_config, mask_presets
from pipeline.errors import NetworkError, SceneError
from pipeline.readers import open_scene

# Bands that chlorophyll and QAA need, by sensor; QAA needs a band near 412 nm.
BANDS = {
    "SGLI": (412, 443, 490, 530, 565, 670),
    "OCI": (413, 442, 490, 510, 550, 555, 667, 670),
    "OLCI": (412.5, 442.5, 490.0, 510.0, 560.0, 665.0),
    "MODIS-Aqua": (412, 443, 488, 531, 547, 667),
    "HICO": (410, 444, 490, 507, 547, 553, 668),
    "S2A": (443, 492, 560, 665),
    "MERIS": (412, 443, 490, 510, 560, 665),
}
# What the two algorithms give for a sensor.
BOTH = {"chl", "iop"}
GIVEN = {"S2A": {"chl"}, "HICO": {"iop"}}
# The recommended list of each format; formats without flags have none.
MASKS = {
    "obpg_l2": "nasa_l3",
    "sgli_l2": "sgli_default",
    "olci_wfr": "eumetsat_recommended",
    "c2rcc": "c2rcc",
    "polymer": "polymer",
    "acolite_l2w": "acolite",
    "pace_l2_flat": "nasa_l3",
}
FORMATS = sorted(name for name in CASES if name != "geotiff_utm")  # which names no sensor


@pytest.fixture(params=FORMATS)
def example(request, tmp_path):
    """A case with the bands of its sensor, its file, and a run configuration's reader."""
    case = CASES[request.param]
    case = dataclasses.replace(case, bands=BANDS[case.sensor])
    return request.param, case, case.written(tmp_path).path


def configured(name, case, folder):
    data = load_config(name).model_dump(mode="json", exclude_unset=True)
    if case.reader_options:  # what the file itself cannot say, such as the layout of its flags
        data["science"]["reader"] = case.choice.model_dump()
    data["execution"] = {"output": str(folder / "out"), "network_dirs": [str(folder)]}
    return data


def masks_of(path):
    with netCDF4.Dataset(path) as file:
        text = file["processing_control/input_parameters"].configuration
    return yaml.safe_load(text)["science"]["masks"]


def assert_masks_are_stated_in_full(path, name, case, scene):
    recorded = masks_of(path)
    preset = MASKS.get(name) or MASKS.get(case.reader)
    with open_scene(scene, case.choice) as opened:
        flags = opened.get("source_flags")
        known = set() if flags is None else set(flags.attrs["flag_meanings"].split())
    listed = mask_presets().get(preset, {})
    wanted = [*listed.get("flags", ()), *listed.get("flags_if_present", ())]
    assert recorded["preset"] is None
    assert recorded["flags"] == [flag for flag in wanted if flag in known]
    assert recorded["keep_flags"] == [f for f in listed.get("keep_flags", ()) if f in known]
    assert bool(recorded["flags"]) == (preset is not None)


def test_published_algorithms_run_on_every_format(example, tmp_path):
    """What the sensor has no bands for is left out; the masks are those of the format."""
    name, case, scene = example
    path = pipeline.process_scene(scene, configured("published_algorithms", case, tmp_path))
    with netCDF4.Dataset(path) as file:
        made = {each.removesuffix("_flags") for each in file.variables if each.endswith("_flags")}
        assert made & BOTH == GIVEN.get(case.sensor, BOTH)
        recorded = yaml.safe_load(file["processing_control/input_parameters"].configuration)
        assert {n["name"] for n in recorded["science"]["networks"]} == GIVEN.get(case.sensor, BOTH)
        assert all("if_possible" not in n for n in recorded["science"]["networks"])
    assert_masks_are_stated_in_full(path, name, case, scene)


def write_ocsmart(folder, sensor, wavelengths):
    """The three IOP networks of a sensor in OC-SMART's layout, with these bands as inputs."""
    drawn = np.random.default_rng(len(wavelengths))
    for kind in ("aph", "adg", "bbp"):
        with h5py.File(folder / f"{sensor}_{kind}NN.h5", "w") as file:
            sizes = (len(wavelengths), 4, 2)
            file["Layers"] = np.array(sizes, np.int8)
            file["Wavelength"] = np.array(wavelengths, np.float64)
            file["Norm_in"] = np.tile([-4.0, -1.3], (sizes[0], 1))
            file["Norm_out"] = np.tile([-3.0, 0.0], (sizes[-1], 1))
            for k in (1, 2):
                file[f"Weights/Layer{k}"] = drawn.normal(0, 0.5, (sizes[k], sizes[k - 1]))
                file[f"Bias/Layer{k}"] = drawn.normal(0, 0.3, (sizes[k], 1))


def test_ocsmart_networks_run_on_every_format(example, tmp_path):
    """With networks of the sensor in the folder, and no other option."""
    name, case, scene = example
    write_ocsmart(tmp_path, case.sensor, case.bands)
    path = pipeline.process_scene(scene, configured("ocsmart_iops", case, tmp_path))
    with netCDF4.Dataset(path) as file:
        assert {"aph_flags", "adg_flags", "bbp_flags"} <= set(file.variables)
        assert sum(name.startswith("aph_") for name in file.variables) == 3
    assert_masks_are_stated_in_full(path, name, case, scene)


REAL = {
    "AQUA_MODIS.20110910T190602.L2.OC.nc": "MODIS-Aqua",
    "PACE_OCI_L2_AOP_V3_1_sample.nc": "OCI",
    "PACE_OCI_L3M_RRS_sample.nc": "OCI",
    "S3_OLCI_C2RCC_SNS_2017105095839.nc": "OLCI",
}


@pytest.mark.parametrize("name", ["ocsmart_iops", "published_algorithms"])
@pytest.mark.parametrize("scene", REAL)
def test_both_run_on_every_real_file(real_data, tmp_path, scene, name):
    """The configuration as it is shipped; networks with bands that the file has."""
    write_ocsmart(tmp_path, REAL[scene], (412, 443, 490, 510, 555, 667))
    if "MODIS" in scene:
        write_ocsmart(tmp_path, REAL[scene], (412, 443, 488, 531, 555, 667))
    if "OLCI" in scene:
        write_ocsmart(tmp_path, REAL[scene], (412.5, 442.5, 490, 510, 560, 665))
    config = load_config(name).executing(output=tmp_path, network_dirs=(tmp_path,))
    assert pipeline.process_scene(real_data / "scenes" / scene, config).is_file()


def test_a_scene_for_which_nothing_is_possible(tmp_path):
    """All reasons are given in one error, and no product is left behind."""
    case = dataclasses.replace(CASES["acolite_l2w"], bands=(443, 865))
    scene = case.written(tmp_path).path
    with pytest.raises(NetworkError) as caught:
        pipeline.process_scene(scene, configured("published_algorithms", case, tmp_path))
    assert re.search(r"chl: .* iop: ", str(caught.value))
    assert not list(tmp_path.glob("out/*"))


def test_flags_of_an_unknown_format_have_no_default(tmp_path):
    """A mapping of one's own may name a list; without it the default is refused."""
    case = dataclasses.replace(CASES["polymer"], bands=BANDS["OLCI"])
    scene = case.written(tmp_path).path
    mapping = {
        "spectral": [{"quantity": "Rrs", "stored_as": "rho_w", "variables": r"Rw(\d+)",
                      "units": "1"}],
        "flags": {"variable": "bitmask", "masks": {"LAND": 1, "CLOUD": 2}},
        "sensor": {"attribute": "sensor"},
    }  # fmt: skip
    data = configured("published_algorithms", case, tmp_path)
    for masks, expected in ((None, None), ("nasa_matchup", ["LAND"])):
        options = {"mapping": json.loads(json.dumps(mapping | {"masks": masks}))}
        data["science"]["reader"] = {"format": "cf_netcdf", "options": options}
        if expected is None:
            with pytest.raises(SceneError, match="no list of masks is known for this file"):
                pipeline.process_scene(scene, data)
        else:
            assert masks_of(pipeline.process_scene(scene, data))["flags"] == expected


def test_own_masks_are_added_to_the_default(tmp_path):
    """The recommended flags come first, each flag once."""
    case = dataclasses.replace(CASES["pace_oci"], bands=BANDS["OCI"])
    data = configured("published_algorithms", case, tmp_path)
    data["science"]["masks"] = {"preset": "default", "flags": ["LAND", "COASTZ"]}
    path = pipeline.process_scene(case.written(tmp_path).path, data)
    found = masks_of(path)["flags"]
    assert found[:2] == ["ATMFAIL", "LAND"]
    assert found[-1] == "COASTZ"
    assert len(set(found)) == len(found)


def test_a_batch_does_not_repeat_a_scene_for_what_was_left_out(tmp_path):
    """QAA has no bands on Sentinel-2; the second call has nothing to do."""
    case = dataclasses.replace(CASES["acolite_l2w"], bands=BANDS["S2A"])
    scene = case.written(tmp_path).path
    data = configured("published_algorithms", case, tmp_path) | {"batch": {"executor": "inline"}}
    config = tmp_path / "published.yaml"
    config.write_text(yaml.safe_dump(data))
    for done in (1, 0):
        result = CliRunner().invoke(main, ["batch", str(config), str(scene)])
        assert result.exit_code == 0, result.output
        assert f"{done} done, 0 skipped, 0 failed" in result.output
