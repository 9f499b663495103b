"""Runs a batch: fills the ledger, processes the pending scenes, and writes the records.

Several processes may run batches with one ledger. A process with a free slot reserves a scene.
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.batch import kinds, process_identity
from pipeline.batch.dask_executor import connect
from pipeline.batch.executors import Executor, InlineExecutor, ProcessExecutor
from pipeline.batch.holders import Watch, bury_the_dead, refuse_another_configuration
from pipeline.batch.job import Job
from pipeline.batch.ledger import (
    CallEnd,
    Ledger,
    LedgerEntry,
    SceneQueue,
    recorded_call,
    recorded_early_end,
)
from pipeline.batch.loop import BatchListener, BatchSummary, Loop, job_config
from pipeline.batch.mounts import check_mounted
from pipeline.batch.outcome_files import write_outcome_files
from pipeline.batch.outdated import KEEPS, changed_products, decided, tell_again, tell_kept
from pipeline.batch.recipe import Recipe
from pipeline.batch.request import BatchRequest
from pipeline.batch.settling import settled
from pipeline.batch.slots import Slots, choose_slots
from pipeline.batch.sources import FoundScene, SearchResult, search
from pipeline.config import RunConfig
from pipeline.config.naming import NameTemplate
from pipeline.errors import ConfigError, PipelineError, SceneError
from pipeline.machine.refusal import refused_by_machine
from pipeline.machine.resources import available_cores, default_limit
from pipeline.machine.words import counted
from pipeline.networks.engines import is_gpu_visible, resolve_engine
from pipeline.networks.reading.library import network_folders
from pipeline.product.delivery import (
    check_is_folder,
    check_writable,
    creation_time,
    make_folder,
)

log = logging.getLogger(__name__)

# With this much memory per core, no scene needs an estimate before the batch starts (bytes).
MEMORY_FOR_ALL = 2_000_000_000


def plan_batch(request: BatchRequest) -> list[LedgerEntry]:
    """Return all scenes that a call selects, even if a run would not process them again."""
    check_is_folder(request.output)
    check_mounted(request)
    path = request.ledger_path
    with (
        Ledger.open(path, request.output, may_repair=False)
        if path.exists()
        else Ledger.instead_of(path, request.output)
    ) as ledger:
        found = _found(request, request.inputs or request.config.batch.inputs)
        queue = _queue(request, _known(request, ledger, found).scenes)
        reprocess = request.config.batch.reprocess
        queue = replace(queue, keeps=KEEPS[reprocess])
        if request.deep:
            queue = _without_changed(queue, ledger, threading.Event())
        outdated = ledger.outdated(queue)
        kept = {why: count for why, count in outdated.items() if why in queue.keeps}
        tell_kept(kept, reprocess, is_busy=True)
        return ledger.dry_run(queue)


def run_batch(
    request: BatchRequest, listener: BatchListener, stop: threading.Event
) -> BatchSummary:
    """Process every pending scene.

    Args:
        request: the scenes and the configuration.
        listener: receives the progress.
        stop: setting this event ends the batch within seconds; running scenes become pending.

    Raises:
        ConfigError: the call or the configuration is wrong.
        NoSceneError: no input names a scene.
        LedgerError: the ledger cannot be used.
        OutputError: the output folder cannot be used.
        MachineError: the system allows no more open files, processes or threads, or has no space
            left.
    """
    begun = time.monotonic()
    batch, name = request.config.batch, request.config.name
    with recorded_early_end(request.ledger_path, request.output, name):
        check_is_folder(request.output)
        check_mounted(request)
        found = _found(request, request.inputs or batch.inputs)
        creation_time()  # refuses a wrong SOURCE_DATE_EPOCH before anything is written
        make_folder(request.output)
        check_writable(request.output, int(batch.min_free_space))
    with _opened(request) as (ledger, call):
        found = _known(request, ledger, found)
        parted = settled(found.scenes, batch.settle, stop)
        _tell_changing(parted.changing)
        queue = _queue(request, parted.ready)
        if request.deep:
            queue = _without_changed(queue, ledger, stop)
        refused = ledger.enqueue(decided(queue, request, ledger))
        for refusal in refused:
            facts = {"scene": refusal.path, "state": "failed", "kind": refusal.kind}
            log.error("%s", refusal.reason, extra=facts)
        counts = ledger.counts_of_chosen()
        again, kept = ledger.processed_again(), ledger.kept_outdated()
        tell_again(again)
        tell_kept(kept, request.config.batch.reprocess, is_busy=counts.pending > 0)
        bury_the_dead(ledger, Watch())
        summary = BatchSummary(
            failed=len(refused),
            missing=sum(refusal.kind == kinds.MISSING for refusal in refused),
            nothing=found.nothing,
            changed=len(parted.changing),
            processed_again=dict(again),
            kept_outdated=dict(kept),
        )
        if counts.pending or counts.running:
            with _executor(request, ledger, stop) as (executor, slots):
                loop = Loop(request, ledger, executor, slots, listener, stop)
                summary = loop.to_the_end(summary)
        summary.counts = ledger.counts_of_chosen()
        summary.seconds = time.monotonic() - begun
        write_outcome_files(request, ledger, summary)
        call.problem, call.interrupted = summary.problem, summary.interrupted
    return summary


def _tell_changing(changing: Sequence[str]) -> None:
    if changing:
        count = counted(len(changing), "file is", "files are")
        log.warning("%s still changing, such as %s; the next call looks again", count, changing[0])


@contextlib.contextmanager
def _opened(request: BatchRequest) -> Iterator[tuple[Ledger, CallEnd]]:
    """Yield the ledger and the record of this call."""
    name = request.config.name
    with Ledger.open(request.ledger_path, request.output) as ledger:
        refuse_another_configuration(ledger, name, Recipe.of(request.config))
        with recorded_call(ledger, name) as call:
            yield ledger, call


def _found(request: BatchRequest, inputs: Sequence[str]) -> SearchResult | None:
    """Return the scenes of these inputs, or None if there are no inputs."""
    if not inputs:
        return None
    config = request.config.name
    return search(inputs, request.output, config, request.shard, request.may_be_empty)


def _known(request: BatchRequest, ledger: Ledger, found: SearchResult | None) -> SearchResult:
    """Return the found scenes, or the scenes in the ledger if ``found`` is None."""
    found = found or _found(request, ledger.paths(request.config.name))
    if found is None:
        raise ConfigError(
            "no scenes are given. Give files, folders, patterns or @list, or set batch.inputs in "
            "the configuration."
        )
    return found


def _queue(request: BatchRequest, found: Sequence[FoundScene]) -> SceneQueue:
    """Return a queue of the found scenes."""
    config = request.config
    template, recipe = NameTemplate(config.execution.product), Recipe.of(config)
    of_scene = template.needs_scene
    return SceneQueue(
        run=config.name,
        recipe=str(recipe),
        found=found,
        product_of=lambda path: None if of_scene else _product_of(path, template, config.name),
        networks_now=functools.cache(lambda sensor: networks_now(config, sensor)),
        if_possible=frozenset(n.name for n in config.science.networks if n.if_possible),
        retry_failed=request.retry_failed,
        change_since=recipe.change_since,
    )


def _without_changed(queue: SceneQueue, ledger: Ledger, stop: threading.Event) -> SceneQueue:
    """Return a queue that also processes scenes whose products were changed or are damaged."""
    return replace(queue, damaged=changed_products(ledger, queue.run, stop))


def _product_of(path: str, template: NameTemplate, name: str) -> str | None:
    """Return the path of a product; None if no file can have it, so that the scene fails."""
    try:
        return template.fill(path, name)
    except SceneError:
        return None


def networks_now(config: RunConfig, sensor: str) -> dict[str, str | None]:
    """Return the fingerprint of each network that a run would now use for this sensor.

    The fingerprint of a network that cannot be loaded is None. It may be missing or damaged for a
    moment, for example while another program copies it, so no finished scene depends on it.
    """
    from pipeline.algorithms import find_retrieval

    folders = network_folders(config.execution.network_dirs)
    found: dict[str, str | None] = {}
    for choice in config.science.networks:
        try:
            _, retrieval = find_retrieval(choice.file, sensor, folders, choice.to_nm)
            found[choice.name] = retrieval.fingerprint
        except PipelineError as error:
            refused = refused_by_machine(error)
            if refused is not None:
                raise refused from error
            found[choice.name] = None
            if not choice.if_possible:
                text = "network %s: %s Finished scenes that were made with it stay as they are."
                log.error(text, choice.name, error)  # noqa: TRY400 - a mistake of the user
    return found


@contextlib.contextmanager
def _executor(
    request: BatchRequest, ledger: Ledger, stop: threading.Event
) -> Iterator[tuple[Executor, Slots]]:
    """Yield the executor of the batch, and the resources for each scene."""
    batch, execution = request.config.batch, request.config.execution
    memory = execution.memory_limit or default_limit()
    # Other runners on this ledger already use some of the cores.
    holders = ledger.holders(running=True)
    others = [h for h in holders if process_identity.is_dead(h.process) is False]
    cores = max(available_cores() - sum(h.slots * h.threads for h in others), 1)
    engine = resolve_engine(request.config.science.engine)
    workers = batch.workers
    if engine == "tensorflow" and is_gpu_visible():
        workers = workers or 1  # only one process uses a GPU
    executor: Executor
    if batch.executor == "inline":
        slots = choose_slots(cores, memory, engine, None, 1, execution.threads)
        executor = InlineExecutor(stop)
    elif batch.executor == "dask":
        slots = choose_slots(cores, memory, engine, None, workers, execution.threads or 1)
        executor = connect(batch, slots)
    else:
        processes = executor = ProcessExecutor(workers or cores)
        wanted = None
        if workers is None and memory // cores < MEMORY_FOR_ALL:
            with _closed_on_failure(executor):
                wanted = _wanted(request, ledger, processes, stop)
        slots = choose_slots(cores, memory, engine, wanted, workers, execution.threads)
        processes.slots = slots.count
    try:
        yield executor, slots
    finally:
        executor.close()


@contextlib.contextmanager
def _closed_on_failure(executor: Executor) -> Iterator[None]:
    try:
        yield
    except BaseException:
        executor.close()
        raise


def _wanted(
    request: BatchRequest, ledger: Ledger, processes: ProcessExecutor, stop: threading.Event
) -> int | None:
    """Return the bytes of memory that a scene takes on one thread; None if unknown.

    The memory of the program itself is not included.
    """
    pending = [entry.path for entry in ledger.chosen() if entry.state == "pending"]
    data = job_config(request.config, 1)
    for path in pending[:3]:
        found = processes.estimate(Job(path, data, "estimate", 0), stop.is_set)
        if found is not None:
            return found
    return None
