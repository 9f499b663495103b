"""Attributes with their meaning: limits in units, signs, fill values of the file, text."""

import numpy as np
import pytest

from pipeline.errors import SceneError
from pipeline.readers.cf_attributes import check_band, check_packing, numbers_in
from pipeline.readers.decoding import Decoder
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE

OUTSIDE = int(STATE_OUTSIDE_VALID_RANGE)
RRS = {"scale_factor": np.float32(2e-6), "add_offset": np.float32(0.05)}
SOLZ = {"scale_factor": np.float32(0.01), "add_offset": np.float32(0)}
ALL_INT16 = np.arange(-(1 << 15), 1 << 15).astype(np.int16)


def decoded(attributes, stored, **options):
    """Values, and where they are outside their valid range."""
    decoder = Decoder.from_attributes(attributes, stored.dtype, **options)
    return decoder.values(stored), decoder.states(stored) == OUTSIDE


def valid_counts(attributes, stored=ALL_INT16, **options):
    """The lowest and the highest count that is valid."""
    _, outside = decoded(attributes, stored, **options)
    valid = stored[~outside].astype(int)
    assert valid.size == valid.max() - valid.min() + 1
    return valid.min(), valid.max()


# Limits


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_limits_of_floating_type_on_packed_integers_are_in_units(dtype):
    """NASA's range in reflectance is that in counts; rounded attributes cut nothing off."""
    limits = {"valid_min": dtype(-0.01), "valid_max": dtype(0.1)}
    assert valid_counts(RRS | limits) == (-30000, 25000)
    assert valid_counts(RRS | {"valid_range": np.array([-0.01, 0.1], dtype)}) == (-30000, 25000)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_limits_of_integer_type_are_counts(dtype):
    """Whatever their width."""
    assert valid_counts(RRS | {"valid_min": dtype(-100), "valid_max": dtype(100)}) == (-100, 100)


def test_one_limit_in_units_and_one_in_counts():
    """Each limit is read by its own type."""
    limits = {"valid_min": np.int16(-30000), "valid_max": np.float32(0.1)}
    assert valid_counts(RRS | limits) == (-30000, 25000)
    limits = {"valid_range": np.array([0, 99], np.int16), "valid_max": np.float32(0.1)}
    assert valid_counts(RRS | limits) == (0, 25000)


def test_limits_in_units_of_an_angle():
    """The integers of an angle of 0 to 180 degrees are 0 to 18000."""
    limits = {"valid_min": np.float32(0), "valid_max": np.float32(180)}
    assert valid_counts(SOLZ | limits) == (0, 18000)


def test_limits_in_units_where_counts_fall_as_values_rise():
    """With a negative scale factor the lowest value has the highest count."""
    packing = {"scale_factor": np.float64(-0.01), "add_offset": np.float64(0)}
    limits = {"valid_min": np.float64(-1.0), "valid_max": np.float64(2.0)}
    assert valid_counts(packing | limits) == (-200, 100)
    assert valid_counts(packing | {"valid_min": np.float64(-1.0)}) == (-32768, 100)


def test_limits_in_units_of_counts_without_sign():
    """_Unsigned and limits in units go together: the wide end of the type is valid."""
    packing = {"scale_factor": 1e-6, "add_offset": -0.01, "_Unsigned": "true"}
    limits = {"valid_min": np.float32(0.0), "valid_max": np.float32(0.05)}
    _, outside = decoded(packing | limits, ALL_INT16)
    valid = ALL_INT16.view(np.uint16)[~outside]
    assert (valid.min(), valid.max()) == (10000, 60000)
    assert valid.size == 50001


def test_limits_in_units_that_are_not_finite():
    """NaN is no limit, and infinity lets everything through."""
    limits = {"valid_min": np.float32(np.nan), "valid_max": np.float32(np.inf)}
    assert valid_counts(RRS | limits) == (-32768, 32767)


def test_limits_in_units_of_long_integers():
    """Too many counts for a table."""
    stored = np.array([-900000001, -900000000, 0, 900000000, 900000001], np.int32)
    packing = {"scale_factor": 1e-7, "valid_min": -90.0, "valid_max": 90.0}
    _, outside = decoded(packing, stored)
    assert outside.tolist() == [True, False, False, False, True]


def test_limits_of_floats_are_as_stored():
    """Only packed integers have limits in units."""
    stored = np.array([0.5, 5.0, 50.0, 500.0], np.float32)
    packing = {"scale_factor": np.float32(0.01), "valid_range": np.array([1, 100], np.float32)}
    assert decoded(packing, stored)[1].tolist() == [True, False, False, True]


def test_limits_that_are_counts_by_their_name():
    """SGLI's Maximum_valid_DN is a count, in whatever type it is stored."""
    limits = {"valid_min": np.float32(0), "valid_max": np.float64(25000)}
    assert valid_counts(RRS | limits, in_counts=True) == (0, 25000)


# Sign


def test_an_unsigned_type_that_holds_signed_numbers():
    """_Unsigned says false: 254 means -2, and fill values and limits are stored alike."""
    stored = np.array([0, 127, 128, 254, 255], np.uint8)
    attributes = {"_Unsigned": "false", "_FillValue": np.uint8(255), "valid_min": np.uint8(254)}
    values, outside = decoded(attributes, stored)
    np.testing.assert_array_equal(values, np.float32([0, 127, np.nan, -2, np.nan]))
    assert outside.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("text", ["TRUE", " true ", np.bytes_(b"true"), np.array(["true"])])
def test_spellings_of_unsigned(text):
    """Programs write it with capitals, as bytes and in lists."""
    values, _ = decoded({"_Unsigned": text}, np.array([-1], np.int16))
    assert values.tolist() == [65535]


@pytest.mark.parametrize("text", ["yes", np.int8(1), ""])
def test_an_unsigned_that_is_neither_true_nor_false(text):
    """Is refused: both readings are possible."""
    with pytest.raises(SceneError, match=r"_Unsigned .* expected the text true or false"):
        decoded({"_Unsigned": text}, np.array([-1], np.int16))


def test_bytes_whose_range_goes_up_to_255():
    """CF 2.2: a range from 0 to 255 says that bytes have no sign."""
    stored = np.array([0, 100, -56, -1], np.int8)
    values, outside = decoded({"valid_range": np.array([0, 254], np.int16)}, stored)
    np.testing.assert_array_equal(values, np.float32([0, 100, 200, np.nan]))
    assert outside.tolist() == [False, False, False, True]


# Missing values


@pytest.mark.parametrize("name", ["_FillValue", "missing_value", "FillValue", "fill_value"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_fill_value_that_the_file_states_once(name, dtype):
    """It counts for variables that state none."""
    stored = np.array([-999, 5], dtype)
    values, outside = decoded({}, stored, of_file={name: np.float64(-999)})
    assert np.isnan(values).tolist() == [True, False]
    assert not outside.any()


def test_a_fill_value_of_the_file_and_one_of_the_variable():
    """The variable's own counts; floats also have the file's, as xarray gives each of them NaN."""
    once = {"missing_value": np.int16(-999)}
    values, _ = decoded(RRS | {"_FillValue": np.int16(-32767)}, ALL_INT16, of_file=once)
    assert ALL_INT16[np.isnan(values)].tolist() == [-32767]
    stored = np.array([-999, np.nan, 1], np.float32)
    values, _ = decoded({"_FillValue": np.float32(np.nan)}, stored, of_file=once)
    assert np.isnan(values).tolist() == [True, True, False]


def test_a_missing_value_in_units():
    """No count can equal 0.02, so the value 0.02 is meant."""
    values, _ = decoded(RRS | {"missing_value": np.float32(0.02)}, ALL_INT16)
    assert ALL_INT16[np.isnan(values)].tolist() == [-15000]


def test_a_missing_value_that_is_a_count():
    """CF: missing values of packed numbers are counts, in whatever type."""
    values, _ = decoded(RRS | {"missing_value": np.float32(0)}, ALL_INT16)
    assert ALL_INT16[np.isnan(values)].tolist() == [0]


# Text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.01", [0.01]),
        (" 2e-6 ", [2e-6]),
        ("0, 100", [0, 100]),
        ("-1 1", [-1, 1]),
        ("[0; 100]", [0, 100]),
        ("-999.f", [-999.0]),
        ("-32767s", [-32767]),
        ("-999\0", [-999]),
        (b"5", [5]),
        (np.array(["1", "2"]), [1, 2]),
        (np.array([b"1.5"]), [1.5]),
        ("inf", [np.inf]),
        (np.float32(3), [3]),
        ("", None),
        ("n/a", None),
        ("0.01 sr-1", None),
        ("1,5,x", None),
        ("0x10", None),
        ("1_000", None),
        (1j, None),
    ],
)
def test_numbers_in_text(value, expected):
    """A text is numbers as a whole, or it is not read as numbers."""
    found = numbers_in(value)
    assert (None if found is None else found.tolist()) == expected


def test_not_a_number_as_text():
    """Programs in R and Python write NaN so."""
    assert np.isnan(numbers_in("NaN")).all()


def test_packing_as_text_is_packing():
    """All attributes of NASA's reflectance as text: whole numbers are counts, others units."""
    text = {"scale_factor": "2e-6", "add_offset": "0.05", "_FillValue": "-32767",
            "valid_range": "-30000, 25000"}  # fmt: skip
    numbers = {"scale_factor": 2e-6, "add_offset": 0.05, "_FillValue": np.int16(-32767),
               "valid_range": np.array([-30000, 25000])}  # fmt: skip
    for found, expected in zip(decoded(text, ALL_INT16), decoded(numbers, ALL_INT16), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert valid_counts(RRS | {"valid_min": "-0.01", "valid_max": "0.1"}) == (-30000, 25000)


@pytest.mark.parametrize("name", ["scale_factor", "add_offset", "missing_value", "valid_min"])
def test_text_without_numbers_is_refused(name):
    """The message names the attribute, quotes the text and does not speak of damage."""
    with pytest.raises(SceneError, match=rf"{name} is 'n/a', expected .*number") as caught:
        decoded({name: "n/a"}, ALL_INT16)
    assert "damaged" not in str(caught.value)


# What is lost or stated elsewhere


@pytest.mark.parametrize("name", ["scale_factor", "add_offset", "_Unsigned"])
def test_a_scale_that_the_file_states_once_is_refused(name):
    """Integers whose scale is stated for the file: not all its variables have this scale."""
    with pytest.raises(SceneError, match=f"{name} is an attribute of the file or group"):
        check_packing({}, np.dtype("i2"), {name: 0.01})
    check_packing({name: 0.02}, np.dtype("i2"), {name: 0.01})
    check_packing({}, np.dtype("f4"), {name: 0.01})


def test_a_band_of_integers_needs_a_scale():
    """A copy without attributes would be read as reflectances of -24000."""
    with pytest.raises(SceneError, match=r"integers .* without a scale_factor"):
        check_band({"add_offset": 0.05}, np.dtype("i2"), {})
    check_band({}, np.dtype("f4"), {})


def test_limits_that_the_file_states_once():
    """Are refused for a band that has none."""
    with pytest.raises(SceneError, match="valid_max is an attribute of the file or group"):
        check_band({}, np.dtype("f4"), {"valid_max": 1.0})
    check_band({"valid_max": 1.0}, np.dtype("f4"), {"valid_max": 1.0})
