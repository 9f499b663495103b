"""The main loop of a batch, which reserves scenes, submits them and records their outcomes."""

import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pipeline.batch import kinds, records
from pipeline.batch.dask_executor import DaskExecutor
from pipeline.batch.executors import Executor, JobEvent
from pipeline.batch.holders import (
    CLEARING,
    CLEARING_IN_HASTE,
    Heart,
    Watch,
    bury_the_dead,
    clear_partials,
)
from pipeline.batch.job import Job, JobOutcome
from pipeline.batch.ledger import Lease, Ledger, Reading, SceneCounts
from pipeline.batch.ledger.database import stamp
from pipeline.batch.quality_control import suspicions
from pipeline.batch.request import BatchRequest
from pipeline.batch.slots import Slots
from pipeline.config import RunConfig
from pipeline.errors import ConfigError, LedgerError, MachineError, OutputError
from pipeline.files.identity import SourceStamp, stamp_of
from pipeline.machine.refusal import refusal
from pipeline.machine.words import counted
from pipeline.networks.reading.library import network_folders
from pipeline.product.delivery import creation_time

log = logging.getLogger(__name__)

# Longest wait for an event, and time between two checks of other processes (seconds).
LOOK = 0.2
LOOK_AROUND = 2.0
# Outcomes whose cause cannot be a change of the scene's file.
_NOT_OF_THE_FILE = (
    kinds.STOPPED, kinds.OUTPUT, kinds.MACHINE, kinds.CHANGED, kinds.SKIPPED, kinds.UNFINISHED,
)  # fmt: skip
# Time for running jobs to end after the batch has abandoned them (seconds).
GIVE_UP = 8.0


class BatchListener(Protocol):
    """Receives the progress of a batch; all its methods are called from the same thread."""

    def begun(self, slots: str, counts: SceneCounts) -> None:
        """The batch begins to process the pending scenes."""

    def scene_begun(self, path: str, attempt: int) -> None:
        """A scene starts."""

    def progress(self, path: str, done: int, total: int) -> None:
        """A scene has ``total`` blocks; ``done`` is the number of finished blocks."""

    def scene_ended(self, path: str, state: str, outcome: JobOutcome, suspect: str | None) -> None:
        """The scene is now done, failed or skipped, or is pending again."""

    def waiting(self, why: str) -> None:
        """The batch now waits for other processes."""


@dataclass
class BatchSummary:
    """The result of one call of ``ocpipe batch``."""

    counts: SceneCounts = field(default_factory=SceneCounts)
    """Number of requested scenes in each state at the end."""
    done: int = 0
    """Number of scenes processed in this call."""
    failed: int = 0
    skipped: int = 0
    changed: int = 0
    """Number of scenes that wait for the next call, because their files were changing."""
    missing: int = 0
    """Number of scenes among the failed ones that do not exist."""
    nothing: list[str] = field(default_factory=list)
    """A sentence for each folder, pattern or list that names no scene."""
    processed_again: dict[str, int] = field(default_factory=dict)
    """Number of finished scenes that this call processes again, by the reason."""
    kept_outdated: dict[str, int] = field(default_factory=dict)
    """Number of outdated scenes whose products stay as they are, by the reason."""
    interrupted: bool = False
    problem: str = ""
    """Reason why the call ended early; empty if the call was completed or ended by a signal."""
    is_refused: bool = False
    """Whether ``problem`` says what the machine refused."""
    is_lost: bool = False
    """Whether ``problem`` says that the Dask cluster does not answer."""
    seconds: float = 0.0
    suspects: list[str] = field(default_factory=list)

    def lose(self, problem: str) -> None:
        """Note that the Dask cluster does not answer; an earlier reason stays."""
        if not self.problem:
            self.problem, self.is_lost = problem, True

    def end_early(self, error: OutputError) -> None:
        """Note why the call ends; an earlier reason stays."""
        refused = refusal(error)
        if refused is not None:
            self.refuse(str(refused))
        self.problem = self.problem or str(error)

    def refuse(self, problem: str) -> None:
        """Note what the machine refused; an earlier reason stays."""
        if not self.problem:
            self.problem, self.is_refused = problem, True

    @property
    def did_something(self) -> bool:
        """Whether the call did anything that the records must mention."""
        happened = self.done or self.failed or self.skipped or self.changed or self.nothing
        return bool(happened or self.problem or self.interrupted)


class Loop:
    """Processes the scenes of one call, from the first reserved scene to the last outcome."""

    def __init__(
        self,
        request: BatchRequest,
        ledger: Ledger,
        executor: Executor,
        slots: Slots,
        listener: BatchListener,
        stop: threading.Event,
    ) -> None:
        self._request, self._ledger, self._executor = request, ledger, executor
        self._listener, self._stop, self._slots = listener, stop, slots
        self._summary = BatchSummary()
        self._config = job_config(request.config, slots.threads)
        self._is_dask = isinstance(executor, DaskExecutor)
        self._leases: dict[str, Lease] = {}
        self._stamps: dict[int, SourceStamp | None] = {}
        """The state of each running scene's file when its job was submitted."""
        self._claimed = 0
        self._may_leave_files = False
        self._watch = Watch()
        self._last_look = time.monotonic()

    def to_the_end(self, summary: BatchSummary) -> BatchSummary:
        """Work until no scene is left or the batch is stopped; add the results to the summary."""
        self._summary, refused = summary, summary.failed
        output, slots = self._request.output, max(self._executor.slots, 1)
        self._holder = self._ledger.enter(output.absolute(), slots, self._slots.threads)
        heart = self._heart = Heart(self._request.ledger_path, self._holder)
        state = "interrupted"
        try:
            heart.begin()
            counts = self._ledger.counts_of_chosen()
            before = replace(counts, failed=counts.failed - refused)
            self._listener.begun(self._description(), before)
            self._work()
            state = "interrupted" if self._stop.is_set() else "ended"
        finally:
            heart.end()
            self._give_up()
            # Temporary files may be left: by a lost worker, by a killed process, or by a process
            # that could not remove them.
            if self._is_dask or self._may_leave_files:
                clear_partials(output, self._holder.token, seconds=self._clearing)
            if output.is_dir():  # else the next call removes the temporary files
                self._leave(state)
        return self._summary

    @property
    def _clearing(self) -> float:
        """Seconds to search for temporary files; after a signal, the process must end soon."""
        return CLEARING_IN_HASTE if self._stop.is_set() else CLEARING

    def _leave(self, state: str) -> None:
        """Leave the ledger, if necessary at the second attempt: no scene may stay "running"."""
        try:
            self._ledger.leave(self._holder, state, self._heart.elapsed)
        except (LedgerError, MachineError):
            self._ledger.leave(self._holder, state, self._heart.elapsed)

    def _description(self) -> str:
        if self._is_dask:
            return f"Dask, {self._slots.in_words(self._executor.slots)} each"
        return str(self._slots)

    def _work(self) -> None:
        while not self._stop.is_set() and not self._summary.problem:
            self._claim()
            if not self._leases and not self._is_worth_waiting():
                break
            event = self._executor.event(LOOK)
            if event is not None:
                self._handle(event)
            self._look_around()
        self._summary.interrupted = self._stop.is_set()
        self._summary.changed += self._ledger.left_changed()

    def _claim(self) -> None:
        """Reserve a scene for each free slot."""
        limit = self._request.limit
        while len(self._leases) < self._executor.slots and not self._stop.is_set():
            if limit is not None and self._claimed >= limit:
                return
            lease = self._ledger.claim(self._holder)
            if lease is None:
                return
            self._claimed += 1
            job = self._job(lease)
            self._leases[job.lease] = lease
            self._stamps[lease.scene] = stamp_of(lease.path)
            self._listener.scene_begun(lease.path, lease.attempt)
            self._executor.submit(job)

    def _job(self, lease: Lease) -> Job:
        return Job(
            path=lease.path,
            config=self._config,
            lease=f"{self._holder.token}_{lease.scene}_{lease.attempt}",
            # The date is chosen here, because workers may have another SOURCE_DATE_EPOCH.
            first_seen=int(creation_time(lease.first_seen).timestamp()),
            owned=lease.owned,
            known_sha256=lease.known_sha256,
            memory_limit=None if self._is_dask else self._slots.memory_limit,
            program_bytes=self._slots.program_bytes,
            timeout_s=self._request.config.batch.timeout_s,
        )

    def _is_worth_waiting(self) -> bool:
        """Return whether the batch must wait for other processes, or for workers of the cluster."""
        if self._request.limit is not None and self._claimed >= self._request.limit:
            return False
        elsewhere = self._ledger.held_by_others(self._holder)
        if elsewhere:  # these scenes become pending if the process dies
            self._listener.waiting(f"another process works on {counted(elsewhere, 'scene')}")
            return True
        without_workers = self._executor.slots == 0 and self._ledger.counts_of_chosen().pending > 0
        if without_workers:
            self._listener.waiting("the cluster has no workers yet")
        return without_workers

    def _look_around(self) -> None:
        if time.monotonic() - self._last_look < LOOK_AROUND:
            return
        self._last_look = time.monotonic()
        if isinstance(self._executor, DaskExecutor) and self._executor.problem:
            self._summary.lose(self._executor.problem)
        if self._heart.problem is not None:
            raise self._heart.problem
        self._ledger.check_presence()
        bury_the_dead(self._ledger, self._watch, self._holder)

    def _handle(self, event: JobEvent) -> None:
        lease = self._leases[event.job.lease]
        if event.progress is not None:
            self._listener.progress(lease.path, *event.progress)
            return
        del self._leases[event.job.lease]
        if event.outcome is not None:
            self._settle(lease, event.outcome)

    def _reading(self, lease: Lease) -> Reading:
        """Compare the scene's file with its state when the job was submitted.

        This process reads both states, because another machine may see other sizes and times.
        """
        then, now = self._stamps.pop(lease.scene), stamp_of(lease.path)
        if then is None:
            return Reading(None, None, now is not None)
        return Reading(then.size, then.mtime_ns, then != now)

    def _settle(self, lease: Lease, outcome: JobOutcome) -> None:
        self._may_leave_files |= outcome.kind not in kinds.SUCCESS
        read = self._reading(lease)
        if read.has_changed:
            outcome = _blamed_on_change(outcome, lease)
        elif outcome.kind == kinds.SCENE and stamp_of(lease.path) is None:
            # The disk was perhaps unmounted after the search, so the next call tries it again.
            outcome = replace(outcome, kind=kinds.MISSING)
        if outcome.kind == kinds.STOPPED or self._is_about_all(outcome):
            self._ledger.release(self._holder, lease)
            return
        if outcome.kind == kinds.DONE and self._ledger.take_back(lease, outcome.product or ""):
            outcome = JobOutcome(
                kinds.NAME,
                f"{lease.path} and another scene have the same product, {outcome.product}. "
                "Choose a product name that differs between the two scenes (execution.product).",
            )
        suspect = None
        if outcome.kind == kinds.DONE:
            suspect = "; ".join(suspicions(outcome.record, self._request.config.qc)) or None
            if not read.has_changed and not self._is_recorded(outcome, suspect):
                # The next call makes the same product again, with its quality line.
                self._ledger.release(self._holder, lease)
                return
        attempts = self._request.config.batch.max_attempts
        state = self._ledger.settle(self._holder, lease, outcome, attempts, suspect, read)
        if state is None:
            log.warning("%s: another process took over this scene", lease.path)
            return
        self._count(state, outcome)
        self._listener.scene_ended(lease.path, state, outcome, suspect)

    def _is_about_all(self, outcome: JobOutcome) -> bool:
        """Return whether this failure would occur for every scene; if so, the batch must end."""
        if outcome.kind == kinds.CONFIGURATION and self._summary.done == 0:
            raise ConfigError(outcome.reason.removeprefix("ConfigError: "))
        if outcome.kind == kinds.OUTPUT:
            text = outcome.reason.removeprefix("OutputError: ")
            self._summary.problem = self._summary.problem or text
        if outcome.kind == kinds.MACHINE:
            self._summary.refuse(outcome.reason)
        return outcome.kind in (kinds.OUTPUT, kinds.MACHINE)

    def _is_recorded(self, outcome: JobOutcome, suspect: str | None) -> bool:
        """Append the quality line of a scene; return False if the batch must end without it."""
        head = {"time": stamp(), "configuration": self._request.config.name}
        try:
            path = self._request.record("quality.jsonl")
            most = int(self._request.config.batch.record_max_size)
            line = {**head, **outcome.record, "suspect": suspect}
            records.append_line(path, line, most)
        except OutputError as error:
            self._summary.end_early(error)
            return False
        return True

    def _count(self, state: str, outcome: JobOutcome) -> None:
        if state == "pending":  # its file changed, or it gets another attempt
            return
        if state == "failed":
            self._summary.failed += 1
        elif state == "skipped" or outcome.kind == kinds.UNCHANGED:
            self._summary.skipped += 1
        elif outcome.kind in kinds.SUCCESS:
            self._summary.done += 1

    def _give_up(self) -> None:
        """Stop all running jobs; set their scenes to pending and do not count these attempts."""
        if not self._leases:
            return
        self._may_leave_files = True
        self._executor.stop()
        deadline = time.monotonic() + GIVE_UP
        while self._leases and time.monotonic() < deadline:
            event = self._executor.event(LOOK)
            if event is not None and event.outcome is not None:
                lease = self._leases.pop(event.job.lease)
                with contextlib.suppress(LedgerError, MachineError):
                    # A scene may have finished before it could be stopped.
                    if event.outcome.kind == kinds.DONE:
                        self._settle(lease, event.outcome)
                    else:
                        self._ledger.release(self._holder, lease)


def _blamed_on_change(outcome: JobOutcome, lease: Lease) -> JobOutcome:
    """Return the outcome of a scene whose file was replaced or changed during the job.

    A file that is written while it is read looks damaged, or crashes a library.
    """
    if outcome.kind in _NOT_OF_THE_FILE:
        return outcome
    text = "The file was replaced or changed while it was read."
    if outcome.kind in kinds.SUCCESS:
        name = os.path.basename(lease.path)
        reason = f"{name}: the product was made from the earlier content of the file. {text}"
        return replace(outcome, reason=reason)
    return replace(outcome, kind=kinds.CHANGED, reason=f"{outcome.reason} {text}")


def job_config(config: RunConfig, threads: int) -> dict[str, Any]:
    """Return the configuration for workers, with absolute paths of folders."""
    execution = config.execution
    folders = network_folders(execution.network_dirs)
    settled = config.executing(
        output=execution.output.absolute(),
        network_dirs=[folder.absolute() for folder in folders],
        threads=threads,
    )
    data = settled.model_dump(mode="json")
    for network in data["science"]["networks"]:
        folder = os.path.dirname(network["file"])
        if folder and os.path.isdir(folder):
            network["file"] = os.path.abspath(network["file"])
    return data
