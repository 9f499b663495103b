"""Networks with the same outputs in one run: their names, and where each takes its inputs from."""

import json

import h5py
import netCDF4
import numpy as np
import oracle
import pytest
from obpg_miniature import counts_of, write_obpg_l2
from small_network import BANDS, write_network
from small_runs import numbers, run_settings

import pipeline
from pipeline.batch.recipe import Recipe
from pipeline.config import load_config
from pipeline.errors import ConfigError, NetworkError
from pipeline.verify import verify_product

pytestmark = pytest.mark.quick

SHAPE = (5, 8)
SPECTRA = np.random.default_rng(3).uniform(0.002, 0.012, (len(BANDS), *SHAPE))


def write_rrs_network(path, nm, **settings):
    """A network that computes Rrs at one band, from all bands."""
    write_network(path, outputs=("Rrs",), norm_out=np.array([[-3.0, -1.9]]), **settings)
    with h5py.File(path, "a") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        described["outputs"][0] |= {"units": "sr-1", "wavelength_nm": nm}
        file.attrs["ocpipe_description"] = json.dumps(described)
    return path


@pytest.fixture
def scene(tmp_path):
    return write_obpg_l2(
        tmp_path / "scene.nc",
        {nm: counts_of(values) for nm, values in zip(BANDS, SPECTRA, strict=True)},
    )


@pytest.fixture
def files(tmp_path):
    """Two networks for aph and adg, and one that corrects Rrs at 443 nm."""
    return {
        "one": write_network(tmp_path / "one.h5", seed=1),
        "two": write_network(tmp_path / "two.h5", seed=2),
        "better": write_rrs_network(tmp_path / "better.h5", 443, seed=3),
    }


def settings(folder, files, *choices):
    """A run of networks, each a name of ``files`` with its settings."""
    networks = [
        {"name": name, "file": str(files[name]), "allow_other_sensor": True, **more}
        for name, more in choices
    ]
    return run_settings(folder, folder / "none", networks=networks)


def stored_spectra(scene):
    """Rrs as the file holds it, in float32, with shape (pixels, bands)."""
    with netCDF4.Dataset(scene) as file:
        bands = [file["geophysical_data"][f"Rrs_{nm}"][...].ravel() for nm in BANDS]
    return np.ma.filled(np.stack(bands, axis=1).astype(np.float32), np.nan)


def sources(product, name):
    with netCDF4.Dataset(product) as file:
        inputs = json.loads(file[f"processing_control/networks/{name}"].inputs)
    return [entry["source"] for entry in inputs]


def test_prefix_and_rename_keep_both(scene, files, tmp_path):
    """Two networks with the same outputs stand beside each other; verify recomputes both."""
    config = settings(
        tmp_path,
        files,
        ("one", {"rename": {"aph_443": "aph_443_of_one"}, "prefix": "one_"}),
        ("two", {}),
    )
    product = pipeline.process_scene(scene, config)
    found, spectra = numbers(product), stored_spectra(scene)
    names = {"one": ("aph_443_of_one", "one_adg_443"), "two": ("aph_443", "adg_443")}
    for name, variables in names.items():
        expected = oracle.forward(files[name], spectra)
        for column, variable in enumerate(variables):
            np.testing.assert_allclose(found[variable].ravel(), expected[:, column], rtol=5e-6)
    with netCDF4.Dataset(product) as file:
        assert file["one_adg_443"].radiation_wavelength == 443
        assert file["one_adg_443"].ancillary_variables == "one_flags quality_flags"
        assert file["processing_control/networks/one"].getncattr("variables") == ",".join(
            names["one"]
        )
    findings = verify_product(product, scenes=[scene], network_dirs=[tmp_path])
    assert all(finding.passed for finding in findings)


def test_uncertainties_have_the_new_names(scene, files, tmp_path):
    """Their names are those of the values, with _unc."""
    config = settings(tmp_path, files, ("one", {"prefix": "one_"}), ("two", {}))
    config["science"]["uncertainty"] = {"inputs": {"Rrs": {"relative": 0.05}}}
    found = numbers(pipeline.process_scene(scene, config))
    assert {"one_aph_443_unc", "one_adg_443_unc", "aph_443_unc", "adg_443_unc"} <= set(found)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rename": {"aph_555": "x"}}, "one.h5 has no variable aph_555; it has aph_443, adg_443"),
        ({"prefix": "two_"}, r"the same name \(two_adg_443, two_aph_443\).* a prefix"),
        ({"rename": {"adg_443": "two_flags"}, "prefix": "a_"}, r"same name \(two_flags\)"),
        ({"rename": {"adg_443": "latitude"}, "prefix": "a_"}, r"same name \(latitude\)"),
        ({"rename": {"adg_443": "no name"}}, "rename"),
        ({"prefix": "1_"}, "prefix"),
        ({"inputs_from": "elsewhere"}, "inputs_from"),
    ],
)
def test_names_that_do_not_fit(scene, files, tmp_path, more, words):
    """Before a pixel is read, in words that say what there is."""
    config = settings(tmp_path, files, ("one", more), ("two", {"prefix": "two_"}))
    with pytest.raises(ConfigError, match=words):
        pipeline.process_scene(scene, config)
    assert not list(tmp_path.glob("out/*.nc"))


def test_each_band_comes_from_the_nearest_network_that_computes_it(scene, files, tmp_path):
    """A network that computes 443 nm leaves the other bands to the scene."""
    config = settings(tmp_path, files, ("better", {}), ("one", {}))
    product = pipeline.process_scene(scene, config)
    assert sources(product, "one") == ["Rrs_412", "better: Rrs_443", "Rrs_488"]
    spectra = stored_spectra(scene)
    spectra[:, 1] = oracle.forward(files["better"], spectra)[:, 0]
    expected = oracle.forward(files["one"], spectra)
    np.testing.assert_allclose(numbers(product)["aph_443"].ravel(), expected[:, 0], rtol=5e-6)


def test_a_nearer_network_at_other_bands_hides_no_earlier_one(scene, files, tmp_path):
    """Two networks that each correct another band; the third takes both."""
    files["blue"] = write_rrs_network(tmp_path / "blue.h5", 412, seed=4)
    config = settings(tmp_path, files, ("better", {}), ("blue", {}), ("one", {}))
    product = pipeline.process_scene(scene, config)
    assert sources(product, "blue") == ["Rrs_412", "better: Rrs_443", "Rrs_488"]
    assert sources(product, "one") == ["blue: Rrs_412", "better: Rrs_443", "Rrs_488"]


def test_inputs_from_the_scene(scene, files, tmp_path):
    """The network's values equal those of a run without the earlier network, bit for bit."""
    config = settings(tmp_path, files, ("better", {}), ("one", {"inputs_from": "scene"}))
    found = numbers(pipeline.process_scene(scene, config))
    alone = settings(tmp_path / "alone", files, ("one", {}))
    np.testing.assert_array_equal(
        found["aph_443"], numbers(pipeline.process_scene(scene, alone))["aph_443"]
    )


def test_a_band_that_is_nowhere(scene, files, tmp_path):
    """Neither the scene nor a network has it, and the message names both."""
    files["far"] = write_network(tmp_path / "far.h5", bands=(412, 443, 555))
    config = settings(tmp_path, files, ("better", {}), ("far", {}))
    words = (
        "within 5 nm of 555 nm, neither in the scene nor among the outputs of better.h5: Rrs_443"
    )
    with pytest.raises(NetworkError, match=words):
        pipeline.process_scene(scene, config)


def test_defaults_are_not_recorded(files, tmp_path):
    """So a product that uses no new key keeps its bytes, and its ledger entry stays valid."""
    plain = load_config(settings(tmp_path, files, ("one", {})))
    stated = {"prefix": "", "rename": {}, "inputs_from": "networks", "if_possible": False}
    same = load_config(settings(tmp_path, files, ("one", stated)))
    other = load_config(settings(tmp_path, files, ("one", {"prefix": "one_"})))
    assert set(plain.science_record()["science"]["networks"][0]) & set(stated) == set()
    assert Recipe.of(plain) == Recipe.of(same) != Recipe.of(other)
