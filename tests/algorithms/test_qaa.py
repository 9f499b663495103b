"""The quasi-analytical algorithm against the independent oracle and measurements at sea."""

import gzip

import numpy as np
import oracle_algorithms as oracle
import pytest

from pipeline.algorithms import algorithm
from pipeline.errors import NetworkError

NOMAD = "matchups/nomad_seabass_v2.a_2008200.txt.gz"


def spectra(count=3000, seed=1):
    """Rrs (n, 5) at the bands of MODIS from clear to turbid water."""
    drawn = np.random.default_rng(seed)
    nm = np.array(oracle.MODIS_NM)
    peak, width = drawn.uniform(400, 620, (count, 1)), drawn.uniform(50, 120, (count, 1))
    rrs = 10 ** drawn.uniform(-3, -1.7, (count, 1)) * np.exp(-(((nm - peak) / width) ** 2))
    return rrs + 10 ** drawn.uniform(-5, -3.5, (count, 1))


@pytest.mark.quick
def test_three_thousand_spectra_are_the_oracles():
    """aph, adg and bbp agree, with the reference at 547 and 667 nm, failures included."""
    rrs = spectra()
    found = algorithm("qaa_v6", sensor="MODIS-Aqua").predict(rrs)
    expected = np.array([oracle.qaa_v6(row) for row in rrs.tolist()])[:, :, :4].reshape(-1, 12)
    assert 0.1 < (rrs[:, 4] < 0.0015).mean() < 0.9
    assert 0.02 < np.isnan(expected).mean() < 0.5
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-8, atol=1e-10)


def test_outputs_have_quantities_and_wavelengths():
    """Outputs are three quantities at four bands each."""
    found = algorithm("qaa_v6", sensor="SeaWiFS")
    names = [variable.name for variable in found.outputs]
    assert names[:4] == ["aph_412", "aph_443", "aph_490", "aph_555"]
    assert names[4:8] == ["adg_412", "adg_443", "adg_490", "adg_555"]
    assert names[8:] == ["bbp_412", "bbp_443", "bbp_490", "bbp_555"]
    assert {variable.units for variable in found.outputs} == {"m-1"}


def test_a_row_does_not_depend_on_its_company():
    """Single rows give the bits of a block, and an invalid row affects no other."""
    rrs = spectra(50)
    found = algorithm("qaa_v6", sensor="MODIS-Aqua")
    unbroken = found.predict(rrs)
    rrs[7] = [np.nan, 0.0, -1.0, np.inf, 0.001]
    together = found.predict(rrs)
    alone = np.vstack([found.predict(row[np.newaxis]) for row in rrs])
    np.testing.assert_array_equal(together, alone)
    assert np.isnan(together[7]).all()
    np.testing.assert_array_equal(np.delete(together, 7, axis=0), np.delete(unbroken, 7, axis=0))


def test_modis_uses_the_band_made_for_water():
    """On MODIS, green is 547 nm, even with the land bands at 469 and 555 nm."""
    found = algorithm("qaa_v6", wavelengths_nm=[412, 443, 469, 488, 531, 547, 555, 645, 667, 678])
    assert [v.wavelength_nm for v in found.inputs] == [412, 443, 488, 547, 667]


def test_a_missing_band_is_named():
    """Data without 412 nm are refused."""
    with pytest.raises(NetworkError, match=r"412 \+-6.*found bands at 443, 482, 561, 655"):
        algorithm("qaa_v6", sensor="OLI")


def test_a_slightly_negative_red_band_is_no_obstacle():
    """Red Rrs may be negative, as noise in clear water."""
    found = algorithm("qaa_v6", sensor="MODIS-Aqua")
    clear = [0.008, 0.007, 0.0055, 0.002]
    values = found.predict([[*clear, -1e-5], [*clear, 1e-5]])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-3)


def nomad(path):
    """Rrs (n, 6) and aph at 443 nm (n,) of the rows that have both."""
    with gzip.open(path, "rt") as file:
        header, *rows = (line.rstrip().split(",") for line in file if line[0] != "!")
    table = {
        name: np.array(column) for name, column in zip(header, zip(*rows, strict=True), strict=True)
    }
    at = {name: table[name].astype(float) for name in table if name[:2] in ("lw", "es", "ap", "ad")}
    at = {name: np.where(column == -999, np.nan, column) for name, column in at.items()}
    rrs = np.stack([at[f"lw{nm}"] / at[f"es{nm}"] for nm in (411, 443, 489, 510, 555, 665)], axis=1)
    aph = at["ap443"] - at["ad443"]
    usable = (rrs > 0).all(axis=1) & (aph > 0)
    return rrs[usable], aph[usable]


def test_nomad_is_retrieved_as_well_as_known(real_data):
    """aph(443) of 817 stations: 3 % failures, bias 0.88, mean absolute error 1.46 in log10."""
    rrs, measured = nomad(real_data / NOMAD)
    assert len(measured) == 817
    found = algorithm("qaa_v6", wavelengths_nm=[411, 443, 489, 510, 555, 665])
    aph = found.predict(rrs[:, [0, 1, 2, 4, 5]])[:, 1]
    error = np.log10(aph / measured)[np.isfinite(aph)]
    assert 1 - error.size / 817 == pytest.approx(0.032, abs=0.001)
    assert 10 ** error.mean() == pytest.approx(0.883, abs=0.002)
    assert 10 ** np.abs(error).mean() == pytest.approx(1.463, abs=0.002)
    assert np.sqrt((error**2).mean()) == pytest.approx(0.232, abs=0.002)


@pytest.mark.quick
def test_the_weighted_switch_is_the_oracles():
    """Rows below, between and above the two limits of red Rrs, failures included."""
    rrs = spectra(seed=2)
    found = algorithm("qaa_v6_weighted", sensor="MODIS-Aqua").predict(rrs)
    limits = (0.00075, 0.003)
    expected = np.array([oracle.qaa_v6(row, between=limits) for row in rrs.tolist()])
    expected = expected[:, :, :4].reshape(-1, 12)
    place = np.searchsorted(limits, rrs[:, 4])
    assert min(np.bincount(place, minlength=3)) > 100
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-8, atol=1e-10)


def rows_around(red, spectrum):
    """Two rows that differ by 0.02 % at the red band only."""
    return [[*spectrum, red * 0.9999], [*spectrum, red * 1.0001]]


@pytest.mark.parametrize("red", [0.00075, 0.0015, 0.003])
def test_the_weighted_switch_has_no_jump(red):
    """At no limit of either rule; the small differences are those of the red band itself."""
    weighted = algorithm("qaa_v6_weighted", sensor="MODIS-Aqua")
    below, above = weighted.predict(rows_around(red, (0.002, 0.0035, 0.006, 0.0085)))
    finite = np.isfinite(below)
    assert finite.sum() >= 8
    np.testing.assert_allclose(above[finite], below[finite], rtol=0.02)


def test_qaa_v6_jumps_as_the_documentation_says():
    """Water with 4 m-1 of adg(443): bbp by the red band is 2.4 times bbp by the green band."""
    spectrum = (0.00022, 0.00031, 0.00053, 0.00107)
    below, above = algorithm("qaa_v6", sensor="MODIS-Aqua").predict(rows_around(0.0015, spectrum))
    assert above[9] / below[9] == pytest.approx(2.4, abs=0.1)


def test_the_weighted_switch_is_recorded():
    """Limits, version and title differ from qaa_v6, and everything else is taken from it."""
    plain, weighted = (algorithm(name, sensor="SeaWiFS") for name in ("qaa_v6", "qaa_v6_weighted"))
    assert plain.parameters["least_red"] == 0.0015
    assert weighted.parameters["least_red"] == (0.00075, 0.003)
    assert {**weighted.parameters, "least_red": 0.0015} == plain.parameters
    assert "not part of the publication" in weighted.version
    assert "with a weighted switch" in weighted.title
    assert weighted.fingerprint != plain.fingerprint
    assert weighted.sha256 != plain.sha256
