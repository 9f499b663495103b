"""GeoTIFF: numbers, places and reference systems, into the product and back out of it."""

import netCDF4
import numpy as np
import pytest
import rasterio
from miniatures import geotiff
from miniatures.truth import map_of_coordinates
from small_runs import network_for, numbers, product_of, run_settings

from pipeline.config import ReaderChoice
from pipeline.errors import ConfigError, PipelineError, SceneError
from pipeline.readers import open_scene

NOMINAL = (412, 443, 490)
LINES, PIXELS = 24, 30
SYSTEMS = {"geographic": geotiff.GEOGRAPHIC, "UTM": geotiff.UTM}
UNITS = {"units": "sr-1"}


def write(folder, **options):
    return geotiff.write(folder, map_of_coordinates(LINES, PIXELS, NOMINAL), **options)


def opened(path, **options):
    """The scene in memory; units are stated unless given."""
    with open_scene(path, ReaderChoice(format="geotiff", options=UNITS | options)) as scene:
        return scene.load()


def refused(path, options, *words, error=SceneError):
    with pytest.raises(error) as caught:
        open_scene(path, ReaderChoice(format="geotiff", options=options))
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def changed(path, **profile):
    """The file with other facts about it, its numbers as they are."""
    with rasterio.open(path, "r+") as file:
        for name, value in profile.items():
            setattr(file, name, value)
    return path


def assert_values(scene, expected):
    for nm, values in expected.items():
        found = scene.Rrs.sel(Rrs_wavelength=nm).values
        np.testing.assert_array_equal(found, np.asarray(values, np.float32), err_msg=str(nm))


# Numbers


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_values_are_what_the_file_says(tmp_path, dtype, tile):
    """To the last bit; scale, offset and nodata of the file."""
    written = write(tmp_path, dtype=dtype, tile=tile)
    scene = opened(written.path)
    assert written.missing.any()
    assert np.isnan(scene.Rrs.values[0]).sum() == written.missing.sum()
    assert_values(scene, written.rrs)


def test_scale_offset_and_nodata_of_the_options(tmp_path):
    """They win over those of the file, zero included."""
    written = write(tmp_path, dtype="int16")
    with rasterio.open(written.path) as file:
        counts = dict(zip(NOMINAL, file.read(), strict=True))
    scene = opened(written.path, scale=1e-6, offset=0.0, nodata=int(counts[412][0, 1]))
    for nm, stored in counts.items():
        expected = np.where(stored == counts[412][0, 1], np.nan, stored.astype(float) * 1e-6)
        assert_values(scene, {nm: expected})


def test_options_fill_what_the_file_leaves_out(tmp_path):
    """A plain int16 file without scale, offset and nodata."""
    written = write(tmp_path, dtype="int16", nodata=None)
    stored = changed(written.path, scales=[1.0] * 3, offsets=[0.0] * 3)
    scene = opened(stored, scale=2e-6, offset=0.05, nodata=-32768)
    gap = map_of_coordinates(LINES, PIXELS, NOMINAL).missing
    assert gap.any()
    assert_values(scene, {nm: np.where(gap, np.nan, rrs) for nm, rrs in written.rrs.items()})


def test_bands_of_different_scales_are_not_read_with_one(tmp_path):
    """Each band has its own scale in a GeoTIFF: read so, or refused."""
    written = write(tmp_path, dtype="int16")
    changed(written.path, scales=[2e-6, 4e-6, 2e-6])
    with rasterio.open(written.path) as file:
        middle = file.read(2).astype(float) * 4e-6 + 0.05
    try:
        found = opened(written.path).Rrs.sel(Rrs_wavelength=443).values
    except PipelineError as error:
        assert "scale" in str(error)  # noqa: PT017 - one of two right answers
    else:
        expected = np.where(written.missing, np.nan, middle).astype(np.float32)
        np.testing.assert_array_equal(found, expected)


def test_reflectance_becomes_rrs_by_one_over_pi(tmp_path):
    """In float64, rounded once."""
    written = write(tmp_path)
    scene = opened(written.path, stored_as="rho_w", units="1")
    assert_values(scene, {nm: rrs / np.pi for nm, rrs in written.rrs.items()})


@pytest.mark.parametrize(
    "options",
    [{}, {"units": "1"}, {"units": "%"}, {"stored_as": "rho_w", "units": "sr-1"}],
    ids=str,
)
def test_units_that_do_not_fit(tmp_path, options):
    """Missing or other ones are refused; the message says what to state."""
    path = write(tmp_path).path
    refused(path, options, path.name, "expected", "reader: {format: geotiff", "stored_as: rho_w")


def test_units_of_the_bands_are_believed(tmp_path):
    """Where all bands say so; bands that disagree are refused."""
    written = write(tmp_path)
    changed(written.path, units=["sr-1"] * 3)
    with open_scene(written.path) as scene:
        assert_values(scene, written.rrs)
    refused(changed(written.path, units=["sr-1", "1", "sr-1"]), {}, "units 'sr-1' and units '1'")
    refused(changed(written.path, units=["", "sr-1", "sr-1"]), {}, "no units and units 'sr-1'")


# Wavelengths


def test_wavelengths_of_descriptions(tmp_path):
    """Names like Rrs_443, and other spellings."""
    written = write(tmp_path)
    assert opened(written.path).Rrs_wavelength.values.tolist() == list(NOMINAL)
    changed(written.path, descriptions=["412 nm", "443.5", "band 490nm"])
    assert opened(written.path).Rrs_wavelength.values.tolist() == [412, 443.5, 490]


def test_wavelengths_of_tags(tmp_path):
    """A tag of each band wins over its description."""
    written = write(tmp_path)
    with rasterio.open(written.path, "r+") as file:
        for number, nm in enumerate(NOMINAL, start=1):
            file.update_tags(number, wavelength=str(nm + 1))
    assert opened(written.path).Rrs_wavelength.values.tolist() == [413, 444, 491]


def test_wavelengths_of_the_options(tmp_path):
    """In the order of the file, whatever it is; they win over descriptions."""
    written = write(tmp_path)
    scene = opened(written.path, wavelengths=[700, 412, 555])
    first, second, third = written.rrs.values()
    assert scene.Rrs_wavelength.values.tolist() == [412, 555, 700]
    assert_values(scene, {700: first, 412: second, 555: third})


@pytest.mark.parametrize(
    "options", [{}, {"wavelengths": [412, 443]}, {"wavelengths": [1, 2, 3, 4]}]
)
def test_missing_wavelengths(tmp_path, options):
    """None at all, or not as many as bands: refused with how many there are."""
    path = write(tmp_path, described=False).path
    refused(path, UNITS | options, path.name, "3 bands", "wavelengths: [412")


@pytest.mark.parametrize("options", [{"wavelengths": [412, 412, 490]}])
def test_two_bands_of_one_wavelength(tmp_path, options):
    """Refused, and listed."""
    path = write(tmp_path).path
    refused(path, UNITS | options, path.name, "two bands", "412, 412")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"wavelengths": [-1, 2, 3]}, ("wavelengths",)),
        ({"quantity": "rrs"}, ("quantity",)),
        ({"quantity": "Lrc", "stored_as": "rho_w"}, ("cannot be converted",)),
        ({"scales": 2}, ("scales: unknown key", "'scale'")),
    ],
    ids=str,
)
def test_options_that_are_wrong_by_themselves(tmp_path, options, words):
    """Refused with the reader's name."""
    refused(write(tmp_path).path, options, "geotiff", *words, error=ConfigError)


# Places


@pytest.mark.parametrize("orientation", ["north_up", "south_up"])
@pytest.mark.parametrize("crs", SYSTEMS.values(), ids=SYSTEMS)
@pytest.mark.parametrize("tile", [None, 16])
def test_every_pixel_is_where_it_was_written(tmp_path, crs, orientation, tile):
    """Values and places line by line, in either direction."""
    written = write(tmp_path, crs=crs, orientation=orientation, tile=tile)
    scene = opened(written.path)
    np.testing.assert_allclose(scene.latitude.values, written.latitude, atol=1e-5)
    np.testing.assert_allclose(scene.longitude.values, written.longitude, atol=2e-5)
    assert_values(scene, written.rrs)


@pytest.mark.parametrize("crs", SYSTEMS.values(), ids=SYSTEMS)
def test_a_rotated_file_is_refused(tmp_path, crs):
    """The message says how to warp it."""
    path = write(tmp_path, crs=crs, orientation="rotated").path
    refused(path, UNITS, path.name, "not on a regular map", "gdalwarp")


def test_a_file_without_a_reference_system_is_refused(tmp_path):
    """As one whose place is unknown."""
    path = tmp_path / "nowhere.tif"
    with rasterio.open(write(tmp_path).path) as file:
        profile, stored = file.profile | {"crs": None}, file.read()
    with rasterio.open(path, "w", **profile) as file:
        file.write(stored)
        file.descriptions = [f"Rrs_{nm}" for nm in NOMINAL]
    refused(path, UNITS, "nowhere.tif", "no coordinate reference system", "gdalwarp")


def settings_of(folder, tmp_path, **science):
    reader = {"format": "geotiff", "options": UNITS}
    return run_settings(folder, network_for(tmp_path, NOMINAL), reader=reader, **science)


@pytest.mark.parametrize("orientation", ["north_up", "south_up"])
@pytest.mark.parametrize("crs", SYSTEMS.values(), ids=SYSTEMS)
@pytest.mark.parametrize("window", [None, (5, 21, 7, 28)], ids=["whole", "window"])
def test_georeferencing_comes_through(tmp_path, crs, orientation, window):
    """GDAL reads the system and the transform of the input (of its window) out of the product."""
    written = write(tmp_path, crs=crs, orientation=orientation, tile=16)
    first, stop, left, right = window or (0, LINES, 0, PIXELS)
    said = {"lines": [first, stop], "pixels": [left, right]} if window else {}
    path = product_of(written.path, settings_of(tmp_path, tmp_path, window=said, chunk=(7, 8)))
    with rasterio.open(written.path) as source:
        part = rasterio.windows.Window(left, first, right - left, stop - first)
        expected = source.window_transform(part)
        system = source.crs
    with rasterio.open(f'netcdf:"{path}":aph_443') as found:
        assert found.crs == system
        assert (found.height, found.width) == (stop - first, right - left)
        values = found.read(1)
        if found.transform.e * expected.e > 0:
            transform = found.transform
        else:  # GDAL shows rows from north to south, whatever the file has
            transform = found.transform @ rasterio.Affine(1, 0, 0, 0, -1, found.height)
            values = values[::-1]
        assert transform.almost_equals(expected, 1e-6 * abs(expected.a))
    np.testing.assert_array_equal(values, numbers(path)["aph_443"])
    latitude = numbers(path)["latitude"]
    np.testing.assert_allclose(latitude, written.latitude[first:stop, left:right], atol=1e-5)


@pytest.mark.parametrize("crs", SYSTEMS.values(), ids=SYSTEMS)
def test_a_window_has_the_bits_of_the_whole(tmp_path, crs):
    """Also of coordinates, in tiles that blocks cut across."""
    written = write(tmp_path, crs=crs, tile=16)
    whole = numbers(product_of(written.path, settings_of(tmp_path / "w", tmp_path)))
    window = {"lines": [3, 20], "pixels": [15, 29]}
    settings = settings_of(tmp_path, tmp_path, window=window, chunk=(5, 4))
    part = numbers(product_of(written.path, settings))
    cut = {"y": (slice(3, 20),), "x": (slice(15, 29),), "spatial_ref": ()}
    assert part.keys() == whole.keys()
    for name, values in whole.items():
        expected = values[cut.get(name, (slice(3, 20), slice(15, 29)))]
        np.testing.assert_array_equal(part[name], expected, err_msg=name)


def test_a_product_of_a_map_says_so(tmp_path):
    """cdm_data_type and the grid mapping of every variable."""
    path = product_of(write(tmp_path).path, settings_of(tmp_path, tmp_path))
    with netCDF4.Dataset(path) as file:
        assert file.cdm_data_type == "Grid"
        for name in ("aph_443", "adg_443", "quality_flags", "iop_flags"):
            assert file[name].grid_mapping in file.variables


@pytest.mark.parametrize("block", [(512, 512), (5, 7)], ids=str)
def test_each_part_of_the_file_is_read_once(tmp_path, monkeypatch, block):
    """Of a window larger than a block, by GDAL itself."""
    written = write(tmp_path, tile=16)
    counted = np.zeros((LINES, PIXELS), int)
    from rioxarray._io import RasterioArrayWrapper

    original = RasterioArrayWrapper._getitem

    def counting(self, key):
        _, window, *_ = self._get_indexer(key)
        (top, bottom), (left, right) = window
        counted[int(top) : int(bottom), int(left) : int(right)] += 1
        return original(self, key)

    monkeypatch.setattr(RasterioArrayWrapper, "_getitem", counting)
    window = {"lines": [3, 20], "pixels": [15, 29]}
    product_of(written.path, settings_of(tmp_path, tmp_path, window=window, chunk=block))
    assert (counted[3:20, 15:29] >= 1).all()
    assert counted.max() == 1


def test_a_large_file_is_read_in_parts(tmp_path):
    """Not in one piece, so that memory stays bounded."""
    truth = map_of_coordinates(600, 520, (412,))
    written = geotiff.write(tmp_path, truth, tile=64)
    with open_scene(written.path, ReaderChoice(format="geotiff", options=UNITS), {}) as scene:
        assert max(scene.Rrs.chunks[1]) <= 512
        assert max(scene.Rrs.chunks[2]) <= 512
        assert scene.latitude.chunks == scene.Rrs.chunks[1:]
