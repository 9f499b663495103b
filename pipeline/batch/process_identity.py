"""Which process this is, so that another one can tell later whether it still runs.

A process number alone is not enough: it is used again, and means nothing in another container or
after a restart of the machine.
"""

import os
from pathlib import Path


def mine() -> str:
    """Of this process: ``<boot>/<namespace of numbers>/<number>/<start in ticks>``."""
    pid = os.getpid()
    return f"{_boot()}/{_namespace()}/{pid}/{_start(pid)}"


def is_dead(identity: str) -> bool | None:
    """Whether a process is gone; None where that cannot be told from here."""
    boot, namespace, pid, start = identity.split("/")
    if boot != _boot():
        return True  # the machine was restarted since
    if namespace != _namespace():
        return None  # it is in another container, perhaps
    return _start(int(pid)) != start


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


def _start(pid: int) -> str:
    """When a process started; ``gone`` for one that is no more, or only waits to be reaped."""
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "gone"
    return "gone" if fields[0] in ("Z", "X") else fields[19]
