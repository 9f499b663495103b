"""The executor that does the jobs of a batch on a Dask cluster."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pipeline.batch import kinds
from pipeline.batch.executors import EventQueue, JobEvent
from pipeline.batch.job import Job, JobOutcome
from pipeline.batch.slots import LEAST_SCENE, Slots
from pipeline.batch.supervisor import Supervisor
from pipeline.config.batch import Batch, DaskCluster
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client


class DaskExecutor(EventQueue):
    """Does one job on each thread of a Dask cluster's workers; a supervisor watches each job."""

    # Time between two questions for the size of the cluster (seconds).
    LOOK_EVERY = 2.0

    def __init__(self, client: "Client", end: Callable[[], None]) -> None:
        super().__init__()
        self._client = client
        self._end = end
        self._futures: dict[str, Any] = {}
        self._size, self._looked = 0, float("-inf")

    @property
    def slots(self) -> int:
        """Total number of threads of the workers that the cluster has now."""
        if time.monotonic() - self._looked > self.LOOK_EVERY:
            self._size = sum(self._client.nthreads().values())
            self._looked = time.monotonic()
        return self._size

    def submit(self, job: Job) -> None:
        """Start a job."""
        key = f"{os.path.basename(job.path)}-{job.lease}"
        future = self._client.submit(supervised, asdict(job), key=key, pure=False)
        self._futures[job.lease] = future
        future.add_done_callback(
            lambda done: self._events.put(JobEvent(job, _outcome_of(done, job)))
        )

    def event(self, timeout: float) -> JobEvent | None:
        """Wait up to ``timeout`` seconds for the next event; return None if no event comes."""
        event = super().event(timeout)
        if event is not None:
            self._futures.pop(event.job.lease, None)
        return event

    def stop(self) -> None:
        """Kill the child processes of all running jobs on the workers, then cancel these jobs."""
        leases = list(self._futures)
        with contextlib.suppress(Exception):  # a cluster that is gone has no children left
            self._client.run(stop_supervised, leases)
            self._client.cancel(list(self._futures.values()), force=True)

    def close(self) -> None:
        """Disconnect from the cluster; if this process started the cluster, end it."""
        with contextlib.suppress(Exception):
            self._client.run(close_idle)
        with contextlib.suppress(Exception):
            self._client.close()
        self._end()


def _outcome_of(future: Any, job: Job) -> JobOutcome:
    if future.status == "finished":
        return JobOutcome.of(future.result())
    if future.status == "cancelled":
        return JobOutcome(kinds.STOPPED)
    error = future.exception()
    return JobOutcome(
        kinds.LOST,
        f"{os.path.basename(job.path)}: the Dask workers that had this scene were lost "
        f"({type(error).__name__}: {error}). See their logs.",
    )


_idle: list[Supervisor] = []
_working: dict[str, Supervisor] = {}
_lock = threading.Lock()


def supervised(data: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job in a child process of a Dask worker; the next job uses the same child process."""
    job = Job(**data)
    with _lock:
        supervisor = _working[job.lease] = _idle.pop() if _idle else Supervisor()
    try:
        if job.memory_limit is None:
            job = replace(job, memory_limit=_share_of_worker(job.program_bytes))
        outcome = supervisor.run(job)
    finally:
        with _lock:
            del _working[job.lease]
    if outcome.kind == kinds.STOPPED:
        supervisor.close()
    else:
        with _lock:
            _idle.append(supervisor)
    return outcome.data()


def stop_supervised(leases: list[str]) -> None:
    """On the Dask worker that calls this function, end the child processes of these jobs."""
    with _lock:
        ending = [_working[lease] for lease in leases if lease in _working]
    for supervisor in ending:
        supervisor.stop()


def close_idle() -> None:
    """End the idle child processes on the Dask worker that calls this function."""
    with _lock:
        ending, _idle[:] = list(_idle), []
    for supervisor in ending:
        supervisor.close()


def _share_of_worker(program_bytes: int) -> int | None:
    """Return the bytes that a scene may take on one thread of this worker; None if unlimited.

    The memory of the program itself is not included.
    """
    from distributed import get_worker

    worker = get_worker()
    limit = worker.memory_manager.memory_limit
    if not limit:
        return None
    return max(int(limit) // worker.state.nthreads - program_bytes, LEAST_SCENE)


def connect(batch: Batch, slots: Slots) -> DaskExecutor:
    """Connect to the configured Dask cluster, or start a local one with a worker for each slot."""
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.WARNING)  # it reports every connection
    if batch.scheduler:
        try:
            return DaskExecutor(Client(batch.scheduler, timeout=10, name="ocpipe"), lambda: None)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no Dask scheduler answers at {batch.scheduler} ({error}). Start a scheduler, "
                "or correct --scheduler."
            ) from error
    cluster: Any
    if batch.cluster:
        cluster = _job_cluster(batch.cluster)
    else:
        cluster = LocalCluster(
            n_workers=slots.count,
            threads_per_worker=1,
            memory_limit=slots.program_bytes + slots.memory_limit,
            processes=True,
            dashboard_address=":0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.WARNING,
        )
    return DaskExecutor(Client(cluster), cluster.close)


def _job_cluster(chosen: DaskCluster) -> Any:
    try:
        import dask_jobqueue
    except ImportError:
        raise ConfigError(
            "batch.cluster needs the package dask-jobqueue, which is not installed. Install it: "
            "pip install 'ocpipe[jobqueue]'."
        ) from None
    classes = {
        "slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster",
        "htcondor": "HTCondorCluster", "oar": "OARCluster", "moab": "MoabCluster",
    }  # fmt: skip
    try:
        cluster = getattr(dask_jobqueue, classes[chosen.kind])(**chosen.options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"batch.cluster.options: {error}") from error
    cluster.scale(jobs=chosen.jobs)
    return cluster
