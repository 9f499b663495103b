"""Masks by flag name: every bit of every type, by the file's own masks and meanings."""

import netCDF4
import numpy as np
import oracle
import pytest
import xarray as xr

from pipeline.config import MaskRules, load_config
from pipeline.errors import PipelineError, SceneError
from pipeline.masks import make_rules
from pipeline.masks.flags import FlagRule
from pipeline.readers import open_scene
from pipeline.scene.scene import SOURCE_FLAGS, Band
from pipeline.scene.source_flags import SourceFlags

pytestmark = pytest.mark.quick

# As OBPG writes them: 32 names for 32 bits of a signed int32, bits without a meaning all SPARE.
OBPG = (
    "ATMFAIL LAND PRODWARN HIGLINT HILT HISATZEN COASTZ SPARE STRAYLIGHT CLDICE COCCOLITH TURBIDW "
    "HISOLZEN SPARE LOWLW CHLFAIL NAVWARN ABSAER SPARE MAXAERITER MODGLINT CHLWARN ATMWARN SPARE "
    "SEAICE NAVFAIL FILTER SPARE BOWTIEDEL HIPOL PRODFAIL SPARE"
)
OBPG_MASKS = (np.uint32(1) << np.arange(32, dtype=np.uint32)).view(np.int32)
INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")


def block_of(flags, **attributes):
    """A scene block, (1, n), with these flags and one band."""
    flags = np.atleast_2d(flags)
    return xr.Dataset(
        {
            SOURCE_FLAGS: (("y", "x"), flags, attributes),
            "Rrs": (("Rrs_wavelength", "y", "x"), np.full((1, *flags.shape), 0.01, np.float32)),
            "solar_zenith": (("y", "x"), np.full(flags.shape, 30.0, np.float32)),
        },
        coords={"Rrs_wavelength": [443.0]},
    )


def obpg_block(flags=()):
    return block_of(np.array(flags, np.int32), flag_masks=OBPG_MASKS, flag_meanings=OBPG)


def table_of(masks, meanings, dtype):
    attributes = {"flag_masks": masks, "flag_meanings": meanings}
    return SourceFlags.from_attributes(attributes, np.dtype(dtype))


def one_bit_each(dtype):
    """A pixel for every bit, then one with none and one with all, as stored in that type."""
    bits = 8 * np.dtype(dtype).itemsize
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    pixels = [1 << bit for bit in range(bits)] + [0, (1 << bits) - 1]
    return np.array(pixels, unsigned).view(dtype)


@pytest.mark.parametrize("attributes", [{}, {"_Unsigned": "true"}], ids=["plain", "_Unsigned"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_bit_of_every_type_is_found_by_name(dtype, attributes):
    """The sign bit too: -2147483648 of OBPG's int32, bit 63 of OLCI's WQSF."""
    pixels = one_bit_each(dtype)
    names = [f"BIT{number}" for number in range(len(pixels) - 2)]
    block = block_of(pixels, flag_masks=pixels[:-2], flag_meanings=" ".join(names), **attributes)
    flags = SourceFlags.of(block)
    for number, name in enumerate(names):
        assert 1 << number == flags.mask(name)
        expected = np.zeros(len(pixels), bool)
        expected[[number, -1]] = True
        np.testing.assert_array_equal(
            FlagRule(name, flags.mask(name)).judge(block).excluded[0], expected
        )


def test_the_last_obpg_mask_is_bit_31():
    """Stored as a negative number, it is the one bit and no other."""
    masks = np.array([2, -2147483648], np.int32)
    assert table_of(masks, "LAND LAST", np.int32).masks == {"LAND": 2, "LAST": 1 << 31}


@pytest.mark.parametrize(
    ("variable", "masks", "expected"),
    [
        ("i4", np.array([1, 2**31], "u4"), 1 << 31),
        ("i4", np.array([1, 2**31], "i8"), 1 << 31),
        ("i4", np.array([1, -(2**31)], "i8"), 1 << 31),
        ("u4", np.array([1, -(2**31)], "i4"), 1 << 31),
        ("u1", np.array([1, 128], "i4"), 128),
        ("i1", np.array([1, 128], "u1"), 128),
        ("u2", np.array([1, -32768], "i2"), 1 << 15),
        ("i4", np.array([1, 16], "i1"), 16),
        # 16 and 8 bits of a wider variable: their sign bit is bit 15 and bit 7, nothing above.
        ("i4", np.array([1, -32768], "i2"), 1 << 15),
        ("u4", np.array([1, -128], "i1"), 1 << 7),
        ("u8", np.array([1, -(2**31)], "i4"), 1 << 31),
    ],
)
def test_masks_may_have_another_type_than_the_variable(variable, masks, expected):
    """The bits are those that the mask has in its own type."""
    assert expected == table_of(masks, "A B", variable).mask("B")


def test_a_single_flag_has_a_scalar_mask():
    """NetCDF keeps an attribute of one value as a scalar."""
    flags = table_of(np.int32(4), "WATER", np.int32)
    assert flags.mask("WATER") == 4
    block = block_of(np.array([0, 4, 5, 3], np.int32))
    found = FlagRule("WATER", flags.mask("WATER")).judge(block).excluded
    assert found.tolist() == [[False, True, True, False]]


def test_a_name_that_repeats_has_all_of_its_bits():
    """No bit of OBPG's 32 is lost although SPARE stands there six times."""
    masks = SourceFlags.of(obpg_block()).masks
    spare = sum(1 << bit for bit, name in enumerate(OBPG.split()) if name == "SPARE")
    assert spare == masks["SPARE"]
    together = 0
    for mask in masks.values():
        assert together & mask == 0
        together |= mask
    assert together == (1 << 32) - 1


@pytest.mark.parametrize("name", ["SPARE", "UNUSED", "spare", "unused"])
def test_a_placeholder_cannot_be_asked_for(name):
    """It means nothing, so a mask by it is a mistake; it is not offered either."""
    flags = table_of(np.array([1, 2, 4]), f"LAND {name} {name}", np.int32)
    with pytest.raises(SceneError) as caught:
        flags.mask(name)
    assert "flags are LAND." in str(caught.value)


def test_an_unknown_name_lists_the_known_and_the_closest():
    """The mistyped flag is one glance away from the right one."""
    with pytest.raises(SceneError) as caught:
        SourceFlags.of(obpg_block()).mask("CLDICEE")
    message = str(caught.value)
    assert "unknown flag 'CLDICEE'" in message
    assert "Did you mean CLDICE?" in message
    for name in set(OBPG.split()) - {"SPARE"}:
        assert name in message
    assert "SPARE" not in message


def test_a_name_like_no_other_gets_no_hint():
    """A guess would mislead."""
    with pytest.raises(SceneError) as caught:
        SourceFlags.of(obpg_block()).mask("QUALITY")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("masks", "meanings"), [([1, 2], "A B C"), ([1, 2, 4], "A B"), ([1], ""), (1, "A B")]
)
def test_masks_and_meanings_must_fit(masks, meanings):
    """A flag by the wrong bit would be worse than no flag."""
    with pytest.raises(SceneError, match=rf"{len(meanings.split())} names.*{np.size(masks)} masks"):
        table_of(np.array(masks), meanings, np.int32)


def test_a_scene_without_flags_says_so():
    """ACOLITE's files have none to go by."""
    scene = obpg_block().drop_vars(SOURCE_FLAGS)
    with pytest.raises(SceneError, match="the scene has none"):
        make_rules(MaskRules(flags=("LAND",)), scene, (), 3.0)


def test_keep_flags_excludes_where_none_is_set():
    """Water or inland water, whatever else is set."""
    block = block_of(
        np.array([0, 1, 2, 3, 4, 5, 7], np.uint8),
        flag_masks=np.array([1, 2, 4], np.uint8),
        flag_meanings="WATER INLAND_WATER CLOUD",
    )
    names = ("WATER", "INLAND_WATER")
    (rule,) = make_rules(MaskRules(keep_flags=names), block, (), 3.0)
    assert rule.name == "unless_WATER_or_INLAND_WATER"
    expected = [[True, False, False, False, True, False, False]]
    assert expected == rule.judge(block).excluded.tolist()


def test_flags_of_the_real_scene(modis_scene):
    """All names of the file, each on the pixels that its bit has."""
    with netCDF4.Dataset(modis_scene) as file, open_scene(modis_scene) as scene:
        variable = file["geophysical_data/l2_flags"]
        variable.set_auto_maskandscale(False)
        expected = oracle.flag_bits(variable)
        stored = variable[:].view(np.uint32)
        flags = SourceFlags.of(scene)
        assert expected == flags.masks
        loaded = scene[[SOURCE_FLAGS]].compute()
        for name in sorted(set(expected) - {"SPARE"}):
            found = FlagRule(name, flags.mask(name)).judge(loaded).excluded
            np.testing.assert_array_equal(found, (stored & np.uint32(expected[name])) != 0)


# Rules of a configuration


def test_rules_come_in_the_documented_order():
    """flags, keep_flags, expressions, values: it decides the bits of quality_flags."""
    rules = MaskRules(
        values=("zero", "missing"),
        expressions={"bright": "Rrs_443 > 0.1", "low_sun": "solar_zenith > 70"},
        keep_flags=("TURBIDW", "COASTZ"),
        flags=("HILT", "LAND"),
    )
    bands = (Band("Rrs", 443.0),)
    made = make_rules(rules, obpg_block([0]), bands, 3.0)
    expected = ["HILT", "LAND", "unless_TURBIDW_or_COASTZ", "bright", "low_sun", "zero", "missing"]
    assert expected == [rule.name for rule in made]
    assert bands == made[-1].needs


def test_no_rules_need_no_flags():
    """A scene without flags is fine when nobody asks for one."""
    assert make_rules(MaskRules(), obpg_block().drop_vars(SOURCE_FLAGS), (), 3.0) == ()


def test_as_many_rules_as_there_are_bits():
    """23 rules fill bits 8 to 30; one more is refused, with both numbers."""

    def rules(count):
        return MaskRules(expressions={f"rule{n}": f"solar_zenith > {n}" for n in range(count)})

    assert len(make_rules(rules(23), obpg_block([0]), (), 3.0)) == 23
    with pytest.raises(PipelineError, match="24 mask rules, but at most 23"):
        make_rules(rules(24), obpg_block([0]), (), 3.0)


@pytest.mark.parametrize(
    "twice",
    [
        {"flags": ("LAND", "LAND")},
        {"flags": ("LAND",), "expressions": {"LAND": "solar_zenith > 70"}},
        {"expressions": {"zero": "Rrs_443 == 0"}, "values": ("zero",)},
        {"values": ("zero", "zero")},
    ],
    ids=["flags", "flag and expression", "expression and value", "values"],
)
def test_two_rules_of_one_name_are_refused(twice):
    """They would be two bits of quality_flags with one name; nobody could tell them apart."""

    def configured():
        network = {"name": "aph", "file": "aph.h5"}
        config = load_config({"name": "x", "science": {"networks": [network], "masks": twice}})
        make_rules(config.science.masks, obpg_block([0]), (Band("Rrs", 443.0),), 3.0)

    with pytest.raises(PipelineError):
        configured()
