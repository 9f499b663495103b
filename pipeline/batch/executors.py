"""Where scenes are done: in this process, in local ones, or on a Dask cluster; one interface."""

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.batch.job import LOST, STOPPED, Job, JobOutcome
from pipeline.batch.slots import LEAST_SCENE, Slots
from pipeline.batch.supervisor import Supervisor
from pipeline.config import Batch, DaskCluster
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class JobEvent:
    """What became of a job, or how far it is."""

    job: Job
    outcome: JobOutcome | None = None
    progress: tuple[int, int] | None = None


class Executor(Protocol):
    """Does jobs, several at once."""

    @property
    def slots(self) -> int:
        """Jobs that can be in work together; it may change while a cluster grows."""
        ...

    def submit(self, job: Job) -> None:
        """Begin a job; never more of them than there are slots."""
        ...

    def event(self, timeout: float) -> JobEvent | None:
        """The next event; None where none came in time (seconds)."""
        ...

    def stop(self) -> None:
        """Give up what is in work at once; each job still has its outcome."""
        ...

    def close(self) -> None:
        """Let go of all processes."""
        ...


class InlineExecutor:
    """In this process, one after the other: nothing is isolated, no time is kept. For debugging."""

    slots = 1

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self._stopping = False
        self._progress: Callable[[Job, int, int], None] = lambda _job, _done, _all: None

    def submit(self, job: Job) -> None:
        """Begin a job."""
        self._waiting.append(job)

    def event(self, timeout: float) -> JobEvent | None:  # noqa: ARG002 - it takes as long as it takes
        """Do the job, to its end or until the batch is stopped."""
        from pipeline.batch.child import do

        if not self._waiting:
            return None
        job = self._waiting.pop()
        if self._stopping:
            return JobEvent(job, JobOutcome(STOPPED))
        try:
            return JobEvent(job, do(job, self._reply))
        except _Interrupted:
            return JobEvent(job, JobOutcome(STOPPED))

    def _reply(self, _message: Mapping[str, Any]) -> None:
        if self._stopping:
            raise _Interrupted

    def stop(self) -> None:
        """End the job at its next block."""
        self._stopping = True

    def close(self) -> None:
        """Nothing is left."""


class _Interrupted(BaseException):
    """Not an Exception: it is no failure of the scene."""


class ProcessExecutor:
    """In children of this process, each kept by a supervisor in a thread.

    Children begin with their first job, so that ``slots`` may be lowered before.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._supervisors = [Supervisor() for _ in range(slots)]
        self._idle = list(self._supervisors)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="slot")
        self._events: queue.SimpleQueue[JobEvent] = queue.SimpleQueue()

    def estimate(self, job: Job) -> int | None:
        """What a scene wants, asked of the child that gets the first job."""
        return self._idle[-1].estimate(job)

    def submit(self, job: Job) -> None:
        """Begin a job."""
        supervisor = self._idle.pop()

        def work() -> None:
            outcome = supervisor.run(
                job, lambda done, total: self._events.put(JobEvent(job, progress=(done, total)))
            )
            self._idle.append(supervisor)
            self._events.put(JobEvent(job, outcome))

        self._threads.submit(work)

    def event(self, timeout: float) -> JobEvent | None:
        """The next event."""
        with contextlib.suppress(queue.Empty):
            return self._events.get(timeout=timeout)
        return None

    def stop(self) -> None:
        """Kill the children."""
        for supervisor in self._supervisors:
            supervisor.stop()

    def close(self) -> None:
        """Kill the children and wait for the threads."""
        self.stop()
        self._threads.shutdown()
        for supervisor in self._supervisors:
            supervisor.close()


class DaskExecutor:
    """On the workers of a Dask cluster, a scene per thread; the supervisor runs inside the task."""

    # How often the cluster is asked for its size (seconds).
    LOOK_EVERY = 2.0

    def __init__(self, client: "Client", end: Callable[[], None]) -> None:
        self._client = client
        self._end = end
        self._events: queue.SimpleQueue[JobEvent] = queue.SimpleQueue()
        self._futures: dict[str, Any] = {}
        self._size, self._looked = 0, float("-inf")

    @property
    def slots(self) -> int:
        """Threads of all workers there are now."""
        if time.monotonic() - self._looked > self.LOOK_EVERY:
            self._size = sum(self._client.nthreads().values())
            self._looked = time.monotonic()
        return self._size

    def submit(self, job: Job) -> None:
        """Begin a job."""
        future = self._client.submit(
            supervised,
            job.data(),
            key=f"{os.path.basename(job.path)}-{job.lease}",
            pure=False,
        )
        self._futures[job.lease] = future
        future.add_done_callback(
            lambda done: self._events.put(JobEvent(job, _outcome_of(done, job)))
        )

    def event(self, timeout: float) -> JobEvent | None:
        """The next event."""
        with contextlib.suppress(queue.Empty):
            event = self._events.get(timeout=timeout)
            self._futures.pop(event.job.lease, None)
            return event
        return None

    def stop(self) -> None:
        """Have the workers kill the children of these jobs, and forget the jobs."""
        leases = list(self._futures)
        with contextlib.suppress(Exception):  # a cluster that is gone has no children left
            self._client.run(stop_supervised, leases)
            self._client.cancel(list(self._futures.values()), force=True)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        with contextlib.suppress(Exception):
            self._client.run(stop_supervised, None)
        with contextlib.suppress(Exception):
            self._client.close()
        self._end()


def _outcome_of(future: Any, job: Job) -> JobOutcome:
    name = os.path.basename(job.path)
    if future.status == "finished":
        return JobOutcome.of(future.result())
    if future.status == "cancelled":
        return JobOutcome(STOPPED)
    error = future.exception()
    return JobOutcome(
        LOST,
        f"{name}: the Dask workers that had it were lost ({type(error).__name__}: {error}). See "
        "their logs.",
    )


_supervisors: list[Supervisor] = []
_working: dict[str, Supervisor] = {}
_lock = threading.Lock()


def supervised(data: Mapping[str, Any]) -> dict[str, Any]:
    """A job as a task of a Dask worker: in a child of it, which stays for the next task."""
    job = Job.of(data)
    with _lock:
        supervisor = _supervisors.pop() if _supervisors else Supervisor()
        _working[job.lease] = supervisor
    try:
        if job.memory_limit is None:
            job = replace(job, memory_limit=_share_of_worker(job.program_bytes))
        outcome = supervisor.run(job)
    finally:
        with _lock:
            del _working[job.lease]
    if outcome.kind == STOPPED:
        supervisor.close()
    else:
        with _lock:
            _supervisors.append(supervisor)
    return outcome.data()


def stop_supervised(leases: list[str] | None) -> None:
    """End the children of jobs, on every worker; with None those that have nothing to do."""
    with _lock:
        if leases is None:
            idle, _supervisors[:] = list(_supervisors), []
            ending = idle
        else:
            ending = [_working[lease] for lease in leases if lease in _working]
    for supervisor in ending:
        if leases is None:
            supervisor.close()
        else:
            supervisor.stop()


def _share_of_worker(program_bytes: int) -> int | None:
    """Bytes of one thread of this worker, beside the program itself; None where it has no limit."""
    from distributed import get_worker

    worker = get_worker()
    limit = worker.memory_manager.memory_limit
    if not limit:
        return None
    return max(int(limit) // worker.state.nthreads - program_bytes, LEAST_SCENE)


def connect(batch: Batch, slots: Slots) -> DaskExecutor:
    """To the Dask cluster that the configuration names, or to one of such slots on this machine.

    Raises:
        ConfigError: there is none at that address, or dask-jobqueue is not installed.
    """
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of every connection
    if batch.scheduler:
        try:
            return DaskExecutor(Client(batch.scheduler, timeout=10, name="ocpipe"), lambda: None)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no Dask scheduler answers at {batch.scheduler} ({error}). Start one, or correct "
                "--scheduler."
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
            "batch.cluster needs the package dask-jobqueue: pip install 'ocpipe[jobqueue]'."
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
