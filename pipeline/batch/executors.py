"""Executors do the jobs of a batch: in this process or in child processes."""

import contextlib
import errno
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.batch import kinds
from pipeline.batch.job import Job, JobOutcome, Progress
from pipeline.batch.supervisor import Supervisor
from pipeline.machine.refusal import refused_process

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobEvent:
    """An event of a running job: its progress or its outcome."""

    job: Job
    outcome: JobOutcome | None = None
    progress: tuple[int, int] | None = None
    """Number of finished blocks, and number of all blocks."""


class Executor(Protocol):
    """Does several jobs at the same time."""

    @property
    def slots(self) -> int:
        """Largest number of jobs that run at the same time; on a cluster, the number may change."""

    def submit(self, job: Job) -> None:
        """Start a job. The caller never starts more jobs than there are slots."""

    def event(self, timeout: float) -> JobEvent | None:
        """Wait up to ``timeout`` seconds for the next event; return None if no event comes."""

    def stop(self) -> None:
        """Stop all running jobs immediately; ``event`` then returns an outcome for each of them."""

    def close(self) -> None:
        """End all processes."""


class InlineExecutor:
    """Does jobs one after the other in this process, for debugging; a crash ends the batch."""

    slots = 1

    def __init__(self, stopping: threading.Event) -> None:
        """Make an executor; when ``stopping`` is set, a job ends after its present block."""
        self._waiting: list[Job] = []
        self._stopping = stopping
        self._is_over = False

    def submit(self, job: Job) -> None:
        """Keep a job for the next call of ``event``."""
        self._waiting.append(job)

    def event(self, timeout: float) -> JobEvent | None:  # noqa: ARG002 - it takes as long as it takes
        """Do the job until it is finished or the batch is stopped."""
        from pipeline.batch.child import do

        if not self._waiting:
            return None
        job = self._waiting.pop()
        with contextlib.suppress(_Interrupted):
            if not (self._stopping.is_set() or self._is_over):
                return JobEvent(job, do(job, self._reply))
        return JobEvent(job, JobOutcome(kinds.STOPPED))

    def _reply(self, _message: Mapping[str, Any]) -> None:
        if self._stopping.is_set():
            raise _Interrupted

    def stop(self) -> None:
        """Start no more jobs."""
        self._is_over = True

    def close(self) -> None:
        """Do nothing, because this executor started no processes."""


class _Interrupted(BaseException):
    """Stops a job. It is a BaseException, so ``except Exception`` does not catch it."""


class EventQueue:
    """Holds events that other threads add."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[JobEvent] = queue.SimpleQueue()

    def event(self, timeout: float) -> JobEvent | None:
        """Wait up to ``timeout`` seconds for the next event; return None if no event comes."""
        with contextlib.suppress(queue.Empty):
            return self._events.get(timeout=timeout)
        return None


class ProcessExecutor(EventQueue):
    """Does jobs in child processes; a supervisor in a thread watches each child process.

    Child processes start only with the first jobs; until then, ``slots`` may be lowered.
    """

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.slots = slots
        self._supervisors = [Supervisor() for _ in range(slots)]
        self._idle = list(self._supervisors)
        self._threads: list[threading.Thread] = []

    def estimate(self, job: Job, is_stopped: Callable[[], bool]) -> int | None:
        """Return how many bytes a scene takes; a child process estimates this number."""
        return self._idle[-1].estimate(job, is_stopped)

    def submit(self, job: Job) -> None:
        """Start a job."""
        supervisor = self._idle.pop()

        def work() -> None:
            outcome = _outcome_of(supervisor, job, self._progress_of(job))
            self._idle.append(supervisor)
            self._events.put(JobEvent(job, outcome))

        thread = threading.Thread(target=work, name="slot")
        self._threads = [each for each in self._threads if each.is_alive()]
        try:
            thread.start()
        except RuntimeError:  # Python's error for a thread that the system refuses
            self._idle.append(supervisor)
            refused = JobOutcome(kinds.MACHINE, str(refused_process(errno.EAGAIN)))
            self._events.put(JobEvent(job, refused))
        else:
            self._threads.append(thread)

    def _progress_of(self, job: Job) -> Progress:
        return lambda done, total: self._events.put(JobEvent(job, progress=(done, total)))

    def stop(self) -> None:
        """Kill the children."""
        for supervisor in self._supervisors:
            supervisor.stop()

    def close(self) -> None:
        """Kill the child processes and wait until the threads end."""
        self.stop()
        for thread in self._threads:
            thread.join()
        for supervisor in self._supervisors:
            supervisor.close()


def _outcome_of(supervisor: Supervisor, job: Job, progress: Progress) -> JobOutcome:
    """Return the outcome of a job; without one, the batch would wait for ever."""
    try:
        return supervisor.run(job, progress)
    except Exception as error:
        log.exception("%s: unexpected failure of the supervisor", job.path)
        return JobOutcome(kinds.DEFECT, f"{job.path}: unexpected {type(error).__name__}: {error}")
