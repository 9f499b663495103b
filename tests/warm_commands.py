"""Commands of ``ocpipe`` as processes that need not import the libraries first.

Importing them takes longer than most commands work. A server that has done so forks for each
command, and the fork runs the installed script. ``ocpipe batch`` starts processes of its own for
its scenes; the first two of a command are forked by it before it begins, and wait until they are
wanted. ``test_warm_commands.py`` compares all this with what a shell starts.

Folders of ``PYTHONPATH`` come first on the path, as in a new interpreter; only a
``sitecustomize.py`` in them is not run, and what happens before the libraries are imported cannot
be seen. Tests of these start a process of their own.
"""

import contextlib
import gc
import importlib
import itertools
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

OCPIPE = Path(sys.executable).parent / "ocpipe"
# Seconds after which a command is stuck, and ended.
LONGEST_S = 600
# What the commands import: of scenes, and of training beside it.
SCENES = (
    "pipeline.process", "pipeline.inspection", "pipeline.batch.child", "pipeline.batch.runner",
    "pipeline.cli.batch_display", "dask.array", "dask.threaded", "pint", "h5netcdf",
    "xarray.backends.h5netcdf_", "matplotlib.figure", "imagecodecs",
)  # fmt: skip
# onnxruntime is not among them: its import starts a thread, which a fork would lack.
TRAINING = (*SCENES, "keras", "keras_tuner", "matplotlib.pyplot", "pandas", "onnx")
SPARES = 2


class Command:
    """A command at work or ended; the methods are those of ``subprocess.Popen``."""

    def __init__(self, folder: Path) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self.started, self.ended = threading.Event(), threading.Event()
        self._streams = folder / "stdout", folder / "stderr"

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(OCPIPE), timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        # A command that was killed at once has not opened its streams.
        stdout, stderr = (path.read_text() if path.exists() else "" for path in self._streams)
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Server:
    """Starts commands; the process behind it is started with the first."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._modules = modules
        self._process: subprocess.Popen[str] | None = None
        self._commands: dict[int, Command] = {}
        self._numbers = itertools.count()

    def run(self, *arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
        """A command, to its end; the keywords are those of ``start``."""
        command = self.start(*arguments, **how)
        stdout, stderr = command.communicate()
        return subprocess.CompletedProcess(arguments, command.wait(), stdout, stderr)

    def start(
        self,
        *arguments: object,
        env: Mapping[str, str] = os.environ,
        cwd: Path | None = None,
        largest_file: int | None = None,
    ) -> Command:
        """Begin a command; the files that it writes may be limited in size (bytes)."""
        process = self._started()
        folder = Path(tempfile.mkdtemp(prefix="command-", dir=self._folder.name))
        number, command = next(self._numbers), Command(folder)
        self._commands[number] = command
        job = {
            "number": number, "argv": [str(OCPIPE), *map(str, arguments)], "env": dict(env),
            "folder": str(folder), "cwd": str(cwd or Path.cwd()), "largest_file": largest_file,
        }  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        while not command.started.wait(1):
            assert process.poll() is None, (Path(self._folder.name) / "server.log").read_text()
        return command

    @property
    def pid(self) -> int:
        """The process that forks the commands."""
        return self._started().pid

    def close(self) -> None:
        """End the server, and what it still has at work."""
        if self._process is not None:
            for command in self._commands.values():
                command.kill()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._listener.join()
            self._folder.cleanup()
            self._process = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            from pipeline.machine.resources import ONE_THREAD

            self._folder = tempfile.TemporaryDirectory(prefix="ocpipe-tests-")
            with (Path(self._folder.name) / "server.log").open("w") as log:
                self._process = subprocess.Popen(
                    [sys.executable, __file__, *self._modules],
                    cwd=self._folder.name,
                    env=ONE_THREAD | os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            self._listener = threading.Thread(target=self._listen, daemon=True)
            self._listener.start()
        return self._process

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            command = self._commands[told["number"]]
            if "pid" in told:
                command.pid = told["pid"]
                command.started.set()
            else:
                command.returncode = told["code"]
                command.ended.set()
                del self._commands[told["number"]]


# In the server


def serve(modules: list[str]) -> None:
    """Run each job that comes as a line of JSON in a fork; tell its process, then its exit code."""
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # a fork then shares what was imported, and ends without visiting it
    running: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN | select.POLLHUP)
    is_open = True
    while is_open or running:
        for ready, _ in poll.poll():
            if ready in running:
                number, child = running.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                _tell(number=number, code=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            elif line := sys.stdin.readline():  # they come one at a time
                job = json.loads(line)
                child = os.fork()
                if child == 0:
                    _become(job)
                running[handle := os.pidfd_open(child)] = job["number"], child
                poll.register(handle, select.POLLIN)
                _tell(number=job["number"], pid=child)
            else:
                is_open = False
                poll.unregister(sys.stdin)


def _tell(**message: int) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - the answer


def _become(job: Mapping[str, Any]) -> None:
    """The command itself; does not come back."""
    folder = Path(job["folder"])
    for number, path in enumerate((Path(os.devnull), folder / "stdout", folder / "stderr")):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.path[1:1] = filter(None, job["env"].get("PYTHONPATH", "").split(os.pathsep))
    if job["largest_file"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
    signal.alarm(LONGEST_S)
    sys.argv = job["argv"]
    if "batch" in sys.argv[1:2]:
        _keep_spares()
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit(0)


class _Spare:
    """A process for scenes, forked while the command has one thread; has what Popen has."""

    def __init__(self, earlier: "list[_Spare]") -> None:
        self._connection, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(LONGEST_S)
            for connection in (self._connection, *(spare._connection for spare in earlier)):
                connection.close()
            _wait_to_serve(theirs)
        theirs.close()
        self._handle = os.pidfd_open(self.pid)
        self._lock = threading.Lock()
        self.returncode: int | None = None

    def begin(self, numbers: tuple[int, ...], stderr: int, env: Mapping[str, str]) -> None:
        """Let it be ``pipeline.batch.child`` with these file descriptors."""
        message = json.dumps(dict(env)).encode()
        head = len(message).to_bytes(8, "big")
        socket.send_fds(self._connection, [head], [*numbers, stderr])
        self._connection.sendall(message)

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
                if ended:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        if not poll.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("spare", timeout or 0)
        return self.poll()

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _wait_to_serve(connection: socket.socket) -> None:
    """What a spare does; the end of the command, which holds the other end, is its own."""
    head, numbers, _, _ = socket.recv_fds(connection, 8, 8)
    if not head:
        os._exit(0)
    env = b""
    while len(env) < int.from_bytes(head, "big"):
        env += connection.recv(65536)
    connection.close()
    os.environ.clear()
    os.environ.update(json.loads(env))
    *pipes, stderr = numbers
    os.dup2(stderr, 1)
    os.dup2(stderr, 2)
    os.close(stderr)
    signal.alarm(0)
    from pipeline.batch import child

    child.main(*pipes)
    sys.exit(0)


def _keep_spares() -> None:
    from pipeline.batch import supervisor

    spares: list[_Spare] = []
    for _ in range(SPARES):
        spares.append(_Spare(spares))
    original, lock = supervisor.subprocess, threading.Lock()

    def popen(arguments: list[str], **how: Any) -> Any:
        with lock:
            spare = spares.pop(0) if spares else None
        if spare is None:
            return original.Popen(arguments, **how)
        assert arguments[2:4] == ["-m", "pipeline.batch.child"], arguments
        spare.begin(how["pass_fds"], how["stderr"].fileno(), how["env"])
        return spare

    class Replaced:
        Popen: Callable[..., Any] = staticmethod(popen)
        DEVNULL, TimeoutExpired = original.DEVNULL, original.TimeoutExpired

    supervisor.subprocess = Replaced  # type: ignore[assignment]


scenes, training = Server(SCENES), Server(TRAINING)


def close() -> None:
    """End both, and what they still have at work."""
    scenes.close()
    training.close()


if __name__ == "__main__":
    serve(sys.argv[1:])
