"""SGLI Level-2 through its real networks into a product, every pixel against the oracle."""

from dataclasses import dataclass, replace

import netCDF4
import numpy as np
import oracle
import oracle_geolocation
import pytest
from miniatures import sgli_nwlr
from miniatures.truth import Written, image_of_coordinates

import pipeline

SHAPE = 60, 70
NETWORKS = ("aph", "adg", "bbp", "ap")
BANDS = (380, 412, 443, 490, 530, 565, 672)
ENGINES = {"numpy": 1e-6, "onnxruntime": 1e-4, "tensorflow": 1e-4}
FILL = np.float32(-32767)
# In the order of the preset sgli_default; the flags that not every file has come last.
MASKED = (
    "DATAMISS",
    "LAND",
    "CLDICE",
    "CLDAFFCTD",
    "STRAYLIGHT",
    "HIGLINT",
    "HISOLZ",
    "ATMFAIL",
)
SPECIAL = (0, 1, 5000, 9999, 10000, 10001, 10040, 10080, 10100, 65533, 65534, 65535)


def counts_of_all_kinds(folder) -> dict[int, np.ndarray]:
    """Counts by the band's name: most spectra in the training range, some with special counts.

    First come spectra whose outputs are out of range or at a limit, picked from many.
    """
    random = np.random.default_rng(20230103)
    pixels = SHAPE[0] * SHAPE[1]
    rrs = oracle.random_inputs(folder / "SGLI_aphNN.h5", 40_000, seed=7)
    valid = (rrs < 0.0555).all(axis=1)
    rrs = np.concatenate([rrs[valid], rrs[~valid][:1000]])
    unusual = np.zeros(len(rrs), bool)
    for name in NETWORKS:
        y = oracle.forward_log10(folder / f"SGLI_{name}NN.h5", rrs)[:, :, np.newaxis]
        limits = oracle.ranges(folder / f"SGLI_{name}NN.h5")[1]
        unusual |= (np.abs(y - limits) < 0.008).any(axis=(1, 2))
        unusual |= ((y[:, :, 0] < limits[:, 0]) | (y[:, :, 0] > limits[:, 1])).any(axis=1)
    rrs = random.permutation(np.concatenate([rrs[unusual], rrs[~unusual][-pixels:]])[:pixels])
    counts = sgli_nwlr.counts_of(rrs)
    for pixel in random.choice(pixels, pixels // 4, replace=False):
        bands = random.choice(len(BANDS), random.integers(1, 3), replace=False)
        counts[pixel, bands] = random.choice(SPECIAL, bands.size)
    counts[random.choice(pixels, 40, replace=False)] = 65535
    counts[random.choice(pixels, 40, replace=False)] = 65534
    return {
        nm: counts[:, band].reshape(SHAPE).astype(np.uint16)
        for band, nm in enumerate(sgli_nwlr.BANDS)
    }


@dataclass(frozen=True)
class Expected:
    """What the product must hold."""

    written: Written
    rrs: np.ndarray
    """With shape (bands, y, x)."""
    quality: np.ndarray
    flags: dict[str, np.ndarray]
    values: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def written(ocsmart, tmp_path_factory) -> Written:
    """The miniature, with tie points across 180 degrees and each flag on a few pixels."""
    random = np.random.default_rng(6310)
    truth = image_of_coordinates(*SHAPE, sgli_nwlr.BANDS, antimeridian=True)
    raised = {name: random.random(SHAPE) < 0.02 for name in sgli_nwlr.STANDARD_FLAGS}
    return sgli_nwlr.write(
        tmp_path_factory.mktemp("scene"),
        replace(truth, flags=raised),
        counts=counts_of_all_kinds(ocsmart),
        chunk=(32, 27),
    )


@pytest.fixture(scope="module")
def expected(written, ocsmart) -> Expected:
    """The oracle's answer on what the miniature says it wrote."""
    rrs = np.stack([written.rrs[nm] for nm in sorted(written.rrs)])
    rrs[np.abs(rrs) < float(sgli_nwlr.RRS_SLOPE) / 2] = 0.0
    rrs = rrs.astype(np.float32).astype(np.float64)
    quality = np.zeros(SHAPE, np.uint32)
    quality[np.isnan(rrs).any(axis=0)] |= oracle.QUALITY_BITS["no_data"]
    quality[written.saturated] |= oracle.QUALITY_BITS["saturated"]
    for rule, name in enumerate(MASKED):
        quality[written.flags[name]] |= np.uint32(1 << (oracle.FIRST_MASK_BIT + rule))
    masked = quality >= 1 << oracle.FIRST_MASK_BIT
    flags, values = {}, {}
    for name in NETWORKS:
        path = ocsmart / f"SGLI_{name}NN.h5"
        flags[name], _, logarithms = oracle._network_layer(path, rrs, masked)
        values[name] = 10.0**logarithms
    return Expected(written, rrs, quality, flags, values)


@pytest.fixture(
    scope="module",
    params=[
        "numpy",
        "onnxruntime",
        pytest.param("tensorflow", marks=pytest.mark.tensorflow),
    ],
)
def product(request, written, ocsmart, tmp_path_factory):
    """The open product of one engine."""
    config = {
        "name": "sgli",
        "science": {
            "networks": [{"name": name, "file": f"{{sensor}}_{name}NN.h5"} for name in NETWORKS],
            "masks": {"preset": "sgli_default"},
            "engine": request.param,
            "output": {"chunk": [25, 32]},
        },
        "execution": {
            "output": str(tmp_path_factory.mktemp(request.param)),
            "network_dirs": [str(ocsmart)],
            "threads": 2,
        },
    }
    with netCDF4.Dataset(pipeline.process_scene(written.path, config)) as file:
        file.set_auto_maskandscale(False)
        yield file


def values_of(product, network) -> np.ndarray:
    """The network's variables (bands, y, x), NaN where there is no value; apNN gives apg."""
    quantity = "apg" if network == "ap" else network
    stacked = np.stack([product[f"{quantity}_{nm}"][:] for nm in BANDS])
    return np.where(stacked == FILL, np.nan, stacked)


def test_the_scene_has_all_kinds_of_pixels(expected):
    """Every network bit occurs, many pixels are computed, and many are masked."""
    for name, bit in oracle.NETWORK_BITS.items():
        assert ((expected.flags["ap"] & bit) != 0).sum() >= 5, name
    for network in NETWORKS:
        computed = np.isfinite(expected.values[network]).all(axis=0)
        assert computed.sum() > 2000
    assert ((expected.quality >> 8) != 0).sum() > 400
    assert (expected.rrs == 0).sum() > 50
    assert (expected.rrs < 0).sum() > 100
    assert np.ptp(expected.written.longitude) > 350


@pytest.mark.quick
@pytest.mark.parametrize("network", NETWORKS)
def test_every_value_equals_the_oracle(product, expected, network):
    """The same pixels are computed, float64 to 1e-6 and float32 to 1e-4."""
    engine = product["processing_control/networks"][network].engine
    found = oracle.compare(values_of(product, network), expected.values[network])
    assert found.finite_masks_agree
    assert found.maximum <= ENGINES[engine]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_bit_of_a_network_equals_the_oracle(product, expected, network):
    """Inputs missing, not positive or out of range, outputs out of range or at a limit."""
    np.testing.assert_array_equal(product[f"{network}_flags"][:], expected.flags[network])
    assert list(product[f"{network}_flags"].flag_masks) == list(oracle.NETWORK_BITS.values())
    assert product[f"{network}_flags"].flag_meanings.split() == list(oracle.NETWORK_BITS)


def test_every_bit_of_the_pixel_equals_the_oracle(product, expected):
    """No data, saturated, and one bit for each flag of the preset, in its order."""
    np.testing.assert_array_equal(product["quality_flags"][:], expected.quality)
    meanings = [*oracle.QUALITY_BITS, *(f"masked_{name}" for name in MASKED)]
    assert product["quality_flags"].flag_meanings.split() == meanings
    masks = [1, 2, 4, 8, *(1 << (8 + rule) for rule in range(len(MASKED)))]
    assert product["quality_flags"].flag_masks.tolist() == masks


def test_a_saturated_pixel_is_flagged_and_keeps_its_value(product, expected):
    """Rrs at the largest count may be larger in truth: a warning, not a refusal."""
    saturated = (product["quality_flags"][:] & 4) != 0
    np.testing.assert_array_equal(saturated, expected.written.saturated)
    computable = saturated & (expected.quality < 256) & (expected.rrs > 0).all(axis=0)
    assert computable.sum() > 20
    assert np.isfinite(values_of(product, "aph")[:, computable]).all()


def test_negative_and_zero_have_no_value(product, expected):
    """A network of logarithms is not asked, and its flags say why."""
    refused = (expected.rrs <= 0).any(axis=0) & (expected.quality < 256)
    assert refused.sum() > 100
    assert np.isnan(values_of(product, "adg")[:, refused]).all()
    assert ((product["adg_flags"][:][refused] & 2) != 0).all()


def test_geolocation_is_that_of_the_tie_points(product, expected):
    """Within 1e-4 degree of the oracle's interpolation, across 180 degrees."""
    latitude, longitude = oracle_geolocation.interpolate_tie_points(
        expected.written.extra["Latitude"], expected.written.extra["Longitude"], 10, 10, *SHAPE
    )
    np.testing.assert_allclose(product["latitude"][:], latitude, rtol=0, atol=1e-4)
    away = (product["longitude"][:] - longitude + 180) % 360 - 180
    assert np.abs(away).max() <= 1e-4
    # Over the antimeridian the western bound is the larger one.
    assert product.geospatial_lon_min > 179 > -179 > product.geospatial_lon_max


def test_the_scenes_flags_are_carried_over(product, expected):
    """QA_flag under its own name; a reserved bit has no meaning."""
    stored = product["QA_flag"][:]
    table = dict(
        zip(
            product["QA_flag"].flag_meanings.split(),
            product["QA_flag"].flag_masks.tolist(),
            strict=True,
        )
    )
    assert list(table) == sgli_nwlr.STANDARD_FLAGS
    for name, raised in expected.written.flags.items():
        np.testing.assert_array_equal((stored & table[name]) != 0, raised, err_msg=name)


def test_counts_of_bits_are_stored(product, expected):
    """processing_control/flag_percentages holds the pixels of every bit."""
    group = product["processing_control/flag_percentages"]
    for name, flags in [
        ("quality_flags", expected.quality),
        *((f"{n}_flags", f) for n, f in expected.flags.items()),
    ]:
        masks = product[name].flag_masks.tolist()
        counts = [int(((flags & mask) != 0).sum()) for mask in masks]
        assert group[f"{name}_count"][:].tolist() == counts


def test_the_product_says_where_it_comes_from(product, expected):
    """Sensor, time and the matched bands; band 670 fed the input at 672 nm."""
    assert product.platform == "GCOM-C"
    assert product.instrument == "SGLI"
    assert product.time_coverage_start == "2023-01-03T02:09:01.123Z"
    assert product["processing_control/inputs/scene"].reader == "sgli_l2"
    assert '"source": "Rrs_672"' in product["processing_control/networks/aph"].inputs
