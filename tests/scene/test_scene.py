"""The one model of a scene: names, bands, and what check_scene insists on."""

import numpy as np
import pytest
import xarray as xr

from pipeline.errors import SceneError
from pipeline.scene.scene import (
    Band,
    band_names,
    check_scene,
    nearest_band,
    parse_band,
    plain_variables,
    spectral_quantities,
    wavelengths,
)

pytestmark = pytest.mark.quick

WAVELENGTHS = [411.6, 443.0, 489.5, 667.0]
SHAPE = (3, 5)


@pytest.fixture
def scene():
    """A valid scene in which every value of Rrs is its wavelength, line and pixel."""
    line, pixel = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    rrs = np.stack([nm + line + pixel / 10 for nm in WAVELENGTHS]).astype(np.float32)
    dims = ("Rrs_wavelength", "y", "x")
    return xr.Dataset(
        {
            "Rrs": (dims, rrs, {"units": "sr-1"}),
            "Rrs_state": (dims, np.arange(rrs.size, dtype=np.uint8).reshape(rrs.shape)),
            "solar_zenith": (("y", "x"), np.float32(30) + rrs[0] * 0, {"units": "degree"}),
            "chlor_a": (("y", "x"), rrs[1]),
            "tilt": (("y",), np.zeros(SHAPE[0], np.float32)),
            "source_flags": (
                ("y", "x"),
                np.zeros(SHAPE, np.int32),
                {"flag_masks": np.array([1], np.int32), "flag_meanings": "LAND"},
            ),
        },
        coords={
            "Rrs_wavelength": WAVELENGTHS,
            "latitude": (("y", "x"), rrs[0] * 0, {"units": "degrees_north"}),
            "longitude": (("y", "x"), rrs[0] * 0, {"units": "degrees_east"}),
        },
        attrs={"reader": "none", "sensor": "MODIS-Aqua", "brdf_correction": "unknown"},
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rrs_443", ("Rrs", 443.0)),
        ("Rrs_442.5", ("Rrs", 442.5)),
        ("Rrs_unc_443", ("Rrs_unc", 443.0)),
        ("rho_s_869", ("rho_s", 869.0)),
        ("Lrc_380", ("Lrc", 380.0)),
        ("Rrs", None),
        ("Rrs_", None),
        ("Rrs_blue", None),
        ("rrs_443", None),
        ("solar_zenith", None),
        ("chlor_a_443", None),
        ("Rrs_443_443", None),
        ("Rrs_-443", None),
        ("Rrs_443nm", None),
        ("", None),
    ],
)
def test_parse_band(name, expected):
    """Only a spectral quantity with a wavelength is a band."""
    assert expected == parse_band(name)


@pytest.mark.parametrize(
    ("band", "name"),
    [
        (Band("Rrs", 443.0), "Rrs_443"),
        (Band("Rrs", 411.6), "Rrs_412"),
        (Band("rho_s", 1240.0), "rho_s_1240"),
        (Band("solar_zenith"), "solar_zenith"),
    ],
)
def test_a_band_is_called_as_nasa_calls_it(band, name):
    """Wavelengths are rounded to whole nanometres."""
    assert name == band.name


def test_values_and_states_of_a_band(scene):
    """The layer at exactly its wavelength, with shape (y, x)."""
    for index, nm in enumerate(WAVELENGTHS):
        band = Band("Rrs", nm)
        np.testing.assert_array_equal(band.values(scene), scene.Rrs.values[index])
        np.testing.assert_array_equal(band.states(scene), scene.Rrs_state.values[index])
    np.testing.assert_array_equal(Band("chlor_a").values(scene), scene.chlor_a.values)


@pytest.mark.parametrize("name", ["Rrs", "solar_zenith"])
def test_there_are_no_states_where_the_scene_has_none(scene, name):
    """A reader that knows nothing besides the values writes no states."""
    scene = scene.drop_vars("Rrs_state")
    assert Band(name, 443.0 if name == "Rrs" else None).states(scene) is None


def test_names_for_messages(scene):
    """Bands, and the 2-D variables that an expression may name; never the flags."""
    assert band_names(scene) == ["Rrs_412", "Rrs_443", "Rrs_490", "Rrs_667"]
    assert plain_variables(scene) == ["chlor_a", "latitude", "longitude", "solar_zenith"]
    assert spectral_quantities(scene) == ["Rrs"]
    np.testing.assert_array_equal(wavelengths(scene, "Rrs"), WAVELENGTHS)
    assert wavelengths(scene, "Lrc").size == 0


@pytest.mark.parametrize(
    ("wavelength_nm", "tolerance_nm", "index"),
    [(412, 3, 0), (443, 0, 1), (445.9, 3, 1), (490, 0.5, 2), (466, 50, 1), (467, 50, 2)],
)
def test_nearest_band(scene, wavelength_nm, tolerance_nm, index):
    """The nearest one within the tolerance, ends included."""
    assert index == nearest_band(scene, "Rrs", wavelength_nm, tolerance_nm)


def test_the_order_of_bands_does_not_matter(scene):
    """A file may list them from red to blue."""
    assert nearest_band(scene.isel(Rrs_wavelength=slice(None, None, -1)), "Rrs", 412, 3) == 3


def test_no_band_within_the_tolerance_lists_them(scene):
    """The message has both numbers, the bands and the way out."""
    with pytest.raises(SceneError) as caught:
        nearest_band(scene, "Rrs", 555, 3)
    assert "no Rrs band within 3 nm of 555 nm" in str(caught.value)
    assert "411.6, 443, 489.5, 667 nm" in str(caught.value)


def test_a_quantity_that_is_not_there_lists_those_that_are(scene):
    """A network for Lrc has nothing to take from a scene of Rrs."""
    with pytest.raises(SceneError, match="the scene has no Lrc; its spectral quantities are Rrs"):
        nearest_band(scene, "Lrc", 443, 3)


def test_a_valid_scene_is_returned(scene):
    """Unchanged, with states and flags or without."""
    assert check_scene(scene) is scene
    bare = scene.drop_vars(["Rrs_state", "source_flags", "solar_zenith", "chlor_a"])
    assert check_scene(bare) is bare


def with_units(scene, name, units):
    scene[name].attrs["units"] = units
    return scene


def with_flags(scene, **changes):
    scene["source_flags"] = scene["source_flags"].astype(changes.pop("dtype", np.int32))
    for name in changes:
        del scene["source_flags"].attrs[name]
    return scene


FAULTS = {
    "no reader": (lambda s: s.drop_attrs(deep=False), "attribute reader is missing"),
    "unknown brdf": (
        lambda s: s.assign_attrs(brdf_correction="perhaps"),
        "brdf_correction is 'perhaps'",
    ),
    "no spectral quantity": (
        lambda s: s.drop_vars(["Rrs", "Rrs_state"]),
        "no spectral quantity; expected one of Rrs",
    ),
    "wavelength last": (lambda s: s.transpose("y", "x", ...), "Rrs has dims"),
    "other dimensions": (lambda s: s.rename_dims(y="line"), "longitude has dims ('line', 'x')"),
    "no units": (lambda s: with_units(s, "Rrs", None), "Rrs has units None, expected 'sr-1'"),
    "radians": (lambda s: with_units(s, "solar_zenith", "rad"), "units 'rad', expected 'degree'"),
    "float64": (lambda s: s.assign(Rrs=s.Rrs.astype("f8")), "Rrs is float64, expected float32"),
    "flags of floats": (lambda s: with_flags(s, dtype="f4"), "float32, expected integers"),
    "flags without masks": (
        lambda s: with_flags(s, flag_masks=None, flag_meanings=None),
        "source_flags has no flag_masks and no flag_meanings",
    ),
    "states of one band": (
        lambda s: s.assign(Rrs_state=s.Rrs_state.isel(Rrs_wavelength=0, drop=True)),
        "Rrs_state has dims ('y', 'x'), expected the dims of Rrs",
    ),
}


@pytest.mark.parametrize(("change", "says"), FAULTS.values(), ids=FAULTS)
def test_one_fault_is_one_complaint(scene, change, says):
    """What a reader got wrong, before any network sees it."""
    with pytest.raises(SceneError) as caught:
        check_scene(change(scene))
    assert str(caught.value).startswith("not a valid scene: ")
    assert says in str(caught.value)


def test_all_faults_come_at_once(scene):
    """A new reader is corrected in one go."""
    wrong = with_units(with_units(scene, "Rrs", "1"), "latitude", "deg")
    wrong = with_flags(wrong.assign_attrs(brdf_correction=""), flag_meanings=None)
    del wrong.attrs["sensor"]
    with pytest.raises(SceneError) as caught:
        check_scene(wrong)
    for part in ("sensor is missing", "brdf_correction", "Rrs has", "latitude", "flag_meanings"):
        assert part in str(caught.value)
