"""Simulated samples: reproducible, of any bands, within the world's waters."""

import csv
import gzip

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.simulation.bio_optics import forward
from pipeline.simulation.noise import add_noise
from pipeline.simulation.simulation import CONSTITUENTS, OUTPUTS, simulate_samples
from pipeline.simulation.waters import draw_water, shipped_waters

NOMAD_BANDS = (411.0, 443.0, 489.0, 510.0, 555.0, 665.0)


@pytest.fixture(scope="module")
def table():
    return simulate_samples(20_000, NOMAD_BANDS)


@pytest.mark.quick
def test_columns_and_their_units(table):
    """Rrs first, then outputs at every band, chlorophyll, and what was in the water."""
    spectral = [f"{q}_{nm:.0f}" for q in ("Rrs", "aph", "adg", "bbp") for nm in NOMAD_BANDS]
    expected = [*spectral, "chlor_a", *(f"water_{name}" for name in CONSTITUENTS)]
    assert list(table.columns) == expected
    assert table.meanings["Rrs_443"].units == "sr-1"
    assert table.meanings["bbp_555"].units == "m-1"
    assert table.meanings["chlor_a"].units == "mg m-3"
    assert len(table) == 20_000
    assert all(values.dtype == np.float32 for values in table.columns.values())


def test_everything_is_positive_and_finite(table):
    """What networks take the logarithm of has one."""
    for name, values in table.columns.items():
        assert np.isfinite(values).all(), name
        assert (values > 0).all(), name


def test_a_seed_is_a_table(table):
    """One seed gives the same bytes, another one others."""
    again = simulate_samples(20_000, NOMAD_BANDS)
    other = simulate_samples(20_000, NOMAD_BANDS, seed=2)
    assert all(np.array_equal(table.columns[n], again.columns[n]) for n in table.columns)
    assert not np.array_equal(table.columns["Rrs_443"], other.columns["Rrs_443"])


def test_fewer_samples_are_the_first_of_more(table):
    """A small table is the beginning of a large one."""
    few = simulate_samples(137, NOMAD_BANDS)
    for name, values in few.columns.items():
        np.testing.assert_array_equal(values, table.columns[name][:137])


def test_waters_do_not_depend_on_bands_or_noise(table):
    """Other bands and other noise are of the same waters."""
    other = simulate_samples(20_000, (380.0, 443.0), noise=0.0)
    for name in ("aph_443", "adg_443", "chlor_a", "water_mineral"):
        np.testing.assert_array_equal(other.columns[name], table.columns[name])
    assert not np.array_equal(other.columns["Rrs_443"], table.columns["Rrs_443"])


@pytest.mark.quick
def test_without_noise_rrs_is_the_model():
    """Without noise, Rrs is what the forward model gives for the drawn water."""
    waters = shipped_waters()
    rrs = simulate_samples(50, (443.0,), noise=0.0, outputs=("chlor_a",)).columns
    drawn = draw_water(10_000, np.random.default_rng((1, 0)), waters)
    modelled = forward(drawn, np.array([443.0])).rrs[:, 0].astype(np.float32)
    positions = [int(np.flatnonzero(modelled == value)[0]) for value in rrs["Rrs_443"]]
    assert positions == sorted(positions)
    np.testing.assert_array_equal(drawn.chlorophyll[positions].astype(np.float32), rrs["chlor_a"])


def test_noise_is_as_large_as_it_says():
    """Where water is bright, noise is the shares of the signal; it leaves no band dark."""
    level = shipped_waters().noise
    bands = np.array([443.0, 865.0])
    bright = np.full((20_000, 2), 0.05)
    noisy = add_noise(bright, bands, np.random.default_rng(1), level)
    share = np.hypot(level.band_share, level.common_share)
    np.testing.assert_allclose((noisy / bright).std(axis=0), share, rtol=0.03)
    dark = np.full((20_000, 2), 1e-5)
    noisy = add_noise(dark, bands, np.random.default_rng(1), level)
    assert (noisy >= level.lowest_share * dark).all()


@pytest.mark.parametrize(
    ("column", "low", "high"),
    # 5 % and 95 % of the simulation lie around those of the world's waters as NOMAD has them
    # (Werdell and Bailey 2005), within a factor of 2.5; figures of the 2407 stations with Rrs.
    [
        ("Rrs_411", 0.0013, 0.0128),
        ("Rrs_443", 0.00144, 0.0109),
        ("Rrs_489", 0.00181, 0.0095),
        ("Rrs_555", 0.00122, 0.0118),
        ("Rrs_665", 0.000038, 0.0036),
        ("aph_443", 0.0053, 0.16),
        ("adg_443", 0.0096, 0.36),  # 0.30 in NOMAD, which has few of the estuaries
        ("chlor_a", 0.056, 9.6),
    ],
)
def test_ranges_of_the_world(table, column, low, high):
    """The spread of each quantity is that of a world-wide collection of stations."""
    found = np.percentile(table.columns[column], [5, 95])
    assert low / 2.5 < found[0] < low * 2.5
    assert high / 2.5 < found[1] < high * 2.5


def test_natural_relations(table):
    """Phytoplankton follows chlorophyll with a spread, and blue water is clear water."""
    columns = {name: np.log10(values.astype(np.float64)) for name, values in table.columns.items()}
    slope, _ = np.polyfit(columns["chlor_a"], columns["aph_443"], 1)
    residual = columns["aph_443"] - np.polyval(
        np.polyfit(columns["chlor_a"], columns["aph_443"], 1), columns["chlor_a"]
    )
    # Bricaud et al. 1998 and 2004: 0.62 and 0.73, and 0.12 from the fit to NOMAD. A factor of 2 to
    # 3 at one chlorophyll.
    assert 0.7 < slope < 0.82
    assert 0.12 < residual.std() < 0.25
    blueness = columns["Rrs_443"] - columns["Rrs_555"]
    assert np.corrcoef(blueness, columns["chlor_a"])[0, 1] < -0.85


@pytest.mark.parametrize(
    ("low", "high"), [(0.03, 0.1), (0.1, 0.3), (0.3, 1.0), (1.0, 3.0), (3.0, 10.0)]
)
def test_chlorophyll_and_colour(low, high):
    """OC4 gives the chlorophyll of the simulated waters, from clear to green."""
    columns = simulate_samples(20_000, NOMAD_BANDS, noise=0.0).columns
    rrs = np.stack([columns[f"Rrs_{nm:.0f}"] for nm in NOMAD_BANDS], axis=1).astype(float)
    # OC4 version 6 (NASA OBPG): log10 of chlorophyll as a polynomial in the largest band ratio.
    ratio = np.log10(rrs[:, 1:4].max(axis=1) / rrs[:, 4])
    found = 10 ** np.polyval([-0.5683, -1.2259, 2.7218, -2.9940, 0.3272], ratio)
    truth = columns["chlor_a"]
    of_bin = (truth >= low) & (truth < high)
    assert of_bin.sum() > 1000
    assert 0.9 < np.median(found[of_bin] / truth[of_bin]) < 1.1


def test_few_stations_of_nomad_are_unlike_the_simulation(real_data, table):
    """At most 5 % are farther from the middle than 99 % of the simulated spectra."""
    measured = np.log10(nomad(real_data / "matchups" / "nomad_seabass_v2.a_2008200.txt.gz"))
    rrs = np.stack([table.columns[f"Rrs_{nm:.0f}"] for nm in NOMAD_BANDS], axis=1)
    simulated = np.log10(rrs.astype(float))
    inverse = np.linalg.inv(np.cov(simulated.T))
    far, near = (
        np.einsum("ij,jk,ik->i", away, inverse, away)
        for away in (measured - simulated.mean(axis=0), simulated - simulated.mean(axis=0))
    )
    assert np.mean(far > np.quantile(near, 0.99)) < 0.05


@pytest.mark.parametrize("outputs", [("aph",), ("chlor_a", "bbp"), ()])
def test_chosen_outputs(outputs):
    """A table holds the outputs that were asked for and no others."""
    columns = simulate_samples(10, (412.0, 443.0), outputs=outputs).columns
    found = {name.split("_")[0] if name != "chlor_a" else name for name in columns}
    assert found - {"Rrs", "water"} == set(outputs)


def test_hyperspectral_to_the_infrared():
    """Bands from 350 to 900 nm at once: all Rrs is positive; phytoplankton absorbs no infrared."""
    bands = tuple(np.arange(350.0, 901.0, 5.0))
    columns = simulate_samples(500, bands).columns
    assert min(columns[f"Rrs_{nm:.0f}"].min() for nm in bands) > 0
    assert columns["aph_750"].max() == 0.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"wavelength_nm": ()}, "no bands"),
        ({"wavelength_nm": (443.0, 443.2)}, "share the names Rrs_443"),
        ({"wavelength_nm": (300.0,)}, "at 300 nm"),
        ({"outputs": ("aph", "kd")}, f"unknown outputs kd; known are {', '.join(OUTPUTS)}"),
        ({"noise": -1.0}, "noise -1, expected a factor on the usual noise, from 0 to 10"),
        ({"noise": float("nan")}, "noise nan"),
        ({"count": 0}, "0 samples"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_wrong_requests(arguments, words):
    """A request that cannot be met is refused in words."""
    with pytest.raises(ConfigError, match=words):
        simulate_samples(**({"count": 5, "wavelength_nm": (443.0,)} | arguments))


def test_shares_of_waters_are_the_whole():
    """The kinds of water that ship make up all water."""
    assert sum(kind.share for kind in shipped_waters().types) == pytest.approx(1.0)


def nomad(path):
    """NOMAD's Rrs (lw / es) at NOMAD_BANDS of the stations where all are positive."""
    with gzip.open(path, "rt", encoding="latin-1") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("!")))
    lw, es = (
        np.array([[float(row[f"{q}{nm:.0f}"]) for nm in NOMAD_BANDS] for row in rows])
        for q in ("lw", "es")
    )
    return (lw / es)[((lw > 0) & (es > 0)).all(axis=1)]


@pytest.mark.parametrize(
    ("numerator", "denominator", "share"),
    # The physics of clear water allows no 510/555 and 665/555 as extreme as the tails of NOMAD,
    # whose radiances were extrapolated to the surface from below.
    [(0, 1, 0.98), (1, 2, 0.97), (1, 4, 0.97), (2, 4, 0.96), (3, 4, 0.85), (5, 4, 0.87)],
)
def test_nomad_ratios_are_covered(real_data, table, numerator, denominator, share):
    """Nearly all band ratios of NOMAD lie within 99 % of the simulated ones."""
    measured = nomad(real_data / "matchups" / "nomad_seabass_v2.a_2008200.txt.gz")
    assert len(measured) == 2407
    rrs = np.stack([table.columns[f"Rrs_{nm:.0f}"] for nm in NOMAD_BANDS], axis=1)
    simulated = rrs[:, numerator] / rrs[:, denominator]
    low, high = np.percentile(simulated, [0.5, 99.5])
    ratio = measured[:, numerator] / measured[:, denominator]
    assert np.mean((ratio >= low) & (ratio <= high)) >= share


def test_nomad_bands_are_covered(real_data, table):
    """In each band, nearly all Rrs of NOMAD lie within 99 % of the simulated ones."""
    measured = nomad(real_data / "matchups" / "nomad_seabass_v2.a_2008200.txt.gz")
    for index, nm in enumerate(NOMAD_BANDS):
        low, high = np.percentile(table.columns[f"Rrs_{nm:.0f}"], [0.5, 99.5])
        inside = np.mean((measured[:, index] >= low) & (measured[:, index] <= high))
        assert inside >= (0.92 if nm == 665.0 else 0.96), nm
