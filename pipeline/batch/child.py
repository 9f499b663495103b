"""The process that does the work: warm, one scene after the other, told so by its supervisor.

    python -m pipeline.batch.child REQUESTS REPLIES LIFELINE

Requests and replies are lines of JSON on these file descriptors. The supervisor holds the other end
of the lifeline, and never writes to it: when it goes, by whatever death, the kernel kills this
process, also where it hangs inside a library.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batch.job import (
    CONFIGURATION,
    DEFECT,
    DONE,
    MEMORY,
    NETWORK,
    OUTPUT,
    SCENE,
    SKIPPED,
    UNCHANGED,
    WRITE,
    Job,
    JobOutcome,
)
from pipeline.errors import (
    ConfigError,
    NetworkError,
    OutputError,
    PipelineError,
    ProductExistsError,
    SceneError,
    WriteError,
)

if TYPE_CHECKING:
    from pipeline.config.naming import NameTemplate

Reply = Callable[[Mapping[str, Any]], None]

# A terminal's Ctrl-C and a scheduler's SIGTERM go to all processes; the supervisor decides.
HANDED_TO_ALL = (signal.SIGINT, signal.SIGTERM)

# Progress is for people: no more often than this (seconds).
PROGRESS_EVERY = 0.2

_KINDS: dict[type[PipelineError], str] = {
    ConfigError: CONFIGURATION,
    NetworkError: NETWORK,
    OutputError: OUTPUT,
    WriteError: WRITE,
    ProductExistsError: SKIPPED,
}


def main(requests: int, replies: int, lifeline: int) -> None:
    """Serve until the supervisor closes the requests."""
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
            job = Job.of(request["job"])
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
        if os.read(lifeline, 1) == b"":  # it went before the signal was asked for
            os.kill(os.getpid(), signal.SIGKILL)


def _warm_up() -> None:
    gc.disable()
    import pipeline.process  # noqa: F401 - what follows imports it again, for nothing
    from pipeline.machine.resources import keep_freed_memory

    keep_freed_memory()
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def _limited(memory_cap: int) -> Iterator[None]:
    """An allocation that goes too far beyond what the process has is refused by the kernel."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _status("VmData") + memory_cap
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _estimate(job: Job) -> int | None:
    """Bytes beside the program itself that the scene wants on one thread; None where unknown."""
    from pipeline.config import load_config
    from pipeline.process import plan_scene

    config = load_config(job.config).executing(threads=1, memory_limit=1 << 50)
    try:
        return plan_scene(Path(job.path), config).work.peak_bytes
    except Exception:  # noqa: BLE001 - what is wrong is said when the scene is done
        return None


def do(job: Job, reply: Reply) -> JobOutcome:
    """Do a scene; whatever goes wrong inside Python becomes an outcome."""
    begun = time.perf_counter()
    _reset_peak()
    with _messages() as messages:
        outcome = _attempt(job, reply)
    seconds = time.perf_counter() - begun
    record = {**outcome.record, "peak_memory_bytes": _status("VmHWM")} if outcome.record else {}
    return JobOutcome.of(
        outcome.data() | {"seconds": seconds, "messages": messages, "record": record}
    )


def _attempt(job: Job, reply: Reply) -> JobOutcome:
    try:
        return _done(job, reply)
    except MemoryError as error:
        said = f" ({error})" if str(error) else ""
        return JobOutcome(
            MEMORY,
            f"{Path(job.path).name}: not enough memory{said}. Raise --memory-limit, or do fewer "
            "scenes at once (--workers).",
        )
    except PipelineError as error:
        kind = _KINDS.get(type(error), SCENE if isinstance(error, SceneError) else DEFECT)
        return JobOutcome(kind, f"{type(error).__name__}: {error}")
    except Exception as error:
        logging.getLogger("pipeline").exception("%s: unexpected failure", job.path)
        return JobOutcome(
            DEFECT,
            f"{Path(job.path).name}: unexpected {type(error).__name__}: {error}. Please report it.",
        )


def _done(job: Job, reply: Reply) -> JobOutcome:
    from pipeline.config import load_config
    from pipeline.config.naming import NameTemplate
    from pipeline.machine.files import sha256_of
    from pipeline.process import deliver_scene
    from pipeline.product.delivery import Delivery

    source, config = Path(job.path), load_config(job.config)
    is_made = job.known_sha256 and job.owned and Path(job.owned).exists()
    if is_made and sha256_of(source) == job.known_sha256:
        return JobOutcome(UNCHANGED, product=job.owned, sha256=job.known_sha256)
    config = config.executing(memory_limit=job.memory_limit)
    template = NameTemplate(config.execution.product)
    delivery = Delivery.of(
        config,
        makes_folder=False,
        if_exists=config.batch.if_exists,
        owned=Path(job.owned) if job.owned else None,
        spare=int(config.batch.min_free_space),
        lease=job.lease,
        first_seen=job.first_seen,
        announce=lambda target: _announced(target, job, template, reply),
    )
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_EVERY or done == total:
            last = now
            reply({"progress": [done, total]})

    report = deliver_scene(source, config, delivery, progress)
    return JobOutcome(
        DONE,
        product=str(report.product),
        sha256=report.scene_sha256,
        sensor=report.plan.sensor,
        networks=report.networks,
        record={"path": job.path, **report.record()},
    )


def _announced(target: Path, job: Job, template: "NameTemplate", reply: Reply) -> None:
    """Tell where the product will be; refuse to replace that of another scene.

    Where the path of a scene makes the name, the ledger has seen to that already.
    """
    from pipeline.machine.files import sha256_of
    from pipeline.product.reading import scene_of

    source = Path(job.path)
    if template.needs_scene and str(target) != job.owned:
        there = scene_of(target)
        if there is not None and there != (source.name, sha256_of(source)):
            raise WriteError(
                f"{source.name} would become {target}, which is the product of {there[0]} (sha256 "
                f"{there[1][:12]}...). Choose a template that tells the two scenes apart "
                "(execution.product), or remove that product."
            )
    reply({"target": str(target)})


@contextlib.contextmanager
def _messages() -> Iterator[list[tuple[str, str]]]:
    """What this program says meanwhile, instead of writing it to stderr."""
    said: list[tuple[str, str]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append((record.levelname.lower(), self.format(record)))

    log, handler = logging.getLogger("pipeline"), Kept(logging.INFO)
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield said
    finally:
        log.removeHandler(handler)
        log.propagate = True


def _reset_peak() -> None:
    """Of the resident memory, so that each scene has its own."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> int:
    """A number of /proc/self/status, in bytes; 0 where there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
    return 0


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
