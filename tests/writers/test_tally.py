"""Counts and ranges gathered chunk by chunk are those of the whole array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scene.quality import FlagTable
from pipeline.writers.tally import Tally

pytestmark = pytest.mark.quick

NAN = np.nan
QUALITY = FlagTable(("no_data", "saturated", "masked_LAND"), (1, 4, 256), np.dtype(np.uint32))
NETWORK = FlagTable(("input_missing", "output_at_limit"), (1, 16), np.dtype(np.uint8))
TABLES = {"quality_flags": QUALITY, "aph_flags": NETWORK}


def tally_of(**chunks):
    """A tally to which every chunk of every variable was added."""
    tally = Tally(100, TABLES)
    for name, parts in chunks.items():
        for part in parts:
            tally.add(name, part, part)
    return tally


def float32(*values):
    return np.array([values], np.float32)


def test_flag_counts_add_up_over_chunks():
    """Every bit by itself, of every flag variable."""
    quality = np.array([[0, 1, 5, 256], [257, 4, 4, 8]], np.uint32)
    network = np.array([[0, 1, 17, 16], [16, 16, 2, 0]], np.uint8)
    tally = tally_of(
        quality_flags=[quality[:, :3], quality[:, 3:]], aph_flags=[network[:1], network[1:]]
    )
    assert tally.flag_counts["quality_flags"].tolist() == [3, 3, 2]
    assert tally.flag_counts["aph_flags"].tolist() == [2, 4]


def test_a_bit_of_no_pixel_is_counted_as_zero():
    """The table in the product has a row for it."""
    tally = tally_of(aph_flags=[np.zeros((2, 3), np.uint8)])
    assert tally.flag_counts["aph_flags"].tolist() == [0, 0]


def test_valid_values_and_ranges_add_up_over_chunks():
    """NaN and infinities are not values; the range spans all chunks."""
    tally = tally_of(
        aph_443=[float32(0.5, NAN, 0.02), float32(NAN, NAN), float32(np.inf, -0.1, -np.inf, 0.3)],
        adg_443=[float32(7.0)],
    )
    assert tally.valid_count("aph_443") == 4
    assert tally.range_of("aph_443") == (float(np.float32(-0.1)), 0.5)
    assert tally.valid_count("adg_443") == 1
    assert tally.range_of("adg_443") == (7.0, 7.0)


def test_nothing_valid_has_no_range():
    """Scenes without a valid pixel are common."""
    tally = tally_of(
        aph_443=[float32(NAN, NAN), np.empty((0, 5), np.float32)],
        latitude=[float32(NAN)],
        longitude=[float32(NAN), float32(NAN)],
    )
    assert tally.valid_count("aph_443") == 0
    assert tally.valid_counts["aph_443"] == 0
    assert tally.range_of("aph_443") is None
    assert tally.longitude_range() is None


def test_what_was_never_added_is_nothing():
    """A variable that the product does not have."""
    tally = tally_of()
    assert tally.valid_count("aph_443") == 0
    assert tally.range_of("aph_443") is None
    assert tally.longitude_range() is None


def test_the_scenes_own_flags_are_not_values():
    """Integers without a table are neither counted nor given a range."""
    tally = tally_of(l2_flags=[np.array([[1, -2147483648]], np.int32)])
    assert tally.range_of("l2_flags") is None
    assert tally.valid_counts == {}
    assert tally.flag_counts == {}


@given(
    values=st.lists(st.floats(width=32), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_chunks_do_not_matter(values, cuts):
    """However a variable is cut, and in whatever order its chunks come."""
    whole = np.array(values, np.float32)
    flags = whole.view(np.uint32)
    parts, flag_parts = (np.split(array, sorted(cuts))[::-1] for array in (whole, flags))
    found = tally_of(aph_443=parts, quality_flags=flag_parts)
    finite = whole[np.isfinite(whole)]
    assert found.valid_count("aph_443") == finite.size
    expected = (float(finite.min()), float(finite.max())) if finite.size else None
    assert expected == found.range_of("aph_443")
    counts = [int(np.count_nonzero(flags & np.uint32(mask))) for mask in QUALITY.masks]
    assert counts == found.flag_counts["quality_flags"].tolist()


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([[10.0, 20.0], [15.0, 12.5]], (10.0, 20.0)),
        ([[-97.5, -96.0]], (-97.5, -96.0)),
        ([[-5.0, 5.0]], (-5.0, 5.0)),
        ([[0.0]], (0.0, 0.0)),
        ([[170.0, 179.5], [-179.5, -175.0]], (170.0, -175.0)),
        ([[-175.0, -179.5], [NAN, 179.5], [170.0]], (170.0, -175.0)),
        ([[175.0, 180.0]], (175.0, 180.0)),
        ([[175.0, -180.0]], (175.0, 180.0)),
        ([[-180.0, -175.0]], (-180.0, -175.0)),
        ([[180.0, -175.0]], (180.0, -175.0)),
        ([[180.0], [-180.0]], (180.0, 180.0)),
        ([list(range(-179, 180, 2))], (-179.0, 179.0)),
        ([[-170.0, -60.0], [60.0, 170.0]], (60.0, -60.0)),
    ],
)
def test_longitude_range(chunks, expected):
    """West to east the shorter way round; west above east means over the antimeridian."""
    tally = tally_of(longitude=[float32(*chunk) for chunk in chunks])
    west, east = tally.longitude_range()
    assert (west % 360, east % 360) == tuple(end % 360 for end in expected)
    assert (west <= east) == (expected[0] <= expected[1])
    assert -180 <= west <= 180
    assert -180 <= east <= 180


@given(
    centre=st.integers(-180, 180),
    offsets=st.lists(st.integers(-80, 80), min_size=1, max_size=20),
)
def test_a_scene_may_lie_anywhere_on_the_globe(centre, offsets):
    """Every pixel lies within the bounds, and the bounds are as wide as the scene."""
    longitudes = np.array([(centre + offset + 180) % 360 - 180 for offset in offsets])
    tally = tally_of(longitude=[longitudes[:3].astype(np.float32), longitudes[3:].astype("f4")])
    west, east = tally.longitude_range()
    assert (east - west) % 360 == max(offsets) - min(offsets)
    assert ((longitudes - west) % 360 <= (east - west) % 360).all()


def test_longitudes_keep_the_digits_of_float32():
    """Bounds over the antimeridian are as exact as the coordinate itself."""
    west, east = np.float32(179.99234), np.float32(-179.99876)
    tally = tally_of(longitude=[np.array([[west, east]])])
    assert tally.longitude_range() == (float(west), float(east))
