"""Commands in processes of their own: seconds from start to end, and the most memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ran:
    """A command that ended well."""

    seconds: float
    peak_gb: float
    output: str


def run(command: Sequence[object]) -> Ran:
    """Run a command; its start and imports count.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    output, complaint = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command} ended with {process.returncode}: {complaint.decode()}")
    return Ran(seconds, usage.ru_maxrss * 1024 / 1e9, output.decode())


def ocpipe(*arguments: object) -> Ran:
    """The command of this project."""
    return run((BIN / "ocpipe", *arguments))


def python(*arguments: object) -> Ran:
    """A script."""
    return run((sys.executable, *arguments))
