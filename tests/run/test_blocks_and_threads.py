"""Neither threads nor the size of what is computed at a time leave a trace in a product."""

import h5py
import netCDF4
import numpy as np
import pytest
from obpg_miniature import CLDICE, FILL, LAND, counts_of, write_obpg_l2
from small_network import BANDS, write_network
from small_runs import numbers, product_of, run_settings

import pipeline.process
from pipeline.config import load_config
from pipeline.readers import open_scene
from pipeline.run import memory

ENGINES = ("numpy", "onnxruntime")
PRODUCT_FILL = np.float32(-32767)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scene")


@pytest.fixture(scope="module")
def scene(folder):
    """Reflectances around all limits, missing ones, clouds and land; chunks cut across blocks."""
    drawn = np.random.default_rng(8)
    shape = (61, 83)
    counts = {}
    for nm in BANDS:
        rrs = 10 ** drawn.uniform(-4.3, -1.1, shape)
        counts[nm] = counts_of(np.where(drawn.random(shape) < 0.05, -0.001, rrs))
        counts[nm][drawn.random(shape) < 0.05] = FILL
    flags = np.where(drawn.random(shape) < 0.02, CLDICE, 0) | np.where(
        drawn.random(shape) < 0.1, LAND, 0
    )
    latitude = 10 + 0.01 * np.mgrid[0:61, 0:83][0]
    latitude[3, 4] = np.nan
    return write_obpg_l2(
        folder / "scene.nc", counts, flags=flags, latitude=latitude, chunk=(16, 30)
    )


@pytest.fixture(scope="module")
def networks(folder):
    """One on the scene's bands."""
    return write_network(folder / "iop.h5", norm_in=np.tile([-3.8, -1.4], (3, 1)))


def settings_for(tmp_path, networks, engine, threads=1, chunk=(20, 33), level=4, **science):
    made = run_settings(tmp_path, networks, chunk=chunk, threads=threads, **science)
    made["science"]["engine"] = engine
    made["science"]["output"]["compression_level"] = level
    # A mask that grows looks into other blocks and beyond the window.
    made["science"]["masks"] = {"flags": ["LAND", "CLDICE"], "dilate": {"CLDICE": 3}}
    return made


WINDOWS = [{}, {"window": {"lines": [5, 58], "pixels": [7, 70]}}]


@pytest.mark.parametrize("science", WINDOWS, ids=["whole", "window"])
@pytest.mark.parametrize("engine", ENGINES)
def test_any_number_of_threads_gives_the_same_bytes(
    scene, networks, tmp_path, monkeypatch, engine, science
):
    """One, two, three and more threads than blocks in a row."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = set()
    for threads in (1, 2, 3, 5):
        settings = settings_for(tmp_path / str(threads), networks, engine, threads, **science)
        files.add(product_of(scene, settings).read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_pixels_at_once_leave_no_trace(scene, networks, tmp_path, monkeypatch, engine):
    """One line at a time, some, or the whole block: equal bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = set()
    for pixels in (1, 33, 100, 257, 262144):
        monkeypatch.setattr(memory, "PIXELS_AT_ONCE", (pixels,))
        settings = settings_for(tmp_path / str(pixels), networks, engine, threads=2)
        files.add(product_of(scene, settings).read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_blocks_leave_no_trace(scene, networks, tmp_path, engine):
    """Any size of block gives the same numbers of every variable."""
    products = []
    for chunk in ((512, 512), (20, 33), (7, 83), (61, 5), (3, 17)):
        settings = settings_for(tmp_path / str(chunk), networks, engine, 2, chunk)
        products.append(numbers(product_of(scene, settings)))
    for other in products[1:]:
        assert set(other) == set(products[0])
        for name, values in products[0].items():
            assert values.tobytes() == other[name].tobytes(), name


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("level", [0, 1, 4, 9])
def test_every_library_reads_a_product(scene, networks, tmp_path, level):
    """The same numbers from netCDF4, h5py and GDAL, at every level of compression."""
    import rasterio

    path = product_of(scene, settings_for(tmp_path, networks, "numpy", 2, level=level))
    expected = numbers(product_of(scene, settings_for(tmp_path / "other", networks, "numpy")))
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        found = {name: variable[...] for name, variable in file.variables.items()}
        assert file["aph_443"].filters()["complevel"] == level
    assert set(found) == set(expected)
    assert (found["aph_443"] == PRODUCT_FILL).any()
    assert (found["iop_flags"] & 4).any()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
        with h5py.File(path) as file:
            np.testing.assert_array_equal(file[name][...], values)
        with (
            rasterio.Env(GDAL_NETCDF_BOTTOMUP="NO"),
            rasterio.open(f"netcdf:{path}:{name}") as file,
        ):
            np.testing.assert_array_equal(file.read(1), values)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("science", WINDOWS, ids=["whole", "window"])
@pytest.mark.parametrize("chunks", [None, {}, {"y": 9, "x": 83}], ids=str)
def test_dask_gives_the_numbers_of_the_product(scene, networks, tmp_path, engine, science, chunks):
    """``map_scene`` and a run differ in how they compute, not in what."""
    settings = settings_for(tmp_path, networks, engine, 2, **science)
    product = numbers(product_of(scene, settings))
    config = load_config(settings)
    with open_scene(scene, chunks=chunks) as opened:
        located, plan = pipeline.process.locate_and_plan(opened, scene.name, config)
        mapped = pipeline.map_scene(located, plan).load()
    assert set(mapped.variables) == set(product)
    for name, values in product.items():
        found = mapped[name].values
        if found.dtype.kind == "f":
            found = np.where(np.isfinite(found), found, PRODUCT_FILL)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values, err_msg=name)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_damaged_chunk_stops_a_run(scene, networks, tmp_path, threads):
    """In any thread: the scene is named, and nothing is left behind."""
    damaged = tmp_path / scene.name
    damaged.write_bytes(scene.read_bytes())
    with h5py.File(damaged) as file:
        place = file["geophysical_data/Rrs_443"].id.get_chunk_info_by_coord((32, 30))
    with damaged.open("r+b") as file:
        file.seek(place.byte_offset + place.size // 2)
        file.write(b"\xff" * 20)
    with pytest.raises(pipeline.errors.SceneError, match=r"scene\.nc.*damaged"):
        product_of(damaged, settings_for(tmp_path, networks, "numpy", threads))
    assert list((tmp_path / "out").iterdir()) == []
