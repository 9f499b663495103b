"""A scheduler or a worker that is stopped (SIGSTOP) keeps its connections, and says nothing."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Future

import pytest
from batches import (
    children,
    copies,
    ended,
    products,
    run,
    start,
    start_cold,
    states,
    wait_for,
    write_config,
)
from clusters import Cluster
from faults import KNOWS_FAULTS, Gate

from pipeline.batch.bounded import UnansweredError, bounded, in_background
from pipeline.batch.dask_executor import Census, DaskExecutor
from pipeline.batch.job import Job
from pipeline.batch.request import BatchRequest
from pipeline.batch.runner import run_batch
from pipeline.config import load_config

SCENES = 3
# A batch that is asked to end does so by itself before the process is ended (seconds).
SOON = 20.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One scheduler and one worker for all tests."""
    from distributed import Client

    made = Cluster(tmp_path_factory.mktemp("cluster"), 1)
    with Client(made.counter.address) as client:
        client.wait_for_workers(1)
    yield made
    made.close()


@contextlib.contextmanager
def frozen(process):
    """Stopped by a signal that no process can ignore; it goes on afterwards."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.fixture
def folder(tmp_path):
    """Scenes, of which the second is a closed gate."""
    good = copies(tmp_path / "in", SCENES - 1, (100, 120))[0]
    gate = Gate(tmp_path / "in" / "S000g.nc", good)
    gate.close()
    yield tmp_path
    gate.open()


def open_gate(folder):
    (folder / "in" / "S000g.nc.open").touch()


def call(folder, cluster):
    return (
        "batch", write_config(folder), folder / "in", "-o", folder / "out",
        "--scheduler", cluster.counter.address,
    )  # fmt: skip


def at_the_gate(folder):
    return (folder / "in" / "S000g.nc.happened").exists()


@pytest.mark.parametrize("what", ["scheduler", "worker"])
def test_a_batch_ends_although_the_cluster_is_frozen(cluster, folder, what):
    """In time, with its usual code and a true ledger; when the cluster goes on, so does it."""
    process = start(*call(folder, cluster))
    wait_for(lambda: at_the_gate(folder))
    with frozen(cluster.scheduler if what == "scheduler" else cluster.workers[0]):
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        left = ended(process)
        assert left.code == 75, left.stderr
        assert time.monotonic() - begun < SOON
        assert states(folder / "out") == {"done": 1, "pending": SCENES - 1}
    if what == "worker":  # once is enough
        return
    open_gate(folder)
    again = run(*call(folder, cluster))
    assert again.code == 0, again.stderr
    assert states(folder / "out") == {"done": SCENES}
    assert len(products(folder / "out")) == SCENES


def test_a_second_signal_ends_at_once(cluster, folder):
    """Whatever the batch waits for."""
    process = start(*call(folder, cluster))
    wait_for(lambda: at_the_gate(folder))
    with frozen(cluster.scheduler):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 75
        assert time.monotonic() - begun < 2.5


class Listener:
    """Hears only that a scene was begun."""

    def __init__(self, then=lambda: None):
        self._then = then

    def scene_begun(self, *_):
        self._then()

    def __getattr__(self, name):
        return lambda *_: None


def in_this_process(folder, cluster, then=lambda: None, **batch):
    config = load_config(write_config(folder, batch=batch)).executing(output=folder / "out")
    config = config.batching(executor="dask", scheduler=cluster.counter.address)
    request = BatchRequest(config, (str(folder / "in" / "S000.nc"),))
    return run_batch(request, Listener(then), threading.Event())


def test_a_frozen_worker_does_not_keep_a_scene_for_ever(cluster, folder, monkeypatch):
    """The time limit of a scene holds here, too; the fault is the cluster's, so it is retried."""
    monkeypatch.setattr(DaskExecutor, "GRACE", -3598.0)
    with frozen(cluster.workers[0]):
        summary = in_this_process(folder, cluster, max_attempts=2)
    assert (summary.failed, summary.problem) == (1, "")
    ended = run("status", folder / "out")
    assert "no Dask worker has said how it ended, 2 s after a worker took it" in ended.stdout
    assert "lost " in ended.stdout


def test_a_silent_scheduler_ends_the_batch(cluster, folder, monkeypatch):
    """With the reason; no scene has failed."""
    monkeypatch.setattr(DaskExecutor, "SILENCE", 2.0)
    monkeypatch.setattr(Census, "LOOK_EVERY", 0.2)
    with frozen(cluster.workers[0]):  # so that the scene is not done before
        try:
            freeze = functools.partial(cluster.scheduler.send_signal, signal.SIGSTOP)
            summary = in_this_process(folder, cluster, freeze)
        finally:
            cluster.scheduler.send_signal(signal.SIGCONT)
    assert "the Dask scheduler has not answered for" in summary.problem
    assert states(folder / "out") == {"pending": 1}


def test_no_process_of_a_cluster_of_its_own_is_left(tmp_path):
    """Although one of its workers is frozen."""
    good = copies(tmp_path / "in", 1, (100, 120))[0]
    Gate(tmp_path / "in" / "S000g.nc", good).close()
    process = start_cold(
        "batch", write_config(tmp_path), tmp_path / "in", "-o", tmp_path / "out",
        "--executor", "dask", "--workers", 1, **KNOWS_FAULTS,
    )  # fmt: skip
    wait_for(lambda: at_the_gate(tmp_path) or process.poll() is not None)
    family = children(process.pid)
    family += [grandchild for child in family for grandchild in children(child)]
    (worker,) = {parent for parent in family if children(parent)}
    os.kill(worker, signal.SIGSTOP)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    left = ended(process)
    assert left.code == 75, left.stderr
    assert time.monotonic() - begun < SOON + 2
    wait_for(lambda: not any(_lives(one) for one in family), "processes that were left")


def _lives(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0] != "Z"
    return False


# Without a cluster


def test_a_call_that_does_not_return_is_abandoned():
    """One that does gives its value or its error."""
    assert bounded(lambda: 7, 10) == 7
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 / 0, 10)
    begun = time.monotonic()
    with pytest.raises(UnansweredError, match=r"no answer after 0\.1 s"):
        bounded(lambda: time.sleep(600), 0.1)
    in_background(lambda: time.sleep(600))
    assert time.monotonic() - begun < 60


class Hanging:
    """A client of which every call hangs, as all do whose scheduler is frozen."""

    def __getattr__(self, name):
        return lambda *_, **__: threading.Event().wait()


def test_every_call_to_a_cluster_is_bounded(monkeypatch):
    """A job that could not be submitted is lost; stopping and closing take seconds."""
    from pipeline.batch import dask_executor

    monkeypatch.setattr(dask_executor, "ANSWER", 0.2)
    monkeypatch.setattr(dask_executor, "CONNECTION", 0.2)
    begun = time.monotonic()
    executor = DaskExecutor(Hanging(), threading.Event().wait)
    assert executor.slots == 0
    executor.submit(Job("/in/S0.nc", {}, "a_1_1", 0))
    outcome = executor.event(5).outcome
    assert outcome.kind == "lost"
    assert outcome.reason.startswith("S0.nc: the Dask workers that had this scene were lost")
    assert executor.event(0.01) is None
    executor.stop()
    executor.close()
    assert time.monotonic() - begun < 30


def test_a_result_that_cannot_be_fetched_is_lost():
    """Its worker was lost between the end of the job and the answer."""
    from pipeline.batch.dask_executor import _outcome_of

    class Lost:
        status = "finished"

        def result(self, timeout):
            raise TimeoutError(f"{timeout}")

    assert _outcome_of(Lost(), Job("/in/S0.nc", {}, "a_1_1", 0)).kind == "lost"


class Failing(Hanging):
    """A client of which every call fails."""

    def __getattr__(self, name):
        def fail(*_, **__):
            raise OSError(f"{name}: a worker is gone")

        return fail if name != "subscribe_topic" else lambda *_: None


def test_the_cluster_is_ended_although_a_worker_is_gone():
    """Its jobs in the queue of a scheduler would wait there for hours."""
    ended = []
    executor = DaskExecutor(Failing(), lambda: ended.append(1))
    executor.close()
    assert ended == [1]
    executor._census.join(10)
    assert not executor._census.is_alive()


def test_processes_of_the_caller_are_left_alone():
    """Only those that were started for the cluster end with it."""
    others = [multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
              for _ in range(2)]  # fmt: skip
    for each in others:
        each.start()
    try:
        DaskExecutor(Failing(), lambda: None, lambda: others[:1]).close()
        others[0].join(10)
        assert [each.is_alive() for each in others] == [False, True]
    finally:
        for each in others:
            each.kill()


def test_time_in_the_queue_of_a_cluster_is_not_that_of_a_scene(monkeypatch):
    """Workers may end, and come back after hours; from then on the time limit holds."""
    monkeypatch.setattr(DaskExecutor, "GRACE", 0.0)

    class Queueing(Failing):
        def submit(self, *_, **__):
            return Future()

    executor = DaskExecutor(Queueing(), lambda: None)
    job = Job("/in/S0.nc", {}, "a_1_1", 0, timeout_s=0.05)
    executor.submit(job)
    time.sleep(0.1)
    assert executor.event(0.01) is None
    executor._expect(["another job"], 1)
    executor._expect(["another job", f"S0.nc-{job.lease}"], 1)
    assert executor.event(0.1) is None
    executor._expect([f"S0.nc-{job.lease}"], 1)
    time.sleep(0.1)
    assert executor.event(0.01).outcome.kind == "lost"
