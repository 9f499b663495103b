"""The tables of sensors: bands of OC-SMART's networks, and the names that files use."""

import csv

import pytest
from ocsmart_sizes import COUNTS

from pipeline.errors import ConfigError
from pipeline.facts.sensors import find_sensor, identify_sensor, sensors
from pipeline.facts.shipped import shipped_configs

pytestmark = pytest.mark.quick

WITHOUT_NETWORKS = {"MERIS", "MSI"}
GAINS_OF_ONE = {"SGLI", "OLCI", "GOCI", "SeaWiFS", "MERSI2", "EPIC", "HICO"}


def test_every_file_is_a_sensor_named_as_its_file():
    """Nothing is hidden by a name used twice."""
    files = {path.stem for path in (shipped_configs() / "sensors").glob("*.yaml")}
    assert files == set(sensors()) == set(COUNTS) | WITHOUT_NETWORKS


@pytest.mark.parametrize("name", COUNTS)
def test_band_counts_are_those_of_the_networks(name):
    """Rrs bands are the first of the Lrc bands, IOP bands the first of the Rrs bands."""
    ocsmart = sensors()[name].ocsmart
    lrc, rrs, iop = (ocsmart.bands(kind) for kind in ("lrc", "rrs", "iop"))
    assert (len(lrc), len(rrs), len(iop)) == COUNTS[name]
    assert lrc[: len(rrs)] == rrs
    assert rrs[: len(iop)] == iop


@pytest.mark.parametrize("name", COUNTS)
def test_bands_ascend_and_have_gains(name):
    """A misplaced figure breaks the order; one gain belongs to each band."""
    ocsmart = sensors()[name].ocsmart
    bands = ocsmart.lrc_bands_nm
    assert list(bands) == sorted(set(bands))
    assert bands[0] >= 380
    assert bands[-1] <= 900
    assert len(ocsmart.gain_open) == len(ocsmart.gain_coastal) == len(bands)
    is_one = set(ocsmart.gain_open + ocsmart.gain_coastal) == {1.0}
    assert is_one or name not in GAINS_OF_ONE


def test_tables_equal_the_figures_of_ocsmart(real_data):
    """Every band and every gain, figure by figure."""
    with (real_data / "sensors.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    expected = [
        (row["sensor"], *(float(row[key]) for key in ("band_nm", "gain_open", "gain_coastal")))
        for row in rows
    ]
    found = [
        (name, *figures)
        for name, sensor in sensors().items()
        if sensor.ocsmart is not None
        for figures in zip(
            sensor.ocsmart.lrc_bands_nm,
            sensor.ocsmart.gain_open,
            sensor.ocsmart.gain_coastal,
            strict=True,
        )
    ]
    assert sorted(expected) == sorted(found)


@pytest.mark.parametrize(
    ("platform", "instrument", "name"),
    [
        # As l2gen writes them (OCSSW, libpiutils/sensorInfo.c).
        ("Aqua", "MODIS", "MODIS-Aqua"),
        ("Terra", "MODIS", "MODIS-Terra"),
        ("Suomi-NPP", "VIIRS", "VIIRS"),
        ("JPSS-1", "VIIRS", "VIIRS"),
        ("JPSS-2", "VIIRS", "VIIRS"),
        ("Orbview-2", "SeaWiFS", "SeaWiFS"),
        ("PACE", "OCI", "OCI"),
        ("Sentinel-3A", "OLCI", "OLCI"),
        ("Sentinel-3B", "OLCI", "OLCI"),
        ("Sentinel-2A", "MSI", "S2A"),
        ("Sentinel-2B", "MSI", "S2B"),
        ("Landsat-8", "OLI", "OLI"),
        ("Landsat-9", "OLI", "OLI2"),
        ("GCOM_C", "SGLI", "SGLI"),
        ("COMS", "GOCI", "GOCI"),
        ("ISS", "HICO", "HICO"),
        ("Envisat", "MERIS", "MERIS"),
        # As others write them.
        ("GCOM-C1", "SGLI", "SGLI"),
        ("GCOM-C", "SGLI", "SGLI"),
        ("NOAA-20", "VIIRS", "VIIRS"),
        ("OrbView-2", "SEAWIFS", "SeaWiFS"),
        ("SNPP", "viirs", "VIIRS"),
        ("SENTINEL 3A", "olci", "OLCI"),
        ("AQUA", "Modis", "MODIS-Aqua"),
    ],
)
def test_a_sensor_is_identified_as_files_spell_it(platform, instrument, name):
    """Letter case and punctuation differ from producer to producer."""
    assert name == identify_sensor(platform, instrument)


@pytest.mark.parametrize(
    ("platform", "instrument"),
    [
        ("", ""),
        ("Aqua", ""),
        ("", "MODIS"),
        ("Aqua", "VIIRS"),
        ("MODIS", "Aqua"),
        ("PACE", "HARP2"),
        ("Envisat", "MSI"),
        ("Terra", "MISR"),
        ("Aqua-1", "MODIS"),
        ("-", "-"),
    ],
)
def test_what_is_no_known_sensor_is_nobody(platform, instrument):
    """A network is never given to the wrong instrument by half a name."""
    assert identify_sensor(platform, instrument) == ""


def test_no_two_sensors_claim_one_instrument():
    """Which of them comes first must not matter."""
    claims = [
        (platform.lower(), instrument.lower())
        for sensor in sensors().values()
        for platform in sensor.platforms
        for instrument in sensor.instruments
    ]
    assert len(claims) == len(set(claims))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("MODIS-Aqua", "MODIS-Aqua"), ("modis_aqua", "MODIS-Aqua"), ("Hypso HSI", "HYPSO_HSI"),
     ("s2-a", "S2A"), ("seawifs", "SeaWiFS"), ("OLI-2", "OLI2")],
)  # fmt: skip
def test_find_sensor_ignores_case_and_punctuation(spelling, name):
    """As networks and people write it."""
    assert name == find_sensor(spelling).name


@pytest.mark.parametrize("name", ["MODIS", "", "-", "S2", "OLI3", "MERIS2"])
def test_find_sensor_lists_what_it_knows(name):
    """MODIS alone is two sensors with different gains."""
    with pytest.raises(ConfigError) as caught:
        find_sensor(name)
    assert f"unknown sensor {name!r}" in str(caught.value)
    for known in COUNTS:
        assert known in str(caught.value)


@pytest.mark.parametrize("name", sorted(WITHOUT_NETWORKS))
def test_a_sensor_without_networks_has_bands(name):
    """Algorithms find their bands, and gains are refused."""
    sensor = sensors()[name]
    assert sensor.ocsmart is None
    assert list(sensor.rrs_bands_nm) == sorted(set(sensor.rrs_bands_nm))
    assert len(sensor.rrs_bands_nm) >= 9
