"""Chlorophyll by band ratio and color index: every branch against the independent oracle."""

import numpy as np
import oracle_algorithms as oracle
import pytest

from pipeline.algorithms import algorithm
from pipeline.errors import ConfigError, NetworkError
from pipeline.simulation.bio_optics import forward, mean_water

RATIOS = [
    ("ocx_v6", "SeaWiFS", oracle.OC4_V6_SEAWIFS),
    ("ocx_v6", "MODIS-Aqua", oracle.OC3_V6_MODIS),
    ("ocx_2019", "SeaWiFS", oracle.OC4_2019_SEAWIFS),
    ("ocx_2019", "OCI", oracle.OC4_2019_SEAWIFS),
    ("ocx_2019", "MODIS-Terra", oracle.OC3_2019_MODIS),
    ("ocx_2019", "VIIRS", oracle.OC3_2019_VIIRS),
    ("ocx_2019", "OLCI", oracle.OC4_2019_OLCI),
]
INDICES = [
    ("oci_2012", "SeaWiFS", oracle.OC4_V6_SEAWIFS, oracle.CI_2012, 555),
    ("oci_2012", "MODIS-Aqua", oracle.OC3_V6_MODIS, oracle.CI_2012, 547),
    ("oci_2019", "MODIS-Aqua", oracle.OC3_2019_MODIS, oracle.CI_2019, 547),
    ("oci_2019", "VIIRS", oracle.OC3_2019_VIIRS, oracle.CI_2019, 551),
    ("oci_2019", "OLCI", oracle.OC4_2019_OLCI, oracle.CI_2019, 560),
]


def spectra(bands, count=4000, seed=0):
    """Rrs (n, bands) from clear blue to turbid water, a few of them negative or missing."""
    drawn = np.random.default_rng(seed)
    nm = np.array(bands)
    exponent = drawn.uniform(-9, 4, (count, 1))
    rrs = 10 ** drawn.uniform(-3.5, -2, (count, 1)) * (nm / 500) ** exponent
    rrs *= drawn.normal(1, 0.1, rrs.shape)
    rrs[drawn.random(rrs.shape) < 0.03] *= -0.2
    rrs[drawn.random(rrs.shape) < 0.01] = np.nan
    return rrs


def bands_of(found):
    return [variable.wavelength_nm for variable in found.inputs]


@pytest.mark.parametrize(("name", "sensor", "coefficients"), RATIOS)
def test_the_band_ratio_is_the_oracles(name, sensor, coefficients):
    """Values and failures agree for 4,000 spectra."""
    found = algorithm(name, sensor=sensor)
    rrs = spectra(bands_of(found))
    expected = [oracle.ocx(row[:-1], row[-1], coefficients) for row in rrs.tolist()]
    assert 0.02 < np.isnan(expected).mean() < 0.5
    np.testing.assert_allclose(found.predict(rrs)[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "sensor", "coefficients", "index", "green_nm"), INDICES)
def test_the_blend_is_the_oracles(name, sensor, coefficients, index, green_nm):
    """Index, blend and ratio agree for 4,000 spectra, hundreds of each."""
    found = algorithm(name, sensor=sensor)
    rrs = spectra(bands_of(found))
    rows = rrs.tolist()
    expected = np.array(
        [oracle.oci(row[:-2], row[-2], row[-1], coefficients, index, green_nm) for row in rows]
    )
    ratio = np.array([oracle.ocx(row[:-2], row[-2], coefficients) for row in rows])
    start, end = index[1]
    assert np.count_nonzero(expected < start) > 100
    assert np.count_nonzero(expected == ratio) > 100
    assert np.count_nonzero((expected > start) & (expected < end) & (expected != ratio)) > 20
    np.testing.assert_allclose(found.predict(rrs)[:, 0], expected, rtol=1e-12)


def test_a_clear_and_a_green_spectrum_by_hand():
    """OC4 v6 agrees with values computed by hand at the ratios 10 and 1."""
    found = algorithm("ocx_v6", sensor="SeaWiFS")
    chlorophyll = found.predict([[0.010, 0.006, 0.003, 0.001], [0.002, 0.003, 0.004, 0.004]])
    by_hand = [10 ** (0.3272 - 2.9940 + 2.7218 - 1.2259 - 0.5683), 10**0.3272]
    np.testing.assert_allclose(chlorophyll[:, 0], by_hand, rtol=1e-12)


def test_slightly_negative_blue_counts_and_strongly_negative_does_not():
    """As in NASA's l2gen: -0.0005 sr-1 at 443 nm has an answer, -0.0015 has none."""
    found = algorithm("ocx_2019", sensor="MODIS-Aqua")
    chlorophyll = found.predict([[-0.0005, 0.001, 0.003], [-0.0015, 0.001, 0.003]])
    assert np.isfinite(chlorophyll[:, 0]).tolist() == [True, False]


@pytest.mark.parametrize("green", [0.0, -0.0001, np.nan, np.inf])
def test_a_green_band_that_is_not_positive_has_no_answer(green):
    """The answer is NaN, neither infinity nor thousands."""
    found = algorithm("oci_2019", sensor="MODIS-Aqua")
    assert np.isnan(found.predict([[0.004, 0.004, green, 0.0005]])).all()


def test_values_end_at_the_published_limits():
    """Where the polynomial gives less than 0.001 mg m-3, the answer is 0.001 mg m-3."""
    found = algorithm("ocx_v6", sensor="MODIS-Aqua")
    assert found.predict([[0.025, 0.02, 0.001]]).tolist() == [[0.001]]


def test_bands_without_a_sensor_choose_the_nearest_coefficients():
    """Bands of NOMAD are nearest to SeaWiFS; of two equally near sensors the first is chosen."""
    nomad = [411, 443, 489, 510, 555, 665]
    found = algorithm("oci_2019", wavelengths_nm=nomad)
    assert found.sensors == ("SeaWiFS",)
    assert bands_of(found) == [443, 489, 510, 555, 665]
    modis = algorithm("ocx_2019", wavelengths_nm=[412, 443, 488, 531, 547, 667])
    assert modis.sensors == ("MODIS-Aqua",)


def test_a_sensor_on_given_bands_keeps_its_coefficients():
    """The inputs are the given bands, the coefficients are those of the sensor."""
    found = algorithm("ocx_2019", sensor="VIIRS", wavelengths_nm=[411, 444, 488, 552, 667])
    assert bands_of(found) == [444, 488, 552]
    assert found.parameters["coefficients"] == oracle.OC3_2019_VIIRS


NOAA_20 = [411, 445, 489, 556, 667]


@pytest.mark.parametrize("name", ["ocx_v6", "ocx_2019", "oci_2012", "oci_2019"])
def test_coefficients_of_suomi_npp_are_not_for_noaa_20(name):
    """The error says what they would give; without a sensor, no other coefficients are taken."""
    with pytest.raises(NetworkError, match=r"551 \+-3.*found bands at 411.*0\.90 to 0\.92 of the"):
        algorithm(name, sensor="VIIRS", wavelengths_nm=NOAA_20)
    with pytest.raises(NetworkError, match="no coefficients for bands at 411, 445, 489, 556"):
        algorithm(name, wavelengths_nm=NOAA_20)


def test_what_suomi_npp_would_give_on_noaa_20():
    """The stated factor is that of modelled open ocean water."""
    chlorophyll = np.array([0.1, 0.3, 1.0])
    for name in ("ocx_v6", "ocx_2019"):
        found = algorithm(name, sensor="VIIRS")
        here, there = (
            found.predict(forward(mean_water(chlorophyll), np.array(bands)).rrs)[:, 0]
            for bands in ([443.0, 486.0, 551.0], [445.0, 489.0, 556.0])
        )
        np.testing.assert_allclose(there / here, 0.91, atol=0.025)


@pytest.mark.parametrize(("blue", "green"), [(446.1, 547), (443, 550.1)])
def test_no_band_ratio_takes_bands_for_which_it_was_not_fitted(blue, green):
    """The limit is 3 nm for every sensor; a red band may be farther away."""
    near = [445.9, 488, 549.9, 662]
    assert bands_of(algorithm("oci_2019", sensor="MODIS-Aqua", wavelengths_nm=near)) == near
    with pytest.raises(NetworkError, match=r"547 \+-3, 667 \+-6"):
        algorithm("oci_2019", sensor="MODIS-Aqua", wavelengths_nm=[blue, 488, green, 667])


def test_coefficients_of_2019_for_oli():
    """Typed anew from O'Reilly and Werdell 2019; MSI has them by name of OLI."""
    oli = (0.30963, -2.40052, 1.28932, 0.52802, -1.33825)
    for sensor, bands in (("OLI", [443, 482, 561]), ("OLI2", [443, 482, 561])):
        found = algorithm("ocx_2019", sensor=sensor)
        assert found.parameters["coefficients"] == oli
        assert bands_of(found) == bands
    assert "coefficients of OLI" in algorithm("ocx_2019", sensor="S2A").title
    rrs = [[0.004, 0.005, 0.003]]
    expected = 10 ** np.polynomial.polynomial.polyval(np.log10(5 / 3), oli)
    assert algorithm("ocx_2019", sensor="OLI").predict(rrs)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("chosen", "error", "text"),
    [
        ({"sensor": "HICO"}, NetworkError, "no coefficients for HICO, only for SeaWiFS"),
        ({"sensor": ""}, NetworkError, "an unknown sensor"),
        ({"sensor": "Nimbus"}, ConfigError, "unknown sensor"),
        ({"wavelengths_nm": [443, 665]}, NetworkError, "no coefficients for bands at 443, 665 nm"),
        (
            {"sensor": "SeaWiFS", "wavelengths_nm": [443, 490, 555, 670]},
            NetworkError,
            "different bands at",
        ),
        ({}, ConfigError, "Give a sensor"),
    ],
)
def test_what_cannot_be_bound_says_why(chosen, error, text):
    """The error says what was found and what was expected."""
    with pytest.raises(error, match=text):
        algorithm("oci_2019", **chosen)


def test_a_wrong_shape_is_refused():
    """The error names the columns."""
    with pytest.raises(NetworkError, match=r"shape \(2,\).*Rrs_443, Rrs_488, Rrs_547"):
        algorithm("ocx_2019", sensor="MODIS-Aqua").predict([0.1, 0.2])


def test_the_fingerprint_is_of_bands_and_coefficients():
    """Fingerprints are equal for equal numbers, and differ for another sensor or version."""
    prints = {
        algorithm(name, sensor=sensor).fingerprint
        for name in ("ocx_v6", "ocx_2019")
        for sensor in ("SeaWiFS", "MODIS-Aqua", "MODIS-Terra", "VIIRS")
    }
    assert len(prints) == 6
    again = algorithm("ocx_2019", sensor="MODIS-Aqua")
    assert again.fingerprint == algorithm("ocx_2019", sensor="MODIS-Terra").fingerprint
