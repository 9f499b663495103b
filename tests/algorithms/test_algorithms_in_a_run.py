"""Algorithms in runs: products, flags, records, and everything else that knows networks."""

import json

import netCDF4
import numpy as np
import oracle_algorithms as oracle
import pytest
from click.testing import CliRunner
from obpg_miniature import counts_of, write_obpg_l2
from small_network import write_network

import pipeline
from pipeline.algorithms import ALGORITHMS, algorithm
from pipeline.batch.runner import networks_now
from pipeline.cli import main
from pipeline.config import load_config
from pipeline.errors import SceneError
from pipeline.run.plan import check_config
from pipeline.verify import verify_product

FILL = np.float32(-32767)
CHL, IOP = (
    {"name": "chl", "file": "algorithm:oci_2019"},
    {"name": "iop", "file": "algorithm:qaa_v6"},
)


def settings(folder, *networks, engine="auto"):
    return {
        "name": "test",
        "science": {"networks": list(networks), "engine": engine, "masks": {"flags": ["LAND"]}},
        "execution": {"output": str(folder / "out"), "network_dirs": [str(folder)]},
    }


def stored(path):
    """Return every 2-D variable of a product, with NaN for fill values."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        found = {n: v[...] for n, v in file.variables.items() if v.ndim == 2}
    return {
        n: np.where(v == FILL, np.nan, v) if v.dtype.kind == "f" else v for n, v in found.items()
    }


@pytest.fixture(scope="module")
def made(sample_scene, tmp_path_factory):
    """Return the product of both algorithms, and the sample scene."""
    folder = tmp_path_factory.mktemp("algorithms")
    return pipeline.process_scene(sample_scene, settings(folder, CHL, IOP))


def test_values_are_those_of_the_arrays(made, sample_scene):
    """A run writes the results of the algorithm for the scene's reflectance, as float32."""
    found = stored(made)
    scene = pipeline.open_scene(sample_scene)
    for name in ("oci_2019", "qaa_v6"):
        one = algorithm(name, sensor="MODIS-Aqua")
        bands = [v.wavelength_nm for v in one.inputs]
        rrs = scene.Rrs.sel(Rrs_wavelength=bands).values.reshape(len(bands), -1).T
        expected = np.where(found["quality_flags"].ravel()[:, None] < 256, one.predict(rrs), np.nan)
        for variable, column in zip(one.outputs, expected.T, strict=True):
            np.testing.assert_array_equal(found[variable.name].ravel(), column.astype(np.float32))


def test_what_failed_is_missing_and_flagged(made):
    """Where inputs are present and positive, only a missing output sets the bit."""
    found = stored(made)
    iops = np.stack([found[n] for n in found if n[:3] in ("aph", "adg", "bbp")])
    computed = (found["quality_flags"] < 256) & (found["iop_flags"] & 3 == 0)
    failed = np.isnan(iops).any(axis=0)
    assert 0 < np.count_nonzero(computed & failed) < np.count_nonzero(computed)
    np.testing.assert_array_equal((found["iop_flags"] & 8 != 0)[computed], failed[computed])
    assert np.isnan(iops[:, ~computed]).all()
    assert (iops[np.isfinite(iops)] > 0).all()


def test_a_product_says_what_made_it(made):
    """A product records kind, version, fingerprint, every coefficient, and the citation."""
    with netCDF4.Dataset(made) as file:
        recorded = file["processing_control/networks/chl"]
        one = algorithm("oci_2019", sensor="MODIS-Aqua")
        assert (recorded.kind, recorded.file) == ("published algorithm", "oci_2019")
        assert (recorded.version, recorded.sha256) == (one.version, one.sha256)
        assert recorded.fingerprint == one.fingerprint
        assert recorded.engine == "numpy"
        numbers = json.loads(recorded.parameters)
        assert tuple(numbers["band_ratio"]["coefficients"]) == oracle.OC3_2019_MODIS
        assert "Hu et al. (2019)" in file.references
        assert file.keywords.startswith("ocean colour, published algorithm, ")
        assert file["chlor_a"].source == "published algorithm oci_2019"
        assert file["chlor_a"].standard_name == "mass_concentration_of_chlorophyll_a_in_sea_water"
        assert "neural" not in " ".join(str(file.getncattr(name)) for name in file.ncattrs())


def test_verify_computes_it_again(made, sample_scene):
    """A product passes, and the findings list its algorithms."""
    found = list(verify_product(made, scenes=[sample_scene]))
    assert [finding.text for finding in found if not finding.passed] == []
    assert [f.what for f in found].count("algorithm") == 2


def test_verify_names_an_algorithm_with_other_coefficients(sample_scene, tmp_path):
    """A different fingerprint ends the verification."""
    path = pipeline.process_scene(sample_scene, settings(tmp_path, CHL))
    with netCDF4.Dataset(path, "a") as file:
        file["processing_control/networks/chl"].fingerprint = "0" * 64
    found = {f.what: f for f in verify_product(path, scenes=[sample_scene])}
    assert not found["algorithm"].passed
    assert "does not have the bands and coefficients" in found["algorithm"].text
    assert "pixels" not in found


def test_beside_a_network_the_engine_is_the_networks(sample_scene, tmp_path):
    """One run of both records both engines, and passes verification."""
    write_network(tmp_path / "net.h5")
    both = settings(tmp_path, {"name": "net", "file": "net.h5"}, CHL, engine="onnxruntime")
    path = pipeline.process_scene(sample_scene, both)
    with netCDF4.Dataset(path) as file:
        networks = file["processing_control/networks"]
        assert (networks["net"].engine, networks["chl"].engine) == ("onnxruntime", "numpy")
        assert "published algorithm" in file.keywords
        assert "neural network" in file.keywords
    found = verify_product(path, scenes=[sample_scene], network_dirs=[tmp_path])
    assert [finding.text for finding in found if not finding.passed] == []


def test_the_engine_decides_no_bit(made, sample_scene, tmp_path):
    """Algorithms are computed in float64 with every engine."""
    other = pipeline.process_scene(sample_scene, settings(tmp_path, CHL, IOP, engine="tensorflow"))
    first, second = stored(made), stored(other)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


def test_the_batch_knows_the_fingerprint():
    """The batch compares fingerprints, so a changed coefficient makes scenes pending again.

    An algorithm that cannot be used has no fingerprint.
    """
    config = load_config("published_algorithms")
    now = networks_now(config, "MODIS-Aqua")
    assert now["chl"] == algorithm("oci_2019", sensor="MODIS-Aqua").fingerprint
    assert now["iop"] == algorithm("qaa_v6", sensor="MODIS-Aqua").fingerprint
    assert networks_now(config, "HICO")["chl"] is None


def test_an_unknown_algorithm_is_found_before_any_scene(tmp_path):
    """Checking a configuration names the existing algorithms."""
    config = load_config(settings(tmp_path, {"name": "x", "file": "algorithm:oc9"}))
    first = ALGORITHMS[0]
    with pytest.raises(pipeline.errors.ConfigError, match=f"'oc9', expected one of {first}"):
        check_config(config)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_inspect_shows_every_algorithm(name):
    """The text has sensors, bands, coefficients and citation."""
    result = CliRunner().invoke(main, ["inspect", f"algorithm:{name}"])
    assert result.exit_code == 0
    assert f"{name}: " in result.output
    assert "sensor       MODIS-Aqua: Rrs_4" in result.output
    assert "doi:10." in result.output


def test_inspect_shows_a_product_of_algorithms(made):
    """The text names algorithms and versions."""
    result = CliRunner().invoke(main, ["inspect", str(made)])
    assert "algorithm    iop: qaa_v6 (5 bands, version 6 (2014)), numpy" in result.output


def test_a_scene_of_nasa_has_its_own_chlorophyll(modis_scene, tmp_path):
    """Every pixel of a lake: the median differs by 0.05 %, all by less than 1.1 %.

    The file was made by l2gen of 2019; what is left is the rounding of its reflectance.
    """
    choice = {"name": "chl", "file": "algorithm:oci_2012"}
    found = stored(pipeline.process_scene(modis_scene, settings(tmp_path, choice)))["chlor_a"]
    theirs = pipeline.open_scene(modis_scene).chlor_a.values
    both = np.isfinite(found) & (theirs > 0)
    assert np.count_nonzero(both) == 19_875
    difference = np.abs(found[both] / theirs[both] - 1)
    assert np.median(difference) < 0.0005
    assert np.percentile(difference, 99) < 0.003
    assert difference.max() < 0.011


def test_every_pixel_of_a_real_scene_is_the_oracles(modis_scene, tmp_path):
    """QAA on all pixels of the lake with positive reflectance, failures included."""
    found = stored(pipeline.process_scene(modis_scene, settings(tmp_path, IOP)))
    scene = pipeline.open_scene(modis_scene)
    bands = [412.0, 443.0, 488.0, 547.0, 667.0]
    rrs = scene.Rrs.sel(Rrs_wavelength=bands).values.astype(np.float64)
    computed = (found["quality_flags"] < 256) & (found["iop_flags"] & 3 == 0)
    rows = rrs[:, computed].T.tolist()
    expected = np.array([oracle.qaa_v6(row) for row in rows])[:, :, :4].reshape(-1, 12)
    names = [f"{quantity}_{nm:.0f}" for quantity in ("aph", "adg", "bbp") for nm in bands[:4]]
    values = np.stack([found[name][computed] for name in names], axis=1)
    assert len(rows) > 15_000
    np.testing.assert_allclose(values, expected, rtol=2e-6)


def noaa_20_scene(folder):
    """A miniature of NOAA-20, whose bands are not those of Suomi-NPP."""
    rrs = {411: 0.006, 445: 0.0055, 489: 0.005, 556: 0.002, 667: 0.0003}
    counts = {nm: counts_of(np.full((4, 5), value)) for nm, value in rrs.items()}
    path = folder / "JPSS1_VIIRS.20240101T120000.L2.OC.nc"
    return write_obpg_l2(path, counts, platform="JPSS-1", instrument="VIIRS")


@pytest.mark.parametrize("tolerance_nm", [3, 5])
@pytest.mark.parametrize("name", ["ocx_2019", "oci_2019"])
def test_noaa_20_does_not_get_the_coefficients_of_suomi_npp(tmp_path, name, tolerance_nm):
    """Not even with a larger tolerance of bands; the error says what they would give."""
    config = settings(tmp_path, {"name": "chl", "file": f"algorithm:{name}"})
    config["science"]["bands"] = {"tolerance_nm": tolerance_nm}
    with pytest.raises(SceneError, match=r"551 nm.*Suomi-NPP give 0\.90 to 0\.92 of the chl"):
        pipeline.process_scene(noaa_20_scene(tmp_path), config)


def test_noaa_20_gets_them_if_the_configuration_says_so(tmp_path, caplog):
    """With a warning, and the product records the bands and the settings."""
    config = settings(
        tmp_path, {"name": "chl", "file": "algorithm:ocx_2019", "allow_other_sensor": True}
    )
    config["science"]["bands"] = {"tolerance_nm": 5}
    with caplog.at_level("WARNING", logger="pipeline"):
        path = pipeline.process_scene(noaa_20_scene(tmp_path), config)
    assert "not fitted for these bands: 556 nm for 551 nm. With the bands of NOAA-20" in caplog.text
    assert np.isfinite(stored(path)["chlor_a"]).all()
    with netCDF4.Dataset(path) as file:
        recorded = file["processing_control/networks/chl"]
        sources = [one["source"] for one in json.loads(recorded.inputs)]
        assert sources == ["Rrs_445", "Rrs_489", "Rrs_556"]
        settings_group = file["processing_control/input_parameters"]
        assert "allow_other_sensor" in str(settings_group.__dict__)
