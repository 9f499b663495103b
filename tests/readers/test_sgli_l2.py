"""GCOM-C/SGLI Level-2: counts, tie points, the layouts of QA_flag, and what is refused."""

import math
from pathlib import Path

import h5py
import numpy as np
import oracle_geolocation
import pytest
import yaml
from miniatures import sgli_nwlr
from miniatures.truth import image_of_coordinates

from pipeline.config import ReaderChoice
from pipeline.errors import ConfigError, SceneError
from pipeline.facts.shipped import shipped_configs
from pipeline.readers import open_scene
from pipeline.scene.scene import wavelengths
from pipeline.scene.source_flags import SourceFlags

LAYOUTS = yaml.safe_load(
    (shipped_configs() / "formats" / "sgli_qa.yaml").read_text(encoding="utf-8")
)["layouts"]
# What the texts of the layout "described_other" are called in a scene.
OTHER_NAMES = {
    "no observation data": "DATAMISS",
    "land pixel": "LAND",
    "cloud or ice": "CLDICE",
    "near cloud (+-2pix)": "CLDAFFCTD",
    "coast pixel": "coast_pixel",
    "straylight flag": "STRAYLIGHT",
    "sunglint mask>0.16": "HIGLINT",
    "soz>75": "HISOLZ",
    "negative nLw": "NEGNLW",
}


def written(folder, shape=(23, 31), *, bands=(412, 443), flags=(), changes=None, **options):
    """A miniature of the image of coordinates; changes are for the truth."""
    truth = image_of_coordinates(*shape, bands, flags=flags, **(changes or {}))
    return sgli_nwlr.write(folder, truth, **options)


def edited(path: Path, place: str, **attributes) -> Path:
    """The same file with other attributes; None takes one away."""
    with h5py.File(path, "a") as file:
        for name, value in attributes.items():
            if value is None:
                del file[place].attrs[name]
            else:
                file[place].attrs[name] = np.array([value])
    return path


def stored_as(number, slope, offset):
    """What a count means, in float64 with zero where no count can say more, then float32."""
    value = float(number) * float(slope) + float(offset)
    return np.float32(0.0 if abs(value) < float(slope) / 2 else value)


def choice(**options):
    return ReaderChoice(format="sgli_l2", options=options)


@pytest.fixture(scope="module")
def every_count(tmp_path_factory):
    """A scene of 256 x 256 pixels with every count once, in two bands in other orders."""
    folder = tmp_path_factory.mktemp("counts")
    counts = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    stored = {412: counts, 443: counts[::-1, ::-1]}
    return stored, written(folder, (256, 256), counts=stored, chunk=(100, 90)).path


def test_every_count_decodes_to_the_nearest_float32(every_count):
    """DN times Rrs_slope plus Rrs_offset in float64, by the attributes as stored, rounded once."""
    stored, path = every_count
    with open_scene(path) as scene:
        for nm, counts in stored.items():
            found = scene.Rrs.sel(Rrs_wavelength=nm).values
            slope, offset = np.float64(np.float32(1e-6)), np.float64(np.float32(-0.01))
            expected = counts.astype(np.float64) * slope + offset
            expected[np.abs(expected) < slope / 2] = 0.0
            expected[counts == 65535] = np.nan
            np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("count", "value", "state"),
    [
        (0, stored_as(0, np.float32(1e-6), np.float32(-0.01)), 0),
        (9999, stored_as(9999, np.float32(1e-6), np.float32(-0.01)), 0),
        (10000, np.float32(0.0), 0),
        (10001, stored_as(10001, np.float32(1e-6), np.float32(-0.01)), 0),
        (65533, stored_as(65533, np.float32(1e-6), np.float32(-0.01)), 0),
        (65534, stored_as(65534, np.float32(1e-6), np.float32(-0.01)), 2),
        (65535, np.float32(np.nan), 0),
    ],
)
def test_counts_at_the_edges(every_count, count, value, state):
    """Zero is exactly zero, negative stays negative, 65534 is saturated, 65535 is missing."""
    stored, path = every_count
    line, pixel = np.argwhere(stored[443] == count)[0]
    with open_scene(path) as scene:
        found = scene.Rrs.sel(Rrs_wavelength=443).values[line, pixel]
        np.testing.assert_array_equal(found, value)
        assert scene.Rrs_state.sel(Rrs_wavelength=443).values[line, pixel] == state


def test_only_the_largest_valid_count_is_saturated(every_count):
    """One pixel of each band, and nothing is outside the valid range."""
    stored, path = every_count
    with open_scene(path) as scene:
        states = scene.Rrs_state.values
    for band, counts in enumerate(stored.values()):
        np.testing.assert_array_equal(states[band], np.where(counts == 65534, 2, 0))


def test_negative_rrs_is_a_value(every_count):
    """Counts below 10000 are negative Rrs, which the file means."""
    stored, path = every_count
    with open_scene(path) as scene:
        found = scene.Rrs.sel(Rrs_wavelength=412).values
    np.testing.assert_array_equal(found < 0, stored[412] < 10000)
    assert np.nanmin(found) == np.float32(-0.01)


def test_slope_offset_and_limits_are_the_files_own(tmp_path):
    """Another scale, error count and valid range, each band its own."""
    counts = np.array([[0, 4, 5, 4000, 60000, 60001, 65000, 65535]], np.uint16)
    path = written(tmp_path, (1, 8), counts={412: counts, 443: counts}).path
    slope, offset = np.float32(2.5e-6), np.float32(-0.01)
    edited(
        path,
        "Image_data/NWLR_412",
        Rrs_slope=slope,
        Rrs_offset=offset,
        Error_DN=np.int32(65000),
        Minimum_valid_DN=np.int32(5),
        Maximum_valid_DN=np.int32(60000),
    )
    with open_scene(path) as scene:
        found = scene.Rrs.sel(Rrs_wavelength=412).values[0]
        nan = np.float32(np.nan)
        inside = [stored_as(count, slope, offset) for count in (5, 4000, 60000)]
        np.testing.assert_array_equal(found, [nan, nan, *inside, nan, nan, nan])
        assert found[3] == 0
        states = scene.Rrs_state.sel(Rrs_wavelength=412).values[0]
        assert states.tolist() == [1, 1, 0, 0, 2, 1, 0, 1]
        other = scene.Rrs.sel(Rrs_wavelength=443).values[0]
        assert other[0] == stored_as(0, sgli_nwlr.RRS_SLOPE, sgli_nwlr.RRS_OFFSET)


def test_rrs_is_not_the_radiance(tmp_path):
    """The scale of radiance, Slope and Offset, decides nothing."""
    path = written(tmp_path).path
    with open_scene(path) as scene:
        before = scene.Rrs.values
    edited(path, "Image_data/NWLR_412", Slope=np.float32(7.0), Offset=np.float32(3.0))
    with open_scene(path) as scene:
        np.testing.assert_array_equal(scene.Rrs.values, before)


def test_bands_are_at_their_wavelengths(tmp_path):
    """NWLR_670 is the band at 672 nm; the others are at those of their names."""
    with open_scene(written(tmp_path, bands=sgli_nwlr.BANDS).path) as scene:
        assert wavelengths(scene, "Rrs").tolist() == [380, 412, 443, 490, 530, 565, 672]


@pytest.mark.parametrize("shape", [(31, 41), (33, 47)], ids=["whole_cells", "odd_cells"])
@pytest.mark.parametrize("covering", [True, False])
@pytest.mark.parametrize("interval", [1, 5, 10])
@pytest.mark.parametrize("changes", [{}, {"antimeridian": True}, {"descending": False}], ids=str)
def test_geolocation_is_interpolated_from_tie_points(tmp_path, shape, covering, interval, changes):
    """Bilinear between tie points, straight on beyond the last ones, safe across 180 degrees."""
    image = written(
        tmp_path, shape, changes=changes, interval=interval, covering=covering, chunk=(16, 20)
    )
    latitude, longitude = oracle_geolocation.interpolate_tie_points(
        image.extra["Latitude"], image.extra["Longitude"], interval, interval, *shape
    )
    with open_scene(image.path) as scene:
        found = scene.latitude.values, scene.longitude.values
    np.testing.assert_allclose(found[0], latitude, rtol=0, atol=1e-4)
    away = (found[1] - longitude + 180) % 360 - 180
    assert np.abs(away).max() <= 1e-4
    assert found[1].min() >= -180
    assert found[1].max() < 180
    assert (np.ptp(found[1]) > 350) == bool(changes.get("antimeridian"))


@pytest.mark.parametrize("resolution", ["Q", "K"])
def test_both_resolutions_and_their_names(tmp_path, resolution):
    """250 m and 1 km files differ in name and interval only."""
    interval = {"Q": 10, "K": 5}[resolution]
    image = written(tmp_path, (33, 47), resolution=resolution, interval=interval)
    assert f"NWLR{resolution}" in image.path.name
    with open_scene(image.path) as scene:
        assert scene.attrs["reader"] == "sgli_l2"
        np.testing.assert_allclose(scene.latitude.values, image.latitude, rtol=0, atol=1e-4)
        np.testing.assert_allclose(scene.longitude.values, image.longitude, rtol=0, atol=1e-4)


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (2, 3), (3, 4)], ids=str)
def test_a_missing_tie_point_is_missing_around_it_only(tmp_path, place):
    """Error_value reaches the pixels strictly nearer than one interval, at the last ones, too."""
    shape, interval = (31, 41), 10
    image = written(tmp_path, shape, interval=interval)
    with h5py.File(image.path, "a") as file:
        for name in ("Latitude", "Longitude"):
            file[f"Geometry_data/{name}"][place] = -999.0
    ties = [image.extra[name].copy() for name in ("Latitude", "Longitude")]
    for each in ties:
        each[place] = np.nan
    latitude, longitude = oracle_geolocation.interpolate_tie_points(
        *ties, interval, interval, *shape
    )
    with open_scene(image.path) as scene:
        np.testing.assert_allclose(scene.latitude.values, latitude, rtol=0, atol=1e-4)
        np.testing.assert_allclose(scene.longitude.values, longitude, rtol=0, atol=1e-4)


def test_angles_are_interpolated_from_their_own_tie_points(tmp_path):
    """Packed angles; azimuths wrap, and the relative azimuth is sensor - 180 - solar azimuth."""
    shape, interval = (31, 43), 10
    path = written(tmp_path, shape, interval=interval).path
    row, column = np.indices((4, 6)).astype(np.float64)
    degrees = {
        "Solar_zenith": 30 + 4 * row + 0.5 * column,
        "Sensor_zenith": 5 + 9 * column + 0.25 * row,
        "Solar_azimuth": (170 + 7 * column - 2 * row + 180) % 360 - 180,
        "Sensor_azimuth": (-165 - 11 * column + row + 180) % 360 - 180,
    }
    stored = {name: np.round(values / 0.01).astype(np.int16) for name, values in degrees.items()}
    with h5py.File(path, "a") as file:
        for name, counts in stored.items():
            made = file.create_dataset(f"Geometry_data/{name}", data=counts)
            for attribute, value in (
                ("Slope", np.float32(0.01)),
                ("Offset", np.float32(0)),
                ("Error_DN", np.int16(-32768)),
                ("Minimum_valid_DN", np.int16(-18000)),
                ("Maximum_valid_DN", np.int16(18000)),
                ("Resampling_interval", np.int32(interval)),
            ):
                made.attrs[attribute] = np.array([value])
    meant = {name: counts * float(np.float32(0.01)) for name, counts in stored.items()}
    zenith = oracle_geolocation.interpolate_tie_points(
        meant["Solar_zenith"], meant["Solar_azimuth"], interval, interval, *shape
    )
    sensor = oracle_geolocation.interpolate_tie_points(
        meant["Sensor_zenith"], meant["Sensor_azimuth"], interval, interval, *shape
    )
    with open_scene(path) as scene:
        np.testing.assert_allclose(scene.solar_zenith.values, zenith[0], rtol=0, atol=1e-4)
        np.testing.assert_allclose(scene.sensor_zenith.values, sensor[0], rtol=0, atol=1e-4)
        away = scene.relative_azimuth.values - (sensor[1] - 180 - zenith[1])
        assert np.abs((away + 180) % 360 - 180).max() <= 1e-4
        assert np.abs(scene.relative_azimuth.values).max() <= 180


def assert_flags(scene, image, names) -> None:
    """Each flag under its name is set where the file means it, and there is no other name."""
    table = SourceFlags.of(scene)
    assert set(table.named) == set(names.values())
    stored = scene.source_flags.values
    for meant, name in names.items():
        found = (stored & table.mask(name)) != 0
        np.testing.assert_array_equal(found, image.flags[meant], err_msg=name)
        assert found.any()


@pytest.mark.parametrize("as_one", [False, True], ids=["array", "one_text"])
def test_described_flags_have_the_files_names(tmp_path, as_one):
    """BitNN: NAME of the standard product, as an array of texts and as one text."""
    names = sgli_nwlr.STANDARD_FLAGS
    image = written(tmp_path, flags=names, qa_text_as_one=as_one)
    with open_scene(image.path) as scene:
        assert_flags(scene, image, {name: name for name in names})
        assert scene.source_flags.dtype == np.uint16
        assert scene.source_flags.attrs["source_name"] == "QA_flag"


@pytest.mark.parametrize("as_one", [False, True], ids=["array", "one_text"])
def test_other_words_are_other_names(tmp_path, as_one):
    """Known words become the standard name, other words join, reserved bits have none."""
    image = written(
        tmp_path, flags=list(OTHER_NAMES), qa_layout="described_other", qa_text_as_one=as_one
    )
    with h5py.File(image.path, "a") as file:
        stored = file["Image_data/QA_flag"]
        stored[...] = stored[...] | (1 << 2) | (1 << 9) | (1 << 15)
    with open_scene(image.path) as scene:
        assert_flags(scene, image, OTHER_NAMES)


def test_the_highest_bit_is_a_flag_like_others(tmp_path):
    """Bit 15 of the unsigned QA_flag, by a name of its own."""
    image = written(tmp_path, flags=("LAND",))
    texts = [*sgli_nwlr.STANDARD_TEXT[:15], "Bit15: SHALLOW"]
    raised = np.arange(23 * 31).reshape(23, 31) % 5 == 0
    with h5py.File(image.path, "a") as file:
        stored = file["Image_data/QA_flag"]
        stored.attrs["Data_description"] = np.array([text.encode() for text in texts])
        stored[...] = stored[...] | np.where(raised, np.uint16(1 << 15), np.uint16(0))
    with open_scene(image.path) as scene:
        table = SourceFlags.of(scene)
        assert table.mask("SHALLOW") == 1 << 15
        np.testing.assert_array_equal((scene.source_flags.values & (1 << 15)) != 0, raised)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_named_layout_gives_the_bits(tmp_path, layout):
    """For files without a description: the names of the layout from bit 0 up."""
    image = written(tmp_path, flags=sgli_nwlr.STANDARD_FLAGS, qa_layout="undescribed")
    with open_scene(image.path, choice(qa_layout=layout)) as scene:
        table = SourceFlags.of(scene)
        named = {name: 1 << bit for bit, name in enumerate(LAYOUTS[layout]) if name != "SPARE"}
        assert table.named == named
        meant = dict(zip(LAYOUTS[layout], sgli_nwlr.STANDARD_FLAGS, strict=False))
        for name in named:
            found = (scene.source_flags.values & table.mask(name)) != 0
            np.testing.assert_array_equal(found, image.flags[meant[name]], err_msg=name)


def test_the_standard_layout_is_that_of_the_product():
    """The layout called nwlr is the standard product's own list."""
    assert LAYOUTS["nwlr"] == sgli_nwlr.STANDARD_FLAGS


def test_the_files_own_list_wins(tmp_path):
    """A layout named for files without a list changes nothing in one that has it."""
    image = written(tmp_path, flags=list(OTHER_NAMES), qa_layout="described_other")
    with open_scene(image.path, choice(qa_layout="iwpr")) as scene:
        assert_flags(scene, image, OTHER_NAMES)


def test_undescribed_flags_without_a_layout_are_refused(tmp_path):
    """Never guessed; the message names the option and the layouts."""
    image = written(tmp_path, qa_layout="undescribed")
    with pytest.raises(SceneError, match="qa_layout") as raised:
        open_scene(image.path)
    assert image.path.name in str(raised.value)
    assert all(layout in str(raised.value) for layout in LAYOUTS)


def test_an_unknown_layout_is_refused(tmp_path):
    """Before the file is looked at, with the layouts there are."""
    image = written(tmp_path, qa_layout="undescribed")
    with pytest.raises(ConfigError, match="unknown layout") as raised:
        open_scene(image.path, choice(qa_layout="nwlr_v9"))
    assert all(layout in str(raised.value) for layout in LAYOUTS)


@pytest.mark.parametrize(
    ("place", "attribute", "message"),
    [
        ("Image_data/NWLR_412", "Rrs_slope", "NWLR_412 has no Rrs_slope"),
        ("Image_data/NWLR_443", "Rrs_offset", "NWLR_443 has no .*Rrs_offset"),
        ("Geometry_data/Latitude", "Resampling_interval", "Latitude .*Resampling_interval"),
        ("Geometry_data/Longitude", "Resampling_interval", "Longitude .*Resampling_interval"),
        ("Image_data", "Number_of_lines", "Number_of_lines"),
        ("Image_data", "Number_of_pixels", "Number_of_pixels"),
    ],
)
def test_a_file_without_an_attribute_is_refused(tmp_path, place, attribute, message):
    """What cannot be known is not guessed: the message names the file and what it lacks."""
    path = edited(written(tmp_path).path, place, **{attribute: None})
    with pytest.raises(SceneError, match=message) as raised:
        open_scene(path)
    assert path.name in str(raised.value)


@pytest.mark.parametrize("name", ["Latitude", "Longitude"])
def test_a_file_without_geolocation_is_refused(tmp_path, name):
    """The missing dataset is named."""
    path = written(tmp_path).path
    with h5py.File(path, "a") as file:
        del file[f"Geometry_data/{name}"]
    with pytest.raises(SceneError, match=f"Geometry_data has no {name}"):
        open_scene(path)


def test_tie_points_that_do_not_cover_the_scene_are_refused(tmp_path):
    """An interval too small for the scene would put every pixel in a wrong place."""
    path = written(tmp_path, (33, 47), interval=10).path
    for name in ("Latitude", "Longitude"):
        edited(path, f"Geometry_data/{name}", Resampling_interval=np.int32(5))
    with pytest.raises(SceneError, match="do not cover 33 lines"):
        open_scene(path)


def test_attributes_say_when_and_by_what(tmp_path):
    """Times in ISO 8601, platform and sensor in this project's words, the file's own beside."""
    path = written(tmp_path).path
    with open_scene(path) as scene:
        expected = {
            "reader": "sgli_l2",
            "platform": "GCOM-C",
            "instrument": "SGLI",
            "sensor": "SGLI",
            "time_coverage_start": "2023-01-03T02:09:01.123Z",
            "time_coverage_end": "2023-01-03T02:13:00.456Z",
            "Product_version": "2111",
            "Processing_UT": "20230104 05:06:07",
            "Product_file_name": path.name,
        }
        assert {name: scene.attrs[name] for name in expected} == expected


def test_other_retrievals_keep_their_scale(tmp_path):
    """An image with Slope and Offset is a plain variable that an expression may name."""
    path = written(tmp_path, (4, 5)).path
    counts = np.arange(20, dtype=np.uint16).reshape(4, 5)
    counts[0, 0] = 65535
    with h5py.File(path, "a") as file:
        made = file.create_dataset("Image_data/CHLA", data=counts)
        for name, value in (
            ("Slope", np.float32(0.0016)),
            ("Offset", np.float32(0.5)),
            ("Error_DN", np.int32(65535)),
        ):
            made.attrs[name] = np.array([value])
    with open_scene(path) as scene:
        found = scene.CHLA.values
    assert math.isnan(found[0, 0])
    slope = float(np.float32(0.0016))
    expected = (counts * slope + 0.5).astype(np.float32)
    np.testing.assert_array_equal(found.ravel()[1:], expected.ravel()[1:])
