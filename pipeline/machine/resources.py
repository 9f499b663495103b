"""What there is for this process: cores and memory of the machine, and of the container or job.

A job of a scheduler has a control group of its own, below the one that ``/sys/fs/cgroup`` shows;
``/proc/self/cgroup`` names it, and every group above it may be narrower still.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

# Where libraries of linear algebra look for the number of their threads. Blocks and scenes are
# what is done in parallel here: threads of their own would only wait for one another (a second core
# went into that), and their number decides the last bits of float64.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

# Without a limit, a run takes at most this share of what the machine has left, and never less than
# the second number (bytes).
SHARE = 0.5
LEAST = 256_000_000

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
MEMINFO = Path("/proc/meminfo")


def use_one_thread_each() -> None:
    """For libraries of linear algebra that are imported from now on, in this process."""
    for name, number in ONE_THREAD.items():
        os.environ.setdefault(name, number)


def available_cores() -> int:
    """Cores that may be used: of the affinity of this process, and of its control groups."""
    limits = [len(os.sched_getaffinity(0))]
    for group in _groups("cpu"):
        quota, period = _cpu_quota(group)
        if quota is not None and period:
            limits.append(max(1, quota // period))
    return min(limits)


def available_memory() -> int:
    """Bytes that are left: of the machine, and of every control group of this process."""
    left = [_of_machine()]
    for group in _groups("memory"):
        # Version 2, then version 1, which says a huge number for no limit.
        for most, now in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = _number(group / most)
            if limit is not None:
                left.append(limit - (_number(group / now) or 0) + _reclaimable(group))
    return max(min(left), 0)


def keep_freed_memory() -> None:
    """Let the C library of Linux use memory again that was freed, for the rest of the process.

    It gives every large array back to the system and gets the next one anew, page by page: a tenth
    of a run's time. It still gives back what is more than 128 MB, and all threads share what is
    free. Elsewhere nothing is changed.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # names of <malloc.h>
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(mmap_threshold, 32 * 1024**2)
        library.mallopt(trim_threshold, 128 * 1024**2)
        library.mallopt(arena_max, 1)


def default_limit() -> int:
    """Half of the memory that the machine, or the container or job on it, has left."""
    return max(int(SHARE * available_memory()), LEAST)


def in_words(nbytes: float) -> str:
    """``310 MB``, ``1.2 GB``."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"


def _groups(controller: str) -> Iterator[Path]:
    """The control group of this process and those above it, of both versions."""
    try:
        own = OWN_GROUPS.read_text().splitlines()
    except OSError:
        own = []
    places = {GROUPS}
    for line in own:
        _, names, path = line.split(":", 2)
        controllers = names.split(",")
        if names and controller not in controllers:
            continue
        root = GROUPS / names if names else GROUPS
        below = root / path.lstrip("/")
        places |= {below, *(above for above in below.parents if above.is_relative_to(root))}
    yield from sorted(places)


def _cpu_quota(group: Path) -> tuple[int | None, int]:
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us") or 0
    return (None if quota == "max" else int(quota)), int(period)


def _reclaimable(group: Path) -> int:
    """Bytes of files in memory, which the kernel gives back when they are needed."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    counted = dict(line.split(" ", 1) for line in lines if " " in line)
    return int(counted.get("inactive_file", 0))


def _of_machine() -> int:
    """What Linux says is available; elsewhere, half of what there is."""
    try:
        lines = MEMINFO.read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(found["MemAvailable"].split()[0]) * 1024


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
