"""Scenes travel: another process, thread or worker reads the same values, or refuses the file."""

import concurrent.futures
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import psutil
import pytest
import xarray as xr
from miniatures.cases import CASES

from pipeline.errors import ChangedError, SceneError
from pipeline.files.netcdf_lock import NETCDF_LOCK
from pipeline.readers import open_scene, travelling
from pipeline.readers.travelling import MOST_OPEN


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Path and reader of a miniature of every format."""
    return {
        name: (case.written(tmp_path_factory.mktemp(name)).path, case.choice)
        for name, case in CASES.items()
    }


def values_of(scene: xr.Dataset) -> dict[str, np.ndarray]:
    return {str(name): np.asarray(each.values) for name, each in scene.variables.items()}


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("module", [pickle, cloudpickle], ids=lambda module: module.__name__)
@pytest.mark.parametrize("chunks", [None, {}], ids=["lazy", "dask"])
def test_a_pickled_scene_reads_the_same(scenes, name, module, chunks):
    """Also after the scene that was pickled is closed."""
    path, choice = scenes[name]
    with open_scene(path, choice) as scene:
        expected = values_of(scene)
    scene = open_scene(path, choice, chunks)
    sent = module.dumps(scene)
    scene.close()
    assert len(sent) < 20_000
    same(values_of(module.loads(sent)), expected)


@pytest.mark.parametrize("name", sorted(CASES))
def test_nothing_is_opened_before_it_is_read(scenes, name, monkeypatch):
    """Unpickling, and building graphs, needs no file."""
    path, choice = scenes[name]
    with open_scene(path, choice) as scene:
        sent = pickle.dumps(scene)
    monkeypatch.setattr(travelling, "_open", lambda file: pytest.fail(f"opened {file.path}"))
    received = pickle.loads(sent)
    assert received.isel(y=3).chunk({"x": 5})["Rrs"].mean().ndim == 0


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("scheduler", ["sync", "threads", "processes"])
def test_every_scheduler_of_dask(scenes, name, scheduler, pool):
    path, choice = scenes[name]
    with open_scene(path, choice) as scene:
        expected = values_of(scene)
    with open_scene(path, choice, chunks={}) as scene:
        options = {"pool": pool} if scheduler == "processes" else {}
        same(values_of(scene.compute(scheduler=scheduler, **options)), expected)


@pytest.fixture(scope="module")
def pool():
    """Two processes for all tests of this module: each start imports everything anew."""
    with concurrent.futures.ProcessPoolExecutor(
        2, multiprocessing.get_context("spawn")
    ) as executor:
        yield executor


def read_band(scene: xr.Dataset) -> np.ndarray:
    return np.asarray(scene["Rrs"][0].values)


@pytest.mark.parametrize("name", sorted(CASES))
def test_pools_of_processes(scenes, name, pool):
    """Started anew (spawn), forked from this process, which has the file open, and by joblib."""
    path, choice = scenes[name]
    with open_scene(path, choice) as scene:
        expected = read_band(scene)
        np.testing.assert_array_equal(pool.submit(read_band, scene).result(), expected)
        with multiprocessing.get_context("fork").Pool(2) as forked:
            for found in forked.map(read_band, [scene, scene]):
                np.testing.assert_array_equal(found, expected)
        jobs = [joblib.delayed(read_band)(scene)] * 2
        for prefer in ("threads", "processes"):
            for found in joblib.Parallel(2, prefer=prefer)(jobs):
                np.testing.assert_array_equal(found, expected)


def test_a_forked_process_reads_what_was_opened_before(scenes):
    """Without being sent anything, and without touching the files of its parent."""
    path, choice = scenes["sgli"]
    with open_scene(path, choice) as scene:
        expected = read_band(scene)
        child = os.fork()
        if child == 0:
            is_same = np.array_equal(read_band(scene), expected, equal_nan=True)
            opened = travelling._files._entries
            os._exit(0 if is_same and len(opened) == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        np.testing.assert_array_equal(read_band(scene), expected)


def test_a_fork_waits_for_the_netcdf_library():
    """The new process must not inherit a library in the middle of its work."""
    held, may_end = threading.Event(), threading.Event()

    def hold():
        with NETCDF_LOCK:
            held.set()
            may_end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    threading.Timer(0.3, may_end.set).start()
    child = os.fork()
    if child == 0:
        os._exit(0 if NETCDF_LOCK.acquire(blocking=False) else 1)
    assert may_end.is_set()
    assert os.waitpid(child, 0)[1] == 0
    thread.join()


ONE_BY_ONE = """
import concurrent.futures, pathlib, sys
import netCDF4, xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK as lock
from pipeline.errors import SceneError
from pipeline.files.netcdf import open_netcdf

path = pathlib.Path(sys.argv[1])
lock.locks = lock.locks[:: int(sys.argv[2])]
with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
    file.createDimension("y", 3)
    file.createVariable("a", "f8", ("y",))[:] = 1

def by_xarray():
    for _ in range(100):
        with xr.open_dataset(path, engine="netcdf4") as data:
            data.a.load()

def by_ocpipe():
    for _ in range(100):
        with open_netcdf(path, SceneError) as file:
            assert file["a"][0] == 1

with concurrent.futures.ThreadPoolExecutor(2) as threads:
    for future in [threads.submit(by_xarray), threads.submit(by_ocpipe)]:
        future.result()
"""


@pytest.mark.parametrize("step", [1, -1])
def test_the_lock_takes_the_locks_of_xarray_in_its_order(tmp_path, step):
    """Their order depends on where they are in memory. In another order, both would wait."""
    command = [sys.executable, "-c", ONE_BY_ONE, str(tmp_path / "f.nc"), str(step)]
    subprocess.run(command, timeout=100, check=True)


def test_a_file_that_is_added_to_a_folder_is_no_change(tmp_path):
    path = CASES["olci_wfr"].written(tmp_path).path
    sent = pickle.dumps(open_scene(path))
    (path / "quicklook.png").write_bytes(b"x")
    pickle.loads(sent).load()


def change_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        content = file.read()
        file.seek(0)
        file.write(content)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes() + b"more")
    other.replace(path)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("change", [change_in_place, cut_short, replace, Path.unlink])
@pytest.mark.parametrize("scheduler", ["sync", "threads", "processes"])
def test_a_changed_file_is_refused(tmp_path, change, scheduler, pool):
    """By name, wherever it is read; reading it again as it is now is somebody's decision."""
    path = CASES["sgli"].written(tmp_path).path
    scene = open_scene(path, chunks={})
    sent = pickle.dumps(scene)
    change(path)
    options = {"pool": pool} if scheduler == "processes" else {}
    for each in (scene, pickle.loads(sent)):
        with pytest.raises(SceneError, match=path.name):
            each.compute(scheduler=scheduler, **options)
    scene.close()


def test_a_changed_file_of_a_folder_is_refused(tmp_path):
    path = CASES["olci_wfr"].written(tmp_path).path
    sent = pickle.dumps(open_scene(path))
    change_in_place(next(path.glob("Oa*.nc")))
    with pytest.raises(ChangedError, match=path.name):
        pickle.loads(sent).load()


def test_few_files_stay_open(tmp_path, monkeypatch):
    """A worker reads thousands of scenes."""
    monkeypatch.setattr(travelling, "_files", travelling._Files())
    for number in range(MOST_OPEN + 5):
        (tmp_path / str(number)).mkdir()
        path = CASES["obpg_olci"].written(tmp_path / str(number)).path
        with open_scene(path) as scene:
            sent = pickle.dumps(scene)
        pickle.loads(sent).load()
        assert len(travelling._files._entries) <= MOST_OPEN
    opened = psutil.Process().open_files()
    assert len([each for each in opened if str(tmp_path) in each.path]) <= 2 * MOST_OPEN


def test_threads_open_a_file_once(scenes, monkeypatch):
    path, choice = scenes["sgli"]
    with open_scene(path, choice) as scene:
        sent = pickle.dumps(scene)
        expected = read_band(scene)
    opened = []
    really = travelling._open
    monkeypatch.setattr(travelling, "_files", travelling._Files())
    monkeypatch.setattr(travelling, "_open", lambda file: opened.append(file) or really(file))
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for found in threads.map(read_band, [pickle.loads(sent) for _ in range(8)]):
            np.testing.assert_array_equal(found, expected)
    assert len(opened) == 1


def test_a_file_that_cannot_be_opened_does_not_stay(scenes, tmp_path):
    """A disk that was away may come back."""
    path, choice = scenes["sgli"]
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    with open_scene(copy, choice) as scene:
        sent, expected = pickle.dumps(scene), read_band(scene)
    away = copy.rename(tmp_path / "away")
    with pytest.raises(SceneError, match=copy.name):
        read_band(pickle.loads(sent))
    away.rename(copy)
    np.testing.assert_array_equal(read_band(pickle.loads(sent)), expected)


def test_another_program_needs_only_the_bytes(scenes, tmp_path):
    """As engines like Beam send them."""
    path, choice = scenes["pace_l2_flat"]
    with open_scene(path, choice) as scene:
        (tmp_path / "scene").write_bytes(pickle.dumps(scene))
        expected = float(np.nansum(scene.Rrs.values))
    code = (
        "import pickle, sys, numpy; scene = pickle.loads(open(sys.argv[1], 'rb').read());"
        "print(repr(float(numpy.nansum(scene.Rrs.values))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "scene"], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == expected
