"""The main job on a real scene, every pixel against the independent oracle."""

from pathlib import Path

import netCDF4
import numpy as np
import oracle
import pytest

import pipeline
from pipeline.config import MaskRules, load_config

NETWORKS = ("aph", "adg", "bbp")
OUTPUT_BANDS = (412, 443, 488, 531, 547, 667, 678)
INPUT_BANDS = (*OUTPUT_BANDS, 748)


@pytest.fixture(scope="module")
def product(modis_scene, ocsmart, tmp_path_factory):
    """The product of the shipped networks with the masks of the oracle."""
    config = load_config("ocsmart_iops")
    config = config.bound(MaskRules(flags=("LAND", "CLDICE")), config.science.networks)
    config = config.executing(output=tmp_path_factory.mktemp("product"), network_dirs=(ocsmart,))
    path = pipeline.process_scene(modis_scene, config)
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        yield file


@pytest.fixture(scope="module")
def expected(modis_scene, ocsmart) -> oracle.ExpectedProduct:
    paths = {name: ocsmart / f"MODIS-Aqua_{name}NN.h5" for name in NETWORKS}
    return oracle.expected_product(modis_scene, paths, dict.fromkeys(NETWORKS, INPUT_BANDS))


def values(product: netCDF4.Dataset, network: str) -> np.ndarray:
    stacked = np.stack([product[f"{network}_{nm}"][:] for nm in OUTPUT_BANDS])
    return np.where(stacked == np.float32(-32767), np.nan, stacked)


def test_there_are_21_product_variables(product):
    """Seven bands each of aph, adg and bbp, named by the network's nominal wavelengths."""
    names = {f"{network}_{nm}" for network in NETWORKS for nm in OUTPUT_BANDS}
    described = {
        name for name, v in product.variables.items() if "radiation_wavelength" in v.ncattrs()
    }
    assert described == names
    assert len(names) == 21


@pytest.mark.quick
@pytest.mark.parametrize("network", NETWORKS)
def test_every_value_equals_the_oracle(product, expected, network):
    """The same 15,326 pixels are valid, and float32 differs by rounding only."""
    found = oracle.compare(values(product, network), expected.values[network])
    assert found.finite_masks_agree
    assert found.n == 15_326 * len(OUTPUT_BANDS)
    assert found.maximum <= 1e-4
    assert found.percentile_99_9 <= 2e-5


@pytest.mark.quick
def test_every_flag_bit_equals_the_oracle(product, expected):
    """Bits of the pixel and of each network, at every pixel."""
    np.testing.assert_array_equal(product["quality_flags"][:], expected.quality_flags)
    for network in NETWORKS:
        np.testing.assert_array_equal(
            product[f"{network}_flags"][:], expected.network_flags[network]
        )


def test_output_bits_equal_the_oracle(modis_scene, ocsmart, tmp_path):
    """The apNN network is the one whose outputs leave their range on this scene."""
    config = {
        "name": "ap",
        "science": {
            "networks": [{"name": "ap", "file": "{sensor}_apNN.h5"}],
            "masks": {"flags": ["LAND", "CLDICE"]},
        },
        "execution": {"output": str(tmp_path), "network_dirs": [str(ocsmart)]},
    }
    path = pipeline.process_scene(modis_scene, config)
    paths = {"ap": ocsmart / "MODIS-Aqua_apNN.h5"}
    expected = oracle.expected_product(modis_scene, paths, {"ap": INPUT_BANDS})
    with netCDF4.Dataset(path) as file:
        np.testing.assert_array_equal(file["ap_flags"][:], expected.network_flags["ap"])
    assert expected.counts["ap_flags"]["output_out_of_range"] == 21
    assert expected.counts["ap_flags"]["output_at_limit"] == 7


def test_geolocation_is_the_scenes_own(product, expected):
    """Latitude and longitude are carried over bit for bit."""
    np.testing.assert_array_equal(product["latitude"][:], expected.latitude)
    np.testing.assert_array_equal(product["longitude"][:], expected.longitude)


def test_stored_counts_equal_the_oracle(product, expected):
    """processing_control/flag_percentages holds the pixel count of every bit."""
    group = product["processing_control/flag_percentages"]
    for name, counts in expected.counts.items():
        meanings = group[f"{name}_count"].flag_names.split()
        stored = dict(zip(meanings, group[f"{name}_count"][:].tolist(), strict=True))
        assert stored == {meaning: counts[meaning] for meaning in meanings}
        assert {meaning for meaning, count in counts.items() if count} <= set(meanings)
    assert group.pixels == 500 * 308


def test_the_scenes_flags_are_carried_over(product, modis_scene: Path):
    """l2_flags is unchanged, and SPARE is not described."""
    with netCDF4.Dataset(modis_scene) as scene:
        scene.set_auto_maskandscale(False)
        np.testing.assert_array_equal(product["l2_flags"][:], scene["geophysical_data/l2_flags"][:])
    assert "SPARE" not in product["l2_flags"].flag_meanings
    assert len(product["l2_flags"].flag_masks) == len(product["l2_flags"].flag_meanings.split())
