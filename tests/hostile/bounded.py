"""Runs commands of ocpipe in processes with limits of memory and time, and says how they ended.

A server imports the libraries once and forks for each command, so a command takes milliseconds.
"""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

MOST_MEMORY = 1_000_000_000
"""Bytes of data (RLIMIT_DATA), with the libraries."""
MOST_SECONDS = 20.0
"""Of processor time: a busy machine must not decide."""
PATIENCE = 120.0
"""Seconds after which a command hangs."""


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    code: int
    """The exit code; negative for the number of a signal."""
    output: str
    seconds: float
    """Of processor time."""
    peak_bytes: int

    @property
    def faults(self) -> list[str]:
        """What must never be, whatever the file is."""
        found = []
        if self.code < 0:
            found.append(f"ended by {signal.Signals(-self.code).name}")
        if "Traceback" in self.output:
            found.append("a traceback")
        if self.seconds > MOST_SECONDS:
            found.append(f"took {self.seconds:.1f} s")
        if self.peak_bytes > MOST_MEMORY:
            found.append(f"took {self.peak_bytes:,} bytes")
        return found


class Bounded:
    """Asks the server to run commands."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "hostile.bounded"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)
        assert self._server.stdout is not None
        self._server.stdout.close()

    def run(
        self, *arguments: object, folder: Path | None = None, memory: int = MOST_MEMORY, **env: str
    ) -> Ending:
        """Run ``ocpipe`` with these arguments."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        asked = {
            "arguments": [str(each) for each in arguments],
            "folder": str(folder or "/"),
            "memory": memory,
            "env": env,
        }
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return Ending(**json.loads(self._server.stdout.readline()))


def _serve() -> None:
    import h5netcdf  # noqa: F401 - imported once for all commands
    import rioxarray  # noqa: F401

    import pipeline.cli
    import pipeline.cli.look
    import pipeline.inspection
    import pipeline.verify  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_ran(**json.loads(line))) + "\n")
        answers.flush()


def _ran(arguments: list[str], folder: str, memory: int, env: dict[str, str]) -> dict[str, Any]:
    read, write = os.pipe()
    learn, teach = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.close(learn)
        _do(arguments, folder, memory, env, write, teach)
    os.close(write)
    os.close(teach)
    output, deadline = b"", begun + PATIENCE
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([read], [], [], left)[0]:
            break
        if not (part := os.read(read, 65536)):
            break
        output += part
    os.close(read)
    with contextlib.suppress(ProcessLookupError):
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    _learn(learn)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "output": output.decode(errors="replace"),
        "seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }


def _learn(read: int) -> None:
    """Import what the command has imported, so that the next one need not."""
    with os.fdopen(read) as names:
        for name in names.read(60_000).split():
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _do(
    arguments: list[str], folder: str, memory: int, env: dict[str, str], write: int, teach: int
) -> None:
    """Run a command in a process of its own, which ends here."""
    code, known = 70, set(sys.modules)
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(write, 1)
        os.dup2(write, 2)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ.update(env)
        os.chdir(folder)
        from pipeline.cli import main

        sys.argv = ["ocpipe", *arguments]
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(teach, " ".join(sorted(set(sys.modules) - known)).encode()[:60_000])
    except BaseException:  # noqa: BLE001 - whatever it is, the test shows it
        import traceback

        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
