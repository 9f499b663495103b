"""Real scenes of PACE and of C2RCC: every stored number, decoded by netCDF4 and plain float64."""

import netCDF4
import numpy as np
import oracle
import pytest
import rasterio
from small_network import write_network

import pipeline
from pipeline.config import ReaderChoice
from pipeline.readers import open_scene
from pipeline.scene.scene import wavelengths
from pipeline.scene.source_flags import SourceFlags

FILL = np.float32(-32767)


def independently(path, place) -> np.ndarray:
    """An int16 variable in float64 rounded to float32, by its attributes as stored."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        variable = file[place]
        a = {name: variable.getncattr(name) for name in variable.ncattrs()}
        limits = (a.get("_FillValue"), a.get("valid_min"), a.get("valid_max"))
        values, _ = oracle.decode_int16(variable[:], a["scale_factor"], a["add_offset"], *limits)
    return values.astype(np.float32)


def stored(path, place) -> np.ndarray:
    """A variable as it is in the file."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return file[place][:]


def run(scene, folder, network, *, masks=None, reader=None):
    """The product of one small network."""
    science = {
        "networks": [{"name": "iop", "file": str(network)}],
        "engine": "numpy",
        "masks": masks or {},
        "output": {"chunk": [17, 23]},
    }
    if reader:
        science["reader"] = reader
    config = {"name": "test", "science": science, "execution": {"output": str(folder)}}
    return pipeline.process_scene(scene, config)


@pytest.fixture(scope="module")
def pace_l2(real_data):
    return real_data / "scenes" / "PACE_OCI_L2_AOP_V3_1_sample.nc"


@pytest.fixture(scope="module")
def pace_l3m(real_data):
    return real_data / "scenes" / "PACE_OCI_L3M_RRS_sample.nc"


@pytest.fixture(scope="module")
def c2rcc(real_data):
    return real_data / "scenes" / "S3_OLCI_C2RCC_SNS_2017105095839.nc"


@pytest.mark.parametrize("quantity", ["Rrs", "Rrs_unc"])
def test_pace_l2_to_the_last_bit(pace_l2, quantity):
    """172 bands at the wavelengths of wavelength_3d, the band axis moved to the front."""
    expected = independently(pace_l2, f"geophysical_data/{quantity}")
    with open_scene(pace_l2) as scene:
        nm = stored(pace_l2, "sensor_band_parameters/wavelength_3d")
        assert wavelengths(scene, quantity).tolist() == nm.tolist()
        assert nm.size == 172
        found = scene[quantity].values
    np.testing.assert_array_equal(found, np.moveaxis(expected, 2, 0))
    assert np.isfinite(found).all(axis=0).sum() == 11


@pytest.mark.quick
def test_pace_l2_is_of_oci(pace_l2):
    """Sensor, reader, geolocation and flags of the file."""
    with open_scene(pace_l2) as scene:
        assert scene.attrs["reader"] == "obpg_l2"
        assert scene.attrs["sensor"] == "OCI"
        for name in ("latitude", "longitude"):
            np.testing.assert_array_equal(
                scene[name].values, stored(pace_l2, f"navigation_data/{name}")
            )
        assert SourceFlags.of(scene).mask("LAND") == 2
        np.testing.assert_array_equal(
            scene.source_flags.values, stored(pace_l2, "geophysical_data/l2_flags")
        )


def test_pace_l2_through_a_network(pace_l2, tmp_path):
    """Exactly the pixels with all its bands and positive values get a value, the oracle's."""
    bands = (413, 442, 490)
    network = write_network(tmp_path / "oci.h5", bands=bands, sensors=("OCI",))
    nm = stored(pace_l2, "sensor_band_parameters/wavelength_3d").tolist()
    rrs = independently(pace_l2, "geophysical_data/Rrs")[:, :, [nm.index(b) for b in bands]]
    computable = (rrs > 0).all(axis=2)
    product = run(pace_l2, tmp_path / "out", network)
    found = np.stack([stored(product, f"{name}_443") for name in ("aph", "adg")], axis=-1)
    np.testing.assert_array_equal((found != FILL).all(axis=2), computable)
    assert 0 < computable.sum() < 100
    expected = oracle.forward(network, rrs[computable])
    np.testing.assert_allclose(found[computable], expected, rtol=1e-6)


def test_pace_l3m_to_the_last_bit(pace_l3m):
    """All 2304 pixels of all bands, in the order of the file: latitude falls with the line."""
    expected = np.moveaxis(independently(pace_l3m, "Rrs"), 2, 0)
    with open_scene(pace_l3m) as scene:
        assert scene.attrs["reader"] == "cf_netcdf"
        assert scene.attrs["sensor"] == "OCI"
        assert wavelengths(scene, "Rrs").tolist() == stored(pace_l3m, "wavelength").tolist()
        found = scene.Rrs.values
        np.testing.assert_array_equal(found, expected)
        assert np.isfinite(found).all(axis=0).sum() == 2304
        latitude, longitude = scene.latitude.values, scene.longitude.values
    lat, lon = stored(pace_l3m, "lat"), stored(pace_l3m, "lon")
    np.testing.assert_array_equal(latitude, np.repeat(lat[:, np.newaxis], 48, axis=1))
    np.testing.assert_array_equal(longitude, np.repeat(lon[np.newaxis, :], 48, axis=0))
    assert (np.diff(latitude, axis=0) < 0).all()


@pytest.fixture(scope="module")
def l3m_product(pace_l3m, tmp_path_factory):
    """The map through a small network, and what the oracle says of it."""
    folder = tmp_path_factory.mktemp("l3m")
    bands = (413, 442, 490)
    network = write_network(folder / "oci.h5", bands=bands, sensors=("OCI",))
    nm = stored(pace_l3m, "wavelength").tolist()
    rrs = independently(pace_l3m, "Rrs")[:, :, [nm.index(band) for band in bands]]
    expected = oracle.forward(network, rrs.reshape(-1, 3)).reshape(48, 48, 2)
    return run(pace_l3m, folder / "out", network), expected


def test_the_map_keeps_its_order(l3m_product, pace_l3m):
    """Every pixel of the product is the oracle's at the same line, latitude still falling."""
    product, expected = l3m_product
    for band, name in enumerate(("aph", "adg")):
        np.testing.assert_allclose(stored(product, f"{name}_443"), expected[:, :, band], rtol=1e-6)
    np.testing.assert_array_equal(stored(product, "y"), stored(pace_l3m, "lat"))
    np.testing.assert_array_equal(stored(product, "x"), stored(pace_l3m, "lon"))
    np.testing.assert_array_equal(stored(product, "latitude")[:, 7], stored(pace_l3m, "lat"))
    assert (np.diff(stored(product, "y")) < 0).all()


def test_the_map_has_coordinates_and_a_reference_system(l3m_product):
    """1-D y and x with their axes, and a grid mapping that the data variables name."""
    with netCDF4.Dataset(l3m_product[0]) as file:
        assert file["y"].dimensions == ("y",)
        assert file["x"].dimensions == ("x",)
        assert (file["y"].standard_name, file["y"].units) == ("latitude", "degrees_north")
        assert (file["x"].standard_name, file["x"].units) == ("longitude", "degrees_east")
        for name in ("aph_443", "adg_443", "iop_flags", "quality_flags"):
            mapping = file[file[name].grid_mapping]
            assert mapping.grid_mapping_name == "latitude_longitude"
            assert mapping.dimensions == ()
        assert file.cdm_data_type.lower() == "grid"
        assert file.processing_level == "L3"


def test_gdal_finds_the_map_where_it_is(l3m_product, pace_l3m):
    """The outer corner of the first pixel, steps of 1/24 degree, north up."""
    lat, lon = (stored(pace_l3m, name).astype(np.float64) for name in ("lat", "lon"))
    with rasterio.open(f"netcdf:{l3m_product[0]}:aph_443") as band:
        found = band.transform
        assert band.crs is not None
        assert band.crs.is_geographic
        values = band.read(1)
    step = 1 / 24
    assert (found.b, found.d) == (0, 0)
    assert found.a == pytest.approx(step, abs=1e-6)
    assert found.e == pytest.approx(-step, abs=1e-6)
    assert found.c == pytest.approx(lon[0] - step / 2, abs=1e-5)
    assert found.f == pytest.approx(lat[0] + step / 2, abs=1e-5)
    np.testing.assert_array_equal(values, stored(l3m_product[0], "aph_443"))


@pytest.mark.quick
def test_c2rcc_bands(c2rcc):
    """16 bands of OLCI from 400 to 1020 nm, each the file's own numbers."""
    indices = (*range(1, 13), 16, 17, 18, 21)
    centres = (
        *(400, 412.5, 442.5, 490, 510, 560, 620, 665, 673.75, 681.25, 708.75, 753.75),
        *(778.75, 865, 885, 1020),
    )
    with open_scene(c2rcc) as scene:
        assert scene.attrs["sensor"] == "OLCI"
        assert wavelengths(scene, "Rrs").tolist() == list(centres)
        for index, nm in zip(indices, centres, strict=True):
            np.testing.assert_array_equal(
                scene.Rrs.sel(Rrs_wavelength=nm).values, stored(c2rcc, f"rrs_{index}")
            )
        assert scene.Rrs.attrs["units"] == "sr-1"
        assert scene.attrs["time_coverage_start"] == "2017-04-15T10:01:35.533Z"


def test_the_generic_preset_believes_the_file(c2rcc):
    """rrs_21 says 940 nm; reader.options.wavelengths corrects it to 1020."""

    def last_band(**options):
        choice = ReaderChoice(format="cf_netcdf", options={"preset": "c2rcc", **options})
        with open_scene(c2rcc, choice) as scene:
            return wavelengths(scene, "Rrs")[-1], scene.Rrs.values[-1]

    said, values = last_band()
    corrected, same = last_band(wavelengths={"rrs_21": 1020})
    assert (said, corrected) == (940, 1020)
    np.testing.assert_array_equal(values, stored(c2rcc, "rrs_21"))
    np.testing.assert_array_equal(same, values)


@pytest.mark.parametrize(
    ("name", "ties"), [("solar_zenith", "SZA"), ("sensor_zenith", "OZA")], ids=str
)
def test_c2rcc_angles_from_tie_points(c2rcc, name, ties):
    """Every line has tie points at columns -58, 6, 70 ...; between them it is straight."""
    grid = stored(c2rcc, ties).astype(np.float64)
    columns = -58.0 + 64.0 * np.arange(grid.shape[1])
    expected = np.stack([np.interp(np.arange(100), columns, line) for line in grid])
    with open_scene(c2rcc) as scene:
        found = scene[name].values
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_c2rcc_masks(c2rcc, tmp_path):
    """The preset keeps Valid_PE, all 8600 pixels, and masks where reflectances are off."""
    network = write_network(tmp_path / "olci.h5", bands=(412, 443, 490), sensors=("OLCI",))
    product = run(c2rcc, tmp_path / "out", network, masks={"preset": "c2rcc"})
    flags = stored(c2rcc, "c2rcc_flags").view(np.uint32)
    with netCDF4.Dataset(product) as file:
        meanings = file["quality_flags"].flag_meanings.split()
        masks = dict(zip(meanings, file["quality_flags"].flag_masks.tolist(), strict=True))
    rules = ["Rtosa_OOS", "Rtosa_OOR", "Rhow_OOR", "unless_Valid_PE"]
    assert meanings[4:] == [f"masked_{rule}" for rule in rules]
    quality = stored(product, "quality_flags")
    raised = {rule: (quality & masks[f"masked_{rule}"]) != 0 for rule in rules}
    for name, bit in (("Rtosa_OOS", 1), ("Rtosa_OOR", 2), ("Rhow_OOR", 4)):
        np.testing.assert_array_equal(raised[name], (flags & bit) != 0, err_msg=name)
    assert ((flags & 0x80000000) != 0).sum() == 8600
    counts = {name: int(where.sum()) for name, where in raised.items()}
    assert counts == {"Rtosa_OOS": 65, "Rtosa_OOR": 8, "Rhow_OOR": 0, "unless_Valid_PE": 0}
    masked = (flags & 7) != 0
    assert (stored(product, "aph_443")[masked] == FILL).all()
    rrs = np.stack([stored(c2rcc, f"rrs_{band}") for band in (2, 3, 4)], axis=-1)
    expected = oracle.forward(network, rrs[~masked])
    np.testing.assert_allclose(stored(product, "aph_443")[~masked], expected[:, 0], rtol=1e-6)
