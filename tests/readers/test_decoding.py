"""Stored numbers to physical values: every count, every type, every attribute."""

from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.decoding import Decoder
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE

OUTSIDE = int(STATE_OUTSIDE_VALID_RANGE)
ALL_INT16 = np.arange(-(1 << 15), 1 << 15).astype(np.int16)
ALL_UINT16 = np.arange(1 << 16).astype(np.uint16)
# NASA's Rrs, as the files have it.
RRS = {
    "scale_factor": np.float32(2e-6),
    "add_offset": np.float32(0.05),
    "_FillValue": np.int16(-32767),
    "valid_min": np.int16(-30000),
    "valid_max": np.int16(25000),
}


def decode(attributes, stored):
    """Values and states of an array with these attributes."""
    decoder = Decoder.from_attributes(attributes, stored.dtype)
    values, states = decoder.values(stored), decoder.states(stored)
    assert values.dtype == np.float32
    assert states.dtype == np.uint8
    assert values.shape == states.shape == stored.shape
    return values, states


# NASA's packing


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(2e-6, 0.05), (1e-6, -0.01), (0.01, 0.0), (3e-5, -0.0003), (1.0, 0.0), (-2e-6, 0.05)],
)
def test_every_int16_count_equals_the_oracle(scale, offset):
    """All 65,536 of them, with float32 attributes, to the last bit and to the sign of zero."""
    attributes = RRS | {"scale_factor": np.float32(scale), "add_offset": np.float32(offset)}
    values, states = decode(attributes, ALL_INT16)
    numbers = ALL_INT16.astype(np.float64) * float(np.float32(scale)) + float(np.float32(offset))
    numbers[np.abs(numbers) < abs(float(np.float32(scale))) / 2] = 0
    outside = ((ALL_INT16 < -30000) | (ALL_INT16 > 25000)) & (ALL_INT16 != -32767)
    numbers[outside | (ALL_INT16 == -32767)] = np.nan
    np.testing.assert_array_equal(values, numbers.astype(np.float32))
    np.testing.assert_array_equal(states, np.where(outside, OUTSIDE, 0))
    assert not np.signbit(values[values == 0]).any()
    if scale > 0:
        expected, masked = oracle.decode_int16(
            ALL_INT16, np.float32(scale), np.float32(offset), -32767, -30000, 25000
        )
        np.testing.assert_array_equal(values, expected.astype(np.float32))
        np.testing.assert_array_equal(states == OUTSIDE, masked)


@given(count=st.integers(-30000, 25000))
def test_a_value_is_the_nearest_float32_of_exact_arithmetic(count):
    """Within half a unit in the last place of the number that the attributes mean."""
    value = decode(RRS, np.array([count], np.int16))[0][0]
    exact = Fraction(count) * Fraction(float(np.float32(2e-6))) + Fraction(float(np.float32(0.05)))
    if abs(exact) < Fraction(1, 1_000_000):
        assert value == 0
    else:
        half_a_step = Fraction(float(np.spacing(np.abs(value)))) / 2
        assert abs(Fraction(float(value)) - exact) <= half_a_step * Fraction(1_000_001, 1_000_000)


@pytest.mark.parametrize(
    ("count", "value", "state"),
    [
        (-24000, 0.002, 0),
        (-24999, 2e-6, 0),
        (-25000, 0.0, 0),
        (-25001, -2e-6, 0),
        (-25100, -0.0002, 0),
        (25000, 0.1, 0),
        (25001, np.nan, OUTSIDE),
        (-30000, -0.01, 0),
        (-30001, np.nan, OUTSIDE),
        (32767, np.nan, OUTSIDE),
        (-32768, np.nan, OUTSIDE),
        (-32767, np.nan, 0),
    ],
)
def test_counts_of_the_documented_table(count, value, state):
    """The ends of the valid range belong to it; the fill value is not outside, it is missing."""
    values, states = decode(RRS, np.array([[count]], np.int16))
    # Near zero the float32 attributes themselves are off by about a thousandth of a count.
    np.testing.assert_allclose(values, [[value]], rtol=1e-6, atol=2e-9)
    assert states.tolist() == [[state]]
    assert (value == 0) == (values[0, 0] == 0)


# Types


def test_every_uint16_count():
    """SGLI's counts; large ones are not negative."""
    attributes = {"scale_factor": np.float32(1e-6), "add_offset": np.float32(-0.01),
                  "_FillValue": np.uint16(65535), "valid_max": np.uint16(65534)}  # fmt: skip
    values, states = decode(attributes, ALL_UINT16)
    expected = ALL_UINT16 * float(np.float32(1e-6)) + float(np.float32(-0.01))
    expected[np.abs(expected) < float(np.float32(1e-6)) / 2] = 0
    expected[-1] = np.nan
    np.testing.assert_array_equal(values, expected.astype(np.float32))
    assert values[10_000] == 0
    assert not states.any()


@pytest.mark.parametrize("fill", [np.int16(-1), np.uint16(65535)], ids=["as stored", "as meant"])
def test_every_int16_count_that_is_unsigned(fill):
    """Classic netCDF has no unsigned type: _Unsigned says that -2 means 65534."""
    values, states = decode({"_Unsigned": "true", "_FillValue": fill}, ALL_UINT16.view(np.int16))
    expected = ALL_UINT16.astype(np.float32)
    expected[-1] = np.nan
    np.testing.assert_array_equal(values, expected)
    assert not states.any()


def test_the_valid_range_of_an_unsigned_variable_is_unsigned():
    """Its attributes are stored as the variable is: valid_max -2 means 65534."""
    attributes = {"_Unsigned": "true", "_FillValue": np.int16(-1), "valid_min": np.int16(10),
                  "valid_max": np.int16(-2)}  # fmt: skip
    stored = np.array([9, 10, 40000, 65534, 65535], np.uint16).view(np.int16)
    values, states = decode(attributes, stored)
    np.testing.assert_array_equal(values, np.float32([np.nan, 10, 40000, 65534, np.nan]))
    assert states.tolist() == [OUTSIDE, 0, 0, 0, 0]


def test_unsigned_means_nothing_to_other_types():
    """An unsigned type is what it is, and ``false`` is false."""
    for attributes, stored, expected in (
        ({"_Unsigned": "true"}, np.array([200], np.uint8), 200.0),
        ({"_Unsigned": "true"}, np.array([-1.5], np.float32), -1.5),
        ({"_Unsigned": "false"}, np.array([-1], np.int16), -1.0),
        ({"_Unsigned": "true"}, np.array([-1], np.int32), 4294967295.0),
    ):
        assert decode(attributes, stored)[0].tolist() == [np.float32(expected)]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_every_byte(dtype):
    """A table of 256 counts serves them as one of 65,536 serves 16 bits."""
    stored = np.arange(256).astype(np.uint8).view(dtype).reshape(16, 16)
    attributes = {"scale_factor": np.float32(0.5), "_FillValue": stored.dtype.type(100)}
    values, states = decode(attributes, stored)
    expected = np.where(stored == 100, np.nan, stored.astype(np.float64) * 0.5)
    np.testing.assert_array_equal(values, expected.astype(np.float32))
    assert not states.any()


def test_int32_counts():
    """Too many for a table; computed in float64 all the same."""
    stored = np.array([-2147483648, -2147483647, -1, 0, 1, 123456789, 2147483647], np.int32)
    attributes = {"scale_factor": 1e-4, "add_offset": 5.0, "_FillValue": np.int32(-2147483647),
                  "valid_max": np.int32(2147483646)}  # fmt: skip
    values, states = decode(attributes, stored)
    expected = stored.astype(np.float64) * 1e-4 + 5.0
    expected[[1, 6]] = np.nan
    np.testing.assert_array_equal(values, expected.astype(np.float32))
    assert states.tolist() == [0, 0, 0, 0, 0, 0, OUTSIDE]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_what_they_are(dtype):
    """NaN and fill are missing, and neither is outside a valid range."""
    stored = np.array([-32767, np.nan, 0.0, -0.002, 1e-9, 0.7, 1.0, 1.1], dtype)
    attributes = {"_FillValue": dtype(-32767), "valid_min": dtype(-0.002), "valid_max": dtype(1)}
    values, states = decode(attributes, stored)
    expected = stored.copy()
    expected[[0, 7]] = np.nan
    np.testing.assert_array_equal(values, expected.astype(np.float32))
    assert states.tolist() == [0, 0, 0, 0, 0, 0, 0, OUTSIDE]


@pytest.mark.parametrize("fill", [np.float32(9.96921e36), np.float32(-999.9), np.float32(0.1)])
def test_a_fill_value_is_compared_as_it_is_stored(fill):
    """A float32 that no float64 spelling repeats is still found."""
    stored = np.array([fill, np.nextafter(fill, np.float32(0)), 0.5], np.float32)
    values, _ = decode({"_FillValue": fill}, stored)
    assert np.isnan(values).tolist() == [True, False, False]
    values, _ = decode({"_FillValue": np.float64(fill)}, stored)
    assert np.isnan(values).tolist() == [True, False, False]


@pytest.mark.parametrize(
    "packing",
    [
        {"scale_factor": np.float32(1), "add_offset": np.float32(0)},
        {"scale_factor": np.float32(1)},
        {"add_offset": np.float32(0)},
        {"scale_factor": np.float32(0.01)},
        {"scale_factor": np.float32(10), "add_offset": np.float32(-1)},
    ],
    ids=str,
)
def test_floats_with_a_scale_factor_keep_small_values(packing):
    """Half a scale factor is the resolution of counts; a float has its own, and 0.002 is 0.002."""
    stored = np.array([0.002, 0.3, -0.004, 0.0, 1e-7], np.float32)
    values, _ = decode(packing, stored)
    scale = float(packing.get("scale_factor", 1))
    offset = float(packing.get("add_offset", 0))
    expected = (stored.astype(np.float64) * scale + offset).astype(np.float32)
    np.testing.assert_array_equal(values, expected)


# Attributes


def test_without_attributes_counts_are_values():
    """Nothing is missing, outside or rounded to zero."""
    values, states = decode({}, ALL_INT16)
    np.testing.assert_array_equal(values, ALL_INT16.astype(np.float32))
    assert not states.any()


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"scale_factor": 0.5}, [np.float32(value) for value in (-1.0, 0.0, 0.5, 50.0)]),
        ({"add_offset": 2.0}, [0.0, 2.0, 3.0, 102.0]),
        ({"_FillValue": np.int16(1)}, [-2.0, 0.0, np.nan, 100.0]),
        ({"missing_value": np.int16(1)}, [-2.0, 0.0, np.nan, 100.0]),
        ({"valid_min": np.int16(0)}, [np.nan, 0.0, 1.0, 100.0]),
        ({"valid_max": np.int16(99)}, [-2.0, 0.0, 1.0, np.nan]),
        ({"valid_range": np.array([0, 99], np.int16)}, [np.nan, 0.0, 1.0, np.nan]),
        ({"valid_range": np.array([-2, 100], np.int16)}, [-2.0, 0.0, 1.0, 100.0]),
    ],
    ids=str,
)  # fmt: skip
def test_each_attribute_by_itself(attributes, expected):
    """What is not there has no effect."""
    values, states = decode(attributes, np.array([-2, 0, 1, 100], np.int16))
    np.testing.assert_array_equal(values, np.float32(expected))
    is_range = any(name.startswith("valid") for name in attributes)
    np.testing.assert_array_equal(states == OUTSIDE, np.isnan(values) & is_range)


def test_attributes_may_be_arrays_of_one_value():
    """As HDF5 files have them."""
    arrays = {name: np.array([value]) for name, value in RRS.items()}
    for expected, found in zip(decode(RRS, ALL_INT16), decode(arrays, ALL_INT16), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("attributes", "stored"),
    [
        (RRS, np.array([-32767], np.int16)),
        ({"_FillValue": np.uint16(65535), "valid_max": 65534}, np.array([65535], np.uint16)),
        ({"_FillValue": np.float32(-999), "valid_min": 0}, np.array([-999], np.float32)),
        ({"_FillValue": np.int32(-1), "valid_range": [0, 9]}, np.array([-1], np.int32)),
        ({"_FillValue": np.float32(np.nan), "valid_min": 0}, np.array([np.nan], np.float32)),
    ],
    ids=["int16", "uint16", "float32", "int32", "nan"],
)
def test_a_fill_value_outside_the_valid_range_is_missing_only(attributes, stored):
    """``no_data`` and ``outside_valid_range`` are two different bits."""
    values, states = decode(attributes, stored)
    assert np.isnan(values).all()
    assert states.tolist() == [0]


def test_shapes_and_strides_do_not_matter():
    """A block may be a view, transposed, or empty."""
    stored = ALL_INT16.reshape(256, 256)
    values, states = decode(RRS, stored)
    for view in (np.s_[::2, 1::3], np.s_[5:5], np.s_[::-1]):
        for expected, found in zip(
            (values[view].T, states[view].T), decode(RRS, stored[view].T), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32])
def test_the_stored_array_is_left_alone(dtype):
    """It may be shared with other readers of the same block."""
    stored = np.array([0, 1, 2, 100], dtype)
    attributes = {"scale_factor": 2.0, "_FillValue": dtype(1), "valid_max": dtype(50)}
    before = stored.copy()
    decode(attributes, stored)
    np.testing.assert_array_equal(stored, before)
