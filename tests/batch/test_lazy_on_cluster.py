"""Lazy scenes and products on a real cluster: a scheduler and two workers on loopback."""

import cloudpickle
import dask
import numpy as np
import pytest
import xarray as xr
from clusters import Cluster
from miniatures.cases import CASES
from small_runs import network_for, numbers, run_settings

import pipeline
from pipeline.errors import ChangedError, SceneError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"), 2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(cluster):
    """A client that is the scheduler of Dask as long as the tests of this module run."""
    from distributed import Client

    with Client(cluster.counter.address) as connected:
        connected.wait_for_workers(2)
        yield connected


@pytest.mark.parametrize("name", sorted(CASES))
def test_scenes_of_every_format(tmp_path, client, name):
    case = CASES[name]
    path = case.written(tmp_path).path
    with pipeline.open_scene(path, case.choice) as scene:
        expected = scene.load()
    with pipeline.open_scene(path, case.choice, chunks={}) as scene:
        found = client.compute(scene).result(timeout=60)
        xr.testing.assert_identical(found.load(), expected)


@pytest.fixture
def sgli(tmp_path):
    case = CASES["sgli"]
    path = case.written(tmp_path).path
    return path, run_settings(tmp_path, network_for(tmp_path, case.bands), chunk=(8, 10))


def test_products(client, sgli, tmp_path):
    """Equal to the file, and through the scheduler goes no pixel of the input."""
    path, settings = sgli
    stored = numbers(pipeline.process_scene(path, settings))
    lazy = pipeline.apply(path, settings)
    found = client.compute(lazy).result(timeout=60)
    for name, values in stored.items():
        mine = np.asarray(found[name].values)
        mine = np.where(np.isnan(mine), values, mine) if mine.dtype.kind == "f" else mine
        np.testing.assert_array_equal(mine, values, err_msg=name)
    lazy.to_zarr(tmp_path / "product.zarr")
    with xr.open_zarr(tmp_path / "product.zarr", mask_and_scale=False) as zarr:
        np.testing.assert_array_equal(zarr.aph_443, found.aph_443)
    lazy.to_netcdf(tmp_path / "product.nc")
    with xr.open_dataset(tmp_path / "product.nc") as file:
        np.testing.assert_array_equal(file.aph_443, found.aph_443)


@pytest.fixture
def loads(client):
    """A function that says how often each worker inflated each storage chunk.

    What is sent to the workers is inside, because they do not know the modules of the tests.
    """

    def begin(dask_worker):
        from pipeline.readers.hdf5_chunks import Hdf5Chunks

        dask_worker.loads, dask_worker.really = {}, Hdf5Chunks.load

        def load(self, offsets):
            key = str(self._dataset.file.filename), self.name, offsets
            dask_worker.loads[key] = dask_worker.loads.get(key, 0) + 1
            return dask_worker.really(self, offsets)

        Hdf5Chunks.load = load

    def end(dask_worker):
        from pipeline.readers.hdf5_chunks import Hdf5Chunks

        Hdf5Chunks.load = dask_worker.really

    client.run(begin)
    yield lambda: client.run(lambda dask_worker: dask_worker.loads)
    client.run(end)


@pytest.mark.parametrize("what", ["scene", "product"])
def test_each_chunk_is_inflated_once_per_worker(client, sgli, loads, what):
    path, settings = sgli
    with pipeline.open_scene(path, chunks={}) as scene:
        wanted = scene if what == "scene" else pipeline.apply(scene, settings)
        client.compute(wanted).result(timeout=60)
    found = loads().values()
    assert any(found)
    for of_worker in found:
        assert set(of_worker.values()) <= {1}


def test_engines_are_built_once_per_worker(client, sgli):
    """And never sent."""
    path, settings = sgli

    def built(dask_worker=None):
        from pipeline.networks.engines import _built

        return len(_built)

    before = client.run(built)
    settings["science"]["engine"] = "onnxruntime"
    first = pipeline.apply(path, settings)
    client.compute(first).result(timeout=60)
    settings["science"]["masks"] = {"values": ["negative"]}
    client.compute(pipeline.apply(path, settings)).result(timeout=60)
    after = client.run(built)
    assert all(after[worker] - before[worker] <= 1 for worker in after)
    assert len(cloudpickle.dumps(dict(first.__dask_graph__()))) < 40_000


def test_whole_scenes_as_tasks(client, sgli, tmp_path):
    """``process_scene`` in a task starts no scheduler and waits for none."""
    path, settings = sgli
    alone = pipeline.process_scene(path, settings).read_bytes()
    futures = []
    for number in range(4):
        own = {**settings, "execution": {"output": str(tmp_path / str(number)), "threads": 2}}
        futures.append(client.submit(pipeline.process_scene, path, own, pure=False))
    for future in futures:
        assert len(future.result(timeout=60).read_bytes()) == len(alone)


def test_a_changed_file_is_refused(client, sgli):
    """By name, and not computed from what a worker has still open."""
    path, settings = sgli
    lazy = pipeline.apply(path, settings)
    client.compute(lazy.aph_443).result(timeout=60)
    other = path.with_name("other")
    other.write_bytes(path.read_bytes() + b"more")
    other.replace(path)
    with pytest.raises(SceneError, match=path.name):
        client.compute(lazy.adg_443 + 1).result(timeout=60)
    with pytest.raises(ChangedError, match=path.name):
        lazy.compute(scheduler="sync")


def test_numbers_do_not_depend_on_the_scheduler(client, sgli):
    path, settings = sgli
    lazy = pipeline.apply(path, settings)
    with dask.config.set(scheduler="threads"):
        here = lazy.compute()
    xr.testing.assert_identical(here, client.compute(lazy).result(timeout=60))
