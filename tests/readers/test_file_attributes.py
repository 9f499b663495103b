"""Units and attributes of whole files of each format: known, stated in the options, or refused."""

import h5py
import netCDF4
import numpy as np
import pytest
from miniatures.cases import CASES
from obpg_miniature import FILL, LAND, counts_of, write_obpg_l2
from small_runs import network_for, numbers, product_of, run_settings

from pipeline.config import ReaderChoice
from pipeline.errors import ConfigError, SceneError
from pipeline.readers import open_scene

BANDS = (412, 443)


@pytest.fixture
def nasa(tmp_path):
    """Reflectances of 0.004 sr-1 in 12 x 12 pixels, of which the first line is land."""
    flags = np.zeros((12, 12), np.int32)
    flags[0] = LAND
    counts = {nm: counts_of(np.full((12, 12), 0.004)) for nm in BANDS}
    return write_obpg_l2(tmp_path / "nasa.nc", counts, flags=flags)


def edited(path, edit):
    """The file after a change by netCDF4, which may set whatever a program may set."""
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        edit(file)
    return path


def bands_of(file):
    return [file["geophysical_data"][f"Rrs_{nm}"] for nm in BANDS]


def without_limits(file):
    for band in bands_of(file):
        band.delncattr("valid_min")
        band.delncattr("valid_max")


def opened(path, reader="auto", **options):
    """The scene in memory."""
    choice = ReaderChoice(format=reader, options=options)
    with open_scene(path, choice) as scene:
        return scene.load()


def refusal(path, reader="auto", **options):
    """The message of a file that is refused; it never speaks of damage."""
    with pytest.raises(SceneError) as caught:
        opened(path, reader, **options)
    assert path.name in str(caught.value)
    assert "damaged" not in str(caught.value)
    return str(caught.value)


def is_whole(scene):
    """Whether every reflectance is the one that was written, and none is outside its range."""
    return bool(np.allclose(scene.Rrs, 0.004, rtol=1e-4)) and not scene.Rrs_state.values.any()


# Attributes with their meaning


def test_a_run_of_a_file_whose_limits_are_in_units(nasa, tmp_path):
    """All pixels but the land: 132 of 144. Read as counts, the limits would leave none."""

    def edit(file):
        without_limits(file)
        for band in bands_of(file):
            band.setncattr("valid_min", np.float32(-0.01))
            band.setncattr("valid_max", np.float32(0.1))

    path = edited(nasa, edit)
    assert is_whole(opened(path))
    settings = run_settings(tmp_path, network_for(tmp_path, BANDS), masks={"flags": ["LAND"]})
    product = numbers(product_of(path, settings))
    assert np.count_nonzero(product["quality_flags"] == 0) == 132
    assert np.unique(product["aph_443"]).size == 2  # one value and one for missing


def test_limits_of_an_angle_in_degrees(nasa):
    """0 to 180 degrees on packed integers: a low sun stays a low sun."""

    def edit(file):
        angle = file["geophysical_data"].createVariable(
            "solz", "i2", ("number_of_lines", "pixels_per_line"), fill_value=np.int16(FILL)
        )
        angle.set_auto_maskandscale(False)
        angle.setncatts({"scale_factor": np.float32(0.01), "add_offset": np.float32(0),
                         "units": "degrees", "valid_range": np.array([0, 180], "f4")})  # fmt: skip
        angle[:] = 8500

    assert np.allclose(opened(edited(nasa, edit)).solar_zenith, 85)


@pytest.mark.parametrize("where", ["file", "group"])
def test_a_fill_value_stated_once(nasa, where):
    """No band states one; the file or the group does, and its pixels are missing."""
    with h5py.File(nasa, "a") as file:
        for nm in BANDS:
            band = file[f"geophysical_data/Rrs_{nm}"]
            band[3, 4] = -31000
            for name in ("_FillValue", "valid_min", "valid_max"):
                del band.attrs[name]
        owner = file if where == "file" else file["geophysical_data"]
        owner.attrs["missing_value"] = np.float64(-31000)
    scene = opened(nasa)
    assert np.isnan(scene.Rrs.values[:, 3, 4]).all()
    assert np.count_nonzero(np.isnan(scene.Rrs.values)) == len(BANDS)


def test_a_scale_stated_once_is_refused(nasa):
    """It is not known of which variables; the counts are not read as reflectances."""
    with h5py.File(nasa, "a") as file:
        file.attrs["scale_factor"] = np.float32(2e-6)
        del file["geophysical_data/Rrs_443"].attrs["scale_factor"]
    message = refusal(nasa)
    assert "Rrs_443" in message
    assert "scale_factor is an attribute of the file or group" in message


def test_text_for_numbers_is_read_and_reported(nasa, caplog):
    """The values are those of the numbers; a warning quotes the text."""

    def edit(file):
        for band in bands_of(file):
            band.setncatts({"scale_factor": "2e-6", "valid_min": "-30000"})

    assert is_whole(opened(edited(nasa, edit)))
    assert "Rrs_412: text is read as numbers" in caplog.text
    assert "scale_factor '2e-6'" in caplog.text


def test_a_band_without_scale_is_refused(nasa):
    """Integers are no reflectances."""
    with h5py.File(nasa, "a") as file:
        del file["geophysical_data/Rrs_412"].attrs["scale_factor"]
    assert "Rrs_412: the values are integers (int16) without a scale_factor" in refusal(nasa)


# Units of NASA's files


@pytest.mark.parametrize("units", ["sr^-1", "sr-1", "1/sr", "sr**-1", "SR^-1 ", "steradian^-1"])
def test_spellings_of_units(nasa, units):
    """All mean sr-1."""
    path = edited(nasa, lambda file: [b.setncattr("units", units) for b in bands_of(file)])
    assert is_whole(opened(path))


@pytest.mark.parametrize(
    "units", ["percent", "%", "10 sr-1", "1", "W m-2 um-1 sr-1", "dl", "", None]
)
def test_other_units_are_refused_until_they_are_stated(nasa, units):
    """They would give plausible wrong numbers; the message says how to state the units."""
    for nm in BANDS:
        with h5py.File(nasa, "a") as file:
            attributes = file[f"geophysical_data/Rrs_{nm}"].attrs
            del attributes["units"]
            if units is not None:
                attributes["units"] = units
    message = refusal(nasa)
    assert "Rrs_412 has " + (f"units {units!r}" if units else "no units") in message
    assert "expected 'sr-1' for Rrs" in message
    assert "reader: {format: obpg_l2, options: {units: {Rrs: sr-1}}}" in message
    assert is_whole(opened(nasa, "obpg_l2", units={"Rrs": "sr-1"}))
    assert is_whole(opened(nasa, "obpg_l2", units={f"Rrs_{nm}": "sr-1" for nm in BANDS}))
    refusal(nasa, "obpg_l2", units={"Rrs": "percent"})


@pytest.mark.parametrize("units", ["degrees", "degrees_north", "degree_N", "degreesN", None])
def test_spellings_of_degrees(nasa, units):
    """CF's spellings, and none: a latitude is in degrees."""

    def edit(file):
        if units:
            file["navigation_data"]["latitude"].units = units

    np.testing.assert_allclose(opened(edited(nasa, edit)).latitude[:, 0], 10 + 0.01 * np.arange(12))


def test_places_in_radians_are_refused(nasa):
    """They would be places near the equator."""

    def edit(file):
        file["navigation_data"]["latitude"].units = "radians"

    assert "latitude has units 'radians', expected 'degrees_north'" in refusal(edited(nasa, edit))


def test_an_angle_in_radians_is_left_out(nasa, caplog):
    """Most runs use no angle, so a warning says how to state its units."""

    def edit(file):
        dims = ("number_of_lines", "pixels_per_line")
        angle = file["geophysical_data"].createVariable("solz", "f4", dims)
        angle.units = "radian"
        angle[:] = 40

    path = edited(nasa, edit)
    assert "solar_zenith" not in opened(path)
    assert "solz is left out: solz has units 'radian'" in caplog.text
    assert "units: {solz: degree}" in caplog.text
    assert (opened(path, "obpg_l2", units={"solz": "degree"}).solar_zenith == 40).all()


def test_units_that_are_empty_in_the_configuration(nasa):
    """State something."""
    with pytest.raises(ConfigError, match="no units are given for Rrs"):
        opened(nasa, "obpg_l2", units={"Rrs": ""})


# Wavelengths


@pytest.mark.parametrize(("units", "times"), [("um", 1e-3), ("m", 1e-9), ("nanometers", 1.0)])
def test_wavelengths_in_other_units_of_length(tmp_path, units, times):
    """Are brought to nm."""
    path = CASES["pace_oci"].written(tmp_path).path
    with h5py.File(path, "a") as file:
        old = file["sensor_band_parameters/wavelength_3d"]
        nm, name = old[...], old.name
        attributes = {"units": units}
        del file[name]
        file[name] = nm * times
        file[name].attrs.update(attributes)
    np.testing.assert_allclose(opened(path).Rrs_wavelength, nm)


def test_packed_wavelengths(tmp_path):
    """Counts of a tenth of a nanometre."""
    path = CASES["pace_l3m"].written(tmp_path).path
    whole = opened(path)
    with h5py.File(path, "a") as file:
        centres = file["wavelength"]
        centres[...] = centres[...] * 10
        centres.attrs["scale_factor"] = np.float64(0.1)
    np.testing.assert_allclose(opened(path).Rrs_wavelength, whole.Rrs_wavelength)


@pytest.mark.parametrize(("value", "units"), [(np.nan, "nm"), (-1, "nm"), (443, "sr-1")])
def test_wavelengths_that_are_none(tmp_path, value, units):
    """A message that names the variable."""
    path = CASES["pace_oci"].written(tmp_path).path
    with h5py.File(path, "a") as file:
        name = "sensor_band_parameters/wavelength_3d"
        nm = file[name][...].astype(np.float64)
        nm[0] = value
        del file[name]
        file[name] = nm
        file[name].attrs["units"] = units
    assert "wavelength_3d" in refusal(path)


# The other formats


def test_sgli_in_other_units(tmp_path):
    """The file's Rrs_unit counts; without one, the names Rrs_slope and Rrs_offset say enough."""
    path = CASES["sgli"].written(tmp_path).path
    whole = opened(path)
    with h5py.File(path, "a") as file:
        for name in [name for name in file["Image_data"] if name.startswith("NWLR_")]:
            file["Image_data"][name].attrs["Rrs_unit"] = "%"
    assert "units: {NWLR: sr-1}" in refusal(path)
    np.testing.assert_array_equal(opened(path, "sgli_l2", units={"NWLR": "sr-1"}).Rrs, whole.Rrs)
    with h5py.File(path, "a") as file:
        for name in [name for name in file["Image_data"] if name.startswith("NWLR_")]:
            del file["Image_data"][name].attrs["Rrs_unit"]
    np.testing.assert_array_equal(opened(path).Rrs, whole.Rrs)


def test_sgli_counts_in_floating_type_and_for_the_group(tmp_path):
    """Maximum_valid_DN is a count in any type, and may be stated once for all bands."""
    path = CASES["sgli"].written(tmp_path).path
    whole = opened(path)
    with h5py.File(path, "a") as file:
        image = file["Image_data"]
        for name in [name for name in image if name.startswith("NWLR_")]:
            for attribute in ("Maximum_valid_DN", "Error_DN"):
                image.attrs[attribute] = np.float32(image[name].attrs[attribute][0])
                del image[name].attrs[attribute]
    scene = opened(path)
    np.testing.assert_array_equal(scene.Rrs, whole.Rrs)
    np.testing.assert_array_equal(scene.Rrs_state, whole.Rrs_state)


def test_olci_in_percent(tmp_path):
    """Reflectances in percent are refused by the name of the band's file."""
    path = CASES["olci_wfr"].written(tmp_path).path
    whole = opened(path)
    with netCDF4.Dataset(path / "Oa03_reflectance.nc", "a") as file:
        file["Oa03_reflectance"].units = "%"
    message = refusal(path)
    assert "Oa03_reflectance has units '%', expected '1' for rho_w" in message
    assert "units: {reflectance: '1'}" in message
    found = opened(path, "olci_wfr", units={"reflectance": "1"})
    np.testing.assert_array_equal(found.Rrs, whole.Rrs)


def test_geotiff_of_integers_without_scale(tmp_path):
    """Counts are not read as reflectances; the option states the scale."""
    import rasterio

    case = CASES["geotiff_utm"]
    path = case.written(tmp_path).path
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (1.0, 1.0), (0.0, 0.0)
        counts = file.read(1)
    message = refusal(path, "geotiff", **case.reader_options)
    assert "integers (int16) without a scale factor" in message
    found = opened(path, "geotiff", scale=1e-5, **case.reader_options)
    values = found.Rrs.values[0]
    np.testing.assert_allclose(values[~np.isnan(values)], counts[~np.isnan(values)] * 1e-5, 1e-6)


def mapped(path, plain, **options):
    """A file with one band and a variable ``angle``, by a mapping."""
    mapping = {
        "latitude": "lat",
        "longitude": "lon",
        "spectral": [{"quantity": "Rrs", "variables": r"Rrs_(\d+)"}],
        "plain": plain,
    }
    return opened(path, "cf_netcdf", mapping=mapping, **options)


@pytest.fixture
def with_angle(tmp_path):
    """A swath with an angle whose units are nonsense, as SNAP's C2RCC writes them."""
    path = tmp_path / "angle.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 3)
        file.createDimension("x", 4)
        for name, value, units in (("lat", 43.0, "degrees_north"), ("lon", 5.0, "degrees_east"),
                                   ("Rrs_443", 0.003, "sr^-1"), ("angle", 33.0, "dl")):  # fmt: skip
            variable = file.createVariable(name, "f4", ("y", "x"))
            variable.units = units
            variable[:] = value
    return path


def test_nonsense_units_of_an_angle_can_be_stated(with_angle):
    """In the mapping as for bands, or in the option; otherwise the message says how."""
    with pytest.raises(SceneError, match=r"angle has units 'dl'.*units: \{angle: degree\}"):
        mapped(with_angle, {"solar_zenith": "angle"})
    stated = {"solar_zenith": {"variable": "angle", "units": "degree"}}
    assert (mapped(with_angle, stated).solar_zenith == 33).all()
    found = mapped(with_angle, {"solar_zenith": "angle"}, units={"angle": "degree"})
    assert (found.solar_zenith == 33).all()
    with pytest.raises(SceneError, match="angle has units 'radian'"):
        mapped(with_angle, {"solar_zenith": {"variable": "angle", "units": "radian"}})


def test_nonsense_units_of_an_angle_that_only_a_preset_names(tmp_path, caplog):
    """The scene is read without the angle; the option states its units."""
    path = CASES["polymer"].written(tmp_path).path
    with netCDF4.Dataset(path, "a") as file:
        angle = file.createVariable("sza_", "f4", file["Rw412"].dimensions) if (
            "sza" not in file.variables) else file["sza"]  # fmt: skip
        if angle.name != "sza":
            file.renameVariable("sza_", "sza")
        file["sza"].units = "dl"
        file["sza"][:] = 33
    assert "solar_zenith" not in opened(path)
    assert "sza is left out" in caplog.text
    found = opened(path, "cf_netcdf", preset="polymer", units={"sza": "degree"})
    assert np.allclose(found.solar_zenith, 33)


def test_units_stated_for_a_band_of_a_mapping(with_angle):
    """The option overrides the file, as it does for fixed formats."""
    with netCDF4.Dataset(with_angle, "a") as file:
        file["Rrs_443"].units = "percent"
    with pytest.raises(SceneError, match="Rrs_443 has units 'percent'"):
        mapped(with_angle, {})
    assert np.allclose(mapped(with_angle, {}, units={"Rrs_443": "sr-1"}).Rrs, 0.003)
    with pytest.raises(SceneError, match="units are stated for Rrs_412"):
        mapped(with_angle, {}, units={"Rrs_412": "sr-1"})


def test_places_of_a_mapping_in_radians(with_angle):
    """Are refused too, until their units are stated."""
    with netCDF4.Dataset(with_angle, "a") as file:
        file["lat"].units = "radian"
    with pytest.raises(SceneError, match="lat has units 'radian'"):
        mapped(with_angle, {})
    assert (mapped(with_angle, {}, units={"lat": "degree"}).latitude == 43).all()


def test_packed_axes_of_a_map(tmp_path):
    """Latitude and longitude as integers: places and axes are degrees, not counts."""
    path = tmp_path / "map.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, first in (("lat", 40.0), ("lon", 5.0)):
            file.createDimension(name, 4)
            axis = file.createVariable(name, "i2", (name,))
            axis.setncatts({"scale_factor": 0.01, "add_offset": 0.0, "units": "degrees"})
            axis[:] = first + np.arange(4)
        band = file.createVariable("Rrs_443", "f4", ("lat", "lon"))
        band.units = "sr-1"
        band[:] = 0.003
    scene = mapped(path, {})
    np.testing.assert_allclose(scene.latitude[:, 0], 40 + np.arange(4), 1e-6)
    np.testing.assert_allclose(scene.y, 40 + np.arange(4))
    np.testing.assert_allclose(scene.x, 5 + np.arange(4))


@pytest.mark.parametrize("group", ["", "navigation_data"])
def test_a_fill_value_of_the_file_that_is_no_number(nasa, group):
    """The message says that it is not an attribute of the variable."""
    edited(nasa, lambda file: (file[group] if group else file).setncattr("missing_value", "none"))
    said = refusal(nasa)
    assert "latitude: missing_value of the file or group is 'none'" in said
