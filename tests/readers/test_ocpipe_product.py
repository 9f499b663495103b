"""Products of this program open as scenes, so that other commands can use them."""

import pickle

import h5py
import netCDF4
import numpy as np
import pytest
from miniatures.cases import CASES
from test_verify import made

import pipeline
from pipeline.errors import DamagedError, SceneError
from pipeline.readers import open_scene
from pipeline.scene.scene import PRODUCT_OF, SOURCE_FLAGS

SWATH, MAP, PROJECTED = "pace_oci", "occci_l3", "geotiff_utm"


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Name of a format -> its product and its scene."""
    return {
        name: made(CASES[name], tmp_path_factory.mktemp(name)) for name in (SWATH, MAP, PROJECTED)
    }


@pytest.mark.parametrize("name", [SWATH, MAP, PROJECTED])
def test_variables_are_those_of_the_file(products, name):
    """Floats with NaN where nothing was computed, flags as integers, all attributes of meaning."""
    product, source = products[name]
    with netCDF4.Dataset(product) as file, open_scene(product) as scene:
        for each in ("aph_443", "latitude", "longitude"):
            stored = np.ma.filled(file[each][...], np.nan)
            np.testing.assert_array_equal(scene[each].values, stored)
        assert scene["aph_443"].attrs["units"] == file["aph_443"].units
        assert np.isnan(scene["aph_443"].values).any()
        for each in ("quality_flags", "net_flags"):
            file[each].set_auto_maskandscale(False)
            np.testing.assert_array_equal(scene[each].values, file[each][...])
            assert scene[each].dtype == file[each].dtype
            assert scene[each].attrs["flag_meanings"] == file[each].flag_meanings
        assert scene.attrs["id"] == file.id
        assert scene.attrs[PRODUCT_OF] == source.name
        assert scene.attrs["reader"] == "ocpipe_product"


@pytest.mark.parametrize("name", [SWATH, MAP, PROJECTED])
def test_place_and_time_are_those_of_the_scene(products, name):
    """A map keeps its axes and its reference system, and a swath has none."""
    product, source = products[name]
    with open_scene(product) as found, open_scene(source, CASES[name].choice) as scene:
        assert set(found.coords) == {name for name in scene.coords if "wavelength" not in name}
        for axis in set(found.coords) - {"spatial_ref"}:
            np.testing.assert_array_equal(found[axis].values, scene[axis].values)
        if "spatial_ref" in scene:
            assert set(scene["spatial_ref"].attrs) <= set(found["spatial_ref"].attrs)
        for attribute in ("time_coverage_start", "time_coverage_end", "sensor", "brdf_correction"):
            assert found.attrs.get(attribute) == scene.attrs.get(attribute)


def test_the_flags_of_the_scene_are_found(products):
    """Under the name that they have in every scene."""
    product, source = products[SWATH]
    with open_scene(product) as found, open_scene(source) as scene:
        np.testing.assert_array_equal(found[SOURCE_FLAGS].values, scene[SOURCE_FLAGS].values)
        ours, theirs = found[SOURCE_FLAGS].attrs, scene[SOURCE_FLAGS].attrs
        named = [each for each in theirs["flag_meanings"].split() if each != "SPARE"]
        assert [each for each in ours["flag_meanings"].split() if each != "SPARE"] == named
        assert ours["source_name"] == theirs["source_name"] == "l2_flags"


def test_a_product_of_a_window_says_where_it_begins(tmp_path):
    """Line and pixel of the scene, for methods that need to know the scan of a line."""
    product, _ = made(CASES[SWATH], tmp_path, window={"lines": [3, 12], "pixels": [5, 20]})
    with open_scene(product) as found:
        assert (found.attrs["first_line"], found.attrs["first_pixel"]) == (3, 5)
        assert (found.attrs["scene_lines"], found.attrs["scene_pixels"]) == (21, 26)


def test_it_travels_and_opens_with_dask(products):
    """As all scenes do."""
    product, _ = products[SWATH]
    with open_scene(product) as found, open_scene(product, chunks={"y": 8}) as lazy:
        assert lazy["aph_443"].chunks[0] == (8, 8, 5)
        again = pickle.loads(pickle.dumps(found))
        np.testing.assert_array_equal(again["aph_443"].values, lazy["aph_443"].compute().values)


def test_networks_need_bands_and_say_so(products):
    """A product is no input for a network that needs reflectances."""
    product, _ = products[SWATH]
    config = {
        "name": "again",
        "science": {"networks": [{"name": "net", "file": "net.h5", "allow_other_sensor": True}]},
        "execution": {"output": str(product.parent), "network_dirs": [str(product.parent)]},
    }
    with pytest.raises(SceneError, match="the scene has no Rrs"):
        pipeline.process_scene(product, config)


@pytest.mark.parametrize(
    ("place", "attribute"),
    [
        ("processing_control/inputs/scene", "first_line"),
        ("processing_control/inputs/scene", "file"),
        ("processing_control/inputs", None),
    ],
)
def test_an_incomplete_record_is_an_error_in_words(products, tmp_path, place, attribute):
    """The text names what is missing."""
    changed = tmp_path / "changed.nc"
    changed.write_bytes(products[SWATH][0].read_bytes())
    with h5py.File(changed, "r+") as file:
        if attribute is None:
            del file[place]["scene"]
        else:
            del file[place].attrs[attribute]
    with pytest.raises((SceneError, DamagedError), match=attribute or "no group"):
        open_scene(changed)
