"""How much memory a run may use, and how it is worked within that.

The limit covers what a run needs beside the program itself (libraries and networks, about 0.2 GB).
It decides how many blocks are in work together and how many pixels of a block are between input and
product at a time; never what is in a product.
"""

import contextlib
import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Tried in this order: more threads first, then more pixels, which cost less per pixel.
PIXELS_AT_ONCE = (262144, 131072, 65536, 32768, 16384, 8192, 4096)

# Without a limit, a run takes at most this share of what the machine has left, and never less than
# the second number (bytes).
SHARE = 0.5
LEAST = 256_000_000


@dataclass(frozen=True)
class Work:
    """How a scene is worked through."""

    threads: int
    pixels_at_once: int
    """Pixels of a block that are between input and product at a time."""
    peak_bytes: int
    """Estimate of the most memory in use, beside the program itself."""


def choose(estimate: Callable[[int, int], int], threads: int, limit: int) -> Work | None:
    """The most threads, then the most pixels at once, that stay within a limit.

    Args:
        estimate: bytes for a number of threads and of pixels at once.
        threads: the most that are wanted.
        limit: bytes.

    Returns:
        None where nothing does.
    """
    for number in range(threads, 0, -1):
        for pixels in PIXELS_AT_ONCE:
            peak = estimate(number, pixels)
            if peak <= limit:
                return Work(number, pixels, peak)
    return None


def least(estimate: Callable[[int, int], int]) -> int:
    """Bytes without which nothing goes."""
    return estimate(1, PIXELS_AT_ONCE[-1])


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
    return max(int(SHARE * _available()), LEAST)


def _available() -> int:
    found = [_of_machine()]
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None:
        found.append(limit - (used or 0))
    return min(found)


def _of_machine() -> int:
    """What Linux says is available; elsewhere, half of what there is."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            name, _, amount = line.partition(":")
            if name == "MemAvailable":
                return int(amount.split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def in_words(nbytes: float) -> str:
    """``310 MB``, ``1.2 GB``."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"
