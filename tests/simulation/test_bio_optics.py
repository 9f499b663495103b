"""The bio-optical model against published figures, and against what physics demands."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.facts import sea_water
from pipeline.facts.optical_tables import read_columns
from pipeline.simulation.bio_optics import forward, mean_water
from pipeline.simulation.optics import absorption, backscattering, reflectance

VISIBLE = np.array([412.0, 443.0, 490.0, 510.0, 555.0, 665.0])


@pytest.mark.parametrize(
    ("wavelength_nm", "published"),
    # Pope and Fry 1997, Table 3; Kou et al. 1993 at 750 nm.
    [(420.0, 0.00454), (440.0, 0.00635), (550.0, 0.0565), (667.5, 0.434), (750.0, 2.85)],
)
def test_water_absorbs_as_published(wavelength_nm, published):
    """Absorption of pure water is that of the tables it stands for."""
    found = sea_water.water_absorption(np.array([wavelength_nm]))[0]
    assert found == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("wavelength_nm", "published"), [(366.0, 4.50e-4), (578.0, 0.650e-4)])
def test_pure_water_scatters_as_published(wavelength_nm, published):
    """Scattering at 90 degrees is that of Zhang and Hu 2009, Table 1 (20 degrees, no salt)."""
    found = sea_water.scattering_at_90_degrees(np.array([wavelength_nm]), 20.0, 0.0)[0]
    assert found == pytest.approx(published, rel=0.002)


def test_salt_adds_a_third_to_scattering():
    """Salt raises scattering by about 30 % at 35 g/kg (Morel 1974; Zhang, Hu and He 2009)."""
    fresh = sea_water.water_backscattering(VISIBLE, 20.0, 0.0)
    salty = sea_water.water_backscattering(VISIBLE, 20.0, 35.0)
    np.testing.assert_allclose(salty / fresh, 1.30, atol=0.05)


def test_sea_water_scattering_falls_steeply():
    """Scattering of sea water falls about as wavelength ** -4.3 (Morel 1974)."""
    violet, red = sea_water.water_backscattering(np.array([400.0, 700.0]))
    assert np.log(violet / red) / np.log(700.0 / 400.0) == pytest.approx(4.3, abs=0.1)


def test_density_and_compressibility_of_sea_water():
    """UNESCO's check value: 1024.763 kg m-3 at 20 degrees and 35 g/kg; 4.3e-10 Pa-1."""
    assert sea_water.density(20.0, 35.0) == pytest.approx(1024.763, abs=0.001)
    assert sea_water.density(4.0, 0.0) == pytest.approx(999.975, abs=0.001)
    assert sea_water.compressibility(20.0, 35.0) == pytest.approx(4.3e-10, rel=0.02)


def test_refractive_index_of_water():
    """The index against air at the sodium line is 1.3330 without and 1.3394 with salt."""
    fresh, _ = sea_water.refractive_index(np.array([589.3]), 20.0, 0.0)
    salty, _ = sea_water.refractive_index(np.array([589.3]), 20.0, 35.0)
    assert fresh[0] / 1.000273 == pytest.approx(1.3330, abs=0.0002)
    assert salty[0] / 1.000273 == pytest.approx(1.3394, abs=0.0003)


@pytest.mark.parametrize(
    ("wavelength_nm", "chlorophyll", "published"),
    # Bricaud et al. 1998: amplitude and exponent at 440 and 676 nm.
    [(440.0, 1.0, 0.0378), (676.0, 1.0, 0.0180), (440.0, 0.1, 0.0378 * 0.1**0.627)],
)
def test_phytoplankton_absorbs_as_published(wavelength_nm, chlorophyll, published):
    """Absorption of phytoplankton is Bricaud's at one chlorophyll and another."""
    found = absorption.phytoplankton_spectrum(np.array(chlorophyll), np.array([wavelength_nm]))
    assert found[..., 0] == pytest.approx(published, rel=0.005)


def test_newer_relation_of_phytoplankton():
    """Bricaud et al. 2004 is 1.7 times Bricaud et al. 1998 at 1 mg m-3; halfway is the mean."""
    older, half, newer = (absorption.phytoplankton_443(np.array(1.0), w) for w in (0.0, 0.5, 1.0))
    assert newer / older == pytest.approx(0.0654 / 0.0378, rel=0.01)
    assert half == pytest.approx(np.sqrt(older * newer))


def test_shape_of_phytoplankton_leaves_443_alone():
    """Shape and pigments change the spectrum around 443 nm, not at it."""
    spectrum = absorption.phytoplankton_absorption(
        np.array([0.05, 0.05]),
        np.array([0.05, 20.0]),
        np.array([412.0, 443.0, 490.0, 665.0]),
        np.array([0.2, -0.2]),
        np.array([-0.3, 0.3]),
    )
    np.testing.assert_allclose(spectrum[:, 1], 0.05)
    assert spectrum[0, 3] < spectrum[1, 3], "larger cells are relatively redder"


@pytest.mark.parametrize("chlorophyll", [0.03, 1.0, 10.0])
def test_particles_backscatter_as_published(chlorophyll):
    """Backscattering at 550 nm is that of Morel and Maritorena 2001, written out."""
    scattering = 0.416 * chlorophyll**0.766
    ratio = 0.002 + 0.01 * (0.5 - 0.25 * np.log10(chlorophyll))
    found = backscattering.organic_backscattering_550(np.array(chlorophyll))
    assert found == pytest.approx(ratio * scattering)


def test_clear_water_is_as_bright_as_the_south_pacific():
    """Mean water at 0.06 mg m-3 is within 30 % of clear sea measured above the water, in the blue.

    Medians of 1208 spectra of the South Pacific at that chlorophyll (patrickcgray,
    undersampling_ocean_algos). Toward the red they hold some reflected sky: within 45 % there.
    """
    measured = np.array([0.01098, 0.00869, 0.00637, 0.00337, 0.00165, 0.000175])
    rrs = forward(mean_water(0.06), np.array([411.0, 443.0, 489.0, 510.0, 555.0, 665.0])).rrs
    np.testing.assert_allclose(rrs[:3], measured[:3], rtol=0.30)
    np.testing.assert_allclose(rrs[3:], measured[3:], rtol=0.45)


def test_band_ratio_follows_chlorophyll():
    """The maximum band ratio falls with chlorophyll, near OC4 (O'Reilly et al. 1998, 2000)."""
    chlorophyll = np.array([0.05, 0.2, 1.0, 5.0])
    rrs = forward(mean_water(chlorophyll), VISIBLE).rrs
    ratio = np.log10(rrs[:, 1:4].max(axis=1) / rrs[:, 4])
    oc4 = np.polyval([-0.5683, -1.2259, 2.7218, -2.9940, 0.3272], ratio)
    assert (np.diff(ratio) < 0).all()
    np.testing.assert_allclose(oc4, np.log10(chlorophyll), atol=0.30)


def test_absorption_darkens_and_particles_brighten():
    """More CDOM lowers Rrs at every band, more minerals raise it."""
    water = mean_water(np.array(1.0))
    plain = forward(water, VISIBLE).rrs
    assert (forward(replace(water, cdom_443=2 * water.cdom_443), VISIBLE).rrs < plain).all()
    assert (forward(replace(water, mineral=np.array(5.0)), VISIBLE).rrs > plain).all()


def test_budget_closes():
    """Total absorption and backscattering are the sums of their parts."""
    optics = forward(mean_water(np.array([0.1, 3.0])), VISIBLE)
    water_a = sea_water.water_absorption(VISIBLE)
    water_bb = sea_water.water_backscattering(VISIBLE)
    np.testing.assert_allclose(optics.a, water_a + optics.aph + optics.adg)
    np.testing.assert_allclose(optics.bb, water_bb + optics.bbp)


def test_raman_share_of_clear_water():
    """Raman light is a fifth of the green of clear water, little of the blue (Lee et al. 2013)."""
    share = reflectance.raman_share(np.array([443.0, 551.0]), np.array(0.012), np.array(0.0012))
    expected = [
        0.004 * 10.0 + 0.015 * 0.0012**-0.023,
        0.017 * 10.0 + 0.010 * 0.0012**-0.080,
    ]
    np.testing.assert_allclose(share, expected)


def test_fluorescence_is_a_line_in_the_red():
    """Fluorescence peaks at 685 nm and is gone at 620 and 750 nm."""
    bands = np.array([620.0, 665.0, 685.0, 750.0])
    line = reflectance.fluorescence(bands, np.array(1.0), np.array(0.05), np.array(0.0))
    assert line.argmax() == 2
    assert line[0] < 1e-6 * line[2]
    assert line[3] < 1e-6 * line[2]
    assert line[1] / line[2] == pytest.approx(np.exp(-0.5 * (20.0 / 10.6) ** 2))


@pytest.mark.parametrize(
    "bands", [[380.0], [412.0, 443.0, 748.0], list(np.arange(350.0, 901.0, 2.5)), [708.75, 400.0]]
)
def test_any_band_set(bands):
    """Every property is finite at any wavelengths, and a band does not depend on its company."""
    water = mean_water(np.array([0.05, 1.0, 20.0]))
    together = forward(water, np.array(bands))
    alone = forward(water, np.array(bands[:1]))
    for name in ("a", "aph", "adg", "bb", "bbp", "rrs"):
        spectra = getattr(together, name)
        assert spectra.shape == (3, len(bands))
        assert np.isfinite(spectra).all()
        assert (spectra >= 0.0).all()
        np.testing.assert_array_equal(spectra[:, :1], getattr(alone, name))


@pytest.mark.parametrize("nm", [349.0, 901.0, float("nan")])
def test_wavelengths_out_of_reach(nm):
    """A wavelength that no coefficient reaches is refused by its number."""
    with pytest.raises(ConfigError, match=f"at {nm:g} nm: the coefficients reach from 350 to 900"):
        forward(mean_water(1.0), np.array([443.0, nm]))


@pytest.mark.parametrize("table", ["pure_water", "phytoplankton", "raman"])
def test_tables_rise_with_wavelength(table):
    """The rows of every table are in order, or interpolation would be nonsense."""
    columns = read_columns(table)
    assert (np.diff(columns["wavelength"]) > 0).all()
    assert all(np.isfinite(values).all() for values in columns.values())


def test_reflectance_is_that_of_lee_2011_for_sun_30_degrees_and_nadir_view():
    """The four coefficients typed anew, for water without and with particles."""
    found = reflectance.elastic_reflectance(
        np.array([[0.08, 0.09], [0.9, 0.5]]),
        np.array([0.02, 0.01]),
        np.array([[0, 0], [0.08, 0.49]]),
    )
    by_hand = [
        [(0.05881474 + 0.05062697 * 0.2) * 0.2, (0.05881474 + 0.05062697 * 0.1) * 0.1],
        [
            (0.05881474 + 0.05062697 * 0.02) * 0.02 + (0.03997009 + 0.1398902 * 0.08) * 0.08,
            (0.05881474 + 0.05062697 * 0.01) * 0.01 + (0.03997009 + 0.1398902 * 0.49) * 0.49,
        ],
    ]
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)
