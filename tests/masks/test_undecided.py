"""A mask that cannot be decided excludes the pixel; one that never can be is an error."""

import logging

import netCDF4
import numpy as np
import pytest
from obpg_miniature import FILL, LAND, counts_of, write_obpg_l2
from small_runs import network_for, numbers, product_of, run_settings

from pipeline.config.matchup import load_matchup_config
from pipeline.errors import SceneError
from pipeline.matchup.find import find_matchups
from pipeline.matchup.points import read_points
from pipeline.readers import open_scene
from pipeline.scene.source_flags import SourceFlags

SHAPE = (12, 12)
LOW_SUN = {"expressions": {"low_sun": "solar_zenith > 70"}}


@pytest.fixture
def network(tmp_path):
    return network_for(tmp_path, (412, 443, 488))


def scene(folder, zenith, missing_rrs=None, flags=None, **of_flags):
    """A NASA file with packed solar zenith angles (int16, 0.01 degrees); NaN is the fill value."""
    rrs = counts_of(np.full(SHAPE, 0.004))
    if missing_rrs is not None:
        rrs[missing_rrs] = FILL
    counts = {
        412: rrs,
        443: counts_of(np.full(SHAPE, 0.004)),
        488: counts_of(np.full(SHAPE, 0.004)),
    }
    path = write_obpg_l2(folder / "scene.nc", counts, flags=flags)
    dims = ("number_of_lines", "pixels_per_line")
    with netCDF4.Dataset(path, "a") as file:
        angle = file["geophysical_data"].createVariable("solz", "i2", dims, fill_value=FILL)
        angle.set_auto_maskandscale(False)
        angle.scale_factor, angle.add_offset, angle.units = (
            np.float32(0.01),
            np.float32(0),
            "degrees",
        )
        angle[:] = np.where(np.isnan(zenith), FILL, np.nan_to_num(zenith) * 100).astype("i2")
        for name, value in of_flags.items():
            file["geophysical_data/l2_flags"].setncattr(name, value)
    return path


def test_an_angle_that_is_missing_everywhere_is_an_error(tmp_path, network):
    """Not a product in which the sun is high everywhere; and no part of a product is left."""
    settings = run_settings(tmp_path, network, masks=LOW_SUN)
    with pytest.raises(
        SceneError, match=r"low_sun \(it needs solar_zenith\).*144 pixels that have"
    ):
        product_of(scene(tmp_path, np.full(SHAPE, np.nan)), settings)
    assert list((tmp_path / "out").glob("*")) == []


@pytest.mark.parametrize("chunk", [(512, 512), (5, 7)], ids=str)
def test_an_angle_that_is_missing_somewhere_masks_there(tmp_path, network, caplog, chunk):
    """The log says on how many pixels; the pixels have the bit of the mask."""
    zenith = np.full(SHAPE, 40.0)
    zenith[2:4], zenith[7] = np.nan, 80.0
    with caplog.at_level(logging.WARNING):
        path = product_of(
            scene(tmp_path, zenith), run_settings(tmp_path, network, masks=LOW_SUN, chunk=chunk)
        )
    low = numbers(path)["quality_flags"] & 256 != 0
    np.testing.assert_array_equal(low, np.isnan(zenith) | (zenith > 70))
    assert "low_sun cannot be decided on 24 of 144 pixels that have data" in caplog.text


def test_a_decided_mask_says_nothing(tmp_path, network, caplog):
    """No warning and no other pixels if every value is there."""
    with caplog.at_level(logging.WARNING):
        path = product_of(
            scene(tmp_path, np.full(SHAPE, 40.0)), run_settings(tmp_path, network, masks=LOW_SUN)
        )
    assert not (numbers(path)["quality_flags"] & 256).any()
    assert "decided" not in caplog.text


def test_an_expression_may_say_what_missing_means(tmp_path, network):
    """Who wants the pixels without an angle writes so."""
    masks = {"expressions": {"low_sun": "isfinite(solar_zenith) and solar_zenith > 70"}}
    path = product_of(
        scene(tmp_path, np.full(SHAPE, np.nan)), run_settings(tmp_path, network, masks=masks)
    )
    assert not (numbers(path)["quality_flags"] & 256).any()


def test_a_scene_without_any_data_is_no_error(tmp_path, network, caplog):
    """Under clouds everywhere, a mask of a band cannot be decided; there is nothing to mask."""
    masks = {"expressions": {"bright": "Rrs_412 > 0.01"}}
    path = product_of(
        scene(tmp_path, np.full(SHAPE, 40.0), missing_rrs=np.ones(SHAPE, bool)),
        run_settings(tmp_path, network, masks=masks),
    )
    assert (numbers(path)["aph_443"] == -32767).all()
    assert "no valid pixel" in caplog.text


def test_a_grown_mask_does_not_grow_around_undecided_pixels(tmp_path, network):
    """Otherwise a mask of a band would grow around all land, where the band is missing."""
    zenith = np.full(SHAPE, 40.0)
    zenith[2, 2], zenith[8, 8] = np.nan, 80.0
    masks = {**LOW_SUN, "dilate": {"low_sun": 1}}
    path = product_of(scene(tmp_path, zenith), run_settings(tmp_path, network, masks=masks))
    expected = np.zeros(SHAPE, bool)
    expected[2, 2] = expected[7:10, 7:10] = True
    np.testing.assert_array_equal(numbers(path)["quality_flags"] & 256 != 0, expected)


def test_flags_that_are_missing_do_not_keep_a_pixel(tmp_path, network):
    """The fill value -1 has every bit set, also that of a good pixel."""
    flags = np.full(SHAPE, LAND)
    flags[0], flags[1] = -1, 0
    path = scene(tmp_path, np.full(SHAPE, 40.0), flags=flags, missing_value=np.int32(-1))
    settings = run_settings(tmp_path, network, masks={"keep_flags": ["LAND"]})
    masked = numbers(product_of(path, settings))["quality_flags"] & 256 != 0
    np.testing.assert_array_equal(masked, flags != LAND)


def test_flags_that_are_missing_everywhere_are_an_error(tmp_path, network):
    """As for expressions: nothing says whether there is a cloud."""
    path = scene(
        tmp_path,
        np.full(SHAPE, 40.0),
        flags=np.full(SHAPE, 1 << 30),
        missing_value=np.int32(1 << 30),
    )
    with netCDF4.Dataset(path, "a") as file:  # a number that is not one of the flags
        flags = file["geophysical_data/l2_flags"]
        flags[:] = -5
        flags.missing_value = np.int32(-5)
    settings = run_settings(tmp_path, network, masks={"flags": ["LAND", "CLDICE"]})
    with pytest.raises(SceneError, match=r"the masks LAND .* and CLDICE .* cannot be decided"):
        product_of(path, settings)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"_FillValue": np.int32(-1)}, (0xFFFFFFFF,)),
        ({"missing_value": np.array([-1, -5], np.int32)}, (0xFFFFFFFB, 0xFFFFFFFF)),
        ({"_FillValue": "-1"}, (0xFFFFFFFF,)),
        ({"_FillValue": np.float64(7)}, (7,)),
        ({"_FillValue": np.int32(0)}, ()),  # POLYMER: no flag, a good pixel
        ({"_FillValue": np.int32(2)}, ()),  # is LAND
        ({"_FillValue": np.float32(np.nan)}, ()),
        ({"_FillValue": np.float32(9.96921e36)}, ()),
        ({"_FillValue": "none"}, ()),
    ],
)
def test_which_numbers_mean_missing_flags(stated, expected):
    """Signed or not, as text or not; neither 0 nor a single flag means missing."""
    attributes = {
        "flag_masks": np.array([1, 2, 512], np.int32),
        "flag_meanings": "ATMFAIL LAND CLDICE",
        **stated,
    }
    assert expected == SourceFlags.from_attributes(attributes, np.dtype(np.int32)).missing


def test_a_matchup_says_what_could_not_be_decided(tmp_path, caplog):
    """The rejection counts such pixels apart, and the log names what is missing."""
    path = scene(tmp_path, np.full(SHAPE, np.nan))
    with open_scene(path) as opened:
        place = float(opened["latitude"][5, 6]), float(opened["longitude"][5, 6])
    table = tmp_path / "points.csv"
    table.write_text(f"lat,lon,datetime,chl\n{place[0]},{place[1]},2020-01-02T03:05:00,1\n")
    config = load_matchup_config(None, {"masks": LOW_SUN, "window": 3})
    with caplog.at_level(logging.WARNING):
        found = find_matchups(read_points(table, config.points), [path], config)
    assert found.rows == []
    (reason,) = found.rejections[0].reasons
    assert reason.detail == "low_sun undecided 9"
    assert "on 9 of 9 pixels that have data, because values of solar_zenith are" in caplog.text
