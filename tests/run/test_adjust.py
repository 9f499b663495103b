"""Bands that a run adjusts by a gain and an offset, before anything else uses them."""

import json

import netCDF4
import numpy as np
import oracle
import pytest
import xarray as xr
import yaml
from obpg_miniature import counts_of, write_obpg_l2
from small_network import BANDS, write_network
from small_runs import numbers, run_settings

import pipeline
from pipeline.batch.recipe import Recipe
from pipeline.config import load_config
from pipeline.errors import ConfigError, SceneError
from pipeline.run.plan_text import plan_lines
from pipeline.verify import verify_product

pytestmark = pytest.mark.quick

SHAPE = (5, 8)
SPECTRA = np.random.default_rng(3).uniform(0.002, 0.012, (len(BANDS), *SHAPE))
ADJUST = {f"Rrs_{BANDS[0]}": {"gain": 1.02, "offset": -1e-5}, f"Rrs_{BANDS[2]}": {"offset": 2e-4}}


@pytest.fixture
def scene(tmp_path):
    return write_obpg_l2(
        tmp_path / "scene.nc",
        {nm: counts_of(values) for nm, values in zip(BANDS, SPECTRA, strict=True)},
    )


@pytest.fixture
def network(tmp_path):
    return write_network(tmp_path / "one.h5", seed=1)


def settings(folder, network, adjust, **science):
    made = run_settings(folder, network, **science)
    made["science"]["adjust"] = adjust
    return made


def adjusted_spectra(scene):
    """Rrs with shape (pixels, bands): the stored float32 numbers, adjusted here."""
    with netCDF4.Dataset(scene) as file:
        bands = [file["geophysical_data"][f"Rrs_{nm}"][...].ravel() for nm in BANDS]
    return adjusted(np.ma.filled(np.stack(bands, axis=1).astype(np.float32), np.nan))


def adjusted(spectra):
    """The adjusted numbers, in float32."""
    spectra = spectra.astype(float)
    spectra[:, 0] = 1.02 * spectra[:, 0] - 1e-5
    spectra[:, 2] += 2e-4
    return spectra.astype(np.float32)


def values(product):
    with netCDF4.Dataset(product) as file:
        return np.ma.filled(file["aph_443"][...], np.nan)


def read_id(product):
    with netCDF4.Dataset(product) as file:
        return file.id


def test_values_equal_the_oracle_and_are_verified(scene, network, tmp_path):
    """The configuration in the product says what was adjusted."""
    product = pipeline.process_scene(scene, settings(tmp_path, network, ADJUST))
    found = numbers(product)
    expected = oracle.forward(network, adjusted_spectra(scene))
    np.testing.assert_allclose(found["aph_443"].ravel(), expected[:, 0], rtol=5e-6)
    with netCDF4.Dataset(product) as file:
        recorded = json.loads(file["processing_control/input_parameters"].configuration)
    assert recorded["science"]["adjust"][f"Rrs_{BANDS[0]}"] == {"gain": 1.02, "offset": -1e-5}
    findings = verify_product(product, scenes=[scene], network_dirs=[tmp_path])
    assert all(finding.passed for finding in findings)


def test_masks_see_the_adjusted_band(scene, network, tmp_path):
    """An offset makes a band negative; a mask by an expression and a network notice it."""
    adjust = {f"Rrs_{BANDS[1]}": {"offset": -0.006}}
    low = {"expressions": {"low": f"Rrs_{BANDS[1]} < 0.001"}}
    found = values(pipeline.process_scene(scene, settings(tmp_path, network, adjust, masks=low)))
    expected = SPECTRA[1].astype(np.float32) - 0.006 < 0.001
    np.testing.assert_array_equal(np.isnan(found), expected)
    assert 0 < expected.sum() < expected.size


def test_scenes_with_dask_are_adjusted_alike(scene, network, tmp_path):
    """A lazy product and one that was written have the same numbers."""
    config = settings(tmp_path, network, ADJUST)
    product = pipeline.process_scene(scene, config)
    for chunks in (None, {}):
        with pipeline.open_scene(scene, chunks=chunks) as opened:
            lazily = pipeline.apply(opened, config)
            np.testing.assert_array_equal(lazily["aph_443"].values, values(product))
            assert lazily.attrs["id"] == read_id(product)


@pytest.mark.parametrize("chunks", [None, {"station": 7}])
def test_data_without_lines_and_pixels_are_adjusted(network, tmp_path, chunks):
    """The Rrs of stations, in memory or as Dask arrays."""
    rrs = SPECTRA.reshape(len(BANDS), -1).astype(np.float32)
    data = xr.Dataset(
        {"Rrs": (("Rrs_wavelength", "station"), rrs, {"units": "sr-1"})},
        {"Rrs_wavelength": list(map(float, BANDS))},
    )
    if chunks:
        data = data.chunk(chunks)
    found = pipeline.apply(data, settings(tmp_path, network, ADJUST))["aph_443"].values
    expected = oracle.forward(network, adjusted(rrs.T))
    np.testing.assert_allclose(found, expected[:, 0], rtol=5e-6)


def test_the_plan_shows_the_adjustment(scene, network, tmp_path):
    """And a product without one stays as it was."""
    config = load_config(settings(tmp_path, network, ADJUST))
    with pipeline.open_scene(scene) as opened:
        lines = [*plan_lines(pipeline.make_plan(opened, "scene.nc", config))]
    assert f"adjusted  Rrs_{BANDS[0]} = 1.02 * Rrs_{BANDS[0]} -1e-05" in lines
    plain = load_config(run_settings(tmp_path, network))
    none = load_config(settings(tmp_path, network, {}))
    assert Recipe.of(plain) == Recipe.of(none) != Recipe.of(config)
    assert "adjust" not in json.dumps(plain.science_record())


@pytest.mark.parametrize(
    ("adjust", "words"),
    [
        ({"Rrs_300": {"gain": 2}}, "no Rrs band within 5 nm of 300 nm"),
        ({"rhos_443": {"gain": 2}}, "found the band rhos_443, expected one of Rrs_"),
        (
            {f"Rrs_{BANDS[0]}": {"gain": 2}, f"Rrs_{BANDS[0] + 1}": {"gain": 2}},
            f"both the band Rrs_{BANDS[0]}",
        ),
    ],
)
def test_a_band_that_is_not_there_is_refused(scene, network, tmp_path, adjust, words):
    """Before a product is begun."""
    with pytest.raises(SceneError, match=words):
        pipeline.process_scene(scene, settings(tmp_path, network, adjust))


def test_numbers_as_people_write_them(network, tmp_path):
    """YAML takes -1e-5 for a text, because it has no decimal point."""
    path = tmp_path / "run.yaml"
    text = yaml.safe_dump(settings(tmp_path, network, {"Rrs_443": {"offset": 7.25}}))
    path.write_text(text.replace("7.25", "-1e-5"))
    assert load_config(path).science.adjust["Rrs_443"].offset == -1e-5


@pytest.mark.parametrize(
    "adjust",
    [
        {"Rrs_443": {"gain": 0}},
        {"Rrs_443": {"gain": -1}},
        {"Rrs_443": {"gain": float("nan")}},
        {"Rrs_443": {"offset": float("inf")}},
        {"Rrs_443": {"gian": 1.1}},
        {"Rrs_443": 1.02},
        {"443": {"gain": 1.02}},
    ],
)
def test_an_adjustment_that_makes_no_sense_is_refused(network, tmp_path, adjust):
    """By the configuration."""
    with pytest.raises(ConfigError, match=r"science\.adjust"):
        load_config(settings(tmp_path, network, adjust))
