"""``process_scene`` called from Python: in threads, event loops and notebooks, and interrupted."""

import asyncio
import concurrent.futures
import threading

import pytest
import threadpoolctl
from miniatures.cases import CASES
from small_runs import network_for, run_settings

import pipeline
from pipeline.machine.one_thread import one_thread_per_block


@pytest.fixture
def call(tmp_path):
    """Arguments of a call with several blocks."""
    case = CASES["sgli"]
    path = case.written(tmp_path).path
    return path, run_settings(tmp_path, network_for(tmp_path, case.bands), chunk=(8, 10))


def blas_threads() -> set[int]:
    found = threadpoolctl.threadpool_info()
    return {library["num_threads"] for library in found if library["user_api"] == "blas"}


@pytest.fixture
def several():
    """BLAS with more than one thread, whatever the environment says."""
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.fail(f"BLAS has {blas_threads()} threads")
        yield


def test_inside_a_running_event_loop(call):
    """As in a notebook."""

    async def cell():
        return pipeline.process_scene(*call), pipeline.apply(*call).compute()

    product, lazy = asyncio.run(cell())
    assert product.is_file()
    assert lazy.sizes["y"] == 21


def test_an_interrupted_cell_leaves_nothing(call, tmp_path):
    """And the next cell works."""

    def interrupt(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.process_scene(*call, progress=interrupt)
    assert [*(tmp_path / "out").iterdir()] == []
    assert pipeline.process_scene(*call).is_file()


def test_blas_has_one_thread_while_a_run_computes(call, several):
    """Afterwards, it has as many as before."""
    seen = []
    pipeline.process_scene(*call, progress=lambda *_: seen.append(blas_threads()))
    assert seen
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == {2}


def test_blas_has_one_thread_until_the_last_run_ends(several):
    """The limit is one of the process."""
    begun, may_end = threading.Event(), threading.Event()

    def run():
        with one_thread_per_block():
            begun.set()
            may_end.wait(20)

    thread = threading.Thread(target=run)
    with one_thread_per_block():
        thread.start()
        assert begun.wait(20)
    assert blas_threads() == {1}
    may_end.set()
    thread.join()
    assert blas_threads() == {2}


def test_many_scenes_in_threads(call, tmp_path, monkeypatch):
    """Each is what it is alone; ``python -m crowds`` does this with many more."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    path, settings = call
    alone = pipeline.process_scene(path, settings).read_bytes()

    def again(number):
        own = settings | {"execution": {"output": str(tmp_path / str(number)), "threads": 2}}
        return pipeline.process_scene(path, own).read_bytes()

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for found in threads.map(again, range(12)):
            assert found == alone
