"""Resources available to this process: cores and memory of the machine, the container or the job.

A job of a scheduler has its own control group below the group that ``/sys/fs/cgroup`` shows.
``/proc/self/cgroup`` names the group of a job. Any parent of this group may have a lower limit than
the group itself.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

# Linear-algebra libraries read their number of threads from these variables. Blocks and scenes run
# in parallel here, so threads of a library would only wait for each other, and would use further
# cores. Their number would also change the last bits of float64.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

# Without a limit, a run uses SHARE of the free memory, but at least LEAST bytes.
SHARE = 0.5
LEAST = 256_000_000

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
MEMINFO = Path("/proc/meminfo")


def use_one_thread_each() -> None:
    """Limit each linear-algebra library to one thread; call this before the library is imported."""
    for name, number in ONE_THREAD.items():
        os.environ.setdefault(name, number)


def available_cores() -> int:
    """Return the number of cores that the affinity and control groups of this process allow."""
    limits = [len(os.sched_getaffinity(0))]
    for group in _groups("cpu"):
        quota, period = _cpu_quota(group)
        if quota is not None and period:
            limits.append(max(1, quota // period))
    return min(limits)


def available_memory() -> int:
    """Return the free memory (bytes) that the machine and all control groups allow."""
    left = [_of_machine()]
    for group in _groups("memory"):
        # Version 2, then version 1, where a huge number means no limit.
        for most, now in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = _number(group / most)
            if limit is not None:
                left.append(limit - (_number(group / now) or 0) + _reclaimable(group))
    return max(min(left), 0)


def keep_freed_memory() -> None:
    """Let the C library of Linux reuse freed memory, for the rest of the process.

    By default, the library returns every large array to the system and gets the next array page by
    page, which takes a tenth of a run's time. With these settings, the library keeps up to 128 MB
    of freed memory, and all threads share it. On other systems nothing changes.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # names of <malloc.h>
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(mmap_threshold, 32 * 1024**2)
        library.mallopt(trim_threshold, 128 * 1024**2)
        library.mallopt(arena_max, 1)


def default_limit() -> int:
    """Return half of the free memory (bytes) that the machine and all control groups allow."""
    return max(int(SHARE * available_memory()), LEAST)


def in_words(nbytes: float) -> str:
    """Return a number of bytes as text: ``310 MB``, ``1.2 GB``."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"


def _groups(controller: str) -> Iterator[Path]:
    """Yield the control group (version 1 or 2) of this process, and the parents of the group."""
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
    """Return the size (bytes) of cached files; the kernel drops them if memory is needed."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    counted = dict(line.split(" ", 1) for line in lines if " " in line)
    return int(counted.get("inactive_file", 0))


def _of_machine() -> int:
    """Return the free memory (bytes) that Linux reports; on other systems, half of all memory."""
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
