"""Masks that grow, against a loop over pixels."""

from types import SimpleNamespace

import netCDF4
import numpy as np
import oracle_geolocation
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniatures import geotiff, sgli_nwlr
from miniatures.truth import image_of_coordinates, map_of_coordinates
from obpg_miniature import CLDICE, FILL, LAND, counts_of, write_obpg_l2
from small_runs import flag_bit, network_for, numbers, product_of, run_settings

from pipeline.config import load_config
from pipeline.errors import ConfigError
from pipeline.masks.dilation import dilate
from pipeline.process import plan_scene
from pipeline.run.plan_text import plan_lines

SHAPE = (33, 29)
STORED = (6, 5)


@given(
    lines=st.integers(1, 9),
    pixels=st.integers(1, 9),
    radius=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.02, 0.2, 1.0]),
)
@settings(max_examples=150)
def test_a_mask_grows_as_a_loop_over_pixels_says(lines, pixels, radius, seed, share):
    """Any size and radius; the mask given is left as it is."""
    mask = np.random.default_rng(seed).random((lines, pixels)) < share
    before = mask.copy()
    np.testing.assert_array_equal(dilate(mask, radius), oracle_geolocation.dilate(mask, radius))
    np.testing.assert_array_equal(mask, before)


@pytest.mark.quick
def test_one_pixel_grows_to_a_square():
    """Diagonals included: the distance is the larger of that in lines and in pixels."""
    mask = np.zeros((7, 8), bool)
    mask[3, 4] = True
    grown = dilate(mask, 2)
    assert grown[1:6, 2:7].all()
    assert grown.sum() == 25


@pytest.fixture
def network(tmp_path):
    return network_for(tmp_path, (412, 443, 488))


@pytest.fixture
def scene(tmp_path):
    """Random flags, bands with every defect, and chlorophyll in other chunks than the bands."""
    drawn = np.random.default_rng(3)
    cloud, land = drawn.random(SHAPE) < 0.02, drawn.random(SHAPE) < 0.01
    counts = {nm: counts_of(drawn.uniform(0.002, 0.02, SHAPE)) for nm in (412, 443, 488, 667)}
    marks = {"missing": FILL, "zero": -25000, "negative": -25100, "outside_valid_range": 25001}
    masks = {"CLDICE": cloud, "LAND": land}
    for number, (name, count) in enumerate(marks.items()):
        masks[name] = drawn.random(SHAPE) < 0.01
        counts[(412, 443, 488, 412)[number]][masks[name]] = count
    for name, later in (("missing", "outside_valid_range"),):
        masks[name] &= ~masks[later]  # of one band, the later mark stays
    masks["missing"] |= masks["outside_valid_range"]  # both are NaN
    chlor_a = drawn.uniform(0.1, 9, SHAPE).astype(np.float32)
    red = counts[667].astype(float) * float(np.float32(2e-6)) + float(np.float32(0.05))
    masks |= {"red": red > 0.0198, "green": chlor_a > 8.8}
    path = write_obpg_l2(
        tmp_path / "scene.nc",
        counts,
        flags=np.where(cloud, CLDICE, 0) | np.where(land, LAND, 0),
        chunk=STORED,
    )
    with netCDF4.Dataset(path, "a") as file:
        dims = ("number_of_lines", "pixels_per_line")
        group = file["geophysical_data"]
        group.createVariable("chlor_a", "f4", dims, chunksizes=(11, 29))[:] = chlor_a
    # On these pixels, rules that ask for a number are undecided, unless another band meets them.
    undecided = {name: masks["missing"] & ~masks[name] for name in ("zero", "negative")}
    return SimpleNamespace(path=path, masks=masks, undecided=undecided)


RULES = {
    "flags": ["LAND", "CLDICE"],
    "expressions": {"red": "Rrs_667 > 0.0198", "green": "chlor_a > 8.8"},
    "values": ["missing", "zero", "negative", "outside_valid_range"],
}
NAMES = ("LAND", "CLDICE", "red", "green", *RULES["values"])


def product(tmp_path, network, scene, masks, **options):
    return product_of(scene, run_settings(tmp_path, network, masks=masks, **options))


# Every rule, and one of each kind by every radius.
ALONE = [(name, 4) for name in NAMES]
ALONE += [(name, radius) for name in ("CLDICE", "green", "zero") for radius in (1, 7, 40, 100)]


@pytest.mark.parametrize(("name", "radius"), ALONE)
def test_a_rule_grows_alone(tmp_path, network, scene, name, radius):
    """Radii within a block, beyond a storage chunk, and beyond the image; other rules stay."""
    path = product(tmp_path, network, scene.path, {**RULES, "dilate": {name: radius}}, chunk=(7, 4))
    for other in NAMES:
        grown = scene.masks[other]
        assert grown.any()
        if other == name:
            grown = oracle_geolocation.dilate(grown, radius)
        grown = grown | scene.undecided.get(other, False)
        found = flag_bit(path, "quality_flags", f"masked_{other}")
        np.testing.assert_array_equal(found, grown, err_msg=other)


@pytest.mark.parametrize("chunk", [(512, 512), (6, 5), (7, 4), (1, 29), (33, 1)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_several_rules_grow_by_their_own_radius(tmp_path, network, scene, chunk, threads):
    """In blocks of any size; a pixel is excluded where any grown rule is."""
    radii = {"LAND": 2, "CLDICE": 1, "red": 1, "missing": 1}
    masks = {**RULES, "dilate": radii}
    path = product(tmp_path, network, scene.path, masks, chunk=chunk, threads=threads)
    excluded = np.zeros(SHAPE, bool)
    for name in NAMES:
        expected = scene.masks[name]
        if name in radii:
            expected = oracle_geolocation.dilate(expected, radii[name])
        expected = expected | scene.undecided.get(name, False)
        excluded |= expected
        found = flag_bit(path, "quality_flags", f"masked_{name}")
        np.testing.assert_array_equal(found, expected, err_msg=name)
    values = numbers(path)["aph_443"]
    assert (values[excluded] == -32767).all()
    assert (values[~excluded] != -32767).any()


def test_what_a_file_says_itself_does_not_grow(tmp_path, network, scene):
    """Neither the scene's own flags in the product, nor no_data and outside_valid_range."""
    plain = numbers(product(tmp_path / "plain", network, scene.path, RULES))
    radii = dict.fromkeys(NAMES, 2)
    grown = numbers(product(tmp_path, network, scene.path, {**RULES, "dilate": radii}))
    np.testing.assert_array_equal(plain["l2_flags"], grown["l2_flags"])
    np.testing.assert_array_equal(plain["quality_flags"] & 255, grown["quality_flags"] & 255)


@pytest.mark.quick
def test_flags_to_keep_grow_where_they_are_not_set(tmp_path, network, scene):
    """Growing "unless ..." grows what is excluded, not what is kept."""
    name = "unless_LAND_or_CLDICE"
    masks = {"keep_flags": ["LAND", "CLDICE"], "dilate": {name: 1}}
    path = product(tmp_path, network, scene.path, masks)
    expected = oracle_geolocation.dilate(~(scene.masks["LAND"] | scene.masks["CLDICE"]), 1)
    found = flag_bit(path, "quality_flags", f"masked_{name}")
    np.testing.assert_array_equal(found, expected)


def test_a_flag_that_a_file_lacks_does_not_grow(tmp_path, network, scene):
    """flags_if_present may be grown, whether they are present or not."""
    masks = {
        "flags_if_present": ["CLDICE", "NOWHERE"],
        "dilate": {"CLDICE": 2, "NOWHERE": 3},
    }
    path = product(tmp_path, network, scene.path, masks)
    expected = oracle_geolocation.dilate(scene.masks["CLDICE"], 2)
    found = flag_bit(path, "quality_flags", "masked_CLDICE")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (1, 1), (2, 3)], ids=str)
def test_narrow_scenes(tmp_path, network, shape):
    """One line, one pixel a line, one pixel."""
    cloud = np.random.default_rng(5).random(shape) < 0.2
    cloud[0, 0] = True
    counts = {nm: counts_of(np.full(shape, 0.004)) for nm in (412, 443, 488)}
    flags = np.where(cloud, CLDICE, 0)
    path = write_obpg_l2(tmp_path / "s.nc", counts, flags=flags, chunk=(1, 1))
    masks = {"flags": ["CLDICE"], "dilate": {"CLDICE": 3}}
    found = flag_bit(
        product(tmp_path, network, path, masks, chunk=(4, 4)), "quality_flags", "masked_CLDICE"
    )
    np.testing.assert_array_equal(found, oracle_geolocation.dilate(cloud, 3))


def test_a_geotiff_without_flags_grows_expressions(tmp_path, network):
    """The scene need not bring flags, and its layers may be in other chunks than its bands."""
    truth = map_of_coordinates(24, 30, (412, 443, 490))
    written = geotiff.write(tmp_path, truth)
    threshold = float(np.nanmax(written.rrs[412]) - 1e-3)
    masks = {
        "expressions": {"bright": f"Rrs_412 > {threshold!r} or latitude > 35.0985"},
        "dilate": {"bright": 3},
    }
    reader = {"format": "geotiff", "options": {"units": "sr-1"}}
    path = product(tmp_path, network, written.path, masks, reader=reader, chunk=(7, 7))
    with np.errstate(invalid="ignore"):
        plain = (written.rrs[412] > threshold) | (written.latitude > 35.0985)
    undecided = np.isnan(written.rrs[412]) & ~plain
    found = flag_bit(path, "quality_flags", "masked_bright")
    assert plain.any()
    assert undecided.any()
    np.testing.assert_array_equal(found, oracle_geolocation.dilate(plain, 3) | undecided)


def test_an_expression_of_interpolated_positions_grows(tmp_path, network):
    """Positions of tie points are made block by block; growing them crosses blocks."""
    truth = image_of_coordinates(40, 33, (412, 443, 490))
    written = sgli_nwlr.write(tmp_path, truth, interval=5, chunk=(8, 10))
    limit = float(np.quantile(written.longitude, 0.9)) + 1e-6
    masks = {"expressions": {"east": f"longitude > {limit!r}"}, "dilate": {"east": 4}}
    path = product(tmp_path, network, written.path, masks, chunk=(5, 6))
    found = flag_bit(path, "quality_flags", "masked_east")
    np.testing.assert_array_equal(found, oracle_geolocation.dilate(written.longitude > limit, 4))


def test_an_expression_of_a_constant_grows(tmp_path, network, scene):
    """A quantity of the configuration is as good as one of the file."""
    masks = {"expressions": {"humid": "relative_humidity > 50"}, "dilate": {"humid": 2}}
    constants = {"relative_humidity": 70}
    path = product(tmp_path, network, scene.path, masks, constants=constants)
    assert flag_bit(path, "quality_flags", "masked_humid").all()


@pytest.mark.parametrize("name", ["LANDD", "masked_LAND", "HILT", "missing"])
def test_an_unknown_name_is_refused(tmp_path, network, scene, name):
    """A flag of the file that is no rule is unknown, too; the message lists the rules."""
    masks = {"flags": ["LAND"], "expressions": {"red": "Rrs_667 > 1"}, "dilate": {name: 2}}
    with pytest.raises(ConfigError) as caught:
        plan_scene(scene.path, load_config(run_settings(tmp_path, network, masks=masks)))
    words = ("masks.dilate", name, "LAND, red", "add the rule")
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("radius", [0, -1, 101, 1.5, "two", None])
def test_a_radius_that_is_none_is_refused(tmp_path, network, radius):
    """Whole pixels from 1 to 100."""
    masks = {"flags": ["LAND"], "dilate": {"LAND": radius}}
    with pytest.raises(ConfigError, match=r"science\.masks\.dilate\.LAND"):
        load_config(run_settings(tmp_path, network, masks=masks))


@pytest.mark.quick
def test_the_plan_and_the_product_say_what_grows(tmp_path, network, scene):
    """By how many pixels, in the dry run and in processing_control."""
    masks = {"flags": ["LAND", "CLDICE"], "dilate": {"LAND": 1, "CLDICE": 12}}
    wanted = run_settings(tmp_path, network, masks=masks)
    lines = "\n".join(plan_lines(plan_scene(scene.path, load_config(wanted))))
    assert "LAND <- source_flags, grown by 1 pixel\n" in lines
    assert "grown by 12 pixels" in lines
    with netCDF4.Dataset(product_of(scene.path, wanted)) as file:
        assert "grown by 12 pixels" in file["processing_control/masks"].masked_CLDICE


def test_the_order_of_the_radii_leaves_no_trace(tmp_path, network, scene, monkeypatch):
    """Two configurations that differ in the order of their keys give the same bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    radii = {"LAND": 1, "CLDICE": 2}
    files = [
        product(
            tmp_path / str(number), network, scene.path, {"flags": ["LAND", "CLDICE"], "dilate": d}
        ).read_bytes()
        for number, d in enumerate((radii, dict(reversed(radii.items()))))
    ]
    assert files[0] == files[1]
