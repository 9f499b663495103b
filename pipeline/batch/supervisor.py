"""Keeps one warm child process: its time, its memory, and what its death means.

An exception, a hang, a memory that runs out, a kill or a crash inside a library costs the scene in
work and nothing else. The same supervisor runs in a thread here and inside the task of a Dask
worker.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pipeline.batch.child import HANDED_TO_ALL
from pipeline.batch.job import CRASH, DEFECT, MEMORY, STOPPED, TIMEOUT, Job, JobOutcome, Progress
from pipeline.machine.resources import ONE_THREAD, in_words
from pipeline.writers.partial import partials_of

# How often memory is looked at (seconds).
POLL = 0.1
# A scene is out of bounds that takes so many times what it should, and so many bytes more.
BEYOND, SLACK = 1.25, 200_000_000
# A child that did not say it is ready by then never will (seconds).
START = 120.0


class _DiedError(Exception):
    """The child closed its end."""


class Supervisor:
    """One slot for scenes; its child is started with the first and replaced when it dies."""

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._stopping = threading.Event()

    def run(self, job: Job, progress: Progress = lambda _done, _all: None) -> JobOutcome:
        """Do a scene in the child; always comes back with an outcome, within the job's time."""
        begun = time.monotonic()
        outcome, target = self._run(job, progress, begun + job.timeout_s)
        if outcome.kind in (CRASH, TIMEOUT, MEMORY, STOPPED, DEFECT):
            self._end_child()  # what it holds is not to be trusted any more
            if target is not None:
                for partial in partials_of(target, job.lease):
                    with contextlib.suppress(OSError):
                        partial.unlink()
        return JobOutcome.of(outcome.data() | {"seconds": time.monotonic() - begun})

    def estimate(self, job: Job) -> int | None:
        """Bytes beside the program itself that a scene wants on one thread; None where unknown."""
        try:
            child = self._started()
            child.send({"do": "estimate", "job": job.data()})
            message = child.message(time.monotonic() + START)
        except (_DiedError, OSError):
            message = None
        if message is None:
            self._end_child()
            return None
        found: int | None = message["estimate"]
        return found

    def stop(self) -> None:
        """Give up what is in work, from any thread: ``run`` comes back within a moment."""
        self._stopping.set()
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child."""
        self.stop()
        self._end_child()

    def _run(self, job: Job, progress: Progress, deadline: float) -> tuple[JobOutcome, Path | None]:
        target: Path | None = None
        cap = SLACK + int(BEYOND * (job.program_bytes + (job.memory_limit or 0)))
        try:
            child = self._started()
            child.send({"do": "scene", "job": job.data(), "memory_cap": cap})
            while True:
                message = child.message(min(deadline, time.monotonic() + POLL))
                if self._stopping.is_set():
                    return JobOutcome(STOPPED), target
                if message is None:
                    failure = self._out_of_bounds(child, job, cap, deadline)
                    if failure is not None:
                        return failure, target
                elif "progress" in message:
                    progress(*message["progress"])
                elif "target" in message:
                    target = Path(message["target"])
                elif "outcome" in message:
                    return JobOutcome.of(message["outcome"]), target
        except (_DiedError, OSError):
            if self._stopping.is_set():
                return JobOutcome(STOPPED), target
            return JobOutcome(CRASH, f"{Path(job.path).name}: {self._death()}"), target

    def _started(self) -> "_Child":
        if self._child is None or not self._child.is_alive:
            self._end_child()
            child = self._child = _Child()
            if self._stopping.is_set() or child.message(time.monotonic() + START) is None:
                raise _DiedError
        return self._child

    def _out_of_bounds(
        self, child: "_Child", job: Job, cap: int, deadline: float
    ) -> JobOutcome | None:
        name = Path(job.path).name
        if time.monotonic() >= deadline:
            return JobOutcome(
                TIMEOUT,
                f"{name}: not done after {job.timeout_s:g} s. Raise --timeout if it only needs "
                "longer; otherwise the file makes a library hang.",
            )
        used = child.resident_bytes()
        if used > cap:
            return JobOutcome(
                MEMORY,
                f"{name}: took {in_words(used)} of memory, more than the {in_words(cap)} that one "
                "scene may take. Raise --memory-limit, or do fewer scenes at once (--workers).",
            )
        return None

    def _death(self) -> str:
        """Why the child is no more, in words."""
        child = self._child
        if child is None:
            return "its process could not be started"
        code, last = child.wait(), child.last_words()
        if code is None or code >= 0:
            return f"its process ended by itself with code {code}{last}"
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL:
            return (
                f"its process was killed (SIGKILL){last}. Usually the machine, or the job on it, "
                "ran out of memory: do fewer scenes at once (--workers)."
            )
        return f"its process crashed ({name}){last}. The file is probably damaged: fetch it again."

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.close()


class _Child:
    """A process, and the pipes to it."""

    def __init__(self) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        requests, self._to_child = os.pipe()
        self._from_child, replies = os.pipe()
        lifeline, self._lifeline = os.pipe()
        theirs = (requests, replies, lifeline)
        # A signal for all processes of a job must not meet the child before it ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_TO_ALL)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, "-P", "-m", "pipeline.batch.child", *map(str, theirs)],
                pass_fds=theirs,
                env=ONE_THREAD | os.environ,
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number in theirs:
                os.close(number)
        self._received = b""
        self._poll = select.poll()
        self._poll.register(self._from_child, select.POLLIN | select.POLLHUP)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand a request over."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        while left:
            left = left[os.write(self._to_child, left) :]

    def message(self, deadline: float) -> dict[str, Any] | None:
        """The next reply; None where none came in time.

        Raises:
            _DiedError: the child closed its end.
        """
        while b"\n" not in self._received:
            left = max(deadline - time.monotonic(), 0.0)
            if not self._poll.poll(left * 1000):
                return None
            read = os.read(self._from_child, 65536)
            if not read:
                raise _DiedError
            self._received += read
        line, _, self._received = self._received.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def resident_bytes(self) -> int:
        """Memory of the process; 0 when it is gone."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End the process at once, from any thread."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def wait(self) -> int | None:
        """The exit code, or minus the signal; None where the process does not end."""
        try:
            return self._process.wait(10)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> str:
        """Where Python was when the process crashed, as far as it could say."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 20_000))
        said = self._stderr.read().decode(errors="replace")
        frames = list(_frames(said))
        return f" in {frames[0]}" if frames else ""

    def close(self) -> None:
        """Let go of the pipes, once the process is gone."""
        self.wait()
        for number in (self._to_child, self._from_child, self._lifeline):
            os.close(number)
        self._stderr.close()


def _frames(said: str) -> Iterator[str]:
    """``read_direct_chunk (hdf5_chunks.py, line 117)``, innermost first, from faulthandler."""
    _, current, after = said.rpartition("Current thread")
    for line in (after if current else "").splitlines():
        words = line.strip()
        if words.startswith('File "'):
            path, _, rest = words.removeprefix('File "').partition('", ')
            number, _, function = rest.partition(" in ")
            yield f"{function} ({Path(path).name}, {number})"


Estimate = Callable[[Job], int | None]
