"""Sentinel-3 OLCI Level-2: angles at every pixel from tie points."""

import numpy as np
import oracle_geolocation
import pytest
from miniatures import olci_wfr
from miniatures.truth import image_of_coordinates
from small_runs import network_for, run_settings

import pipeline
from pipeline.errors import WriteError
from pipeline.readers import open_scene

BANDS = (412.5, 442.5)


@pytest.fixture(params=[(4, 26), (4, 29), (16, 49), (64, 40)], ids=str)
def image(request, tmp_path):
    """A miniature with tie columns so many pixels apart, and its tie points at every pixel."""
    step, pixels = request.param
    truth = image_of_coordinates(21, pixels, BANDS)
    written = olci_wfr.write(tmp_path, truth, tie_step=step, chunk=(8, 10))
    at_pixels = {}
    for sun in "SO":
        zenith, azimuth = oracle_geolocation.interpolate_tie_points(
            written.extra[f"{sun}ZA"], written.extra[f"{sun}AA"], 1, step, 21, pixels
        )
        at_pixels |= {f"{sun}ZA": zenith, f"{sun}AA": azimuth}
    return written, at_pixels


@pytest.mark.parametrize(
    ("name", "stored"), [("solar_zenith", "SZA"), ("sensor_zenith", "OZA")], ids=str
)
def test_zenith_angles(image, name, stored):
    """Linear between tie columns, on every line, in degrees."""
    written, at_pixels = image
    with open_scene(written.path) as scene:
        found = scene[name]
        assert found.attrs["units"] == "degree"
        np.testing.assert_allclose(found.values, at_pixels[stored], rtol=0, atol=1e-5)


def test_relative_azimuth(image):
    """Sensor azimuth - 180 - solar azimuth within half a turn, where the azimuths wrap, too."""
    written, at_pixels = image
    with open_scene(written.path) as scene:
        found = scene.relative_azimuth.values
    away = found - (at_pixels["OAA"] - 180 - at_pixels["SAA"])
    assert np.abs((away + 180) % 360 - 180).max() <= 1e-4
    assert np.abs(found).max() <= 180


def test_the_azimuths_of_the_miniature_wrap(tmp_path):
    """So that an interpolation which does not know of 360 degrees is found out."""
    written = olci_wfr.write(tmp_path, image_of_coordinates(21, 26, BANDS), tie_step=4)
    for name in ("SAA", "OAA"):
        assert np.abs(np.diff(written.extra[name], axis=1)).max() > 300


def test_relative_azimuth_at_known_places(tmp_path):
    """By hand: on line 0 at column 4, SAA is 179 and OAA 179; behind the sun is -180."""
    written = olci_wfr.write(tmp_path, image_of_coordinates(21, 26, BANDS), tie_step=4)
    with open_scene(written.path) as scene:
        found = scene.relative_azimuth.values
        zenith = scene.solar_zenith.values[2, 0], scene.sensor_zenith.values[0, 8]
    # Line 0: SAA 175 and OAA -178 on column 0; SAA 179, OAA 179 on column 4.
    assert found[0, 0] == pytest.approx(-178 - 180 - 175 + 360, abs=1e-4)
    assert abs(found[0, 4]) == pytest.approx(180, abs=1e-4)
    # Half way between them: SAA 177 and OAA -179.5.
    assert found[0, 2] == pytest.approx(-179.5 - 180 - 177 + 360, abs=1e-4)
    assert zenith == pytest.approx((31, 14), abs=1e-5)


def test_a_scene_without_tie_points_has_no_angles(tmp_path):
    """The file is optional; what needs angles says that they are not there."""
    written = olci_wfr.write(tmp_path, image_of_coordinates(21, 26, BANDS))
    (written.path / "tie_geometries.nc").unlink()
    with open_scene(written.path) as scene:
        assert not {"solar_zenith", "sensor_zenith", "relative_azimuth"} & set(scene.variables)


def test_a_product_inside_the_folder_of_its_scene_is_refused(tmp_path):
    """It would change the scene that it is made from."""
    scene = olci_wfr.write(tmp_path, image_of_coordinates(9, 8, BANDS)).path
    settings = run_settings(tmp_path, tmp_path / "none.h5")
    settings["execution"]["output"] = str(scene / "out")
    with pytest.raises(WriteError, match="inside the scene's own folder"):
        pipeline.process_scene(scene, settings)
    assert not (scene / "out").exists()


def test_a_folder_given_as_the_current_one_has_its_name(tmp_path, monkeypatch):
    """The product is named after the folder."""
    scene = olci_wfr.write(tmp_path, image_of_coordinates(9, 8, (412.5, 442.5, 490.0))).path
    network = network_for(tmp_path, (412.5, 442.5, 490.0))
    monkeypatch.chdir(scene)
    product = pipeline.process_scene(".", run_settings(tmp_path, network))
    assert product.name == f"{scene.stem}.test.nc"


def test_relative_humidity_comes_from_its_tie_points(tmp_path):
    """In percent, equal at the tie points to what is stored there."""
    written = olci_wfr.write(tmp_path, image_of_coordinates(9, 8, BANDS), tie_step=4)
    with open_scene(written.path) as opened:
        found = opened.relative_humidity.values[:, ::4]
        np.testing.assert_allclose(found, written.extra["humidity"][:9, :2], rtol=1e-6)
