"""A supervisor limits the time and memory of a child process, and says why the process ended.

If the child fails, hangs, crashes, is killed or lacks memory, only the current scene is lost.
Supervisors run in threads of the batch process or in tasks of Dask workers.
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
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from pipeline.batch import kinds
from pipeline.batch.child import HANDED_TO_ALL
from pipeline.batch.job import MORE_MEMORY, Job, JobOutcome, Progress
from pipeline.machine.resources import ONE_THREAD, in_words
from pipeline.writers.partial import partials_of

# Time between two looks at the memory of the child (seconds).
POLL = 0.1
# A scene may take this multiple of its share of memory, plus this many bytes.
BEYOND, SLACK = 1.25, 200_000_000
# A child that is not ready after this time never will be (seconds).
START = 120.0
DAMAGED = "The file is probably damaged; fetch it again."


class _DiedError(Exception):
    """The child closed its end of the pipe."""


class Supervisor:
    """Processes scenes in a child process; if the child process dies, a new one is started."""

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._stopping = threading.Event()

    def run(self, job: Job, progress: Progress = lambda _done, _all: None) -> JobOutcome:
        """Process a scene in the child process; always return an outcome within the time limit."""
        begun = time.monotonic()
        outcome, target = self._run(job, progress, begun + job.timeout_s)
        if outcome.kind in (kinds.CRASH, kinds.TIMEOUT, kinds.MEMORY, kinds.STOPPED, kinds.DEFECT):
            self._end_child()  # its state can no longer be trusted
            if target is not None:
                for partial in partials_of(target, job.lease):
                    with contextlib.suppress(OSError):
                        partial.unlink()
        return replace(outcome, seconds=time.monotonic() - begun)

    def estimate(self, job: Job) -> int | None:
        """Return the bytes of memory that a scene takes on one thread; None if unknown.

        The memory of the program itself is not included.
        """
        try:
            child = self._started()
            child.send({"do": "estimate", "job": asdict(job)})
            message = child.message(time.monotonic() + START)
        except (_DiedError, OSError):
            message = None
        if message is None:
            self._end_child()
            return None
        found: int | None = message["estimate"]
        return found

    def stop(self) -> None:
        """Stop the current scene, so that ``run`` returns soon; any thread may call this method."""
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
            child.send({"do": "scene", "job": asdict(job), "memory_cap": cap})
            while True:
                message = child.message(min(deadline, time.monotonic() + POLL))
                if self._stopping.is_set():
                    return JobOutcome(kinds.STOPPED), target
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
                return JobOutcome(kinds.STOPPED), target
            return JobOutcome(kinds.CRASH, f"{Path(job.path).name}: {self._death()}"), target

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
        name, used = Path(job.path).name, child.resident_bytes()
        if time.monotonic() >= deadline:
            return JobOutcome(
                kinds.TIMEOUT,
                f"{name}: not finished after {job.timeout_s:g} s. Raise --timeout if the "
                "scene only needs more time. If that does not help, the file makes a library hang.",
            )
        if used > cap:
            return JobOutcome(
                kinds.MEMORY,
                f"{name}: took {in_words(used)} of memory, more than the {in_words(cap)} that one "
                f"scene may take. {MORE_MEMORY}",
            )
        return None

    def _death(self) -> str:
        """Return a text that says why the child process ended."""
        child = self._child
        if child is None:
            return "its process could not be started. Check the free memory of the machine."
        code, last = child.wait(), child.last_words()
        if code is None or code >= 0:
            return f"its process ended with exit code {code}{last}. {DAMAGED}"
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL:
            return (
                f"its process was killed (SIGKILL){last}. Usually the machine, or the job on it, "
                "ran out of memory. Process fewer scenes at the same time (--workers)."
            )
        return f"its process crashed ({name}){last}. {DAMAGED}"

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.close()


class _Child:
    """A child process and the pipes to it."""

    def __init__(self) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        requests, self._to_child = os.pipe()
        self._from_child, replies = os.pipe()
        lifeline, self._lifeline = os.pipe()
        theirs = (requests, replies, lifeline)
        # A signal to all processes of a job must not reach the child before the child ignores it.
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
        """Whether the process is running."""
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a request."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        while left:
            left = left[os.write(self._to_child, left) :]

    def message(self, deadline: float) -> dict[str, Any] | None:
        """Return the next reply, or None at the deadline; raise _DiedError if the child died."""
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
        """Return the memory of the process in bytes, or 0 if the process is gone."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End the child process at once; any thread may call this method."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def wait(self) -> int | None:
        """Return the child's exit code (-n after signal n), or None if the child does not end."""
        try:
            return self._process.wait(10)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> str:
        """Return the place in the Python code where the process crashed, if it is known."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 20_000))
        frames = list(_frames(self._stderr.read().decode(errors="replace")))
        return f" in {frames[0]}" if frames else ""

    def close(self) -> None:
        """Close the pipes after the child process has ended."""
        self.wait()
        for number in (self._to_child, self._from_child, self._lifeline):
            os.close(number)
        self._stderr.close()


def _frames(dump: str) -> Iterator[str]:
    """Yield the frames of a crash as ``read_chunk (hdf5_chunks.py, line 117)``, innermost first."""
    _, current, after = dump.rpartition("Current thread")
    for line in (after if current else "").splitlines():
        words = line.strip()
        if words.startswith('File "'):
            path, _, rest = words.removeprefix('File "').partition('", ')
            number, _, function = rest.partition(" in ")
            yield f"{function} ({Path(path).name}, {number})"
