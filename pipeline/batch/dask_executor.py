"""The executor that does the jobs of a batch on a Dask cluster."""

import contextlib
import functools
import logging
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from pipeline import stopping
from pipeline.batch import kinds
from pipeline.batch.bounded import UnansweredError, bounded, in_background
from pipeline.batch.dask_census import ANSWER, Census
from pipeline.batch.executors import EventQueue, JobEvent
from pipeline.batch.job import Job, JobOutcome, why_of_another_version
from pipeline.batch.slots import LEAST_SCENE, Slots
from pipeline.batch.supervisor import START, Supervisor
from pipeline.config.batch import Batch, DaskCluster
from pipeline.errors import ConfigError
from pipeline.files.names import as_text

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)


# Longest wait for a result, and for a connection (seconds).
RESULT, CONNECTION = 60.0, 30.0
# The topic under which workers say which job they begin.
BEGUN = "ocpipe-begun"
# How distributed names the processes of a local cluster's workers.
WORKER_NAME = "Dask Worker"


@dataclass
class _Running:
    """A job on the cluster, and the time (monotonic clock) at which the batch abandons the job.

    The cluster may keep a job in its queue for hours, until another worker connects.
    """

    job: Job
    key: str
    deadline: float = math.inf
    future: Any = None

    def begin(self, grace: float) -> None:
        """Set the deadline, if this is the first sign that a worker does the job."""
        if self.deadline == math.inf:
            self.deadline = time.monotonic() + self.job.timeout_s + grace


class DaskExecutor(EventQueue):
    """Does one job on each thread of a Dask cluster's workers; a supervisor watches each job.

    A scheduler or a worker that hangs keeps its connections, so Dask waits for it. Therefore every
    call to the cluster has a time limit, and each job that a worker should be doing has a deadline
    in this process, too.
    """

    # A worker may need this long beyond the time limit of a scene, to start its child (seconds).
    GRACE = START + 15.0
    # If the scheduler does not answer for this time, the batch ends (seconds).
    SILENCE = 60.0

    def __init__(
        self,
        client: "Client",
        end: Callable[[], object],
        children: Callable[[], Sequence[BaseProcess]] = tuple,
    ) -> None:
        """Make an executor.

        Args:
            client: the connection to the cluster.
            end: ends the cluster, if this process started it.
            children: returns the processes that this process started for the cluster.
        """
        super().__init__()
        self._client = client
        self._end = end
        self._children = children
        self._running: dict[str, _Running] = {}
        self._given_up: set[str] = set()
        """Keys of overdue jobs, which a frozen worker may still have."""
        with contextlib.suppress(Exception):
            bounded(lambda: client.subscribe_topic(BEGUN, self._note_begun), ANSWER)
        self._census = Census(client, self._expect)
        self._census.start()

    @property
    def slots(self) -> int:
        """Total number of threads of the workers that the cluster had when it last answered."""
        return self._census.size

    @property
    def problem(self) -> str:
        """Why the cluster cannot be used; empty if it can."""
        if self._census.all_refused:
            return self._census.all_refused
        if self._census.silence < self.SILENCE:
            return ""
        return (
            f"the Dask scheduler has not answered for {self._census.silence:.0f} s. See its log, "
            "start it again if it hangs, and call again to continue"
        )

    @property
    def all_refused(self) -> str:
        """Why no worker of the cluster may get scenes; empty if some may."""
        return self._census.all_refused

    def submit(self, job: Job) -> None:
        """Start a job."""
        key = f"{as_text(os.path.basename(job.path))}-{job.lease}"
        running = self._running[job.lease] = _Running(job, key)
        census = self._census
        chosen = {"workers": census.accepted} if census.refused else {}
        try:
            running.future = bounded(
                lambda: self._client.submit(supervised, asdict(job), key=key, pure=False, **chosen),
                ANSWER,
            )
        except Exception as error:  # noqa: BLE001 - Dask has no common class
            self._events.put(JobEvent(job, _lost(job, error)))
            return
        running.future.add_done_callback(lambda done: in_background(lambda: self._take(done, job)))

    def event(self, timeout: float) -> JobEvent | None:
        """Wait up to ``timeout`` seconds for the next event; return None if no event comes."""
        event = super().event(timeout)
        if event is None:
            return self._overdue()
        # A job that was given up may still end.
        return event if self._running.pop(event.job.lease, None) is not None else None

    def stop(self) -> None:
        """Kill the child processes of all running jobs on the workers, then cancel these jobs."""
        running = list(self._running.values())
        try:
            bounded(lambda: self._end_jobs(running), ANSWER)
        except UnansweredError:
            for each in running:
                self._events.put(JobEvent(each.job, JobOutcome(kinds.STOPPED)))
        except Exception:  # noqa: BLE001 - a cluster that is gone has no children left
            log.debug("the cluster is gone")

    def close(self) -> None:
        """Disconnect from the cluster; if this process started the cluster, end it."""
        self._census.end()
        children = self._children()
        steps: tuple[tuple[Callable[[], object], float], ...] = (
            (lambda: self._client.run(close_idle), ANSWER),
            (self._client.close, ANSWER),
            (self._end, CONNECTION),
        )
        for step, seconds in steps:  # the next step follows also after a failure
            try:
                bounded(step, seconds)
            except Exception:  # noqa: BLE001 - a cluster that is gone, or hangs
                # Dask's remaining threads would log errors about killed workers, and wait for them.
                logging.getLogger("distributed").setLevel(logging.CRITICAL)
                stopping.abruptly()
        for child in children:  # a frozen process ends in no other way
            child.kill()

    def _take(self, future: Any, job: Job) -> None:
        self._events.put(JobEvent(job, _outcome_of(future, job)))

    def _end_jobs(self, running: list[_Running]) -> None:
        leases = [each.job.lease for each in running]
        futures = [each.future for each in running if each.future is not None]
        try:
            self._client.run(stop_supervised, leases)
        finally:
            self._client.cancel(futures, force=True)

    def _note_begun(self, event: tuple[float, Any]) -> None:
        """Note that a worker has reported the start of a job; Dask calls this method."""
        running = self._running.get(str(event[1]))
        if running is not None:
            running.begin(self.GRACE)

    def _expect(self, keys: Collection[Any], threads: int) -> None:
        """Note that a worker should be doing its jobs now, even if it sends no report.

        If a worker has more jobs than threads, some of its jobs must wait, so nothing is noted.
        """
        if len([key for key in keys if key not in self._given_up]) > threads:
            return
        for running in list(self._running.values()):
            if running.key in keys:
                running.begin(self.GRACE)

    def _overdue(self) -> JobEvent | None:
        """Abandon a job if its worker has not reported the end of the job in time."""
        now = time.monotonic()
        for running in list(self._running.values()):
            if now > running.deadline:
                job = self._running.pop(running.job.lease).job
                self._given_up.add(running.key)
                in_background(functools.partial(self._end_jobs, [running]))
                return JobEvent(
                    job,
                    JobOutcome(
                        kinds.LOST,
                        f"{as_text(os.path.basename(job.path))}: no Dask worker has said how it "
                        f"ended, {job.timeout_s + self.GRACE:.0f} s after a worker took it. The "
                        "worker or the scheduler hangs. See their logs.",
                    ),
                )
        return None


def _outcome_of(future: Any, job: Job) -> JobOutcome:
    """Return the outcome of a job that has ended; if its result is lost, the job has failed."""
    try:
        if future.status == "finished":
            return JobOutcome.of(future.result(timeout=RESULT))
        if future.status == "cancelled":
            return JobOutcome(kinds.STOPPED)
        error = future.exception(timeout=RESULT)
    except Exception as failure:  # noqa: BLE001 - Dask has no common class
        error = failure
    return _lost(job, error)


def _lost(job: Job, error: BaseException) -> JobOutcome:
    return JobOutcome(
        kinds.LOST,
        f"{as_text(os.path.basename(job.path))}: the Dask workers that had this scene were lost "
        f"({type(error).__name__}: {error}). See their logs.",
    )


_idle: list[Supervisor] = []
_working: dict[str, Supervisor] = {}
_lock = threading.Lock()


def supervised(data: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job in a child process of a Dask worker; the next job uses the same child process."""
    from distributed import get_worker

    other = why_of_another_version(data)
    if other:
        return JobOutcome(kinds.STOPPED, other).data()  # the census refuses this worker
    job = Job(**data)
    get_worker().log_event(BEGUN, job.lease)
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
    # Each waits in its own thread, because a process that hangs takes long to end.
    closing = [threading.Thread(target=supervisor.close) for supervisor in ending]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join()


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

    logging.getLogger("distributed").setLevel(logging.WARNING)  # it would log every connection
    address = batch.scheduler
    if address:
        try:
            client = bounded(lambda: Client(address, timeout=10, name="ocpipe"), CONNECTION)
            executor = DaskExecutor(client, lambda: None)
        except (OSError, ValueError, UnansweredError) as error:
            raise ConfigError(
                f"no Dask scheduler answers at {batch.scheduler} ({error}). Start a scheduler, "
                "or correct --scheduler."
            ) from error
        if executor.all_refused:
            executor.close()
            raise ConfigError(f"{executor.all_refused}.")
        return executor
    if batch.cluster:
        jobs = _job_cluster(batch.cluster)
        return DaskExecutor(Client(jobs), jobs.close)
    others = {child.pid for child in multiprocessing.active_children()}

    def children() -> list[BaseProcess]:
        return [
            child
            for child in multiprocessing.active_children()
            if child.pid not in others and child.name.startswith(WORKER_NAME)
        ]

    cluster = LocalCluster(
        n_workers=slots.count,
        threads_per_worker=1,
        memory_limit=slots.program_bytes + slots.memory_limit,
        processes=True,
        dashboard_address=":0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.WARNING,
    )
    return DaskExecutor(Client(cluster), cluster.close, children)


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
