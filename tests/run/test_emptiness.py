"""A product without valid pixels: the warning names the input or the rule."""

import logging

import h5py
import netCDF4
import numpy as np
import pytest
from miniatures import c2rcc
from miniatures.truth import image_of_coordinates
from obpg_miniature import LAND, counts_of, write_obpg_l2
from small_network import BANDS
from small_runs import network_for, product_of, run_settings

from pipeline import process_scene
from pipeline.config import load_config

pytestmark = pytest.mark.quick

SHAPE = (6, 7)
FILL = -32767


def warning(folder, caplog, counts=None, flags=None, latitude=None, **science):
    """The warning of a run on a scene in which these bands have other counts."""
    stored = {nm: counts_of(np.full(SHAPE, 0.004)) for nm in BANDS} | (counts or {})
    scene = write_obpg_l2(folder / "scene.nc", stored, flags=flags, latitude=latitude)
    with caplog.at_level(logging.WARNING):
        product = product_of(scene, run_settings(folder, network_for(folder, BANDS), **science))
    assert h5py.is_hdf5(product)
    return next((text for text in caplog.messages if "no valid pixel" in text), "")


def test_an_input_that_is_missing_everywhere_is_named(tmp_path, caplog):
    """One band of several."""
    counts = {BANDS[1]: np.full(SHAPE, FILL, np.int16)}
    assert f"Rrs_{BANDS[1]:g} is missing on every pixel." in warning(tmp_path, caplog, counts)


def test_inputs_that_are_missing_in_turn_are_named(tmp_path, caplog):
    """Each lacks data on some pixels, and together they leave none."""
    upper, lower = counts_of(np.full(SHAPE, 0.004)), counts_of(np.full(SHAPE, 0.004))
    upper[:2], lower[2:] = FILL, FILL
    text = warning(tmp_path, caplog, {BANDS[0]: upper, BANDS[1]: lower})
    assert f"missing: Rrs_{BANDS[1]:g} (66.7%), Rrs_{BANDS[0]:g} (33.3%)." in text


def test_the_expression_of_the_file_is_named(tmp_path, caplog):
    """C2RCC sets Valid_PE nowhere in a scene of clouds, so that all bands are missing."""
    wavelengths = (412.5, 442.5, 490.0, 510.0, 560.0, 665.0)
    scene = c2rcc.write(tmp_path, image_of_coordinates(*SHAPE, wavelengths)).path
    with netCDF4.Dataset(scene, "a") as file:
        file["c2rcc_flags"][:] = 0
    config = load_config("published_algorithms").executing(output=tmp_path)
    with caplog.at_level(logging.WARNING):
        process_scene(scene, config)
    assert "valid_pixel_expression is true (c2rcc_flags.Valid_PE" in caplog.text


def test_a_rule_that_excludes_all_is_named(tmp_path, caplog):
    """By its name in the configuration."""
    text = warning(tmp_path, caplog, flags=np.full(SHAPE, LAND), masks={"flags": ["LAND"]})
    assert "On every pixel: the mask LAND excludes the pixel." in text


def test_values_outside_their_valid_range_everywhere(tmp_path, caplog):
    """They are not called missing."""
    text = warning(tmp_path, caplog, {BANDS[0]: np.full(SHAPE, 30000, np.int16)})
    assert "On every pixel: an input is outside its valid range." in text


def test_places_that_are_missing_everywhere(tmp_path, caplog):
    """Geolocation excludes no pixel by itself; with the network computed, there is no warning."""
    text = warning(tmp_path, caplog, latitude=np.full(SHAPE, np.nan))
    assert "latitude or longitude" in text or not text


def test_several_causes_are_listed_with_their_shares(tmp_path, caplog):
    """If no single one explains all pixels."""
    flags, band = np.zeros(SHAPE, np.int32), counts_of(np.full(SHAPE, 0.004))
    flags[:3], band[3:] = LAND, FILL
    text = warning(tmp_path, caplog, {BANDS[0]: band}, flags, masks={"flags": ["LAND"]})
    assert "an input is missing (50.0%)" in text
    assert "the mask LAND excludes the pixel (50.0%)" in text


def test_a_product_with_valid_pixels_has_no_warning(tmp_path, caplog):
    """One is enough."""
    band = np.full(SHAPE, FILL, np.int16)
    band[0, 0] = counts_of(0.004)
    assert warning(tmp_path, caplog, {BANDS[0]: band}) == ""


@pytest.mark.parametrize(("least", "expected"), [(0.03, 1), (0.02, 0), (None, 0)])
def test_a_product_with_almost_no_valid_pixel_has_one(tmp_path, caplog, least, expected):
    """One pixel of 42, as the configuration says; the masks that took the others are named."""
    flags = np.full(SHAPE, LAND)
    flags[0, 0] = 0
    stored = {nm: counts_of(np.full(SHAPE, 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "scene.nc", stored, flags=flags)
    settings = run_settings(tmp_path, network_for(tmp_path, BANDS), masks={"flags": ["LAND"]})
    with caplog.at_level(logging.WARNING):
        product_of(scene, settings | {"qc": {"valid_fraction_min": least}})
    said = [text for text in caplog.messages if "almost no valid pixel for iop (1 of 42)" in text]
    assert len(said) == expected
    assert all("the mask LAND excludes the pixel (97.6%)" in text for text in said)


def test_flags_to_keep_are_named_in_words(tmp_path, caplog):
    """The mask of a product is called unless_WATER; a message says what it means."""
    text = warning(tmp_path, caplog, masks={"keep_flags": ["LAND"]})
    assert "On every pixel: the pixel has none of the flags to keep (LAND)." in text
