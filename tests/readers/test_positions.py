"""A place off the globe is no place: in scenes, products, windows and match-ups."""

import h5py
import netCDF4
import numpy as np
import pytest
from miniatures import obpg_control_points, occci_l3, olci_wfr, sgli_nwlr
from miniatures.truth import image_of_coordinates, map_of_coordinates
from obpg_miniature import counts_of, write_obpg_l2
from small_runs import network_for, numbers, product_of, run_settings

from pipeline.config.matchup import PointsConfig, load_matchup_config
from pipeline.facts.quantities import quantities
from pipeline.matchup.find import find_matchups
from pipeline.matchup.nearest import nearest_pixels
from pipeline.matchup.points import read_points
from pipeline.readers import open_scene

SHAPE = (12, 12)
HOLES = np.zeros(SHAPE, bool)
HOLES[3:10:2, 4:9] = HOLES[4:10:2, 4:9] = True
LATITUDE = (50 - 0.01 * np.arange(12)[:, None] + np.zeros(SHAPE)).astype(np.float32)
LONGITUDE = (-97 + 0.01 * np.arange(12)[None] + np.zeros(SHAPE)).astype(np.float32)


def swath(folder, latitude=-999.3, longitude=-999.9, **options):
    """A NASA file; some places are these numbers, which its fill value does not announce."""
    counts = {nm: counts_of(np.full(SHAPE, 0.004)) for nm in (412, 443, 488)}
    places = {
        "latitude": np.where(HOLES, np.float32(latitude), LATITUDE),
        "longitude": np.where(HOLES, np.float32(longitude), LONGITUDE),
    }
    return write_obpg_l2(folder / "scene.nc", counts, **places, **options)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(-999.3, -999.9), (-999, -999), (-32767, -32767), (90.01, 360.5), (9.96921e36, 9.96921e36)],
)
def test_numbers_off_the_globe_are_no_position(tmp_path, latitude, longitude):
    """Whatever fill value a file does not announce; all other places keep every bit."""
    with open_scene(swath(tmp_path, latitude, longitude)) as scene:
        for name, good in (("latitude", LATITUDE), ("longitude", LONGITUDE)):
            np.testing.assert_array_equal(
                scene[name].values, np.where(HOLES, np.float32(np.nan), good), err_msg=name
            )


def test_a_product_has_no_place_off_the_globe(tmp_path):
    """Neither in its positions nor in its bounds; the pixels are flagged."""
    settings = run_settings(tmp_path, network_for(tmp_path, (412, 443, 488)))
    path = product_of(swath(tmp_path), settings)
    with netCDF4.Dataset(path) as file:
        assert file["latitude"][:].min() >= 49
        assert (~np.ma.getmaskarray(file["longitude"][:]) == ~HOLES).all()
        assert file.geospatial_lat_min == pytest.approx(49.89)
    np.testing.assert_array_equal(numbers(path)["quality_flags"] & 8 != 0, HOLES)


def test_no_point_is_near_a_place_off_the_globe(tmp_path):
    """-999.3 degrees is 80.7 after sine and cosine."""
    with open_scene(swath(tmp_path)) as scene:
        found = nearest_pixels(scene, np.array([80.69, 49.95]), np.array([80.68, -96.95]))
    assert found.distance_km[0] > 3000
    assert not HOLES[found.line, found.pixel].any()


def test_no_match_up_off_the_globe(tmp_path):
    """Only the point that is in the scene is matched."""
    table = tmp_path / "points.csv"
    when = "2020-01-02T03:05:00"
    table.write_text(f"lat,lon,datetime,chl\n80.69,80.68,{when},1\n49.975,-96.945,{when},2\n")
    config = load_matchup_config(None, {"masks": {}, "window": 1})
    found = find_matchups(read_points(table, config.points), [swath(tmp_path)], config)
    assert [row.matches[0].pair.point for row in found.rows] == [1]


@pytest.mark.parametrize("name", ["latitude", "longitude"])
def test_a_scene_without_any_position_is_an_error(tmp_path, name):
    """It is not a scene that is far from all points."""
    with h5py.File(swath(tmp_path), "r+") as file:
        file[f"navigation_data/{name}"][...] = -999.3
    table = tmp_path / "points.csv"
    table.write_text("lat,lon,datetime,chl\n49.975,-96.945,2020-01-02T03:05:00,2\n")
    config = load_matchup_config(None, {"masks": {}, "window": 1})
    errors = []
    points = read_points(table, config.points)
    found = find_matchups(points, [tmp_path / "scene.nc"], config, errors.append)
    assert found.failed == 1
    assert "scene.nc: no pixel of the scene has a position" in str(errors[0])


def test_a_window_has_no_place_off_the_globe(tmp_path):
    """Longitude -999.9 is 80.1 modulo 360; a box around that place holds no pixel."""
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, (412, 443, 488)),
        window={"bbox": [80, 49, 81, 51]},
    )
    with pytest.raises(Exception, match=r"latitude 49\.890 to 50\.000 and longitude -97"):
        product_of(swath(tmp_path, latitude=50, longitude=-999.9), settings)


def test_a_tie_point_off_the_globe_does_not_move_its_neighbours(tmp_path):
    """Between 35 and -999.3 degrees, there are numbers that look like places."""
    truth = image_of_coordinates(40, 33, (412, 443, 490))
    written = sgli_nwlr.write(tmp_path, truth, interval=5)
    with h5py.File(written.path, "r+") as file:
        file["Geometry_data/Latitude"][2, 3] = -150.0
    with open_scene(written.path) as scene:
        latitude = scene["latitude"].values
    known = np.isfinite(latitude)
    assert not known[10, 15]
    assert known.sum() > known.size * 0.8
    np.testing.assert_allclose(latitude[known], written.latitude[known], atol=1e-4)


def test_a_control_point_off_the_globe_does_not_move_its_neighbours(tmp_path):
    """Older NASA files have positions at some pixels only."""
    truth = image_of_coordinates(12, 33, (412, 443, 488))
    written = obpg_control_points.write(tmp_path, truth)
    with netCDF4.Dataset(written.path, "a") as file:
        file["navigation_data/latitude"][4, 1] = -150
        file["navigation_data/longitude"][4, 1] = -999
    with open_scene(written.path) as scene:
        latitude, longitude = scene["latitude"].values, scene["longitude"].values
    known = np.isfinite(latitude)
    assert 0 < (~known).sum() < 33
    np.testing.assert_allclose(latitude[known], written.latitude[known], atol=1e-4)
    np.testing.assert_allclose(longitude[known], written.longitude[known], atol=1e-4)


@pytest.mark.parametrize(("axis", "hole"), [("lat", -999.0), ("lon", 9.96921e36)])
def test_a_map_with_a_hole_in_its_axis_is_no_map(tmp_path, axis, hole):
    """CF allows no missing value in an axis; the place of each pixel is still known or missing."""
    truth = map_of_coordinates(10, 12, (412, 443, 490, 510, 560, 665))
    written = occci_l3.write(tmp_path, truth)
    with netCDF4.Dataset(written.path, "a") as file:
        file[axis][4] = hole
    with open_scene(written.path) as scene:
        assert "spatial_ref" not in scene.coords
        places = scene["latitude" if axis == "lat" else "longitude"].values
    assert np.isnan(places[4] if axis == "lat" else places[:, 4]).all()
    assert np.isfinite(places).sum() == places.size * (1 - 1 / places.shape[axis == "lon"])


def test_an_angle_that_cannot_be_is_missing(tmp_path):
    """A zenith angle of -999 is not a high sun; the other tie points keep their angles."""
    truth = image_of_coordinates(20, 130, (400.0, 442.5, 490.0))
    written = olci_wfr.write(tmp_path, truth)
    with netCDF4.Dataset(written.path / "tie_geometries.nc", "a") as file:
        file["SZA"].set_auto_maskandscale(False)
        stored = file["SZA"][:]
        scale = getattr(file["SZA"], "scale_factor", 1)
        stored[3, 1] = np.array(999 / scale).astype(stored.dtype)
        file["SZA"][:] = stored
    with open_scene(written.path) as scene:
        angles = scene["solar_zenith"].values
    assert np.isnan(angles).any()
    assert np.nanmax(angles) < 180


def test_points_keep_to_the_same_globe(tmp_path):
    """A point at -999, and one at 361 degrees, have no position."""
    table = tmp_path / "points.csv"
    table.write_text(
        "lat,lon,datetime,chl\n49.9,-96.9,2020-01-02T03:00:00,1\n-999,-999,2020-01-02T03:00:00,1\n"
        "49.9,361,2020-01-02T03:00:00,1\n49.9,263.1,2020-01-02T03:00:00,1\n"
    )
    assert read_points(table, PointsConfig()).placed.tolist() == [True, False, False, True]


def test_only_angles_and_places_have_a_possible_range():
    """The table states a range only where no sensor and no water can be beyond it."""
    limited = {name for name, known in quantities().items() if known.possible is not None}
    places = {"latitude", "longitude"}
    assert limited == places | {"solar_zenith", "sensor_zenith", "relative_azimuth"}
