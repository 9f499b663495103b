"""How much memory a run may use, and how it is worked within that.

The limit covers what a run needs beside the program itself (libraries and networks, about 0.2 GB).
It decides how many blocks are in work together and how many pixels of a block are between input and
product at a time; never what is in a product.
"""

import contextlib
import ctypes
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import SceneError
from pipeline.grid import BlockGrid
from pipeline.in_order import ahead_of
from pipeline.lazy import StoredChunks
from pipeline.machine import available_memory

# Tried in this order: more threads first, then more pixels, which cost less per pixel.
PIXELS_AT_ONCE = (262144, 131072, 65536, 32768, 16384, 8192, 4096)

# Bytes that a thread needs beside what grows with the pixels: a chunk that is compressed, rows that
# are decided in double precision, the network's own.
WORKSPACE = 24_000_000
# And bytes of the run as a whole: files that are open, memory that is free but not given back.
OVERHEAD = 40_000_000

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


@dataclass(frozen=True)
class Cost:
    """What the memory of a run depends on."""

    grid: BlockGrid
    storage: tuple[StoredChunks, ...]
    """Where what is read is stored."""
    kept_bytes: int
    """Of what is in memory for the whole run."""
    product_bytes: int
    """Of one pixel of the product."""
    pixel_bytes: int
    """Of one pixel between input and product."""

    def work(self, threads: int, limit: int) -> Work:
        """How the scene is worked through within a limit (bytes).

        Raises:
            SceneError: it does not fit at all.
        """
        found = choose(self.peak_bytes, threads, limit)
        if found is None:
            least = self.peak_bytes(1, PIXELS_AT_ONCE[-1])
            raise SceneError(
                f"the scene needs at least {in_words(least)} of memory beside the program itself, "
                f"the limit is {in_words(limit)}. {self._largest_part(least)} Raise --memory-limit "
                "(execution.memory_limit), or process a part of the scene (--lines, --pixels)."
            )
        return found

    def peak_bytes(self, threads: int, pixels_at_once: int) -> int:
        """Estimate of the most memory in use, beside the program itself."""
        lines, pixels = self.grid.chunk
        begun = ahead_of(threads)
        waiting = begun * lines * pixels * self.product_bytes
        at_once = min(max(pixels_at_once, pixels), lines * pixels)
        working = threads * (at_once * self.pixel_bytes + WORKSPACE)
        return self._input_bytes(begun) + waiting + working + OVERHEAD

    def _input_bytes(self, at_once: int) -> int:
        shapes = Counter((chunks.lines, chunks.pixels) for chunks in self.storage)
        most = {shape: self.grid.most_chunks(*shape, at_once) for shape in shapes}
        chunks = sum(most[stored.lines, stored.pixels] * stored.nbytes for stored in self.storage)
        return chunks + self.kept_bytes

    def _largest_part(self, least: int) -> str:
        """What needs the memory, for a message."""
        inputs, (lines, pixels) = self._input_bytes(1), self.grid.chunk
        if inputs * 2 < least:
            return f"Blocks of {lines} x {pixels} have many variables."
        chunks = max(self.storage, key=lambda chunks: chunks.nbytes)
        return (
            f"{in_words(inputs)} of it are storage chunks of {chunks.lines} lines x "
            f"{chunks.pixels} pixels, which must be in memory until all blocks that they meet are "
            "done."
        )


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
