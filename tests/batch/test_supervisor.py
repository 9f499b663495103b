"""Whatever a scene does to its process costs this scene only, within its time and memory."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from batches import (
    PATIENCE,
    children,
    config_of_a_child,
    folder_of_a_child,
    leavings,
    products,
    wait_for,
    write_scene,
)
from faults import PATH_TO_FAULTS, write_fault

from pipeline.batch.executors import InlineExecutor
from pipeline.batch.job import Job
from pipeline.batch.kinds import CRASH, DEFECT, DONE, MEMORY, STOPPED, TIMEOUT, UNCHANGED
from pipeline.batch.supervisor import Supervisor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A good scene, a configuration, and an output folder."""
    return folder_of_a_child(tmp_path_factory.mktemp("supervised"))


@pytest.fixture(scope="module")
def config(folder):
    return config_of_a_child(folder)


@pytest.fixture
def knows_faults(monkeypatch):
    """Children of supervisors find the faulty reader."""
    monkeypatch.setenv("PYTHONPATH", PATH_TO_FAULTS)


@pytest.fixture(scope="module")
def long_lived():
    """One supervisor after the other would import the libraries twice for each fault."""
    made = Supervisor()
    yield made
    made.close()


@pytest.fixture
def supervisor(long_lived, knows_faults):
    """Its child, left by the test before or started now, knows the faulty reader."""
    return long_lived


def job(path, config, **how):
    given = {"lease": "abc_1_1", "first_seen": 0, "memory_limit": 100_000_000, "timeout_s": 60}
    return Job(str(path), config, **given | how)


def faulty(folder, fault, **how):
    name = "-".join((fault, *how))
    return write_fault(folder / f"{name}.bad", fault, folder / "good.nc", **how)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("segfault", CRASH, ["crashed (SIGSEGV)", "string_at", "fetch it again"]),
        ("abort", CRASH, ["crashed (SIGABRT)"]),
        ("kill", CRASH, ["killed (SIGKILL)", "ran out of memory"]),
        ("exit", CRASH, ["ended with exit code 3"]),
        ("memory", MEMORY, ["memory", "--memory-limit"]),
        ("allocate", MEMORY, ["not enough memory", "Unable to allocate", "--workers"]),
        ("exception", DEFECT, ["unexpected AssertionError", "report"]),
        ("interrupt", CRASH, ["its process"]),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "late"])
def test_a_fault_is_named_and_the_next_scene_is_done(
    supervisor, folder, config, fault, kind, words, late
):
    """Before the product is begun or in the middle of it; nothing of it is left."""
    how = {"late": True} if late else {}
    path = faulty(folder, fault, **how)
    outcome = supervisor.run(job(path, config, program_bytes=200_000_000))
    assert outcome.kind == kind, outcome
    assert [word for word in (path.name, *words) if word not in outcome.reason] == []
    assert "\n" not in outcome.reason
    assert leavings(folder / "out") == []
    assert supervisor.run(job(folder / "good.nc", config)).kind == DONE


@pytest.mark.parametrize("fault", ["hang", "sleep"])
def test_a_hang_ends_at_the_time_limit(supervisor, folder, config, fault):
    """Also one that keeps Python's lock."""
    begun = time.monotonic()
    outcome = supervisor.run(job(faulty(folder, fault, late=True), config, timeout_s=2.5))
    assert outcome.kind == TIMEOUT, "it would never end by itself"
    assert "not finished after 2.5 s" in outcome.reason
    assert time.monotonic() - begun > 2.4
    assert leavings(folder / "out") == []


def test_stop_ends_what_is_in_work_at_once(knows_faults, folder, config):
    """From another thread; it counts as no failure, and is not waited for: it never ends."""
    supervisor, path = Supervisor(), faulty(folder, "hang")
    happened = folder / f"{path.name}.happened"
    happened.unlink(missing_ok=True)

    def stop():
        wait_for(happened.exists)
        supervisor.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    outcome = supervisor.run(job(path, config, timeout_s=PATIENCE))
    stopping.join()
    supervisor.close()
    assert outcome.kind == STOPPED


def test_the_child_stays_warm(supervisor, folder, config):
    """The second scene is done by the process of the first, and progress is told."""
    told = []
    first = supervisor.run(job(folder / "good.nc", config), lambda *p: told.append(p))
    process = supervisor._child._process.pid
    assert supervisor.run(job(folder / "good.nc", config)).kind == DONE
    assert supervisor._child._process.pid == process
    assert told[-1] == (12, 12)
    assert first.record["valid_fraction"].keys() == {"iop"}
    assert first.record["peak_memory_bytes"] > 50_000_000


def test_an_input_with_the_same_bytes_is_not_done_again(supervisor, folder, config):
    """Its hash and its product are there; the product is not touched."""
    done = supervisor.run(job(folder / "good.nc", config))
    before = products(folder / "out")
    known = {"known_sha256": done.sha256, "owned": done.product}
    assert supervisor.run(job(folder / "good.nc", config, **known)).kind == UNCHANGED
    assert products(folder / "out") == before
    Path(done.product).unlink()
    assert supervisor.run(job(folder / "good.nc", config, **known)).kind == DONE


def test_a_child_computes_on_as_many_cores_as_it_is_told(folder, config, tmp_path):
    """Libraries with threads of their own take the cores of other scenes."""
    scene = write_scene(tmp_path / "large.nc", (400, 400))
    supervisor = Supervisor()
    try:
        supervisor.run(job(folder / "good.nc", config))
        process = f"/proc/{supervisor._child._process.pid}"
        variables = Path(f"{process}/environ").read_bytes().split(b"\0")
        assert b"OPENBLAS_NUM_THREADS=1" in variables
        assert supervisor.run(job(scene, config)).kind == DONE
        assert len(list(Path(f"{process}/task").iterdir())) <= 3
    finally:
        supervisor.close()


def test_a_child_dies_with_its_supervisor(folder, config, tmp_path):
    """Killed without a word, in the middle of a hang that keeps Python's lock."""
    script = tmp_path / "supervise.py"
    path = faulty(folder, "hang")
    script.write_text(
        "import json, sys\n"
        "from pipeline.batch.job import Job\n"
        "from pipeline.batch.supervisor import Supervisor\n"
        "Supervisor().run(Job(**json.loads(sys.argv[1])))\n"
    )
    (folder / f"{path.name}.happened").unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(script), json.dumps(asdict(job(path, config)))],
        env=os.environ | {"PYTHONPATH": PATH_TO_FAULTS},
    )
    wait_for((folder / f"{path.name}.happened").exists)
    (child,) = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not _lives(child), "the child's death")


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_child_that_was_left_in_the_middle_answers_nobody(supervisor, folder, config):
    """Its answer would be taken for that about the next scene."""

    def fail(_done, _all):
        raise MemoryError("in the parent")

    with pytest.raises(MemoryError):
        supervisor.run(job(folder / "good.nc", config, lease="abc_1_1"), fail)
    shutil.copyfile(folder / "good.nc", folder / "other.nc")
    outcome = supervisor.run(job(folder / "other.nc", config, lease="abc_2_1"))
    assert outcome.kind == DONE
    assert "other" in Path(outcome.product).name


def test_a_signal_ends_a_job_of_this_process_at_its_next_block(folder, config):
    """The inline executor, too, is stopped within a scene."""
    stopping = threading.Event()
    executor = InlineExecutor(stopping)
    executor.submit(job(folder / "good.nc", config))
    calls = []

    def reply(_):
        calls.append(1)
        stopping.set()
        executor._reply({})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.batch.child.do", lambda _job, _reply: reply({}))
        assert executor.event(0.1).outcome.kind == STOPPED
    assert calls == [1]


def test_messages_of_a_scene_leave_the_logger_as_it_was():
    """A batch in this process goes on with its own level."""
    from pipeline.batch.child import _messages

    logger = logging.getLogger("pipeline")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with _messages():
            assert logger.level == logging.INFO
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(before)
