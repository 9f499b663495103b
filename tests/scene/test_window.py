"""Windows: which rectangle is processed, that nothing else is read, and that nothing changes."""

import dataclasses
import itertools
import json

import netCDF4
import numpy as np
import oracle_geolocation
import pytest
import yaml
from miniatures import (
    acolite_l2w,
    c2rcc,
    geotiff,
    obpg_control_points,
    obpg_l2_3d,
    occci_l3,
    olci_wfr,
    pace_l3m,
    sgli_nwlr,
)
from miniatures.truth import image_of_coordinates, map_of_coordinates
from obpg_miniature import CLDICE, counts_of, write_obpg_l2
from small_runs import (
    counted_reads,
    flag_bit,
    network_for,
    numbers,
    planned_window,
    product_of,
    run_settings,
    window_of,
)

from pipeline.config import load_config
from pipeline.errors import ConfigError, SceneError
from pipeline.process import plan_scene
from pipeline.readers import open_scene
from pipeline.run.plan_text import plan_lines

LINES, PIXELS = 40, 33
BANDS = (412, 443, 490)
SWATHS = {
    "descending": {},
    "ascending": {"descending": False},
    "antimeridian": {"antimeridian": True},
    "pole": {"pole": True},
}


@pytest.fixture
def network(tmp_path):
    return network_for(tmp_path, BANDS)


def swath(folder, *, write=acolite_l2w.write, bands=BANDS, **changes):
    """A miniature of a swath."""
    return write(folder, image_of_coordinates(LINES, PIXELS, bands, **changes))


def planned(tmp_path, network, scene, **window):
    """The rectangle that a window becomes."""
    return planned_window(scene, run_settings(tmp_path, network, window=window))


def seen(scene):
    """Latitude and longitude as the scene has them."""
    with open_scene(scene) as opened:
        return opened.latitude.values.astype(float), opened.longitude.values.astype(float)


def assert_as_the_oracle(tmp_path, network, scene, box):
    """The plan's rectangle is the oracle's for the scene's own positions."""
    expected = oracle_geolocation.window_of_bbox(*seen(scene), *box)
    assert expected is not None, "the box of the test holds nothing"
    assert planned(tmp_path, network, scene, bbox=list(box)) == expected
    return expected


# Lines and pixels


@pytest.mark.quick
@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({}, (0, 40, 0, 33)),
        ({"lines": [3, 17]}, (3, 17, 0, 33)),
        ({"pixels": [32, 33]}, (0, 40, 32, 33)),
        ({"lines": [39, 40], "pixels": [0, 1]}, (39, 40, 0, 1)),
        ({"lines": [0, 40], "pixels": [0, 33]}, (0, 40, 0, 33)),
        ({"lines": [10, 4000], "pixels": [8, 34]}, (10, 40, 8, 33)),
    ],
)
def test_lines_and_pixels(tmp_path, network, window, expected):
    """They count from 0, the end is exclusive and cut to the scene."""
    scene = swath(tmp_path).path
    assert planned(tmp_path, network, scene, **window) == expected
    path = product_of(scene, run_settings(tmp_path, network, window=window))
    assert window_of(path) == expected
    with netCDF4.Dataset(path) as file:
        said = file["processing_control/inputs/scene"]
        assert (said.scene_lines, said.scene_pixels) == (40, 33)
        shape = (expected[1] - expected[0], expected[3] - expected[2])
        assert file["quality_flags"].shape == shape


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"lines": [9, 3]}, ("science.window.lines", "first < end")),
        ({"lines": [4, 4]}, ("science.window.lines", "first < end")),
        ({"pixels": [-1, 4]}, ("science.window.pixels", "0 <= first")),
        ({"lines": [1]}, ("science.window.lines",)),
        ({"lines": [1.5, 3]}, ("science.window.lines",)),
        ({"lines": ["a", 3]}, ("science.window.lines",)),
        ({"bbox": [1, 2, 3]}, ("science.window.bbox",)),
        ({"bbox": [5, 40, 6, 30]}, ("science.window.bbox", "south < north")),
        ({"bbox": [5, -91, 6, 30]}, ("science.window.bbox", "-90 to 90")),
        ({"bbox": [-181, 0, 6, 30]}, ("science.window.bbox", "-180 to 360")),
        ({"bbox": [0, 0, 361, 30]}, ("science.window.bbox", "-180 to 360")),
        ({"bbox": [7, 0, 7, 30]}, ("science.window.bbox", "west and east to be different")),
        ({"bbox": [float("nan"), 0, 7, 30]}, ("science.window.bbox", "-180 to 360")),
        ({"bbox": [0, float("nan"), 7, 30]}, ("science.window.bbox", "south < north")),
        ({"line": [0, 3]}, ("science.window.line", "did you mean 'lines'")),
    ],
)
def test_a_window_that_means_nothing_is_refused(tmp_path, network, window, words):
    """Whatever the scene, with the place in the configuration and what is expected there."""
    with pytest.raises(ConfigError) as caught:
        load_config(run_settings(tmp_path, network, window=window))
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(("what", "size"), [("lines", 40), ("pixels", 33)])
@pytest.mark.parametrize("beyond", [0, 7])
def test_a_window_beyond_the_scene(tmp_path, network, what, size, beyond):
    """The message names the scene, its size, and the option and key to correct."""
    scene = swath(tmp_path).path
    window = {what: [size + beyond, size + beyond + 2]}
    with pytest.raises(SceneError) as caught:
        planned(tmp_path, network, scene, **window)
    words = (scene.name, f"{what} {size + beyond}:", f"has {size}", f"science.window.{what}")
    assert [word for word in words if word not in str(caught.value)] == []


# Boxes on swaths


@pytest.mark.parametrize("where", SWATHS)
@pytest.mark.parametrize("seed", range(4))
def test_a_box_on_a_swath(tmp_path, network, where, seed):
    """Random boxes around pixels of the scene mean what the oracle says."""
    scene = swath(tmp_path, **SWATHS[where]).path
    drawn = np.random.default_rng(seed)
    latitude, longitude = seen(scene)
    for _ in range(5):
        line, pixel = drawn.integers(LINES), drawn.integers(PIXELS)
        height, width = drawn.uniform(0.003, 0.15, 2)
        width *= 200 if where == "pole" else 1
        west, east = longitude[line, pixel] - width, longitude[line, pixel] + width
        box = (
            west + 360 if west < -180 else west,
            latitude[line, pixel] - height,
            east - 360 if east > 180 else east,
            min(latitude[line, pixel] + height, 90.0),
        )
        assert_as_the_oracle(tmp_path, network, scene, box)


@pytest.mark.quick
def test_a_box_across_the_antimeridian(tmp_path, network):
    """West above east; written in 0..360 the same box means the same."""
    scene = swath(tmp_path, antimeridian=True).path
    south, north = 34.5, 34.65
    found = assert_as_the_oracle(tmp_path, network, scene, (179.95, south, -179.95, north))
    assert 2 < found[3] - found[2] < PIXELS
    assert_as_the_oracle(tmp_path, network, scene, (179.95, south, 180.05, north))
    assert found == planned(tmp_path, network, scene, bbox=[179.95, south, 180.05, north])


def test_the_other_side_of_the_globe_is_outside(tmp_path, network):
    """East above west does not go the long way round."""
    scene = swath(tmp_path, antimeridian=True).path
    with pytest.raises(SceneError, match="no pixel of the scene is in the box"):
        planned(tmp_path, network, scene, bbox=[-179.7, 30, 179.7, 40])


@pytest.mark.parametrize("box", [(179.95, -179.95), (179.95, 180.05)])
def test_longitudes_that_count_to_360(tmp_path, network, box):
    """A file from 0 to 360 degrees, with boxes of either way of counting."""
    truth = image_of_coordinates(LINES, PIXELS, (400.0, 442.5, 490.0), antimeridian=True)
    truth = dataclasses.replace(truth, longitude=truth.longitude % 360)
    scene = c2rcc.write(tmp_path, truth).path
    with netCDF4.Dataset(scene) as file:
        assert file["lon"][:].max() > 180.1
    settings = run_settings(tmp_path, network, tolerance=15)
    latitude, longitude = seen(scene)
    expected = oracle_geolocation.window_of_bbox(latitude, longitude, box[0], 34.5, box[1], 34.65)
    settings["science"]["window"] = {"bbox": [box[0], 34.5, box[1], 34.65]}
    assert planned_window(scene, settings) == expected


@pytest.mark.parametrize(
    ("west", "east"),
    [(-180, 180), (0, 360), (-180, 360), (-90, 300), (-180, 181), (-10, 350), (-10, 360)],
)
def test_a_box_round_the_globe_holds_every_longitude(tmp_path, network, west, east):
    """However its whole turn, or more, is written."""
    scene = swath(tmp_path).path
    latitude, _ = seen(scene)
    south, north = float(latitude[11].min()), float(latitude[20].max())
    assert_as_the_oracle(tmp_path, network, scene, (west, south, east, north))


def test_a_box_over_the_pole(tmp_path, network):
    """All longitudes near 90 degrees north: the rectangle around a circle."""
    scene = swath(tmp_path, pole=True).path
    found = assert_as_the_oracle(tmp_path, network, scene, (-180.0, 89.95, 180.0, 90.0))
    assert (found[1] - found[0], found[3] - found[2]) < (LINES, PIXELS)


def test_edges_belong_to_the_box(tmp_path, network):
    """A box drawn through pixel centres holds these pixels."""
    scene = swath(tmp_path).path
    latitude, longitude = seen(scene)
    corners = latitude[[10, 20], [8, 8]], longitude[[10, 20], [8, 8]]
    box = (corners[1].min(), corners[0].min(), corners[1].max(), corners[0].max())
    first, stop, _, _ = assert_as_the_oracle(tmp_path, network, scene, box)
    assert first <= 10
    assert stop >= 21


def test_a_box_of_one_pixel(tmp_path, network):
    """The smallest window is a product, too."""
    scene = swath(tmp_path).path
    latitude, longitude = seen(scene)
    y, x = latitude[17, 9], longitude[17, 9]
    box = [x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4]
    path = product_of(scene, run_settings(tmp_path, network, window={"bbox": box}))
    assert window_of(path) == (17, 18, 9, 10)
    assert numbers(path)["latitude"].shape == (1, 1)


def test_a_box_within_lines_and_pixels(tmp_path, network):
    """Both must hold: the box is looked for in these lines and pixels only."""
    scene = swath(tmp_path).path
    latitude, longitude = seen(scene)
    box = (longitude[20, 4], latitude[28, 16], longitude[20, 28], latitude[12, 16])
    part = (slice(15, 38), slice(0, 20))
    inside = oracle_geolocation.window_of_bbox(latitude[part], longitude[part], *box)
    assert inside is not None
    expected = (inside[0] + 15, inside[1] + 15, inside[2], inside[3])
    window = {"bbox": list(box), "lines": [15, 38], "pixels": [0, 20]}
    assert planned(tmp_path, network, scene, **window) == expected
    path = product_of(scene, run_settings(tmp_path, network, window=window))
    assert window_of(path) == expected
    window |= {"lines": [0, 3]}
    with pytest.raises(SceneError, match="no pixel of the scene is in the box"):
        planned(tmp_path, network, scene, **window)


@pytest.mark.parametrize("value", [np.nan, -999.0])
def test_missing_geolocation_is_outside(tmp_path, network, value):
    """NaN and fill are in no box, not even in one of the whole globe."""
    line, pixel = np.mgrid[0:12, 0:9]
    latitude = np.where((line < 3) | (pixel == 8), value, 10 + 0.01 * line)
    counts = {nm: counts_of(np.full((12, 9), 0.004)) for nm in (412, 443, 488)}
    scene = write_obpg_l2(tmp_path / "s.nc", counts, latitude=latitude)
    assert planned(tmp_path, network, scene, bbox=[-180, -90, 180, 90]) == (3, 12, 0, 8)
    nowhere = write_obpg_l2(
        tmp_path / "n.nc", counts, latitude=np.full((12, 9), value), longitude=latitude * np.nan
    )
    with pytest.raises(SceneError, match="has no valid geolocation"):
        planned(tmp_path, network, nowhere, bbox=[-180, -90, 180, 90])


def test_a_box_with_nothing_inside(tmp_path, network):
    """The message says where the scene is, and which option and key to correct."""
    scene = swath(tmp_path).path
    with pytest.raises(SceneError) as caught:
        product_of(scene, run_settings(tmp_path, network, window={"bbox": [5, 40, 6, 41]}))
    words = (
        scene.name,
        "west 5, south 40, east 6, north 41",
        "latitude 34.",
        "longitude 13",
        "science.window.bbox",
    )
    assert [word for word in words if word not in str(caught.value)] == []
    assert not (tmp_path / "out").exists()


def test_a_hole_in_the_box_does_not_matter(tmp_path, network):
    """A box smaller than the gap between two pixel centres holds nothing."""
    scene = swath(tmp_path).path
    latitude, longitude = seen(scene)
    y = (latitude[5, 5] + latitude[6, 6]) / 2
    x = (longitude[5, 5] + longitude[6, 6]) / 2
    box = [x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4]
    assert oracle_geolocation.window_of_bbox(latitude, longitude, *box) is None
    with pytest.raises(SceneError, match="no pixel of the scene"):
        planned(tmp_path, network, scene, bbox=box)


# Boxes on maps and tie points


@pytest.mark.parametrize("north_up", [True, False], ids=["north up", "south up"])
@pytest.mark.parametrize("antimeridian", [False, True], ids=["plain", "antimeridian"])
@pytest.mark.parametrize("write", [occci_l3.write, pace_l3m.write], ids=["occci", "pace"])
def test_a_box_on_a_map(tmp_path, network, write, north_up, antimeridian):
    """The lines and pixels are those of the oracle, and the product's axes are of them."""
    truth = map_of_coordinates(24, 30, BANDS, north_up=north_up, antimeridian=antimeridian)
    scene = write(tmp_path, truth).path
    box = (179.6, 39.2, -179.7, 39.7) if antimeridian else (5.4, 39.2, 6.1, 39.7)
    expected = assert_as_the_oracle(tmp_path, network, scene, box)
    path = product_of(scene, run_settings(tmp_path, network, window={"bbox": list(box)}))
    assert window_of(path) == expected
    found = numbers(path)
    whole = numbers(product_of(scene, run_settings(tmp_path / "whole", network)))
    np.testing.assert_array_equal(found["y"], whole["y"][expected[0] : expected[1]])
    np.testing.assert_array_equal(found["x"], whole["x"][expected[2] : expected[3]])


def test_a_box_through_the_centres_of_a_map(tmp_path, network):
    """Centres at tenths of a degree, as the file says them: edges at tenths hold all four."""
    truth = map_of_coordinates(20, 20, BANDS, northwest=(40.05, 4.95), step=(0.1, 0.1))
    latitude = np.round(truth.latitude, 6)
    longitude = np.round(truth.longitude, 6)
    truth = dataclasses.replace(truth, latitude=latitude, longitude=longitude)
    scene = occci_l3.write(tmp_path, truth).path
    missed = []
    for i, j in itertools.product(range(0, 12, 3), range(1, 14, 2)):
        box = [longitude[0, j], latitude[i + 4, 0], longitude[0, j + 4], latitude[i, 0]]
        if planned(tmp_path, network, scene, bbox=box) != (i, i + 5, j, j + 5):
            missed.append(box)
    assert missed == []


@pytest.mark.parametrize("orientation", ["north_up", "south_up"])
@pytest.mark.parametrize("crs", [geotiff.GEOGRAPHIC, geotiff.UTM])
def test_a_box_on_a_geotiff(tmp_path, network, crs, orientation):
    """Latitude and longitude are computed from the reference system; lines may run north."""
    truth = map_of_coordinates(24, 30, BANDS)
    written = geotiff.write(tmp_path, truth, crs=crs, orientation=orientation)
    middle = written.longitude[12, 15], written.latitude[12, 15]
    box = [middle[0] - 0.0151, middle[1] - 0.0091, middle[0] + 0.0101, middle[1] + 0.0081]
    expected = oracle_geolocation.window_of_bbox(written.latitude, written.longitude, *box)
    reader = {"format": "geotiff", "options": {"units": "sr-1"}}
    settings = run_settings(tmp_path, network, reader=reader, window={"bbox": box})
    assert expected is not None
    assert planned_window(written.path, settings) == expected


@pytest.mark.parametrize("where", ["descending", "ascending", "antimeridian"])
@pytest.mark.parametrize("interval", [5, 10])
def test_a_box_on_tie_points(tmp_path, network, where, interval):
    """SGLI: the box is compared with positions at every pixel, not with tie points."""
    truth = image_of_coordinates(LINES, PIXELS, BANDS, **SWATHS[where])
    written = sgli_nwlr.write(tmp_path, truth, interval=interval)
    y, x = written.latitude[22, 13], written.longitude[22, 13]
    west, east = x - 0.0631, x + 0.0707
    box = [west, y - 0.0412, east if east < 180 else east - 360, y + 0.0321]
    expected = oracle_geolocation.window_of_bbox(written.latitude, written.longitude, *box)
    assert expected is not None
    assert planned(tmp_path, network, written.path, bbox=box) == expected


# The same bits as in the whole scene


def sparse(lines, pixels, **pixels_of_flags):
    """Flags that are raised at some pixels only."""
    flags = {}
    for name, places in pixels_of_flags.items():
        flags[name] = np.zeros((lines, pixels), bool)
        for place in places:
            flags[name][place] = True
    return flags


WINDOW = (11, 29, 9, 24)
# Just outside of the window, on its four sides and at a corner; and inside.
LAND = [(9, 12), (20, 7), (30, 20), (15, 25), (9, 7), (20, 15)]
CLOUD = [(6, 18), (33, 27)]


def classifier(folder):
    """A network of classes, described in YAML, on two of the bands."""
    tables = {
        "w1.csv": [[0.9, -0.4, 0.3], [-0.7, 0.5, 0.2]],
        "b1.csv": [[0.05], [0.02], [-0.01]],
    }
    for name, rows in tables.items():
        (folder / name).write_text("\n".join(", ".join(map(str, row)) for row in rows) + "\n")
    scaled = {"transform": "log10", "scaling": "minmax", "range": [0.0005, 0.05]}
    described = {
        "schema": 1,
        "name": "classes",
        "sensors": ["SGLI"],
        "inputs": [
            {"quantity": "Rrs", "wavelength_nm": nm, "units": "sr-1", **scaled} for nm in (443, 490)
        ],
        "classes": {"quantity": "water_type", "names": ["clear", "turbid", "bloom"]},
        "layers": [{"kernel": "w1.csv", "bias": "b1.csv", "activation": "softmax"}],
    }
    (folder / "classes.yaml").write_text(json.dumps(described))  # JSON is YAML
    return folder / "classes.yaml"


MASKS = {
    "flags": ["LAND", "CLDICE", "STRAYLIGHT"],
    "expressions": {
        "bright": "Rrs_670 > 0.0264 and Rrs_670 < 0.0265",
        "east": "longitude > 139.35",
    },
    "values": ["missing"],
    "dilate": {"LAND": 2, "CLDICE": 6, "bright": 3},
}


def sgli_scene(folder):
    """With flags raised beside the window, so that their grown areas reach into it."""
    truth = image_of_coordinates(LINES, PIXELS, (412, 443, 490, 565, 670))
    flags = sparse(LINES, PIXELS, LAND=LAND, CLDICE=CLOUD, STRAYLIGHT=[(12, 12)])
    truth = dataclasses.replace(
        truth, flags=flags, missing=truth.missing & (truth.rrs[412] > 0.004)
    )
    return sgli_nwlr.write(folder, truth, interval=5, chunk=(8, 10))


def assert_same_window(part, whole, window):
    """Every variable of the windowed product is that part of the whole, bit for bit."""
    first, stop, left, right = window
    assert part.keys() == whole.keys()
    for name, values in whole.items():
        where = {"y": (slice(first, stop),), "x": (slice(left, right),)}.get(
            name, (slice(first, stop), slice(left, right)) if values.ndim else ()
        )
        expected = values[where]
        assert part[name].dtype == expected.dtype
        assert part[name].shape == expected.shape, name
        assert part[name].tobytes() == np.ascontiguousarray(expected).tobytes(), name


def window_settings(folder, network, classes, **science):
    """Regression and classes, masks that grow."""
    settings = run_settings(folder, network, masks=MASKS, **science)
    settings["science"]["networks"].append(
        {"name": "types", "file": str(classes), "allow_other_sensor": True}
    )
    return settings


@pytest.fixture(scope="module", params=["numpy", "onnxruntime", "tensorflow"])
def whole_run(request, tmp_path_factory):
    """The product of a whole scene on one engine."""
    folder = tmp_path_factory.mktemp("whole")
    written = sgli_scene(folder)
    networks = network_for(folder, BANDS), classifier(folder)
    settings = window_settings(folder, *networks, engine=request.param)
    path = product_of(written.path, settings)
    return request.param, written, networks, path


WINDOWS = {
    "lines and pixels": {"lines": [11, 29], "pixels": [9, 24]},
    "lines": {"lines": [17, 18]},
    "pixels": {"pixels": [31, 33]},
    "a box": "box",
}


# Blocks of any size on one engine; what it computes is asked of the others.
ENGINES_AND_CHUNKS = [("numpy", chunk) for chunk in ((512, 512), (7, 4), (8, 10), (1, 33))]
ENGINES_AND_CHUNKS += [(engine, (7, 4)) for engine in ("onnxruntime", "tensorflow")]


@pytest.mark.parametrize(
    ("whole_run", "chunk"), ENGINES_AND_CHUNKS, indirect=["whole_run"], ids=str
)
@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_has_the_bits_of_the_whole(tmp_path, whole_run, window, chunk):
    """Values, classes, flags, positions and the scene's own flags, in blocks of any size."""
    engine, written, networks, path = whole_run
    said = WINDOWS[window]
    if said == "box":
        place = written.latitude[15:27, 12:20], written.longitude[15:27, 12:20]
        west, east = place[1].min(), place[1].max()
        said = {"bbox": [float(west), float(place[0].min()), float(east), float(place[0].max())]}
    settings = window_settings(tmp_path, *networks, engine=engine, chunk=chunk, window=said)
    settings["execution"]["threads"] = 2
    part = product_of(written.path, settings)
    found = window_of(part)
    assert found != (0, LINES, 0, PIXELS)
    assert_same_window(numbers(part), numbers(path), found)


def test_the_whole_run_has_something_to_compare(whole_run):
    """Values, all classes' probabilities, every mask and both unmasked and masked pixels."""
    path = whole_run[3]
    found = numbers(path)
    assert {"aph_443", "adg_443", "water_type", "QA_flag", "latitude"} <= set(found)
    for name in ("LAND", "CLDICE", "STRAYLIGHT", "bright", "east", "missing"):
        bit = flag_bit(path, "quality_flags", f"masked_{name}")
        assert bit.any(), name
        assert not bit.all(), name
    first, stop, left, right = WINDOW
    assert (found["aph_443"][first:stop, left:right] != -32767).any()


def test_grown_masks_reach_into_the_window(tmp_path, whole_run):
    """Flags raised outside the window exclude pixels inside, as the oracle grows them."""
    _, written, networks, _ = whole_run
    first, stop, left, right = WINDOW
    window = {"lines": [first, stop], "pixels": [left, right]}
    settings = window_settings(tmp_path, *networks, chunk=(5, 6), window=window)
    path = product_of(written.path, settings)
    for name, radius in (("LAND", 2), ("CLDICE", 6)):
        grown = oracle_geolocation.dilate(written.flags[name], radius)
        expected = grown[first:stop, left:right]
        alone = written.flags[name][first:stop, left:right]
        assert expected.sum() > oracle_geolocation.dilate(alone, radius).sum()
        np.testing.assert_array_equal(
            flag_bit(path, "quality_flags", f"masked_{name}"), expected, err_msg=name
        )


FORMATS = {
    "olci": (olci_wfr.write, (412.5, 442.5, 490.0), ("CLOUD", "WATER"), image_of_coordinates),
    "control points": (obpg_control_points.write, BANDS, ("LAND",), image_of_coordinates),
    "obpg 3-D": (obpg_l2_3d.write, BANDS, ("LAND",), image_of_coordinates),
    "c2rcc": (c2rcc.write, (400.0, 442.5, 490.0), ("Valid_PE",), image_of_coordinates),
    "acolite": (acolite_l2w.write, BANDS, ("SWIR",), image_of_coordinates),
    "occci": (occci_l3.write, BANDS, (), map_of_coordinates),
    "pace map": (pace_l3m.write, BANDS, (), map_of_coordinates),
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("antimeridian", [False, True], ids=["plain", "antimeridian"])
def test_a_window_of_every_format(tmp_path, kind, antimeridian):
    """Tie points, control points, cubes, folders and maps: the same bits as the whole."""
    write, bands, flags, make = FORMATS[kind]
    truth = make(LINES, PIXELS, bands, flags=flags, antimeridian=antimeridian)
    scene = write(tmp_path, truth, chunk=(8, 10)).path
    network = network_for(tmp_path, bands)
    whole = product_of(scene, run_settings(tmp_path, network, chunk=(9, 9)))
    window = {"lines": [5, 30], "pixels": [3, 31]}
    part = product_of(scene, run_settings(tmp_path / "p", network, chunk=(6, 7), window=window))
    assert_same_window(numbers(part), numbers(whole), (5, 30, 3, 31))


# What is read


def chunks_of(window, chunk, margin=0, shape=(LINES, PIXELS)):
    """The storage chunks that a window, grown by some pixels, touches."""
    first, stop, left, right = window
    rows = range(
        max(first - margin, 0) // chunk[0], (min(stop + margin, shape[0]) - 1) // chunk[0] + 1
    )
    columns = range(
        max(left - margin, 0) // chunk[1], (min(right + margin, shape[1]) - 1) // chunk[1] + 1
    )
    return dict.fromkeys(itertools.product(rows, columns), 1)


BIG, SMALL_CHUNK = (64, 72), (8, 9)
BIG_WINDOW = (25, 39, 28, 44)


def big_scene(folder, chunk=SMALL_CHUNK, every=0):
    """8 x 8 storage chunks, five bands, chlorophyll that nobody asks for."""
    drawn = np.random.default_rng(1)
    rrs = {nm: drawn.uniform(0.002, 0.02, BIG) for nm in (412, 443, 488, 547, 667)}
    flags = np.where(drawn.random(BIG) < 0.01, CLDICE, 0)
    return write_obpg_l2(
        folder / "big.nc",
        {nm: counts_of(values) for nm, values in rrs.items()},
        flags=flags,
        extra={"chlor_a": np.ones(BIG)},
        chunk=chunk,
        control_point_every=every,
    )


def reads_of(scene, settings, monkeypatch):
    """What a run reads of a scene."""
    with counted_reads(scene, monkeypatch) as reads:
        product_of(scene, settings)
    return reads


INPUTS = ("Rrs_412", "Rrs_443", "Rrs_488")


@pytest.mark.parametrize("block", [(512, 512), (5, 7)], ids=str)
def test_only_chunks_of_the_window_are_read_and_each_once(tmp_path, network, monkeypatch, block):
    """Bands, flags and positions; other bands and variables not at all."""
    scene, window = big_scene(tmp_path), {"lines": [25, 39], "pixels": [28, 44]}
    masks = {"flags": ["LAND", "CLDICE"]}
    settings = run_settings(tmp_path, network, chunk=block, threads=2, window=window, masks=masks)
    reads = reads_of(scene, settings, monkeypatch)
    assert reads.names() == {*INPUTS, "l2_flags", "latitude", "longitude"}
    expected = chunks_of(BIG_WINDOW, SMALL_CHUNK, shape=BIG)
    for name in reads.names():
        assert dict(reads.of(name)) == expected, name


@pytest.mark.parametrize("block", [(512, 512), (5, 7)], ids=str)
def test_a_box_reads_positions_once(tmp_path, network, monkeypatch, block):
    """Latitude and longitude as a whole, each chunk once; bands and flags of the window only."""
    scene = big_scene(tmp_path)
    box = [20.28 - 1e-4, 10.25 - 1e-4, 20.43 + 1e-4, 10.38 + 1e-4]
    settings = run_settings(tmp_path, network, chunk=block, threads=2, window={"bbox": box})
    assert planned_window(scene, settings) == BIG_WINDOW
    reads = reads_of(scene, settings, monkeypatch)
    everything = chunks_of((0, *BIG[:1], 0, *BIG[1:]), SMALL_CHUNK, shape=BIG)
    for name in ("latitude", "longitude"):
        assert dict(reads.of(name)) == everything, name
    expected = chunks_of(BIG_WINDOW, SMALL_CHUNK, shape=BIG)
    for name in (*INPUTS, "l2_flags"):
        assert dict(reads.of(name)) == expected, name


def test_a_box_within_lines_reads_positions_of_these_lines(tmp_path, network, monkeypatch):
    """What lines and pixels exclude is not even looked at."""
    scene = big_scene(tmp_path)
    window = {"bbox": [20.28, 10.0, 20.43, 20.0], "lines": [25, 39], "pixels": [20, 50]}
    reads = reads_of(scene, run_settings(tmp_path, network, window=window), monkeypatch)
    expected = chunks_of((25, 39, 20, 50), SMALL_CHUNK, shape=BIG)
    for name in ("latitude", "longitude"):
        assert dict(reads.of(name)) == expected, name


@pytest.mark.parametrize("radius", [1, 2, 9])
def test_a_grown_flag_reads_its_margin_and_no_more(tmp_path, network, monkeypatch, radius):
    """Flags within the radius of the window are read, once; bands of the window only."""
    scene, window = big_scene(tmp_path), {"lines": [25, 39], "pixels": [28, 44]}
    masks = {"flags": ["CLDICE"], "dilate": {"CLDICE": radius}}
    settings = run_settings(tmp_path, network, chunk=(5, 7), window=window, masks=masks)
    reads = reads_of(scene, settings, monkeypatch)
    expected = chunks_of(BIG_WINDOW, SMALL_CHUNK, shape=BIG)
    for name in (*INPUTS, "latitude", "longitude"):
        assert dict(reads.of(name)) == expected, name
    flags = reads.of("l2_flags")
    assert set(flags.values()) == {1}
    assert set(flags) == set(chunks_of(BIG_WINDOW, SMALL_CHUNK, radius, BIG))


def test_a_grown_expression_reads_its_own_band_only(tmp_path, network, monkeypatch):
    """Of the bands that no network takes, only that in the expression is read."""
    scene = big_scene(tmp_path)
    masks = {"expressions": {"red": "Rrs_667 > 0.0199"}, "dilate": {"red": 2}}
    reads = reads_of(scene, run_settings(tmp_path, network, masks=masks), monkeypatch)
    assert reads.names() == {*INPUTS, "Rrs_667", "l2_flags", "latitude", "longitude"}


def test_a_grown_expression_reads_its_margin_and_no_more(tmp_path, network, monkeypatch):
    """The band of the expression within the radius of the window, once; other bands in it only."""
    scene, window = big_scene(tmp_path), {"lines": [25, 39], "pixels": [28, 44]}
    masks = {"expressions": {"red": "Rrs_667 > 0.0199"}, "dilate": {"red": 2}}
    settings = run_settings(tmp_path, network, chunk=(5, 7), window=window, masks=masks)
    reads = reads_of(scene, settings, monkeypatch)
    inside = chunks_of(BIG_WINDOW, SMALL_CHUNK, shape=BIG)
    for name in (*INPUTS, "l2_flags", "latitude", "longitude"):
        assert dict(reads.of(name)) == inside, name
    assert dict(reads.of("Rrs_667")) == chunks_of(BIG_WINDOW, SMALL_CHUNK, 2, BIG)


def test_a_grown_mask_of_a_whole_scene_reads_each_chunk_once(tmp_path, network, monkeypatch):
    """A band that a network takes and a grown expression names is read once, too."""
    scene = big_scene(tmp_path)
    masks = {
        "flags": ["CLDICE"],
        "expressions": {"blue": "Rrs_443 > 0.0199"},
        "values": ["negative"],
        "dilate": {"CLDICE": 3, "blue": 2, "negative": 1},
    }
    settings = run_settings(tmp_path, network, chunk=(5, 7), threads=2, masks=masks)
    reads = reads_of(scene, settings, monkeypatch)
    for name in reads.names():
        assert set(reads.of(name).values()) == {1}, name


@pytest.mark.parametrize("kind", ["window", "box", "whole"])
def test_what_is_stored_in_one_piece_is_read_once(tmp_path, network, monkeypatch, kind):
    """Without chunks and compression no element is read twice, in blocks of any size."""
    scene = tmp_path / "flat.nc"
    with netCDF4.Dataset(big_scene(tmp_path)) as old, netCDF4.Dataset(scene, "w") as new:
        new.setncatts({name: old.getncattr(name) for name in old.ncattrs()})
        for name, dimension in old.dimensions.items():
            new.createDimension(name, len(dimension))
        for group in old.groups.values():
            made = new.createGroup(group.name)
            for name, variable in group.variables.items():
                variable.set_auto_maskandscale(False)
                fill = getattr(variable, "_FillValue", None)
                copy = made.createVariable(
                    name, variable.dtype, variable.dimensions, fill_value=fill, contiguous=True
                )
                copy.set_auto_maskandscale(False)
                kept = {k: variable.getncattr(k) for k in variable.ncattrs() if k != "_FillValue"}
                copy.setncatts(kept)
                copy[:] = variable[:]
    window = {
        "window": {"lines": [25, 39], "pixels": [28, 44]},
        "box": {"bbox": [20.2799, 10.2499, 20.4301, 10.3801]},
        "whole": {},
    }[kind]
    settings = run_settings(tmp_path, network, chunk=(5, 7), window=window)
    reads = reads_of(scene, settings, monkeypatch)
    assert reads.names() == {*INPUTS, "l2_flags", "latitude", "longitude"}
    for name in reads.names():
        assert reads.elements(name).max() == 1, name


@pytest.mark.parametrize("kind", ["window", "box", "whole"])
@pytest.mark.parametrize("format_", ["sgli", "control points", "olci"])
def test_tie_points_are_read_once(tmp_path, network, monkeypatch, format_, kind):
    """However many blocks are made of them."""
    truth = image_of_coordinates(LINES, PIXELS, BANDS if format_ != "olci" else (412.5, 442.5, 490))
    write = {
        "sgli": sgli_nwlr.write,
        "control points": obpg_control_points.write,
        "olci": olci_wfr.write,
    }[format_]
    scene = write(tmp_path, truth, chunk=(8, 10)).path
    latitude, longitude = seen(scene)
    part = latitude[10:20, 8:18], longitude[10:20, 8:18]
    box = [part[1].min(), part[0].min(), part[1].max(), part[0].max()]
    window = {
        "window": {"lines": [9, 20], "pixels": [12, 25]},
        "box": {"bbox": [float(edge) for edge in box]},
        "whole": {},
    }[kind]
    masks = {"expressions": {"low_sun": "solar_zenith > 70"}} if format_ == "olci" else {}
    settings = run_settings(tmp_path, network, chunk=(7, 4), window=window, masks=masks)
    reads = reads_of(scene, settings, monkeypatch)
    ties = {"sgli": ["Latitude", "Longitude"], "control points": ["latitude", "longitude"]}
    for name in ties.get(format_, ["SZA", "latitude", "longitude"]):
        assert reads.elements(name).max() == 1, name


def test_a_box_is_planned_without_reading_bands(tmp_path, network, monkeypatch):
    """A dry run with a box reads positions and nothing else."""
    scene = big_scene(tmp_path)
    settings = load_config(run_settings(tmp_path, network, window={"bbox": [20.1, 10, 20.2, 11]}))
    with counted_reads(scene, monkeypatch) as reads:
        plan = plan_scene(scene, settings)
    assert reads.names() == {"latitude", "longitude"}
    assert any(line.startswith("window") for line in plan_lines(plan))


def test_a_window_is_part_of_the_identity(tmp_path, network):
    """Two windows of one scene have different ids; the window is in the configuration recorded."""
    scene = swath(tmp_path).path
    ids = []
    for lines in ([0, 5], [0, 6]):
        path = product_of(scene, run_settings(tmp_path, network, window={"lines": lines}))
        with netCDF4.Dataset(path) as file:
            ids.append(file.id)
            said = yaml.safe_load(file["processing_control/input_parameters"].configuration)
            assert said["science"]["window"]["lines"] == lines
    assert ids[0] != ids[1]


def test_windows_of_any_blocks_give_the_same_bytes(tmp_path, network, monkeypatch):
    """One and two threads, with masks that grow: equal files."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    scene = sgli_scene(tmp_path).path
    files = []
    for threads in (1, 2):
        window = {"lines": [11, 29], "pixels": [9, 24]}
        folder = tmp_path / str(threads)
        settings = run_settings(
            folder, network, chunk=(5, 4), threads=threads, window=window, masks=MASKS
        )
        files.append(product_of(scene, settings).read_bytes())
    assert files[0] == files[1]


def test_a_box_takes_no_neighbours_from_a_mask_that_grows(tmp_path, network):
    """A grown rule about latitude sees the lines beyond --lines, with a box as without."""
    scene = swath(tmp_path).path
    middle = float(np.median(seen(scene)[0]))
    masks = {"expressions": {"north": f"latitude > {middle}"}, "dilate": {"north": 3}}
    flags = []
    for bbox in (None, [-180, -90, 180, 90]):
        settings = run_settings(tmp_path, network, tolerance=15, masks=masks)
        settings["name"] = "boxed" if bbox else "plain"
        settings["science"]["window"] = {"lines": [12, 26], "bbox": bbox}
        with netCDF4.Dataset(product_of(scene, settings)) as file:
            flags.append(np.asarray(file["quality_flags"][:]))
    np.testing.assert_array_equal(flags[0], flags[1])
    assert 0 < np.count_nonzero(flags[0] & 256) < flags[0].size
