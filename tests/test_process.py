"""A scene through a network: conditions, orientation, single reads and writes, repeatability."""

import os
from collections import Counter
from types import SimpleNamespace

import dask
import dask.array as da
import h5py
import netCDF4
import numpy as np
import oracle
import pytest
import xarray as xr
from obpg_miniature import CLDICE, FILL, LAND, counts_of, write_obpg_l2
from small_network import BANDS, write_network, write_passthrough
from small_runs import counted_reads

import pipeline
import pipeline.run.retrieve
from pipeline.errors import SceneError
from pipeline.networks import load_network
from pipeline.readers import open_scene
from pipeline.run.block import process_block
from pipeline.run.plan import make_plan
from pipeline.run.range_flags import outside_range, range_flags
from pipeline.run.retrieve import retrieve
from pipeline.writers import netcdf

PRODUCT_FILL = np.float32(-32767)


def config(
    tmp_path, network, *, chunk=(512, 512), masks=None, threads=1, engine="numpy", **science
):
    return {
        "name": "test",
        "science": {
            "networks": [{"name": "iop", "file": str(network)}],
            "masks": {"flags": ["LAND", "CLDICE"]} if masks is None else masks,
            "output": {"chunk": list(chunk)},
            "engine": engine,
            **science,
        },
        "execution": {"output": str(tmp_path / "out"), "threads": threads},
    }


def read(path) -> dict[str, np.ndarray]:
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return {name: variable[:] for name, variable in file.variables.items()}


# One row of docs/quality.md each:
# count of the first band, l2_flags -> quality bits, network bits, whether there is a value.
# The network is trained on log10 Rrs of -4 .. -1.3, that is 1e-4 .. 0.0501 sr-1.
CONDITIONS = {
    "in range": (-24000, 0, 0, 0, True),
    "exactly zero": (-25000, 0, 0, 2, False),
    "negative": (-25100, 0, 0, 2, False),
    "fill": (FILL, 0, 1, 1, False),
    "above valid_max": (25001, 0, 2, 1, False),
    "below valid_min": (-30001, 0, 2, 1, False),
    "at valid_min": (-30000, 0, 0, 2, False),
    "below the training range": (-24990, 0, 0, 4, True),
    "above the training range": (20000, 0, 0, 4, True),
    "at valid_max": (25000, 0, 0, 4, True),
    "LAND": (-24000, LAND, 256, 0, False),
    "CLDICE": (-24000, CLDICE, 512, 0, False),
    "LAND and CLDICE and fill": (FILL, LAND | CLDICE, 1 | 256 | 512, 0, False),
    "negative on LAND": (-25100, LAND, 256, 0, False),
}


@pytest.fixture(scope="module")
def conditions(tmp_path_factory):
    """A scene with one pixel for each condition, through a small network."""
    folder = tmp_path_factory.mktemp("conditions")
    rows = list(CONDITIONS.values())
    usual = np.full((1, len(rows)), -24000)
    first = np.array([[row[0] for row in rows]])
    flags = np.array([[row[1] for row in rows]])
    scene = write_obpg_l2(folder / "scene.nc", {412: first, 443: usual, 488: usual}, flags=flags)
    network = write_network(folder / "net.h5")
    product = pipeline.process_scene(scene, config(folder, network))
    return scene, network, read(product)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition_gives_bits_and_value(conditions, condition):
    """Each row of the table in docs/quality.md, bit by bit."""
    _, quality, network_bits, has_value = CONDITIONS[condition][1:]
    product, pixel = conditions[2], list(CONDITIONS).index(condition)
    # Whether an output leaves its range is another matter than the input's condition.
    found = product["iop_flags"][0, pixel] & 7
    assert (product["quality_flags"][0, pixel], found) == (quality, network_bits)
    assert (product["aph_443"][0, pixel] != PRODUCT_FILL) == has_value


@pytest.mark.quick
def test_conditions_equal_the_oracle(conditions):
    """All flags, output bits included, and all values of the table's scene."""
    scene, network, product = conditions
    expected = oracle.expected_product(scene, {"iop": network}, {"iop": BANDS})
    np.testing.assert_array_equal(product["quality_flags"], expected.quality_flags)
    np.testing.assert_array_equal(product["iop_flags"], expected.network_flags["iop"])
    found = np.stack([product["aph_443"], product["adg_443"]])
    compared = oracle.compare(
        np.where(found == PRODUCT_FILL, np.nan, found), expected.values["iop"]
    )
    assert compared.finite_masks_agree
    assert compared.maximum <= 1e-7


def test_nan_in_a_float_band_counts_as_missing(tmp_path):
    """A file may store Rrs as float32; NaN is as missing as its fill value."""
    good = np.full((1, 3), 0.004)
    scene = write_obpg_l2(tmp_path / "s.nc", {nm: counts_of(good) for nm in (443, 488)})
    with netCDF4.Dataset(scene, "a") as file:
        band = file["geophysical_data"].createVariable(
            "Rrs_412", "f4", ("number_of_lines", "pixels_per_line"), fill_value=-32767.0
        )
        band.units = "sr-1"
        band[:] = [[0.004, np.nan, -32767.0]]
    product = read(
        pipeline.process_scene(scene, config(tmp_path, write_network(tmp_path / "n.h5")))
    )
    assert product["quality_flags"].tolist() == [[0, 1, 1]]
    assert (product["iop_flags"] & 3).tolist() == [[0, 1, 1]]


def test_invalid_geolocation_is_flagged_and_does_not_stop_a_pixel(tmp_path):
    """Fill, NaN and degrees off the globe set geolocation_invalid; the value stays."""
    counts = {nm: counts_of(np.full((1, 4), 0.004)) for nm in BANDS}
    latitude = np.array([[10.0, -999.0, np.nan, 91.0]])
    scene = write_obpg_l2(tmp_path / "s.nc", counts, latitude=latitude)
    product = read(
        pipeline.process_scene(scene, config(tmp_path, write_network(tmp_path / "n.h5")))
    )
    assert product["quality_flags"].tolist() == [[0, 8, 8, 8]]
    assert (product["aph_443"] != PRODUCT_FILL).all()


def test_scene_without_a_valid_pixel_gives_a_complete_product_and_a_warning(tmp_path, caplog):
    """All-fill variables, all counts, and a warning that says so."""
    counts = {nm: np.full((5, 4), FILL) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts)
    path = pipeline.process_scene(scene, config(tmp_path, write_network(tmp_path / "n.h5")))
    product = read(path)
    assert (product["aph_443"] == PRODUCT_FILL).all()
    assert (product["quality_flags"] == 1).all()
    assert "no valid pixel for iop" in caplog.text
    with netCDF4.Dataset(path) as file:
        assert file["processing_control/flag_percentages/quality_flags_count"][0] == 20


@pytest.fixture
def coordinate_scene(tmp_path):
    """An image whose pixel values are their coordinates: count = 1000 line + pixel, 23 x 17."""
    line, pixel = np.mgrid[0:23, 0:17]
    first = -24000 + 1000 * line + pixel
    usual = np.full_like(first, -24000)
    return write_obpg_l2(
        tmp_path / "coordinates.nc", {412: first, 443: usual, 488: usual}, chunk=(6, 5)
    )


@pytest.mark.quick
@pytest.mark.parametrize("chunk", [(512, 512), (7, 4), (1, 17), (23, 1)])
def test_nothing_flips_or_shifts(tmp_path, coordinate_scene, chunk):
    """Pixel (y, x) of the product belongs to line y and pixel x, in odd blocks, too."""
    network = write_passthrough(tmp_path / "pass.h5")
    path = pipeline.process_scene(coordinate_scene, config(tmp_path, network, chunk=chunk))
    product = read(path)
    line, pixel = np.mgrid[0:23, 0:17]
    counts = np.round((product["aph_443"].astype(np.float64) - 0.05) / 2e-6)
    np.testing.assert_array_equal(counts, -24000 + 1000 * line + pixel)
    np.testing.assert_allclose(product["latitude"], 10 + 0.01 * line, rtol=1e-6)
    np.testing.assert_allclose(product["longitude"], 20 + 0.01 * pixel, rtol=1e-6)


def test_each_chunk_is_read_once_and_written_once(tmp_path, coordinate_scene, monkeypatch):
    """Two networks on blocks that cut across storage chunks share one reading of each chunk."""
    writes = Counter()
    store = netcdf.write_direct_chunk

    def counted_write(dataset, corner, data):
        writes[dataset.name, corner] += 1
        store(dataset, corner, data)

    monkeypatch.setattr(netcdf, "write_direct_chunk", counted_write)
    settings = config(tmp_path, write_network(tmp_path / "a.h5"), chunk=(7, 4), threads=2)
    second = write_network(tmp_path / "b.h5", outputs=("bbp",), seed=1)
    settings["science"]["networks"].append({"name": "second", "file": str(second)})
    with counted_reads(coordinate_scene, monkeypatch) as reads:
        pipeline.process_scene(coordinate_scene, settings)
    read_variables = ("Rrs_412", "Rrs_443", "Rrs_488", "l2_flags", "latitude", "longitude")
    assert reads.names() == set(read_variables)
    for name in read_variables:
        counted = reads.of(name)
        assert len(counted) == 4 * 4  # storage chunks of 6 x 5 in 23 x 17
        assert set(counted.values()) == {1}
    assert len(writes) == 9 * 4 * 5  # 9 variables, product chunks of 7 x 4
    assert set(writes.values()) == {1}


def test_bands_that_nobody_asks_for_are_not_read(tmp_path, monkeypatch):
    """The plan selects bands before blocks exist."""
    counts = {nm: counts_of(np.full((3, 3), 0.004)) for nm in (*BANDS, 547, 667)}
    scene = write_obpg_l2(tmp_path / "s.nc", counts, extra={"chlor_a": np.ones((3, 3))})
    network = write_network(tmp_path / "n.h5")
    settings = pipeline.config.load_config(
        config(tmp_path, network, masks={"expressions": {"red": "Rrs_667 > 1"}})
    )
    with open_scene(scene) as opened:
        selected = make_plan(opened, scene.name, settings).select(opened)
        assert selected.Rrs_wavelength.values.tolist() == [412.0, 443.0, 488.0, 667.0]
        assert "chlor_a" not in selected


def test_opening_and_planning_computes_nothing(tmp_path, coordinate_scene):
    """A scheduler that refuses to compute proves that opening and planning are lazy."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    network = write_network(tmp_path / "n.h5")
    settings = pipeline.config.load_config(config(tmp_path, network))
    with dask.config.set(scheduler=refuse), open_scene(coordinate_scene) as scene:
        plan = make_plan(scene, "scene", settings)
        assert plan.grid.count == 1
        products = pipeline.map_scene(scene, plan)
        with pytest.raises(AssertionError, match="computed"):
            products.compute()


def test_a_block_in_memory_needs_no_dask(tmp_path, coordinate_scene):
    """process_block on a loaded Dataset gives the same bits as the written product."""
    settings = pipeline.config.load_config(config(tmp_path, write_network(tmp_path / "n.h5")))
    product = read(pipeline.process_scene(coordinate_scene, settings))
    with open_scene(coordinate_scene) as scene:
        plan = make_plan(scene, "scene", settings)
        made = process_block(plan.select(scene).load(), plan)
    values = np.where(np.isnan(made.aph_443), PRODUCT_FILL, made.aph_443)
    np.testing.assert_array_equal(values, product["aph_443"])
    np.testing.assert_array_equal(made.quality_flags, product["quality_flags"])


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "tensorflow"])
def test_threads_leave_no_trace_in_the_bytes(
    sample_scene, sample_networks, tmp_path, monkeypatch, engine
):
    """One and two threads, many blocks, SOURCE_DATE_EPOCH set: equal files."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    network = sample_networks / "demo_iops.h5"
    files = []
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        settings = config(folder, network, chunk=(64, 100), threads=threads, engine=engine)
        files.append(pipeline.process_scene(sample_scene, settings).read_bytes())
    assert files[0] == files[1]


def test_blocks_leave_no_trace_in_the_values(sample_scene, sample_networks, tmp_path):
    """Another size of block gives the same bits with the tensorflow engine."""
    products = []
    for chunk in ((512, 512), (50, 339), (33, 41)):
        settings = config(
            tmp_path / str(chunk[0]),
            sample_networks / "demo_iops.h5",
            chunk=chunk,
            threads=2,
            engine="tensorflow",
        )
        products.append(read(pipeline.process_scene(sample_scene, settings)))
    for other in products[1:]:
        for name, values in products[0].items():
            np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_engines_set_the_same_flags(sample_scene, sample_networks, tmp_path):
    """Bits about outputs do not depend on the rounding of an engine; values agree to 1e-4."""
    products = {
        engine: read(
            pipeline.process_scene(
                sample_scene,
                config(tmp_path / engine, sample_networks / "demo_iops.h5", engine=engine),
            )
        )
        for engine in ("numpy", "onnxruntime", "tensorflow")
    }
    reference = products.pop("numpy")
    assert (reference["iop_flags"] & 8).any()
    for product in products.values():
        np.testing.assert_array_equal(reference["iop_flags"], product["iop_flags"])
        np.testing.assert_allclose(reference["aph_443"], product["aph_443"], rtol=1e-4)


def test_products_are_lazy_and_described_in_python(tmp_path, coordinate_scene):
    """map_scene gives an xarray.Dataset to work on without writing a file."""
    settings = pipeline.config.load_config(config(tmp_path, write_network(tmp_path / "n.h5")))
    with open_scene(coordinate_scene) as scene:
        products = pipeline.map_scene(scene, make_plan(scene, "scene", settings))
        assert isinstance(products.aph_443.data, da.Array)
        assert isinstance(products, xr.Dataset)
        assert products.aph_443.attrs["units"] == "m-1"
        assert products.aph_443.compute().shape == (23, 17)


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_counts_every_block_once(tmp_path, threads):
    """From none to all, in steps of one, whatever the order of the threads."""
    counts = {nm: counts_of(np.full((40, 40), 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts, chunk=(8, 40))
    done = []
    settings = config(tmp_path, write_network(tmp_path / "n.h5"), chunk=(8, 8), threads=threads)
    pipeline.process_scene(scene, settings, lambda finished, total: done.append((finished, total)))
    assert done == [(finished, 25) for finished in range(26)]


def test_the_reference_decides_bits_that_rounding_could(tmp_path, monkeypatch):
    """An engine whose rounding puts an output just across a threshold sets no other bits."""
    network = load_network(write_network(tmp_path / "n.h5", outputs=("aph",)))
    x = np.full((4, 3), 0.004, np.float32)
    outside = outside_range(network.inputs, x)
    expected = range_flags(network, outside, network.predict(x, "numpy"))
    maximum, width = network.outputs[0].maximum, 0.02 / np.log(10)
    thresholds = (maximum, maximum - width, maximum + width, network.outputs[0].minimum)
    across = np.array([[10 ** (limit + 1e-6)] for limit in thresholds])

    def flags_with(outputs):
        made = outputs, None
        monkeypatch.setattr(pipeline.run.retrieve, "predict_with_uncertainty", lambda *_: made)
        step = SimpleNamespace(
            retrieval=network,
            engine="stub",
            columns=[0, 1, 2],
            output_columns=slice(3, 4),
            upstream=(),
            gains=None,
            input_gains=None,
            flags_column=None,
            is_combined=False,
        )
        return retrieve(step, x)[1]

    np.testing.assert_array_equal(flags_with(across), expected)
    assert (flags_with(across * 10) != expected).any()


def test_an_input_at_the_limit_is_inside(tmp_path):
    """Norm_in itself belongs to the training range; one float further does not."""
    limit = float(np.log10(np.float64(np.float32(0.01))))
    norm = np.tile([-4.0, limit], (3, 1))
    network = load_network(write_network(tmp_path / "n.h5", norm_in=norm))
    at = np.full((1, 3), 0.01, np.float32)
    for x, bit in ((at, 0), (np.nextafter(at, np.float32(1)), 4)):
        outside = outside_range(network.inputs, x)
        assert range_flags(network, outside, network.predict(x, "numpy"))[0] & 4 == bit


def test_attributes_of_a_scene_may_be_anything(tmp_path):
    """What netCDF cannot hold as it is does not cost the product."""
    counts = {nm: counts_of(np.full((3, 3), 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts)
    with h5py.File(scene, "a") as file:
        file.attrs["latin"] = np.bytes_("Ångström".encode("latin-1"))
        file.attrs["truth"] = True
        file.attrs["matrix"] = np.arange(4).reshape(2, 2)
        file.attrs["pair"] = np.array((1, 2.5), dtype=[("a", "i4"), ("b", "f4")])
        file.attrs["with/slash"] = "x"
        file.attrs["nothing"] = h5py.Empty("f4")
    path = pipeline.process_scene(scene, config(tmp_path, write_network(tmp_path / "n.h5")))
    with netCDF4.Dataset(path) as file:
        carried = file["processing_control/inputs/scene"]
        assert carried.source_matrix.tolist() == [0, 1, 2, 3]
        assert "source_with_slash" in carried.ncattrs()


def test_a_scene_that_changes_under_the_run_gives_no_product(tmp_path, monkeypatch):
    """Its sha256 would be that of other bytes."""
    counts = {nm: counts_of(np.full((3, 3), 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts)
    settings = config(tmp_path, write_network(tmp_path / "n.h5"))

    def touch(done, total):
        os.utime(scene, ns=(1, 1))

    with pytest.raises(SceneError, match="changed while it was read"):
        pipeline.process_scene(scene, settings, touch)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_scene_that_vanishes_under_the_run_is_not_blamed_on_the_output(tmp_path):
    """The message names the scene, and nothing is left in the output folder."""
    counts = {nm: counts_of(np.full((3, 3), 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts)
    settings = config(tmp_path, write_network(tmp_path / "n.h5"))
    with pytest.raises(SceneError, match=r"s\.nc"):
        pipeline.process_scene(scene, settings, lambda *_: scene.unlink(missing_ok=True))
    assert list((tmp_path / "out").iterdir()) == []
