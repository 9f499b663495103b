"""The program of a child process, which processes the scenes that its supervisor requests.

    python -m pipeline.batch.child REQUESTS REPLIES LIFELINE

The arguments are file descriptors. Each request and each reply is one line of JSON. The supervisor
holds the other end of the lifeline and never writes to it. When the supervisor dies for any reason,
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
from pipeline.batch.job import MORE_MEMORY, Job, JobOutcome, Progress

if TYPE_CHECKING:
    from pipeline.config import RunConfig
    from pipeline.config.naming import NameTemplate
    from pipeline.product.delivery import Delivery

Reply = Callable[[Mapping[str, Any]], None]

# Ctrl-C in a terminal and SIGTERM of a scheduler reach all processes; only the supervisor reacts.
HANDED_TO_ALL = (signal.SIGINT, signal.SIGTERM)

# Shortest time between two reports of progress (seconds).
PROGRESS_EVERY = 0.2

_KINDS: dict[type[errors.PipelineError], str] = {
    errors.ConfigError: kinds.CONFIGURATION,
    errors.NetworkError: kinds.NETWORK,
    errors.OutputError: kinds.OUTPUT,
    errors.WriteError: kinds.WRITE,
    errors.ProductExistsError: kinds.SKIPPED,
    errors.UnavailableError: kinds.UNAVAILABLE,
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
        with _messages():  # they are shown when the scene is processed
            return plan_scene(Path(job.path), config).work.peak_bytes
    except Exception:  # noqa: BLE001 - the error is reported when the scene is processed
        return None


def do(job: Job, reply: Reply) -> JobOutcome:
    """Process a scene and return the outcome, also after an exception."""
    begun = time.perf_counter()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # so that each scene has a peak of its own
    with _messages() as messages:
        outcome = _attempt(job, reply)
    seconds = time.perf_counter() - begun
    record = {**outcome.record, "peak_memory_bytes": _status("VmHWM")} if outcome.record else {}
    return replace(outcome, seconds=seconds, messages=tuple(messages), record=record)


def _attempt(job: Job, reply: Reply) -> JobOutcome:
    name = Path(job.path).name
    try:
        return _done(job, reply)
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        return JobOutcome(kinds.MEMORY, f"{name}: not enough memory{detail}. {MORE_MEMORY}")
    except errors.PipelineError as error:
        kind = _KINDS.get(
            type(error), kinds.SCENE if isinstance(error, errors.SceneError) else kinds.DEFECT
        )
        return JobOutcome(kind, f"{type(error).__name__}: {error}")
    except Exception as error:
        logging.getLogger("pipeline").exception("%s: unexpected failure", job.path)
        text = f"{name}: unexpected {type(error).__name__}: {error}. Please report it."
        return JobOutcome(kinds.DEFECT, text)


def _done(job: Job, reply: Reply) -> JobOutcome:
    from pipeline.config import load_config
    from pipeline.files.contents import sha256_of
    from pipeline.process import deliver_scene

    source, config = Path(job.path), load_config(job.config)
    is_made = job.known_sha256 and job.owned and Path(job.owned).exists()
    if is_made and sha256_of(source) == job.known_sha256:
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
    from pipeline.product.reading import scene_of

    source = Path(job.path)
    if template.needs_scene and str(target) != job.owned:
        there = scene_of(target)
        if there is not None and there != (source.name, sha256_of(source)):
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
            kept.append((record.levelname.lower(), self.format(record)))

    log, handler = logging.getLogger("pipeline"), Keeper(logging.INFO)
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield kept
    finally:
        log.removeHandler(handler)
        log.propagate = True


def _status(name: str) -> int:
    """Return a value from /proc/self/status in bytes, or 0 if the file lacks this value."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
    return 0


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
