"""A supervisor limits the time and memory of a child process, and says why the process ended.

If the child fails, hangs, crashes, is killed or lacks memory, only the current scene is lost.
Supervisors run in threads of the batch process or in tasks of Dask workers.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from pipeline.batch import kinds
from pipeline.batch.child import HANDED_TO_ALL, REFUSED
from pipeline.batch.job import MORE_MEMORY, Job, JobOutcome, Progress
from pipeline.errors import MachineError
from pipeline.machine.refusal import refused_start
from pipeline.machine.resources import ONE_THREAD, in_words
from pipeline.writers.partial import partials_of

# Time between two checks of the child's memory (seconds).
POLL = 0.1
# A scene may take this multiple of its share of memory, plus this many bytes.
BEYOND, SLACK = 1.25, 200_000_000
# Longest time until a child is ready (seconds).
START = 120.0
# After these outcomes, the state of a child can no longer be trusted.
_UNTRUSTED = frozenset(
    (kinds.CRASH, kinds.TIMEOUT, kinds.MEMORY, kinds.STOPPED, kinds.DEFECT, kinds.MACHINE)
)
DAMAGED = "The file is probably damaged; fetch it again."


class _DiedError(Exception):
    """The child closed its end of the pipe."""


class _StoppedError(Exception):
    """The batch ends, so the child is not needed any more."""


class Supervisor:
    """Processes scenes in a child process; if the child process dies, a new one is started."""

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._stopping = threading.Event()

    def run(self, job: Job, progress: Progress = lambda _done, _all: None) -> JobOutcome:
        """Process a scene in the child process; always return an outcome within the time limit.

        The time limit begins when the child process is ready, which takes START seconds at most.
        """
        begun = time.monotonic()
        try:
            outcome, target = self._run(job, progress)
        except BaseException:
            self._end_child()  # its reply would be taken as the reply for the next scene
            raise
        if outcome.kind in _UNTRUSTED:
            self._end_child()
            if target is not None:
                for partial in partials_of(target, job.lease):
                    with contextlib.suppress(OSError):
                        partial.unlink()
        return replace(outcome, seconds=time.monotonic() - begun)

    def estimate(self, job: Job, is_stopped: Callable[[], bool] = lambda: False) -> int | None:
        """Return the bytes of memory that a scene takes on one thread; None if unknown.

        The memory of the program itself is not included. A call that ``is_stopped`` ends soon.
        """
        try:
            child = self._started(is_stopped)
            deadline = time.monotonic() + START
            child.send({"do": "estimate", "job": asdict(job)}, deadline)
            message = child.awaited(deadline, is_stopped)
        except (_DiedError, _StoppedError, MachineError):
            message = None  # the first scene reports the cause
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

    def _run(self, job: Job, progress: Progress) -> tuple[JobOutcome, Path | None]:
        target: Path | None = None
        cap = SLACK + int(BEYOND * (job.program_bytes + (job.memory_limit or 0)))
        try:
            child = self._started(self._stopping.is_set)
            child.forget_words()
            deadline = time.monotonic() + job.timeout_s
            child.send({"do": "scene", "job": asdict(job), "memory_cap": cap}, deadline)
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
        except (_DiedError, _StoppedError, MachineError) as error:
            return self._lost(job, error), target

    def _lost(self, job: Job, error: Exception) -> JobOutcome:
        """Return the outcome of a scene whose child process is gone or could not be started."""
        if self._stopping.is_set():
            return JobOutcome(kinds.STOPPED)
        if isinstance(error, MachineError):
            return JobOutcome(kinds.MACHINE, str(error))
        child = self._child
        if child is not None and child.wait() == REFUSED:
            return JobOutcome(kinds.MACHINE, child.last_line())
        return JobOutcome(kinds.CRASH, f"{Path(job.path).name}: {self._death()}")

    def _started(self, is_stopped: Callable[[], bool]) -> "_Child":
        """Return a child that is ready; if none gets ready, this is not the fault of a scene."""
        if self._child is None or not self._child.is_alive:
            self._end_child()
            try:
                child = self._child = _Child()
            except OSError as error:
                raise refused_start(error) from error
            try:
                is_ready = child.awaited(time.monotonic() + START, is_stopped) is not None
            except _DiedError:
                raise _unready(child) from None
            if not is_ready:
                raise MachineError(
                    f"a process for the scenes was not ready after {START:g} s. The machine is too "
                    "busy, or somebody has stopped the process (SIGSTOP). Call again later."
                )
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
            return "its process is gone."
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
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as given:
            # In memory, because the folder for temporary files may be full or read-only.
            self._stderr: IO[bytes] = kept.enter_context(_file_in_memory())
            requests, self._to_child = _pipe(given, kept)
            self._from_child, replies = _pipe(kept, given)
            lifeline, self._lifeline = _pipe(given, kept)
            os.set_blocking(self._to_child, False)
            self._process = self._begun((requests, replies, lifeline))
            self._kept = kept.pop_all()
        self._received = b""
        self._poll = select.poll()
        self._poll.register(self._from_child, select.POLLIN | select.POLLHUP)

    def _begun(self, theirs: tuple[int, ...]) -> subprocess.Popen[bytes]:
        # A signal to all processes of a job must not reach the child before the child ignores it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_TO_ALL)
        try:
            return subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, "-P", "-m", "pipeline.batch.child", *map(str, theirs)],
                pass_fds=theirs,
                env=ONE_THREAD | os.environ,
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def send(self, message: Mapping[str, Any], deadline: float) -> None:
        """Send a request; a child that does not read it by the deadline is treated as dead."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        ready = select.poll()
        ready.register(self._to_child, select.POLLOUT)
        while left:
            if not ready.poll(max(deadline - time.monotonic(), 0.0) * 1000):
                return  # the next check of the time ends the scene
            try:
                left = left[os.write(self._to_child, left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise _DiedError from None
            except OSError as error:
                raise refused_start(error) from error

    def awaited(self, deadline: float, is_stopped: Callable[[], bool]) -> dict[str, Any] | None:
        """Return the next reply, or None at the deadline; raise _StoppedError once stopped."""
        while True:
            if is_stopped():
                raise _StoppedError
            reply = self.message(min(deadline, time.monotonic() + POLL))
            if reply is not None or time.monotonic() >= deadline:
                return reply

    def message(self, deadline: float) -> dict[str, Any] | None:
        """Return the next reply, or None at the deadline; raise _DiedError if the child died."""
        while b"\n" not in self._received:
            left = max(deadline - time.monotonic(), 0.0)
            if not self._poll.poll(left * 1000):
                return None
            try:
                read = os.read(self._from_child, 65536)
            except OSError as error:
                raise refused_start(error) from error
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
        frames = list(_frames(self._written()))
        return f" in {frames[0]}" if frames else ""

    def last_line(self) -> str:
        """Return the last line that the process wrote."""
        lines = self._written().split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def forget_words(self) -> None:
        """Discard the messages that libraries wrote during earlier scenes, to free memory."""
        with contextlib.suppress(OSError):
            self._stderr.truncate(0)

    def _written(self) -> str:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 20_000))
        return self._stderr.read().decode(errors="replace")

    def close(self) -> None:
        """Close the pipes after the child process has ended."""
        self.wait()
        self._kept.close()


def _file_in_memory() -> IO[bytes]:
    number = os.memfd_create("stderr")
    fcntl.fcntl(number, fcntl.F_SETFL, os.O_APPEND)  # so that the file can be cut between writes
    return os.fdopen(number, "r+b", buffering=0)


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """Return both ends of a new pipe, which these stacks close."""
    ends = os.pipe()
    for stack, end in zip((reader, writer), ends, strict=True):
        stack.callback(os.close, end)
    return ends


def _unready(child: _Child) -> MachineError:
    """Return the error for a child process that died before it was ready."""
    code, last = child.wait(), child.last_line()
    if code == REFUSED:
        return MachineError(last)
    how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended ({code})"
    return MachineError(
        f"a process for the scenes {how} before it was ready{f': {last}' if last else ''}. Check "
        "the free memory and the limits of the machine, then call again."
    )


def _frames(dump: str) -> Iterator[str]:
    """Yield the frames of a crash as ``read_chunk (hdf5_chunks.py, line 117)``, innermost first."""
    _, current, after = dump.rpartition("Current thread")
    for line in (after if current else "").splitlines():
        words = line.strip()
        if words.startswith('File "'):
            path, _, rest = words.removeprefix('File "').partition('", ')
            number, _, function = rest.partition(" in ")
            yield f"{function} ({Path(path).name}, {number})"
