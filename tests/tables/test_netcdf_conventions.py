"""netCDF tables are read by the conventions: limits, signs, fills stated anywhere, calendars."""

import h5py
import netCDF4
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.tables import read_table

SCALE, OFFSET = np.float32(2e-6), np.float32(0.05)


def written(path, stored, of_file=None, units="sr-1", **attributes):
    """One variable ``a`` along samples, with these stored numbers and attributes."""
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(of_file or {})
        file.createDimension("sample", len(stored))
        variable = file.createVariable("a", stored.dtype, ("sample",))
        variable.set_auto_maskandscale(False)
        variable.setncatts({"units": units, **attributes})
        variable[:] = stored
    return path


PACKED = {"scale_factor": SCALE, "add_offset": OFFSET}
SHORT = np.array([-32767, -25000, -24000, 0, 20000], "i2")
OF_SHORT = SHORT * np.float64(SCALE) + np.float64(OFFSET)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("attributes", "of_file", "missing"),
    [
        ({"_FillValue": np.int16(-25000)}, {}, [1]),
        ({}, {}, [0]),
        ({"missing_value": np.int16(0)}, {}, [0, 3]),
        ({"missing_value": "0"}, {}, [0, 3]),
        ({}, {"missing_value": np.float64(0)}, [0, 3]),
        ({}, {"_FillValue": "-24000"}, [2]),
        ({"_FillValue": np.int16(0)}, {"_FillValue": np.int16(-24000)}, [3]),
        ({"valid_min": np.int16(-25000), "valid_max": np.int16(0)}, {}, [0, 4]),
        ({"valid_range": np.array([0.0, 0.06], "f4")}, {}, [0, 4]),
        ({"valid_range": "-25000, 0"}, {}, [0, 4]),
        ({"valid_min": "0.0", "valid_max": "0.06"}, {}, [0, 4]),
    ],
)
def test_what_is_missing_in_packed_numbers(tmp_path, attributes, of_file, missing):
    """Limits of floating type are in units; fills may be text or stated once for the file."""
    path = written(tmp_path / "a.nc", SHORT, of_file, **PACKED, **attributes)
    expected = OF_SHORT.copy()
    expected[missing] = np.nan
    np.testing.assert_array_equal(read_table(path).numbers("a"), expected)


@pytest.mark.parametrize(
    ("stored", "said", "fill", "expected"),
    [
        (np.array([-2, 5, 7], "i2"), "true", np.int16(7), [65534, 5, np.nan]),
        (np.array([65534, 5, 7], "u2"), "false", np.uint16(7), [-2, 5, np.nan]),
        (np.array([200, 5, 129], "u1"), "false", np.uint8(129), [-56, 5, np.nan]),
        (np.array([-127, 5, 7], "i1"), "", None, [-127, 5, 7]),
    ],
)
def test_signs(tmp_path, stored, said, fill, expected):
    """``_Unsigned`` both ways; one byte has no fill value unless the file states it."""
    attributes = {} if fill is None else {"missing_value": fill}
    path = written(tmp_path / "a.nc", stored, **({"_Unsigned": said} if said else {}), **attributes)
    np.testing.assert_array_equal(read_table(path).numbers("a"), expected)


def test_text_for_numbers(tmp_path):
    """A scale factor may be written as text; what is no number is told, and the others are read."""
    path = written(tmp_path / "a.nc", SHORT, scale_factor="2e-06", add_offset="0.05")
    assert read_table(path).numbers("a")[1] == pytest.approx(0.0)
    with netCDF4.Dataset(path, "a") as file:
        variable = file.createVariable("b", "i2", ("sample",))
        variable[:] = 5
    with h5py.File(path, "a") as file:  # netCDF4 refuses to write such an attribute
        file["b"].attrs["valid_range"] = "from 0 to 9"
    table = read_table(path)
    assert list(table.columns) == ["a"]
    assert "b is left out: valid_range is 'from 0 to 9', expected a number" in table.told


def test_wavelengths_may_be_packed(tmp_path):
    """Their scale factor counts like that of any other variable."""
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("sample", 1)
        file.createDimension("wavelength", 2)
        nm = file.createVariable("wavelength", "u2", ("wavelength",))
        nm.set_auto_maskandscale(False)
        nm.units, nm.scale_factor, nm[:] = "nm", 0.1, [4125, 4430]
        file.createVariable("Rrs", "f4", ("sample", "wavelength"))[:] = [[1, 2]]
    assert list(read_table(tmp_path / "a.nc").columns)[-2:] == ["Rrs_412.5", "Rrs_443"]


@pytest.mark.parametrize(
    ("units", "attributes", "texts"),
    [
        ("days since 1899-12-30", {}, ["2011-09-10T19:00:00", ""]),
        ("days since 1899-12-30", {"calendar": "noleap"}, ["40796.7916666667 days since", ""]),
        ("months since 1899-12-30", {}, ["40796.7916666667 months since", ""]),
    ],
)
def test_times_of_other_calendars_are_quoted(tmp_path, units, attributes, texts):
    """They are no times of a clock; days have no exact seconds."""
    stored = np.array([40796.791666666664, -1.0])
    path = written(tmp_path / "a.nc", stored, units=units, missing_value=-1.0, **attributes)
    found = read_table(path).labels("a")
    assert found[0].startswith(texts[0])
    assert found[1] == ""


def test_one_odd_time_does_not_spoil_the_others(tmp_path):
    """Only its own text is quoted."""
    path = tmp_path / "t.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", 3)
        time = file.createVariable("time", "f8", ("obs",))
        time.units, time[:] = "days since 1970-01-01", [15227.5, 9.969e36, np.nan]
    odd = "9.969e+36 days since 1970-01-01 (standard)"
    assert read_table(path).labels("time").tolist() == ["2011-09-10T12:00:00", odd, ""]


def test_groups_may_hold_the_same_quantity(tmp_path):
    """What was measured and what a satellite saw are two columns, called by group and name."""
    path = tmp_path / "t.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", 2)
        for group, value in (("insitu", 1), ("satellite/aqua", 2)):
            file.createVariable(f"/{group}/Rrs_443", "f4", ("obs",))[:] = value
        file.createVariable("/insitu/chl", "f4", ("obs",))[:] = 3
    table = read_table(path)
    assert table.numbers("insitu/Rrs_443").tolist() == [1, 1]
    assert table.numbers("satellite/aqua/Rrs_443").tolist() == [2, 2]
    assert table.numbers("chl").tolist() == [3, 3]
    assert table.repeated["Rrs_443"] == ("insitu/Rrs_443", "satellite/aqua/Rrs_443")
    assert "2 columns are called 'Rrs_443'" in table.told[0]


def test_groups_with_rows_of_their_own(tmp_path):
    """Columns of different lengths are no table."""
    path = tmp_path / "t.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, count in (("a", 2), ("b", 3)):
            group = file.createGroup(name)
            group.createDimension("obs", count)
            group.createVariable(f"chl_{name}", "f4", ("obs",))[:] = 1
    with pytest.raises(ConfigError, match="'obs' has several lengths"):
        read_table(path)


def test_spectra_and_bands_of_one_name(tmp_path):
    """``Rrs(obs, wavelength)`` does not replace ``Rrs_443``; without a wavelength, no band."""
    path = tmp_path / "t.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("obs", 1)
        file.createDimension("wavelength", 3)
        file.createVariable("wavelength", "f4", ("wavelength",))[:] = [412, 443, np.nan]
        file.createVariable("Rrs_443", "f4", ("obs",))[:] = 1
        file.createVariable("Rrs", "f4", ("obs", "wavelength"))[:] = 2
        file.createVariable("bbp", "f4", ("obs", "wavelength"))[:] = 3
    table = read_table(path)
    assert sorted(table.columns) == ["Rrs_443", "bbp_412", "bbp_443"]
    assert table.numbers("Rrs_443").tolist() == [1]
    assert "Rrs is left out, because another variable became the column Rrs_443" in table.told
