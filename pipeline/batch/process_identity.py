"""Identifies a process, so that another process can later find out whether it still runs.

A process number alone is not enough: the system uses the same number again later, and a number
means nothing in another container or after a restart of the machine.
"""

import os
from pathlib import Path


def mine() -> str:
    """Return the identity of this process: ``<boot>/<namespace>/<number>/<start in ticks>``."""
    pid = os.getpid()
    return f"{_boot()}/{_namespace()}/{pid}/{_start(pid)}"


def is_dead(identity: str) -> bool | None:
    """Return whether a process has ended, or None if this process cannot find out."""
    parts = identity.split("/")
    if len(parts) != 4:
        return True  # no process has this identity
    boot, namespace, pid, start = parts
    if boot != _boot():
        return True  # the machine was restarted
    if namespace != _namespace():
        return None  # the process may run in another container
    return _start(pid) != start


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "unknown"


def _start(pid: int | str) -> str:
    """Return the start time of a process, or the word ``gone`` if the process has ended."""
    if not str(pid).isdecimal():
        return "gone"
    try:
        # The name, in brackets, may contain any byte.
        said = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "gone"
    fields = said.rpartition(")")[2].split()
    return "gone" if fields[0] in ("Z", "X") else fields[19]
