"""The pixels that a file itself calls valid: SNAP's expressions, and the mask of a GeoTIFF."""

import logging

import netCDF4
import numpy as np
import pytest
import rasterio
from miniatures import geotiff
from miniatures.truth import map_of_coordinates
from small_runs import network_for, numbers, product_of, run_settings

from pipeline.config import ReaderChoice
from pipeline.errors import ConfigError, SceneError
from pipeline.readers import open_scene
from pipeline.readers.snap_expression import SnapExpression

SHAPE = (6, 8)
LINE, PIXEL = np.mgrid[0:6, 0:8]
NAMES = {"Rtosa_OOS": 1, "Cloud_risk": 2, "Valid_PE": 1 << 31}
CHL = np.where(PIXEL == 7, np.nan, PIXEL / 2.0)
FLAGS = (
    np.where(LINE >= 2, NAMES["Valid_PE"], 0)
    | np.where(PIXEL == 0, NAMES["Cloud_risk"], 0)
    | np.where(LINE == 5, NAMES["Rtosa_OOS"], 0)
).astype(np.uint32)
VALID, RISK, OOS = LINE >= 2, PIXEL == 0, LINE == 5
MAPPING = {
    "latitude": "lat",
    "longitude": "lon",
    "spectral": [
        {"quantity": "Rrs", "variables": r"rrs_\d+", "wavelength_attribute": "wavelength"}
    ],
}


def snap(folder, expression, chl_expression=None, mask=None, fill=None):
    """The smallest faithful SNAP file: Rrs is 0.003 everywhere, whatever the flags say."""
    path = folder / "snap.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"product_type": "C2RCC", "metadata_profile": "beam"})
        file.createDimension("y", SHAPE[0])
        file.createDimension("x", SHAPE[1])
        for number, wavelength in enumerate((412.0, 443.0, 490.0), 1):
            band = file.createVariable(f"rrs_{number}", "f4", ("y", "x"), fill_value=np.nan)
            band.units, band.wavelength, band[:] = "sr^-1", np.float32(wavelength), 0.003
            if expression is not None:
                band.valid_pixel_expression = expression
        chl = file.createVariable("conc_chl", "f4", ("y", "x"), fill_value=np.nan)
        chl.units, chl[:] = "mg m^-3", CHL
        if chl_expression is not None:
            chl.valid_pixel_expression = chl_expression
        flags = file.createVariable("c2rcc_flags", "i4", ("y", "x"), fill_value=fill)
        flags.set_auto_maskandscale(False)
        flags.flag_meanings, flags._Unsigned = " ".join(NAMES), "true"
        flags.flag_masks = np.array(list(NAMES.values()), np.uint32).view(np.int32)
        flags[:] = FLAGS.view(np.int32)
        if mask is not None:
            file.createVariable("cloudy_mask", "i1").expression = mask
        ties = file.createVariable("SZA", "f4", ("tp_y", "tp_x")) if _ties(file) else None
        ties[:] = np.array([[40.0, 80.0], [40.0, 80.0]])
        ties.setncatts(
            {"offset_y": 0.0, "offset_x": 0.0, "subsampling_y": 5.0, "subsampling_x": 7.0}
        )
        for name, low, high, units in (
            ("lat", 43.4, 43.5, "degrees_north"),
            ("lon", 5.0, 5.1, "degrees_east"),
        ):
            place = file.createVariable(name, "f8", ("y", "x"))
            place.units, place[:] = units, np.linspace(low, high, 48).reshape(SHAPE)
    return path


def _ties(file):
    return file.createDimension("tp_y", 2) and file.createDimension("tp_x", 2)


def choice(**options):
    return ReaderChoice(format="cf_netcdf", options={"mapping": MAPPING, **options})


def valid_of(path, **options):
    """Where the bands of a file have values; it is the same for all bands."""
    with open_scene(path, choice(**options)) as scene:
        valid = np.isfinite(scene["Rrs"].values)
        assert (valid == valid[0]).all()
        assert np.unique(scene["Rrs"].values[valid]) == np.float32(0.003)
    return valid[0]


EXPRESSIONS = [
    ("c2rcc_flags.Valid_PE", VALID),
    ("!c2rcc_flags.Cloud_risk", ~RISK),
    ("not c2rcc_flags.Cloud_risk", ~RISK),
    ("c2rcc_flags.Valid_PE && !c2rcc_flags.Cloud_risk", VALID & ~RISK),
    ("c2rcc_flags.Valid_PE and not c2rcc_flags.Cloud_risk", VALID & ~RISK),
    ("!(c2rcc_flags.Cloud_risk || c2rcc_flags.Rtosa_OOS)", ~(RISK | OOS)),
    ("c2rcc_flags.Rtosa_OOS OR NOT c2rcc_flags.Valid_PE", OOS | ~VALID),
    ("conc_chl > 1.0", CHL > 1),
    ("!(conc_chl > 1.0)", CHL <= 1),
    ("conc_chl != NaN", ~np.isnan(CHL)),
    ("!nan(conc_chl) && conc_chl >= 0.5e0", CHL >= 0.5),
    ("'conc_chl' < 2 && c2rcc_flags.Valid_PE", (CHL < 2) & VALID),
    ("0 < conc_chl && min(conc_chl, 2) == 2", CHL >= 2),
    ("c2rcc_flags.raw > 0", (FLAGS != 0) & (FLAGS < 2**31)),  # stored as signed numbers
    ("SZA < 70", 40 + 40 * PIXEL / 7 < 70),
    ("true", np.ones(SHAPE, bool)),
    ("", np.ones(SHAPE, bool)),
    (None, np.ones(SHAPE, bool)),
]


@pytest.mark.parametrize(
    ("expression", "expected"), EXPRESSIONS, ids=[str(e) for e, _ in EXPRESSIONS]
)
def test_what_is_not_valid_is_missing(tmp_path, expression, expected):
    """Flags, values, stored numbers and tie points, in SNAP's spellings."""
    np.testing.assert_array_equal(valid_of(snap(tmp_path, expression)), expected)


def test_every_variable_has_its_own_pixels(tmp_path):
    """A retrieval may be valid elsewhere than the bands."""
    path = snap(tmp_path, "c2rcc_flags.Valid_PE", "!c2rcc_flags.Cloud_risk")
    with open_scene(path, choice()) as scene:
        chl = np.isfinite(scene["conc_chl"].values)
    np.testing.assert_array_equal(chl, ~RISK & ~np.isnan(CHL))


def test_a_mask_of_the_file_is_its_expression(tmp_path):
    """SNAP stores its masks as expressions too."""
    path = snap(tmp_path, "!cloudy", mask="c2rcc_flags.Cloud_risk || conc_chl > 3")
    np.testing.assert_array_equal(valid_of(path), ~RISK & (CHL <= 3))


def test_flags_that_are_missing_make_no_pixel_valid(tmp_path):
    """Neither by a flag that is set, nor by one that is not."""
    fill = int((FLAGS.view(np.int32))[5, 0])
    expected = FLAGS.view(np.int32) != fill
    for expression in ("c2rcc_flags.Valid_PE || !c2rcc_flags.Valid_PE",):
        path = snap(tmp_path, expression, fill=np.int32(fill))
        np.testing.assert_array_equal(valid_of(path), expected)


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("l1_flags.INVALID", "no 'l1_flags' on its lines and pixels"),
        ("c2rcc_flags.Valid_PX", "unknown flag 'Valid_PX'"),
        ("conc_chl.Valid_PE", "conc_chl has no flags"),
        ("conc_tsm > 0", "no 'conc_tsm'"),
        ("conc_chl > 0 ? 1 : 0", "not known"),
        ("(c2rcc_flags & 1) == 0", "not known"),
        ("sin(conc_chl) > 0", "function sin is not known"),
        ("conc_chl", "not a condition"),
        ("!conc_chl > 1", "found numbers, expected true or false"),
        ("conc_chl >", "it is not an expression"),
        ("1 > 0", "uses no variable"),
        ("cloudy", "defined by each other"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path, expression, what):
    """The message quotes the expression, and names the way out, which works."""
    path = snap(tmp_path, expression, mask="!cloudy" if expression == "cloudy" else None)
    with pytest.raises((SceneError, ConfigError)) as caught:
        open_scene(path, choice())
    for text in (repr(expression), what, "rrs_1", "{valid_pixel_expression: ignore}"):
        assert text in str(caught.value)
    assert valid_of(path, valid_pixel_expression="ignore").all()


def test_a_variable_that_nobody_asked_for_is_left_out(tmp_path, caplog):
    """Its strange expression is no reason to refuse the bands; the log says so."""
    with caplog.at_level(logging.WARNING):
        path = snap(tmp_path, "c2rcc_flags.Valid_PE", "conc_tsm > 0")
        np.testing.assert_array_equal(valid_of(path), VALID)
    with open_scene(path, choice()) as scene:
        assert "conc_chl" not in scene
    assert "conc_chl is left out" in caplog.text


@pytest.mark.parametrize("chunk", [(512, 512), (4, 3)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_cloudy_scene_gives_no_numbers(tmp_path, chunk, threads):
    """In blocks of any size, invalid pixels are without data."""
    network = network_for(tmp_path, (412, 443, 490))
    reader = {"format": "cf_netcdf", "options": {"mapping": MAPPING}}
    path = product_of(
        snap(tmp_path, "c2rcc_flags.Valid_PE"),
        run_settings(tmp_path, network, reader=reader, chunk=chunk, threads=threads),
    )
    made = numbers(path)
    np.testing.assert_array_equal(made["aph_443"] != -32767, VALID)
    np.testing.assert_array_equal(made["quality_flags"] & 1 != 0, ~VALID)


@pytest.mark.quick
def test_not_binds_as_in_snap():
    """``!a && b`` is ``(!a) && b``."""
    parsed = SnapExpression.parse("!f.A && f.B", {})
    arrays = {name: np.array([operand == "f.A", True]) for name, operand in parsed.operands.items()}
    assert parsed.expression.condition(arrays).tolist() == [False, False]


@pytest.mark.parametrize("tile", [None, 16])
def test_the_mask_of_a_geotiff_is_honoured(tmp_path, tile):
    """A mask inside the file says which pixels are valid, if there is no number for missing."""
    truth = map_of_coordinates(40, 30, (412, 443, 490))
    written = geotiff.write(tmp_path, truth, nodata=None, tile=tile)
    good = np.random.default_rng(1).random((40, 30)) < 0.5
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(written.path, "r+") as file:
        file.write_mask(good)
    assert not list(tmp_path.glob("*.msk"))
    options = ReaderChoice(format="geotiff", options={"units": "sr-1"})
    with open_scene(written.path, options) as scene:
        found = np.isfinite(scene["Rrs"].values)
        part = np.isfinite(scene["Rrs"][1, 7:20, 3:11].values)
    np.testing.assert_array_equal(found, good & ~truth.missing & np.ones(found.shape, bool))
    np.testing.assert_array_equal(part, found[1, 7:20, 3:11])


def test_an_expression_uses_the_flags_of_its_own_group(tmp_path):
    """Two groups have the same names, and the same expression."""
    path = tmp_path / "s.nc"
    good = {"a": LINE == 0, "b": LINE == 2}
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", SHAPE[0]), file.createDimension("x", SHAPE[1])
        for name, low in (("lat", 43.4), ("lon", 5.0)):
            file.createVariable(name, "f8", ("y", "x"))[:] = low + 0.01 * LINE + 0.001 * PIXEL
        for name, nm in (("a", 443), ("b", 560)):
            group = file.createGroup(name)
            band = group.createVariable(f"rrs_{nm}", "f4", ("y", "x"))
            band.units, band.valid_pixel_expression, band[:] = "sr-1", "flags.GOOD", 0.003
            flags = group.createVariable("flags", "u1", ("y", "x"))
            flags.flag_masks, flags.flag_meanings = np.array([1], "u1"), "GOOD"
            flags[:] = good[name]
    spectral = [{"quantity": "Rrs", "variables": r"[ab]/rrs_(\d+)"}]
    stated = {"latitude": "lat", "longitude": "lon", "groups": ["a", "b"], "spectral": spectral}
    options = {"mapping": stated}
    with open_scene(path, ReaderChoice(format="cf_netcdf", options=options)) as scene:
        np.testing.assert_array_equal(np.isfinite(scene["Rrs"].values), [*good.values()])


def test_an_expression_about_several_bands_at_once_is_refused(tmp_path):
    """It is not a damaged file."""
    path = tmp_path / "s.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("nm", 2), ("y", SHAPE[0]), ("x", SHAPE[1])):
            file.createDimension(name, size)
        for name in ("lat", "lon"):
            file.createVariable(name, "f8", ("y", "x"))[:] = 40 + 0.01 * LINE + 0.001 * PIXEL
        file.createVariable("nm", "f4", ("nm",))[:] = [443, 560]
        bands = file.createVariable("Rrs", "f4", ("nm", "y", "x"))
        bands.units, bands.valid_pixel_expression, bands[:] = "sr-1", "Rrs > 0", 0.003
    spectral = [{"quantity": "Rrs", "variables": "Rrs", "wavelength_variable": "nm"}]
    stated = {"mapping": {"latitude": "lat", "longitude": "lon", "spectral": spectral}}
    with pytest.raises(SceneError, match=r"Rrs has several bands, .*options.*ignore"):
        open_scene(path, ReaderChoice(format="cf_netcdf", options=stated))
