"""The nearest pixel, against the distance to every pixel."""

import numpy as np
import oracle_matchup
import pytest
import xarray as xr
from miniatures.truth import image_of_coordinates, map_of_coordinates

from pipeline.matchup import nearest
from pipeline.matchup.nearest import nearest_pixels, pixel_diagonal_km

pytestmark = pytest.mark.quick

SHAPE = (75, 70)  # neither is a multiple of a tile
GRIDS = {
    "swath": image_of_coordinates(*SHAPE, [443]),
    "antimeridian": image_of_coordinates(*SHAPE, [443], antimeridian=True),
    "pole": image_of_coordinates(*SHAPE, [443], pole=True),
    "map": map_of_coordinates(*SHAPE, [443], antimeridian=True),
}


def scene_of(latitude, longitude):
    places = {"latitude": (("y", "x"), latitude), "longitude": (("y", "x"), longitude)}
    return xr.Dataset(coords=places)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("numbers", [500, 1_000_000])
def test_every_pixel_is_compared(monkeypatch, name, numbers):
    """Between tiles, between strips, beside the scene and in its holes, to the micrometre."""
    monkeypatch.setattr(nearest, "NUMBERS_AT_ONCE", numbers)
    latitude, longitude = GRIDS[name].latitude.copy(), GRIDS[name].longitude.copy()
    latitude[20:45, 30:36] = longitude[20:45, 30:36] = np.nan
    draw = np.random.default_rng(1)
    lines, pixels = (draw.integers(size, size=400) for size in SHAPE)
    lines[:100], pixels[100:200] = draw.choice([31, 32, 63, 64], (2, 100))
    aside = draw.normal(scale=0.008, size=(2, 400))
    aside[:, ::10] *= 40
    places = np.clip(GRIDS[name].latitude[lines, pixels] + aside[0], -90, 90)
    meridians = GRIDS[name].longitude[lines, pixels] + aside[1]
    found = nearest_pixels(scene_of(latitude, longitude), places, meridians)
    for place in range(400):
        ways = oracle_matchup.haversine_km(places[place], meridians[place], latitude, longitude)
        line, pixel = np.unravel_index(np.nanargmin(ways), SHAPE)
        assert (found.line[place], found.pixel[place]) == (line, pixel)
        np.testing.assert_allclose(found.distance_km[place], ways[line, pixel], atol=1e-6)


def test_a_scene_without_positions():
    """No pixel, infinitely far."""
    nothing = np.full((5, 5), np.nan)
    found = nearest_pixels(scene_of(nothing, nothing), np.zeros(1), np.zeros(1))
    assert (found.line[0], found.pixel[0], found.distance_km[0]) == (-1, -1, np.inf)


def test_the_first_of_equally_near_pixels():
    """Positions that repeat, as in lines that were copied."""
    same = scene_of(np.zeros((70, 70)), np.zeros((70, 70)))
    found = nearest_pixels(same, np.zeros(1), np.ones(1))
    assert (found.line[0], found.pixel[0]) == (0, 0)


def test_a_pixel_alone_has_no_size():
    """Then nobody can say what lies in it."""
    assert np.isnan(pixel_diagonal_km(scene_of(np.zeros((1, 1)), np.zeros((1, 1))), 0, 0))
