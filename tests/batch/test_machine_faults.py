"""What the machine refuses ends the batch, costs no scene anything, and leaves nothing behind."""

import contextlib
import errno
import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from batches import (
    PATIENCE,
    children,
    config_of_a_child,
    copies,
    end,
    environment,
    folder_of_a_child,
    leavings,
    run,
    scenes_by_name,
    start,
    states,
    wait_for,
    write_config,
)
from faults import KNOWS_FAULTS, Gate
from machine_faults.batch_case import batch_case
from machine_faults.injection import COMPILER, ERRORS
from warm_commands import OCPIPE

from pipeline.batch import executors, holders, supervisor
from pipeline.batch.child import do
from pipeline.batch.job import Job
from pipeline.batch.kinds import DONE, MACHINE, TIMEOUT, UNAVAILABLE
from pipeline.batch.records import append_line
from pipeline.errors import MachineError, OutputError
from pipeline.machine.refusal import refusal

REFUSED, INTERRUPTED = 71, 75


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A good scene, a configuration, and an output folder."""
    return folder_of_a_child(tmp_path_factory.mktemp("refused"))


@pytest.fixture(scope="module")
def config(folder):
    return config_of_a_child(folder)


def job(path, config, **how):
    given = {"lease": "abc_1_1", "first_seen": 0, "memory_limit": 100_000_000, "timeout_s": 60}
    return Job(str(path), config, **given | how)


def fails_from_call(number, refused, original, count=1):
    """A function that works ``count`` - 1 times, and then fails for ever."""
    calls = 0

    def function(*arguments, **how):
        nonlocal calls
        calls += 1
        if calls >= count:
            raise OSError(number, os.strerror(number))
        return original(*arguments, **how)

    return function


def descriptors():
    gc.collect()
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208


STARTS = [
    (os, "memfd_create", 1, errno.EMFILE),
    (os, "memfd_create", 1, errno.ENFILE),
    (os, "pipe", 1, errno.EMFILE),
    (os, "pipe", 2, errno.ENFILE),
    (os, "pipe", 3, errno.EMFILE),
    (subprocess, "Popen", 1, errno.EAGAIN),
    (subprocess, "Popen", 1, errno.ENOMEM),
    (subprocess, "Popen", 1, errno.EMFILE),
]


@pytest.mark.parametrize(
    ("module", "name", "count", "number"),
    STARTS,
    ids=[f"{name}-{count}-{errno.errorcode[number]}" for _, name, count, number in STARTS],
)
def test_a_refused_start_is_the_machines_and_leaks_nothing(
    monkeypatch, folder, config, module, name, count, number
):
    """Ten starts in vain: ten times the errno in words and number, and as many descriptors."""
    before, original = descriptors(), getattr(module, name)
    running = children(os.getpid())
    for _ in range(10):
        refused = supervisor.Supervisor()
        with monkeypatch.context() as patched:
            patched.setattr(module, name, fails_from_call(number, name, original, count))
            outcome = refused.run(job(folder / "good.nc", config))
        assert outcome.kind == MACHINE, outcome
        for word in (os.strerror(number), errno.errorcode[number], str(number), "call again"):
            assert word in outcome.reason
        refused.close()
    assert descriptors() == before
    assert children(os.getpid()) == running or name != "Popen"


def test_a_child_that_dies_before_it_is_ready_is_the_machines(monkeypatch, tmp_path, config):
    """It cannot import its libraries; the last line that it wrote is told."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.pipeline = 1\nraise SystemExit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    refused = supervisor.Supervisor()
    outcome = refused.run(job("scene.nc", config))
    refused.close()
    assert outcome.kind == MACHINE
    assert "before it was ready" in outcome.reason


def test_a_child_that_cannot_open_files_says_so(folder, config):
    """The limit is lowered while it is at work; the scene is as good as before."""
    watched = supervisor.Supervisor()
    try:
        assert watched.run(job(folder / "good.nc", config)).kind == DONE
        child = watched._child._process.pid
        usual = resource.prlimit(child, resource.RLIMIT_NOFILE)
        used = {int(name) for name in os.listdir(f"/proc/{child}/fd")}  # noqa: PTH208
        free = min(set(range(len(used) + 1)) - used)
        # It can open one more file: the scene, but no product beside it.
        resource.prlimit(child, resource.RLIMIT_NOFILE, (free + 1, usual[1]))
        outcome = watched.run(job(folder / "good.nc", config))
        assert outcome.kind == MACHINE, outcome
        assert "EMFILE 24" in outcome.reason
        assert "ulimit -n" in outcome.reason
        assert leavings(folder / "out") == []
    finally:
        watched.close()


def test_a_frozen_child_is_killed_at_the_time_limit(folder, config):
    """SIGSTOP in the middle of a scene, and before it reads a request that no pipe can hold."""
    watched = supervisor.Supervisor()

    def freeze(*_):
        os.kill(watched._child._process.pid, signal.SIGSTOP)

    outcome = watched.run(job(folder / "good.nc", config, timeout_s=6), freeze)
    assert outcome.kind == TIMEOUT
    assert watched._child is None
    assert watched.run(job(folder / "good.nc", config)).kind == DONE
    freeze()
    large = config | {"name": "x" * 2_000_000}
    assert watched.run(job(folder / "good.nc", large, timeout_s=1)).kind == TIMEOUT
    watched.close()
    assert leavings(folder / "out") == []


def test_a_child_that_is_frozen_while_it_starts_is_the_machines(monkeypatch, folder, config):
    """It is never ready: no scene is at fault, and nobody waits longer than told."""
    original = subprocess.Popen

    def frozen(*arguments, **how):
        process = original(*arguments, **how)
        process.send_signal(signal.SIGSTOP)
        return process

    monkeypatch.setattr(subprocess, "Popen", frozen)
    monkeypatch.setattr(supervisor, "START", 0.5)
    watched = supervisor.Supervisor()
    outcome = watched.run(job(folder / "good.nc", config))
    assert outcome.kind == MACHINE
    assert "SIGSTOP" in outcome.reason
    begun = time.monotonic()
    monkeypatch.setattr(supervisor, "START", PATIENCE)
    assert watched.estimate(job(folder / "good.nc", config), lambda: True) is None
    assert time.monotonic() - begun < PATIENCE / 2
    watched.close()


def test_a_batch_with_a_frozen_child_ends_on_sigterm(folder, tmp_path):
    """With the documented code and in bounded time; the scene is pending and lost no attempt."""
    (tmp_path / "in").mkdir()
    gate = Gate(tmp_path / "in" / "gate.nc", folder / "good.nc")
    gate.close()
    arguments = ("batch", write_config(folder), tmp_path / "in", "-o", tmp_path / "out")
    process = start(*arguments, "--workers", 1, **KNOWS_FAULTS)
    wait_for(gate.is_reached)
    before = children(process.pid)
    for child in before:
        os.kill(child, signal.SIGSTOP)
    begun = time.monotonic()
    left = end(process)
    assert left.code == INTERRUPTED, left.stderr
    assert time.monotonic() - begun < 60, "a minute is patience with a busy machine"
    row = scenes_by_name(tmp_path / "out")["gate.nc"]
    assert (row["state"], row["attempts"]) == ("pending", 0)
    for child in before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)
    gate.open()
    assert run(*arguments, **KNOWS_FAULTS).code == 0


def test_a_thread_that_is_refused_is_the_machines(monkeypatch, folder, config, tmp_path):
    """For a scene, and for the heartbeats of the ledger."""

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    processes = executors.ProcessExecutor(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        processes.submit(job(folder / "good.nc", config))
        heart = holders.Heart(tmp_path / "ledger.sqlite", None)
        with pytest.raises(MachineError, match="no more processes or threads"):
            heart.begin()
        heart.end()
    assert processes.event(0).outcome.kind == MACHINE
    processes.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EMFILE, MACHINE), (errno.ENFILE, MACHINE), (errno.ENOSPC, MACHINE),
     (errno.EDQUOT, MACHINE), (errno.EROFS, MACHINE), (errno.EIO, UNAVAILABLE)],
)  # fmt: skip
def test_an_error_in_a_scene_is_told_apart(monkeypatch, folder, config, number, kind):
    """A disk that fails under one scene is that scene's; all else is the machine's."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pipeline.process.deliver_scene", fail)
    outcome = do(job(folder / "good.nc", config), lambda _: None)
    assert outcome.kind == kind, outcome
    assert os.strerror(number) in outcome.reason or kind == UNAVAILABLE


def test_a_full_output_folder_has_an_error_of_its_own():
    """Only files and threads count below it; causes are found however they are wrapped."""

    def wrapped(cause, outer):
        try:
            try:
                raise cause
            except OSError:
                raise outer from None
        except type(outer) as error:
            return error

    full = OSError(errno.ENOSPC, "no space")
    assert refusal(wrapped(full, OutputError("full"))) is None
    assert refusal(wrapped(full, ValueError("rubbish"))) is not None
    many = OSError(errno.EMFILE, "many")
    assert "ulimit -n" in str(refusal(wrapped(many, OutputError("many"))))
    assert refusal(ImportError("libx.so: cannot open: Too many open files")) is not None
    assert refusal(OSError("file read failed: errno = 24, error message = 'x'")) is not None
    assert refusal(ValueError("24 files")) is None


def test_a_line_is_appended_completely_or_not_at_all(monkeypatch, tmp_path):
    """A disk that takes a part of it leaves nothing of it."""
    path, write = tmp_path / "quality.jsonl", os.write
    append_line(path, {"scene": 1})
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda number, data: write(number, data[:5]))
        with pytest.raises(OutputError, match="No space left on device, ENOSPC 28"):
            append_line(path, {"scene": 2})
    assert path.read_bytes() == before


@pytest.mark.parametrize("temporary", ["missing", "/proc"])
def test_a_batch_needs_no_folder_for_temporary_files(folder, tmp_path, temporary):
    """It may be missing, or one in which nobody can write, not even root."""
    place = Path(temporary) if temporary.startswith("/") else tmp_path / temporary
    told = {"TMPDIR": str(place), "SQLITE_TMPDIR": str(place)}
    scenes = copies(tmp_path / "in", 2)
    left = run("batch", write_config(folder), *scenes, "-o", tmp_path / "out", **told)
    assert left.code == 0, left.stderr
    assert states(tmp_path / "out") == {"done": 2}


def test_a_limit_of_open_files(folder, tmp_path):
    """However early it is met: words and a code, no scene has failed, and the next call goes on."""
    scenes = copies(tmp_path / "in", 2)
    arguments = ["batch", write_config(folder), *scenes, "-o", tmp_path / "out"]
    process = subprocess.run(
        ["sh", "-c", 'ulimit -n 9 && exec "$@"', "sh", OCPIPE, *map(str, arguments)],
        env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert process.returncode == REFUSED, process.stderr
    assert "Traceback" not in process.stderr
    assert "Too many open files, EMFILE 24" in process.stderr
    if (tmp_path / "out" / "ocpipe-ledger.sqlite").exists():
        assert Counter(r["state"] for r in scenes_by_name(tmp_path / "out").values()).keys() <= {
            "pending",
            "done",
        }
    assert leavings(tmp_path / "out") == []
    again = run(*arguments)
    assert again.code == 0, again.stderr
    assert states(tmp_path / "out") == {"done": 2}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    if COMPILER is None or not sys.platform.startswith("linux"):
        pytest.skip("the injector needs a C compiler")
    with batch_case(tmp_path_factory.mktemp("case")) as made:
        yield made


def test_faults_at_drawn_operations(case):
    """One of each of four kinds; ``make machine-faults`` tries all operations."""
    counts = case.undisturbed().counts
    seed = random.SystemRandom().randrange(2**32)
    drawn = random.Random(seed)  # noqa: S311 - no secrets
    bad = []
    for kind in drawn.sample("ocwrsnp", 4):
        at = drawn.randint(1, counts[kind])
        what, wrong = case.disturbed(kind, at, drawn.choice(ERRORS[kind]))
        bad += [(what, *wrong)] if wrong else []
    assert bad == [], f"seed {seed}"


def test_files_and_space_that_are_refused_from_now_on(case):
    """The machine goes on refusing, as it does in life; nothing is lost."""
    counts = case.undisturbed().counts
    for kind, number in (("o", errno.EMFILE), ("w", errno.ENOSPC)):
        what, wrong = case.disturbed(kind, counts[kind] // 2, number, for_ever=True)
        assert wrong == [], what
