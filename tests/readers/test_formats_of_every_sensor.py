"""Presets fit every sensor of a processor: names of bands, sensors, times, flags, collocations.

The files are built here after SNAP's and POLYMER's public writers: names of bands are those of the
source product, wavelengths are attributes, and reflectance is rrs or, by default, rhow.
"""

import netCDF4
import numpy as np
import pytest
from miniatures import acolite_l2r, acolite_l2w, occci_l3, pace_l2_flat, polymer
from miniatures.truth import image_of_coordinates, map_of_coordinates

from pipeline.config import ReaderChoice
from pipeline.config.science import MaskRules
from pipeline.errors import SceneError
from pipeline.masks.recommended import with_recommended
from pipeline.readers import open_scene
from pipeline.scene.scene import SOURCE_FLAGS

LINES, PIXELS = 6, 5
VALID_PE = 1 << 31
MSI = {"B1": 443, "B2": 490, "B3": 560, "B4": 665, "B5": 705, "B6": 740, "B7": 783, "B8A": 865}
MERIS_NM = (412.5, 442.5, 490, 510, 560, 620, 665, 681, 709, 754, 779, 865)
MERIS = dict(zip([*map(str, range(1, 11)), "12", "13"], MERIS_NM, strict=True))
LANDSAT = {"1": 440, "2": 480, "3": 560, "4": 655, "5": 865}
MODIS = {str(nm): nm for nm in (412, 443, 488, 531, 547, 667, 678, 748, 869)}
VIIRS = {str(nm): nm for nm in (410, 443, 486, 551, 671, 745, 862)}
SEAWIFS = {str(nm): nm for nm in (412, 443, 490, 510, 555, 670, 765, 865)}
# Product type of SNAP, bands by name, the sensor.
C2RCC = {
    "C2RCC_S2-MSI": (MSI, "MSI"),
    "C2RCC_MERIS": (MERIS, "MERIS"),
    "C2RCC_MERIS4": (MERIS, "MERIS"),
    "C2RCC_LANDSAT-8": (LANDSAT, "OLI"),
    "C2RCC_LANDSAT-7": (LANDSAT, ""),
    "C2RCC_MODIS": (MODIS, "MODIS-Aqua"),
    "C2RCC_VIIRS": (VIIRS, "VIIRS"),
    "C2RCC_SEAWIFS": (SEAWIFS, "SeaWiFS"),
}


def write_c2rcc(path, product_type, bands, kind="rrs", ending="", metadata=None, wavelengths=True):
    """Rrs is 0.003 sr-1 plus a millionth of the wavelength; the first two lines are not valid."""
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"product_type": product_type, "start_date": "24-APR-2021 10:25:49.024000"})
        file.createDimension("y", LINES), file.createDimension("x", PIXELS)
        for name, nm in bands.items():
            made = file.createVariable(f"{kind}_{name}{ending}", "f4", ("y", "x"), fill_value=None)
            made.units = "sr^-1" if kind == "rrs" else "1"
            if wavelengths:
                made.wavelength = np.float32(nm)
            stored = np.full((LINES, PIXELS), 0.003 + nm * 1e-6) * (np.pi if kind == "rhow" else 1)
            stored[-1] = 0.0 if ending else np.nan
            made[:] = stored
        flags = file.createVariable(f"c2rcc_flags{ending}", "u4", ("y", "x"))
        flags.flag_meanings = "Rtosa_OOS Valid_PE"
        flags.flag_masks = np.array([1, VALID_PE], "u4")
        flags[:] = np.repeat([[0], [0], *[[VALID_PE]] * 4], PIXELS, axis=1)
        for name, low in (("lat", 43.4), ("lon", 5.0)):
            place = file.createVariable(name, "f8", ("y", "x"))
            place[:] = low + np.linspace(0, 0.1, LINES * PIXELS).reshape(LINES, PIXELS)
        if metadata:
            file.createVariable("metadata", "i1").setncatts(metadata)
    return path


@pytest.mark.parametrize("kind", ["rrs", "rhow"])
@pytest.mark.parametrize("product_type", C2RCC)
def test_c2rcc_of_every_sensor(tmp_path, product_type, kind):
    """Bands by number, name or wavelength; rhow is converted into Rrs."""
    bands, sensor = C2RCC[product_type]
    path = write_c2rcc(tmp_path / "s.nc", product_type, bands, kind)
    with open_scene(path) as scene:
        assert scene.Rrs_wavelength.values.tolist() == pytest.approx(list(bands.values()))
        expected = 0.003 + 1e-6 * np.array(list(bands.values()))
        np.testing.assert_allclose(scene.Rrs[:, 0, 0], expected, rtol=2e-6)
        assert scene.Rrs[:, -1].isnull().all()
        assert scene.attrs["sensor"] == sensor
        assert scene.attrs["time_coverage_start"] == "2021-04-24T10:25:49.024Z"
        rules = with_recommended(MaskRules(preset="default"), scene)
        assert (rules.keep_flags, rules.flags) == (("Valid_PE",), ("Rtosa_OOS",))


ANGLES_OF = {
    "C2RCC_S2-MSI": ("sun_zenith", "sun_azimuth", "view_zenith_mean", "view_azimuth_mean"),
    "C2RCC_MERIS": ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth"),
    "C2RCC_VIIRS": ("solz", "sola", "senz", "sena"),
}


@pytest.mark.parametrize("azimuths", [(10.0, 350.0, 160.0), (200.0, 20.0, 0.0), (5.0, 95.0, -90.0)])
@pytest.mark.parametrize("product_type", ANGLES_OF)
def test_angles_of_c2rcc(tmp_path, product_type, azimuths):
    """Under the names of each source product; the azimuth is sensor - 180 - sun."""
    sun, sensor, expected = azimuths
    path = write_c2rcc(tmp_path / "s.nc", product_type, C2RCC[product_type][0])
    with netCDF4.Dataset(path, "a") as file:
        for name, value in zip(ANGLES_OF[product_type], (40.0, sun, 12.0, sensor), strict=True):
            angle = file.createVariable(name, "f4", ("y", "x"))
            angle.units, angle[:] = "degree", value
            angle[0, 0] = -999.0
    with open_scene(path) as scene:
        found = [scene[n].values for n in ("solar_zenith", "sensor_zenith", "relative_azimuth")]
        assert [float(angle[-1, -1]) for angle in found] == pytest.approx([40.0, 12.0, expected])
        assert all(np.isnan(angle[0, 0]) for angle in found)


def test_c2rcc_prefers_rrs_to_rhow(tmp_path):
    """A file with both is read once."""
    path = write_c2rcc(tmp_path / "s.nc", "C2RCC_S2-MSI", MSI)
    with netCDF4.Dataset(path, "a") as file:
        for name, nm in MSI.items():
            other = file.createVariable(f"rhow_{name}", "f4", ("y", "x"))
            other.wavelength, other[:] = np.float32(nm), 9.0
    with open_scene(path) as scene:
        assert float(scene.Rrs.max()) < 0.01


@pytest.mark.parametrize(
    ("product_type", "metadata", "sensor"),
    [
        ("C2RCC_S2-MSI", {"a:SPACECRAFT_NAME": "Sentinel-2B"}, "S2B"),
        ("C2RCC_S2-MSI", {"b:sourceProduct": "S2A_MSIL1C_20210424T102549_N0300.SAFE"}, "S2A"),
        ("C2RCC_S2-MSI", {"b:sourceProduct": "S2C_MSIL1C_20250424T102549_N0511.SAFE"}, "MSI"),
        ("C2RCC_LANDSAT-8", {"c:SPACECRAFT_ID": "LANDSAT_9"}, "OLI2"),
        ("C2RCC_MODIS", {"d:title": "TERRA_MODIS.20200101T100000.L1C"}, "MODIS-Terra"),
    ],
)
def test_the_metadata_of_the_source_tell_satellites_apart(tmp_path, product_type, metadata, sensor):
    """The product type alone names only the instrument."""
    path = write_c2rcc(tmp_path / "s.nc", product_type, MSI, metadata=metadata)
    with open_scene(path) as scene:
        assert scene.attrs["sensor"] == sensor


@pytest.mark.parametrize("name", ["443", "B1", "7"])
def test_the_number_of_a_band_is_not_a_wavelength(tmp_path, name):
    """A name of three digits is one, for files that lost their attributes."""
    path = write_c2rcc(tmp_path / "s.nc", "C2RCC_MODIS", {name: 443}, wavelengths=False)
    if name == "443":
        with open_scene(path) as scene:
            assert scene.Rrs_wavelength.values.tolist() == [443]
        return
    with pytest.raises(SceneError, match=f"the wavelength of rrs_{name} is unknown"):
        open_scene(path)


@pytest.mark.parametrize("ending", ["_M", "_S", "_S0", "_master"])
def test_a_collocation_of_snap(tmp_path, ending):
    """Names have an ending, and missing values became 0 without a fill value."""
    path = write_c2rcc(tmp_path / "s.nc", "COLLOCATED", MSI, ending=ending)
    with open_scene(path) as scene:
        assert scene.Rrs_wavelength.values.tolist() == list(MSI.values())
        assert scene.Rrs[:, -1].isnull().all()
        assert scene.Rrs[:, :-1].notnull().all()
        assert "Valid_PE" in scene[SOURCE_FLAGS].attrs["flag_meanings"]


def test_a_missing_angle_of_a_collocation_is_not_zero(tmp_path):
    """Else it would open a mask; integers and variables of no product may be 0."""
    path = write_c2rcc(tmp_path / "s.nc", "COLLOCATED", MSI, ending="_M")
    angles = np.full((LINES, PIXELS), 40.0)
    angles[2] = 0
    with netCDF4.Dataset(path, "a") as file:
        for name, type_ in (("SZA_M", "f4"), ("detector_M", "i2")):
            file.createVariable(name, type_, ("y", "x"))[:] = angles
        file["rrs_B1_M"].valid_pixel_expression = "SZA_M < 70"
    with open_scene(path) as scene:
        assert (np.isnan(scene.solar_zenith.values) == (angles == 0)).all()
        assert scene.detector.notnull().all()
        assert scene.Rrs[0, 2].isnull().all()
        assert scene.Rrs[1, 2].notnull().all()
        assert scene.latitude.notnull().all()


@pytest.mark.parametrize("kind", ["rrs", "rhow"])
@pytest.mark.parametrize(
    ("bands", "sensor"), [({"8": 665, "21": 940}, "OLCI"), (MSI, "MSI"), (LANDSAT, "")]
)
def test_the_bands_of_a_collocation_name_its_sensor(tmp_path, bands, sensor, kind):
    """Its product type does not; OLCI's band 21 is at 1020 nm, where SNAP writes 940 nm."""
    path = write_c2rcc(tmp_path / "s.nc", "COLLOCATED", bands, kind, ending="_S")
    with open_scene(path) as scene:
        assert scene.attrs["sensor"] == sensor
        corrected = [1020 if nm == 940 else nm for nm in bands.values()]
        assert scene.Rrs_wavelength.values.tolist() == corrected


def test_a_collocation_of_two_products_needs_a_choice(tmp_path):
    """The message names the endings; the option chooses one."""
    path = write_c2rcc(tmp_path / "s.nc", "COLLOCATED", MSI, ending="_M")
    other = write_c2rcc(tmp_path / "o.nc", "COLLOCATED", LANDSAT, ending="_S")
    with netCDF4.Dataset(path, "a") as file, netCDF4.Dataset(other) as source:
        for name in [name for name in source.variables if name.endswith("_S")]:
            made = file.createVariable(name, source[name].dtype, ("y", "x"))
            made.setncatts(source[name].__dict__)
            made[:] = source[name][:]
    with pytest.raises(SceneError, match=r"several products \(_M, _S\)"):
        open_scene(path)
    for ending, bands in (("_M", MSI), ("_S", LANDSAT)):
        options = {"preset": "c2rcc", "mapping": {"suffix": ending}}
        with open_scene(path, ReaderChoice(format="cf_netcdf", options=options)) as scene:
            assert scene.Rrs_wavelength.values.tolist() == list(bands.values())


@pytest.mark.parametrize(
    ("sensor", "l1_filename", "found"),
    [
        ("MSI", "S2B_MSIL1C_20231220T103349_N0510_R108_T31TGN_20231220T112131.SAFE", "S2B"),
        ("MSI", "/data/S2A_MSIL1C_20231220T103349.SAFE/GRANULE/L1C_T31TGN", "S2A"),
        ("MSI", "L1C_T31TGN_A035394_20231220T103349", "MSI"),
        ("OLI", "LC09_L1TP_200030_20230615_20230615_02_T1", "OLI2"),
        ("MODIS", "A2011253190500.L1C", "MODIS-Aqua"),
        ("MODIS", "T2011253190500.L1C", "MODIS-Terra"),
        ("MERIS", "MER_RR__1PRACR20050501_090549.N1", "MERIS"),
        ("SeaWiFS", "S2004115124135.L1B", "SeaWiFS"),
        ("VIIRSJ1", "JPSS1_VIIRS.20230615T100000.L1C.nc", "VIIRS"),
    ],
)
def test_polymer_of_every_sensor(tmp_path, sensor, l1_filename, found):
    """The name of the level-1 file tells the satellites apart."""
    truth = image_of_coordinates(LINES, PIXELS, (443, 560), flags=("LAND", "ANOMALY_RWMOD_BLUE"))
    replaced = {"l1_filename": l1_filename, "start_time": None, "stop_time": None,
                "sensing_time": "2023-12-20 10:37:53"}  # fmt: skip
    path = polymer.write(tmp_path, truth, sensor=sensor, replaced=replaced).path
    with open_scene(path) as scene:
        assert scene.attrs["sensor"] == found
        assert scene.attrs["time_coverage_start"] == "2023-12-20T10:37:53.000Z"
        assert scene.attrs["time_coverage_end"] == "2023-12-20T10:37:53.000Z"
        assert "ANOMALY_RWMOD_BLUE" in scene[SOURCE_FLAGS].attrs["flag_meanings"]


@pytest.mark.parametrize(
    ("sensor", "l1_filename", "found"),
    [
        ("MODIS", "T2011253190500.L1C", "MODIS-Terra"),
        ("MODIST", "x", "MODIS-Terra"),
        ("MODIS", "A2011253190500.L1C", "MODIS-Aqua"),
    ],
)
def test_polymer_masks_both_modis_alike(tmp_path, sensor, l1_filename, found):
    """The bit ANOMALY_RWMOD_BLUE is recommended for MODIS, on either satellite."""
    truth = image_of_coordinates(LINES, PIXELS, (443, 560), flags=("LAND", "ANOMALY_RWMOD_BLUE"))
    replaced = {"l1_filename": l1_filename}
    path = polymer.write(tmp_path, truth, sensor=sensor, replaced=replaced).path
    with open_scene(path) as scene:
        assert scene.attrs["sensor"] == found
        rules = with_recommended(MaskRules(preset="default"), scene)
        assert "ANOMALY_RWMOD_BLUE" in rules.flags


POLYMER_BITS = {"INCONSISTENCY", "ANOMALY_RWMOD_BLUE"}


@pytest.mark.parametrize(
    ("sensor", "more", "expressions"),
    [
        ("OLCI", set(), {}),
        ("MERIS", set(), {}),
        ("MSI", set(), {}),
        ("SeaWiFS", {"INCONSISTENCY"}, {}),
        ("MODIS", {"ANOMALY_RWMOD_BLUE"}, {}),
        ("VIIRSN", set(), {"bright_nir": "Rnir >= 0.1", "bright_glint": "Rgli >= 0.1"}),
        ("VIIRSJ1", set(), {"bright_nir": "Rnir >= 0.1", "bright_glint": "Rgli >= 0.1"}),
    ],
)
def test_polymers_masks_depend_on_the_sensor(tmp_path, sensor, more, expressions):
    """1023 for all; 2048 for SeaWiFS, 4096 for MODIS, and two reflectances for VIIRS."""
    truth = image_of_coordinates(LINES, PIXELS, (443, 560), flags=("LAND",))
    extra = {"Rnir": 0.01, "Rgli": 0.02}
    path = polymer.write(tmp_path, truth, sensor=sensor, extra=extra).path
    with open_scene(path) as scene:
        rules = with_recommended(MaskRules(preset="default"), scene)
        assert POLYMER_BITS & set(rules.flags) == more
        assert {"LAND", "EXTERNAL_MASK"} <= set(rules.flags)
        assert dict(rules.expressions) == expressions


def add_acolite(path, name, values):
    with netCDF4.Dataset(path, "a") as file:
        made = file.createVariable(name, "f4", ("y", "x"))
        made.wavelength, made.units = float(name.rpartition("_")[2]), "1"
        made[:] = values


@pytest.mark.parametrize("more", [(), ("rhow",), ("rhos",), ("rhow", "rhos")])
def test_acolite_reads_water_before_surface(tmp_path, more):
    """Rhos is the reflectance of the surface, which is bright over land."""
    truth = image_of_coordinates(LINES, PIXELS, (443, 560), defects=False)
    written = acolite_l2r.write(tmp_path, truth)
    for kind in more:
        if kind == "rhow":
            for nm in (443, 560):
                add_acolite(written.path, f"rhow_{nm}", 0.01 * np.pi)
    expected = 0.01 if "rhow" in more else written.rrs[443.0]
    with open_scene(written.path) as scene:
        np.testing.assert_allclose(scene.Rrs.sel(Rrs_wavelength=443), expected, rtol=2e-6)


def test_acolite_prefers_rrs_to_rhow(tmp_path):
    """Both are water-leaving; Rrs needs no conversion."""
    written = acolite_l2w.write(tmp_path, image_of_coordinates(LINES, PIXELS, (443, 560)))
    add_acolite(written.path, "rhow_443", 9.0)
    with open_scene(written.path) as scene:
        np.testing.assert_allclose(scene.Rrs[0], written.rrs[443.0], rtol=1e-6)


@pytest.mark.parametrize("with_flags", [True, False])
def test_a_flat_subset_of_pace(tmp_path, with_flags):
    """Without groups; without flags, the recommended masks are refused and not left out."""
    truth = image_of_coordinates(LINES, PIXELS, (412, 443), flags=("LAND",))
    path = pace_l2_flat.write(tmp_path, truth, with_flags=with_flags).path
    with open_scene(path) as scene:
        assert scene.attrs["sensor"] == "OCI"
        assert (SOURCE_FLAGS in scene) == with_flags
        default = MaskRules(preset="default")
        if with_flags:
            assert "LAND" in with_recommended(default, scene).flags
        else:
            with pytest.raises(SceneError, match="the scene has no flags"):
                with_recommended(default, scene)


def test_one_band_cut_out_of_a_map_of_pace(tmp_path):
    """Rrs has no bands any more, but the coordinate still says which band it was."""
    path = tmp_path / "s.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("lat", 3), file.createDimension("lon", 4)
        for axis, values in (("lat", [2, 1, 0]), ("lon", [5, 6, 7, 8])):
            file.createVariable(axis, "f4", (axis,))[:] = values
        file.createVariable("wavelength", "f8")[...] = 442.5
        made = file.createVariable("Rrs", "f4", ("lat", "lon"))
        made.units, made[:] = "sr^-1", 0.004
    with open_scene(path) as scene:
        assert scene.Rrs_wavelength.values.tolist() == [442.5]


def write_times(path, times=3, chunks=None, bounds=True, model="NETCDF4"):
    """A map with several times; Rrs is a thousandth of the number of the time plus one."""
    with netCDF4.Dataset(path, "w", format=model) as file:
        file.title = "ESA CCI Ocean Colour Product"
        sizes = {"time": times, "lat": 4, "lon": 6}
        for name, size in sizes.items():
            file.createDimension(name, size)
        for name, values in (("lat", np.arange(4.0, 0, -1)), ("lon", np.arange(6.0))):
            file.createVariable(name, "f4", (name,))[:] = values
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = "days since 2005-01-01", np.arange(times) * 31.0
        if bounds:
            file.createDimension("nv", 2)
            time.bounds = "time_bnds"
            edges = np.stack([np.arange(times) * 31.0, np.arange(1, times + 1) * 31.0], 1)
            file.createVariable("time_bnds", "f8", ("time", "nv"))[:] = edges
        for nm in (443, 560):
            made = file.createVariable(f"Rrs_{nm}", "f4", tuple(sizes), chunksizes=chunks)
            made.units = "sr-1"
            made[:] = (np.arange(times)[:, None, None] + 1) * 0.001 + np.zeros((times, 4, 6))
    return path


@pytest.mark.parametrize("units", ["percent", "%", "1e-4", "W m-2 sr-1"])
@pytest.mark.parametrize("format_", ["acolite_l2r", "acolite_l2w", "c2rcc", "polymer"])
def test_a_preset_does_not_override_units_of_the_file(tmp_path, format_, units):
    """It states those that a format leaves out; other ones are those of other numbers."""
    path, names = _of_preset(tmp_path, format_)
    with netCDF4.Dataset(path, "a") as file:
        file[names[0]].units = units
    said = f"{names[0]} has units '{units}', expected .*options.units"
    with pytest.raises(SceneError, match=said):
        open_scene(path)
    right = "sr-1" if names[0].startswith("Rrs") else "1"
    options = {"units": {names[0]: right}}
    with open_scene(path, ReaderChoice(format="cf_netcdf", options=options)) as scene:
        assert scene.Rrs.notnull().any()


@pytest.mark.parametrize("units", [None, "", "1", "dl", "dimensionless"])
@pytest.mark.parametrize("format_", ["acolite_l2r", "acolite_l2w", "c2rcc", "polymer"])
def test_a_preset_states_units_where_the_file_has_none(tmp_path, format_, units):
    """ACOLITE states 1 for Rrs, POLYMER dl; some versions state nothing."""
    path, names = _of_preset(tmp_path, format_)
    with open_scene(path) as scene:
        expected = scene.Rrs.values
    with netCDF4.Dataset(path, "a") as file:
        for name in names:
            if "units" in file[name].ncattrs():
                file[name].delncattr("units")
            if units is not None:
                file[name].units = units
    with open_scene(path) as scene:
        np.testing.assert_array_equal(scene.Rrs, expected)


def _of_preset(folder, format_):
    """A file of a format for which a preset states units, and the names of its bands."""
    if format_ == "c2rcc":
        path = write_c2rcc(folder / "s.nc", "C2RCC_S2-MSI", MSI, "rhow")
    else:
        truth = image_of_coordinates(LINES, PIXELS, (443, 492, 560))
        writers = {"acolite_l2r": acolite_l2r, "acolite_l2w": acolite_l2w, "polymer": polymer}
        path = writers[format_].write(folder, truth).path
    begin = ("Rrs_", "rhow_", "rhos_", "Rw")
    with netCDF4.Dataset(path) as file:
        return path, [name for name in file.variables if name.startswith(begin)]


def at_time(path, time):
    return open_scene(path, ReaderChoice(format="cf_netcdf", options={"time": time}))


@pytest.mark.parametrize(
    ("chunks", "model"),
    [(None, "NETCDF4"), ((1, 2, 3), "NETCDF4"), ((2, 4, 6), "NETCDF4"), (None, "NETCDF3_CLASSIC")],
)
@pytest.mark.parametrize(
    ("time", "number"),
    [
        *[(0, 0), (2, 2), ("2005-02-01", 1), ("2005-03", 2), ("2005-01-01 00:00:00Z", 0)],
        *[("20050201", 1), ("2005-02-01T00:00:00.000Z", 1), ("2005-032", 1)],
    ],
)
def test_one_of_several_times(tmp_path, chunks, model, time, number):
    """Chosen by its number or by the beginning of its date, whatever the chunks are."""
    path = write_times(tmp_path / "s.nc", chunks=chunks, model=model)
    with at_time(path, time) as scene:
        assert scene.Rrs.shape == (2, 4, 6)
        np.testing.assert_allclose(scene.Rrs, (number + 1) * 0.001, rtol=1e-6)
        dates = ["2005-01-01", "2005-02-01", "2005-03-04", "2005-04-04"]
        assert scene.attrs["time_coverage_start"] == f"{dates[number]}T00:00:00Z"
        assert scene.attrs["time_coverage_end"] == f"{dates[number + 1]}T00:00:00Z"


def test_several_times_without_a_choice(tmp_path):
    """The message lists them and says which option chooses one."""
    with pytest.raises(SceneError) as caught:
        open_scene(write_times(tmp_path / "s.nc"))
    assert "3 times (0: 2005-01-01T00:00:00Z, 1: 2005-02-01T00:00:00Z" in str(caught.value)
    assert "options: {time: '2005-01-01T00:00:00Z'}" in str(caught.value)


@pytest.mark.parametrize(
    ("time", "says"), [(3, "no time 3"), ("2006", "no time '2006'"), ("2005", "several times")]
)
def test_a_time_that_does_not_fit(tmp_path, time, says):
    """It is refused, with the times that the file has."""
    with pytest.raises(SceneError, match=says):
        at_time(write_times(tmp_path / "s.nc"), time)


def test_times_in_other_zones_and_calendars(tmp_path, caplog):
    """A zone counts, however it is written; a calendar of a model has no real dates."""
    path = write_times(tmp_path / "s.nc", bounds=False)
    with netCDF4.Dataset(path, "a") as file:
        file["time"].units = "days since 2005-01-01 00:00 -5:00"
    with pytest.raises(SceneError, match="0: 2005-01-01T05:00:00Z"):
        open_scene(path)
    with netCDF4.Dataset(path, "a") as file:
        file["time"].units = "days since 2005-01-01 00:00 EST"
    with pytest.raises(SceneError, match="0: no date"):
        open_scene(path)
    assert "the zone 'EST' is not known" in caplog.text
    with netCDF4.Dataset(path, "a") as file:
        file["time"].setncatts({"units": "days since 2005-01-01", "calendar": "360_day"})
    with pytest.raises(SceneError, match="0: no date"):
        open_scene(path)


def test_times_without_dates_are_chosen_by_number(tmp_path):
    """A subset may have lost the coordinate, but not the dimension."""
    path = write_times(tmp_path / "s.nc")
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("time", "was_time")
        file["was_time"].delncattr("units")
    with pytest.raises(SceneError, match=r"3 times .*options: \{time: 0\}"):
        open_scene(path)
    with at_time(path, 1) as scene:
        np.testing.assert_allclose(scene.Rrs, 0.002, rtol=1e-6)


@pytest.mark.parametrize("named", [{"standard_name": "time"}, {"axis": "T"}, {}])
def test_times_along_a_dimension_of_another_name(tmp_path, named):
    """The standard name, the axis or the name of the variable tells that these are times."""
    path = write_times(tmp_path / "s.nc")
    with netCDF4.Dataset(path, "a") as file:
        file.renameDimension("time", "record")
        if named:
            file.renameVariable("time", "when")
        file["when" if named else "time"].setncatts(named)
    with pytest.raises(SceneError, match=r"3 times .*0: 2005-01-01T00:00:00Z"):
        open_scene(path)
    with at_time(path, "2005-02") as scene:
        np.testing.assert_allclose(scene.Rrs, 0.002, rtol=1e-6)


@pytest.mark.parametrize("missing", [np.nan, netCDF4.default_fillvals["f8"]])
def test_a_missing_time_has_no_date(tmp_path, missing):
    """It does not make the file a damaged one; its number chooses it."""
    path = write_times(tmp_path / "s.nc")
    with netCDF4.Dataset(path, "a") as file:
        file["time"][1] = missing
        file["time"].delncattr("bounds")
    with pytest.raises(SceneError, match="0: 2005-01-01T00:00:00Z, 1: no date, 2: 2005-03-04"):
        open_scene(path)
    for chosen in (1, 2):
        with at_time(path, chosen) as scene:
            np.testing.assert_allclose(scene.Rrs, (chosen + 1) * 0.001, rtol=1e-6)


@pytest.mark.parametrize("said", [{"units": "months since 2005-01-01"}, {"calendar": "noleap"}])
def test_times_that_cannot_be_read_are_chosen_by_number(tmp_path, caplog, said):
    """The warning says why they have no dates."""
    path = write_times(tmp_path / "s.nc")
    with netCDF4.Dataset(path, "a") as file:
        file["time"].setncatts(said)
    with at_time(path, 2) as scene:
        np.testing.assert_allclose(scene.Rrs, 0.003, rtol=1e-6)
    assert next(iter(said.values())) in caplog.text


def test_the_chosen_time_of_a_file_with_one_time(tmp_path):
    """Another file than the one that was meant is refused, also in a folder of daily files."""
    path = write_times(tmp_path / "s.nc", times=1)
    for right in (0, "2005-01-01", "20050101"):
        with at_time(path, right) as scene:
            assert scene.Rrs.shape == (2, 4, 6)
    for wrong in (1, "2005-01-02", "2006"):
        with pytest.raises(SceneError, match=f"no time {wrong!r}; it has 0: 2005-01-01"):
            at_time(path, wrong)


def test_the_chosen_time_of_a_file_without_times(tmp_path):
    """Nobody knows whether it is the one that was meant."""
    path = write_c2rcc(tmp_path / "s.nc", "C2RCC_S2-MSI", MSI)
    with pytest.raises(SceneError, match="'2006' is chosen, but the file has no variable for its"):
        at_time(path, "2006")


def test_the_time_of_each_line_is_not_one_of_several_times(tmp_path):
    """Lines and pixels are the dimensions of latitude."""
    path = write_c2rcc(tmp_path / "s.nc", "C2RCC_S2-MSI", MSI)
    with netCDF4.Dataset(path, "a") as file:
        lines = file.createVariable("line_time", "f8", ("y",))
        lines.units, lines.axis, lines[:] = "seconds since 2021-04-24", "T", np.arange(LINES)
    with open_scene(path) as scene:
        assert scene.sizes["y"] == LINES


def test_one_time_needs_no_choice(tmp_path):
    """A dimension of size one is dropped, as before."""
    with open_scene(write_times(tmp_path / "s.nc", times=1)) as scene:
        assert scene.Rrs.shape == (2, 4, 6)


def test_the_bands_of_occci_name_its_sensor(tmp_path):
    """The merged Rrs is at the bands of MERIS or, in older versions, of SeaWiFS."""
    for green, sensor in ((560, "MERIS"), (555, "SeaWiFS")):
        folder = tmp_path / sensor
        folder.mkdir()
        path = occci_l3.write(folder, map_of_coordinates(LINES, PIXELS, (443, green))).path
        with open_scene(path) as scene:
            assert scene.attrs["sensor"] == sensor
