"""Normalisation of in-situ reflectances by f/Q, and the sun that it needs."""

import datetime

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from matchup_points import write_nomad
from obpg_miniature import counts_of, write_obpg_l2

from pipeline.cli import main
from pipeline.config.matchup import load_matchup_config
from pipeline.errors import ConfigError
from pipeline.facts.sun_position import solar_zenith
from pipeline.matchup.brdf import nadir_factor
from pipeline.matchup.points import read_points
from pipeline.tables import read_table

AT = datetime.datetime(2020, 1, 2, 3, 6, 35, tzinfo=datetime.UTC)  # the miniature's middle
NORMALISED = {
    "preset": "nasa",
    "points": {
        "brdf_correction": "none",
        "brdf_normalisation": {"method": "morel_2002_nadir", "chlorophyll": "chl"},
    },
}


@pytest.mark.quick
def test_the_factor_at_a_knot_is_computed_by_hand():
    """490 nm, 0.3 mg m-3, sun at 60 degrees; the numbers are typed anew."""
    at_zenith = 0.350980 / 3.613410
    at_60 = (0.350980 + 0.191203 * 0.5) / (3.613410 + 1.700680 * 0.5)
    found = nadir_factor(490.0, np.array([60.0]), np.array([0.3]))
    np.testing.assert_allclose(found, [at_zenith / at_60], rtol=1e-12)


@pytest.mark.parametrize(("zenith", "full_table"), [(15, [0.0897, 0.0960, 0.0977, 0.0959, 0.0923])])
def test_the_factor_is_near_that_of_the_full_table(zenith, full_table):
    """f/Q at 412.5 nm and 0.03 to 3 mg m-3, typed from the full table of Morel et al. 2002."""
    chlorophyll = np.array([0.03, 0.1, 0.3, 1.0, 3.0])
    in_zenith = np.array([0.0901, 0.0961, 0.0978, 0.0959, 0.0921])
    found = nadir_factor(412.5, np.full(5, float(zenith)), chlorophyll)
    np.testing.assert_allclose(found, in_zenith / full_table, rtol=0.005)


def test_interpolation_and_its_ends():
    """One at a sun in the zenith; the table's ends serve beyond it; a low sun has no factor."""
    chlorophyll = np.array([0.05, 2.0])
    np.testing.assert_allclose(nadir_factor(443.0, np.zeros(2), chlorophyll), 1.0, rtol=1e-12)
    sun = np.full(2, 40.0)
    ends = nadir_factor(400.0, sun, np.array([0.001, 50.0]))
    np.testing.assert_array_equal(ends, nadir_factor(412.5, sun, np.array([0.03, 10.0])))
    middle = nadir_factor(500.0, np.array([40.0]), np.array([10**-0.5 * 0.3]))[0]
    around = [
        nadir_factor(nm, np.array([40.0]), np.array([chl]))[0]
        for nm in (490.0, 510.0)
        for chl in (0.03, 0.1, 0.3)
    ]
    assert min(around) < middle < max(around)
    unusable = [(75.1, 1.0), (-1.0, 1.0), (np.nan, 1.0), (40.0, np.nan), (40.0, 0.0)]
    angles, chlorophylls = np.array(unusable).T
    assert np.isnan(nadir_factor(443.0, angles, chlorophylls)).all()
    assert np.isfinite(nadir_factor(443.0, np.array([75.0]), np.array([1.0]))).all()


@pytest.mark.parametrize(
    ("time", "latitude", "longitude", "expected"),
    [
        # The example of Reda and Andreas 2004 (NREL/TP-560-34302), without refraction.
        ("2003-10-17T19:30:30", 39.742476, -105.1786, 50.128),
        # Equinox of March 2020 (20 March, 03:50 UTC): the sun is over the equator.
        ("2020-03-20T03:50:00", 90.0, 0.0, 90.0),
        # Solstice of June 2020 (20 June, 21:44 UTC): the sun is over 23.44 degrees north.
        ("2020-06-20T21:44:00", 90.0, 17.0, 66.56),
    ],
)
def test_the_sun_is_where_it_was(time, latitude, longitude, expected):
    """Against published examples, to 0.03 degrees."""
    found = solar_zenith(
        np.array([time], "datetime64[us]"), np.array([latitude]), np.array([longitude])
    )
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_an_unknown_time_has_no_sun():
    """NaT gives NaN."""
    found = solar_zenith(np.array(["NaT"], "datetime64[us]"), np.array([0.0]), np.array([0.0]))
    assert np.isnan(found).all()


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def scene(folder):
    """Even water of one colour, east of Africa, where it is morning at the scene's time."""
    bands = {412: 0.006, 443: 0.005, 490: 0.004, 555: 0.002}
    counts = {nm: counts_of(np.full((30, 30), rrs)) for nm, rrs in bands.items()}
    line, pixel = np.mgrid[0:30, 0:30]
    return write_obpg_l2(
        folder / "scene.nc", counts, latitude=10 + 0.01 * line, longitude=70 + 0.01 * pixel
    )


def points_file(folder):
    """Points in the scene, at its time."""
    places = [(10.05, 70.05), (10.09, 70.14), (10.2, 70.08)]
    points = [(9 + row, *at, AT.replace(tzinfo=None)) for row, at in enumerate(places)]
    return write_nomad(folder / "points.csv", points)


def configured(folder, **changes):
    path = folder / "matchup.yaml"
    points = NORMALISED["points"] | changes
    path.write_text(yaml.safe_dump(NORMALISED | {"points": points}))
    return path


def test_match_ups_hold_normalised_and_measured_reflectances(tmp_path):
    """The factor, the angles, the state of both sides, and the method in the attributes."""
    output = tmp_path / "matchups.nc"
    arguments = (points_file(tmp_path), scene(tmp_path), "-o", output)
    done = call("matchup", *arguments, "-c", configured(tmp_path))
    assert done.exit_code == 0, done.output
    found = read_table(output, "auto")
    assert set(found.columns["insitu_brdf_correction"]) == {"f/Q"}
    measured = found.columns["insitu_Rrs_443_measured"]
    zenith, chlorophyll = found.columns["insitu_solar_zenith"], found.columns["chl"]
    expected = measured * nadir_factor(443.0, zenith, chlorophyll)
    np.testing.assert_allclose(found.columns["insitu_Rrs_443"], expected, rtol=1e-6)
    assert (np.abs(expected / measured - 1) > 1e-4).all()
    with netCDF4.Dataset(output) as file:
        assert "Morel et al. 2002" in file.insitu_brdf_normalisation
        assert "chlorophyll from column chl, sun from place and time" in (
            file.insitu_brdf_normalisation
        )


def test_by_default_nothing_is_normalised(tmp_path):
    """The columns of the points are as they were, and no attribute speaks of a method."""
    output = tmp_path / "matchups.nc"
    done = call("matchup", points_file(tmp_path), scene(tmp_path), "-o", output)
    assert done.exit_code == 0, done.output
    found = read_table(output, "auto")
    assert set(found.columns["insitu_brdf_correction"]) == {"unknown"}
    assert not {"insitu_Rrs_443_measured", "insitu_solar_zenith"} & set(found.columns)
    with netCDF4.Dataset(output) as file:
        assert "insitu_brdf_normalisation" not in file.ncattrs()


def test_points_that_cannot_be_normalised_are_told(tmp_path):
    """A point at night has no normalised value, and the others have."""
    night = AT.replace(tzinfo=None, hour=18)
    points = [(9, 10.0, 20.0, night), (10, 10.0, 100.0, AT.replace(tzinfo=None))]
    path = write_nomad(tmp_path / "points.csv", points)
    config = load_matchup_config(NORMALISED).points
    found = read_points(path, config)
    assert np.isnan(found.table.columns["Rrs_443"]).tolist() == [True, False]
    assert np.isfinite(found.table.columns["Rrs_443_measured"]).all()
    assert any("1 of 2 points could not be normalised" in text for text in found.table.told)


@pytest.mark.parametrize("state", ["f/Q", "unknown"])
def test_nothing_is_normalised_twice(state):
    """Reflectances must be without a correction, and the configuration must say so."""
    points = NORMALISED["points"] | {"brdf_correction": state}
    with pytest.raises(ConfigError, match=f"brdf_correction is {state}"):
        load_matchup_config(NORMALISED | {"points": points})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"chlorophyll": "chlor"}, "chlorophyll: no column 'chlor'"),
        ({"solar_zenith": "sza"}, "solar_zenith: no column 'sza'"),
        ({"chlorophyll": "ap443"}, "column 'ap443' is in 'm-1', expected mg m-3"),
    ],
)
def test_a_wrong_column_is_named(tmp_path, changes, words):
    """A missing column, and one in other units."""
    how = NORMALISED["points"]["brdf_normalisation"] | changes
    points = NORMALISED["points"] | {"brdf_normalisation": how, "units": {"ap443": "m-1"}}
    config = load_matchup_config(NORMALISED | {"points": points}).points
    with pytest.raises(ConfigError, match=words):
        read_points(points_file(tmp_path), config)
