"""The program of a child process, which processes the scenes that its supervisor requests.

    python -m pipeline.batch.child REQUESTS REPLIES LIFELINE

The arguments are file descriptors. Each request and each reply is one line of JSON. The supervisor
has the other end of the lifeline and never writes to it. When the supervisor dies for any reason,
the kernel kills this process, even if this process hangs inside a library.
"""

import contextlib
import faulthandler
import fcntl
import gc
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import errors
from pipeline.batch import kinds
from pipeline.batch.job import MORE_MEMORY, Job, JobOutcome, Progress, why_of_another_version
from pipeline.files.longest import cut_message

if TYPE_CHECKING:
    from pipeline.config import RunConfig
    from pipeline.config.naming import NameTemplate
    from pipeline.product.delivery import Delivery

Reply = Callable[[Mapping[str, Any]], None]

# Ctrl-C in a terminal and SIGTERM of a scheduler reach all processes; only the supervisor reacts.
HANDED_TO_ALL = (signal.SIGINT, signal.SIGTERM)

# Exit code of a child if the machine refuses a resource while no scene is processed (EX_OSERR).
REFUSED = 71

# Shortest time between two reports of progress (seconds).
PROGRESS_EVERY = 0.2

# Memory for the stack of a thread, as Linux usually sets it (bytes).
STACK = 8 * 2**20
# Largest number of messages per scene that are passed to the supervisor.
MOST_MESSAGES = 1000

_KINDS: dict[type[errors.PipelineError], str] = {
    errors.ConfigError: kinds.CONFIGURATION,
    errors.NetworkError: kinds.NETWORK,
    errors.OutputError: kinds.OUTPUT,
    errors.WriteError: kinds.WRITE,
    errors.ProductExistsError: kinds.SKIPPED,
    errors.UnavailableError: kinds.UNAVAILABLE,
    errors.ChangedError: kinds.CHANGED,
}


def main(requests: int, replies: int, lifeline: int) -> None:
    """Answer the supervisor's requests until it closes the pipe."""
    _die_with(lifeline)
    faulthandler.enable()
    for number in HANDED_TO_ALL:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDED_TO_ALL)
    with os.fdopen(requests) as lines, os.fdopen(replies, "w") as out:

        def reply(message: Mapping[str, Any]) -> None:
            out.write(json.dumps(message) + "\n")
            out.flush()

        _warm_up()
        reply({"ready": True})
        for line in lines:
            request = json.loads(line)
            other = why_of_another_version(request["job"])
            if other:
                reply({"outcome": JobOutcome(kinds.MACHINE, other).data(), "estimate": None})
                continue
            job = Job(**request["job"])
            if request["do"] == "estimate":
                reply({"estimate": _estimate(job)})
            else:
                with _limited(request["memory_cap"]):
                    outcome = do(job, reply)
                reply({"outcome": outcome.data()})


def _die_with(lifeline: int) -> None:
    set_signal = 10  # F_SETSIG of <fcntl.h>
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, set_signal, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        if os.read(lifeline, 1) == b"":  # the supervisor died before the signal was set up
            os.kill(os.getpid(), signal.SIGKILL)


def _warm_up() -> None:
    gc.disable()
    import pipeline.process  # noqa: F401 - imported here so that later imports cost nothing
    from pipeline.machine.resources import keep_freed_memory

    keep_freed_memory()
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def _limited(memory_cap: int) -> Iterator[None]:
    """Limit the memory of this process to what it uses now plus ``memory_cap`` bytes."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _status("VmData") + memory_cap
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _estimate(job: Job) -> int | None:
    """Return the bytes of memory that a scene takes on one thread; None if unknown.

    The memory of the program itself is not included.
    """
    from pipeline.config import load_config
    from pipeline.process import plan_scene

    config = load_config(job.config).executing(threads=1, memory_limit=1 << 50)
    try:
        with _messages():  # shown later, when the scene is processed
            return plan_scene(Path(job.path), config).work.peak_bytes
    except Exception:  # noqa: BLE001 - the error is reported when the scene is processed
        return None


def do(job: Job, reply: Reply) -> JobOutcome:
    """Process a scene and return the outcome, also after an exception."""
    begun = time.perf_counter()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # starts a new peak for this scene
    with _messages() as messages:
        outcome = _attempt(job, reply)
    seconds = time.perf_counter() - begun
    record = {**outcome.record, "peak_memory_bytes": _status("VmHWM")} if outcome.record else {}
    return replace(
        outcome,
        reason=cut_message(outcome.reason),
        seconds=seconds,
        messages=tuple(messages),
        record=record,
    )


def _attempt(job: Job, reply: Reply) -> JobOutcome:
    from pipeline.machine.refusal import forget_last_number

    name = Path(job.path).name
    forget_last_number()
    try:
        return _done(job, reply)
    except Exception as error:  # noqa: BLE001 - each kind has its outcome
        lack = _lack_of_memory(error)
        if lack is not None:
            detail = f" ({lack})" if str(lack) else ""
            return JobOutcome(kinds.MEMORY, f"{name}: not enough memory{detail}. {MORE_MEMORY}")
        return _refused(job, error) or _failed(job, error)


def _lack_of_memory(error: BaseException | None) -> MemoryError | None:
    """Return the MemoryError that caused an error; None if memory was not the cause."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__
    return error


def _refused(job: Job, error: Exception) -> JobOutcome | None:
    """Return the outcome if the machine or a disk caused the error; otherwise None."""
    from pipeline.files.access import why_unreadable
    from pipeline.machine.refusal import broken_disk, hidden_refusal, last_number, refusal

    hidden, name = hidden_refusal(last_number()), Path(job.path).name
    if _is_full() and isinstance(error, RuntimeError) and "start new thread" in str(error):
        return JobOutcome(kinds.MEMORY, f"{name}: not enough memory ({error}). {MORE_MEMORY}")
    refused = refusal(error)
    if refused is None and isinstance(error, errors.NetworkError | errors.ConfigError):
        refused = broken_disk(error) or hidden
    if refused is not None:
        return JobOutcome(kinds.MACHINE, str(refused))
    if not isinstance(error, OSError):
        return None
    elsewhere = error.filename is not None and not str(error.filename).startswith(job.path)
    failed = broken_disk(error)
    if elsewhere and failed is not None:
        return JobOutcome(kinds.MACHINE, str(failed))
    reason = why_unreadable(error)
    if reason is None:
        return None
    return JobOutcome(kinds.UNAVAILABLE, f"{name}: cannot be read now: {reason}.")


def _is_full() -> bool:
    """Return whether the limit of memory leaves no room for the stack of one more thread."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return limit != resource.RLIM_INFINITY and _status("VmData") + STACK > limit


def _failed(job: Job, error: Exception) -> JobOutcome:
    """Return the outcome for an error of the scene, of its network, or of this program."""
    if isinstance(error, errors.PipelineError):
        if _may_be_incomplete(job, error):
            text = f"{error} The file changed a short time ago, so it may still be copied."
            return JobOutcome(kinds.UNFINISHED, text)
        kind = _KINDS.get(
            type(error), kinds.SCENE if isinstance(error, errors.SceneError) else kinds.DEFECT
        )
        return JobOutcome(kind, f"{type(error).__name__}: {error}")
    log = logging.getLogger("pipeline")
    log.error("%s: unexpected failure", job.path, exc_info=error)
    name = Path(job.path).name
    text = f"{name}: unexpected {type(error).__name__}: {error}. Please report it."
    return JobOutcome(kinds.DEFECT, text)


def _may_be_incomplete(job: Job, error: errors.PipelineError) -> bool:
    """Return whether a scene may have failed because its file is still being copied."""
    from pipeline.batch.settling import may_be_incomplete
    from pipeline.config import load_config

    source = Path(job.path)
    # A folder lacks some of its files while it is copied.
    looks_damaged = isinstance(error, errors.DamagedError) or (
        type(error) is errors.SceneError and source.is_dir()
    )
    return looks_damaged and may_be_incomplete(source, load_config(job.config).batch.settle)


def _done(job: Job, reply: Reply) -> JobOutcome:
    from pipeline.config import load_config
    from pipeline.process import deliver_scene

    source, config = Path(job.path), load_config(job.config)
    is_made = job.known_sha256 and job.owned and Path(job.owned).exists()
    if is_made and _sha256_now(source) == job.known_sha256:
        return JobOutcome(kinds.UNCHANGED, product=job.owned, sha256=job.known_sha256)
    config = config.executing(memory_limit=job.memory_limit)
    report = deliver_scene(source, config, _delivery(job, config, reply), _progress(reply))
    return JobOutcome(
        kinds.DONE,
        product=str(report.product),
        sha256=report.scene_sha256,
        sensor=report.plan.sensor,
        networks=report.networks,
        record={"path": job.path, **report.record()},
    )


def _sha256_now(source: Path) -> str | None:
    """Return the hash of a scene, or None if the scene changed while it was hashed."""
    from pipeline.files.identity import holding

    with contextlib.suppress(OSError, errors.ChangedError), holding(source) as held:
        digest = held.sha256()
        held.check()
        return digest
    return None


def _delivery(job: Job, config: "RunConfig", reply: Reply) -> "Delivery":
    from pipeline.config.naming import NameTemplate
    from pipeline.product.delivery import Delivery

    template = NameTemplate(config.execution.product)
    return Delivery.of(
        config,
        makes_folder=False,
        if_exists=config.batch.if_exists,
        owned=Path(job.owned) if job.owned else None,
        spare=int(config.batch.min_free_space),
        lease=job.lease,
        first_seen=job.first_seen,
        announce=lambda target: _announced(target, job, template, reply),
    )


def _progress(reply: Reply) -> Progress:
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_EVERY or done == total:
            last = now
            reply({"progress": [done, total]})

    return progress


def _announced(target: Path, job: Job, template: "NameTemplate", reply: Reply) -> None:
    """Report the path of the product, or raise an error if another scene's product has this path.

    If the product name depends only on the scene's path, the ledger has already checked the name.
    """
    from pipeline.files.contents import sha256_of
    from pipeline.files.names import as_text
    from pipeline.product.reading import scene_of

    source = Path(job.path)
    if template.needs_scene and str(target) != job.owned:
        there = scene_of(target)
        if there is not None and there != (as_text(source.name), sha256_of(source)):
            raise errors.WriteError(
                f"{source.name}: the product would be {target}, but that file is the product of "
                f"{there[0]} (sha256 {there[1][:12]}...). Choose a product name that differs "
                "between the two scenes (execution.product), or remove the existing product."
            )
    reply({"target": str(target)})


@contextlib.contextmanager
def _messages() -> Iterator[list[tuple[str, str]]]:
    """Collect this program's log messages instead of writing them to stderr."""
    kept: list[tuple[str, str]] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if len(kept) < MOST_MESSAGES:
                kept.append((record.levelname.lower(), cut_message(self.format(record))))

    log, handler = logging.getLogger("pipeline"), Keeper(logging.INFO)
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield kept
    finally:
        log.removeHandler(handler)
        log.propagate = True
        log.setLevel(level)


def _status(name: str) -> int:
    """Return a value from /proc/self/status in bytes, or 0 if the file lacks this value."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
    return 0


def _main(pipes: list[int]) -> None:
    from pipeline.machine.refusal import refused_by_machine

    try:
        main(*pipes)
    except (OSError, ImportError, RuntimeError) as error:
        refused = refused_by_machine(error)
        if refused is None:
            raise
        sys.stderr.write(f"{refused}\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    _main([int(number) for number in sys.argv[1:]])
