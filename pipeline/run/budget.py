"""How much memory a run may use, and how it is worked within that.

The limit covers what a run needs beside the program itself (libraries and networks, about 0.2 GB).
It decides how many blocks are in work together and how many pixels of a block are between input and
product at a time; never what is in a product.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import SceneError
from pipeline.machine.in_order import ahead_of
from pipeline.machine.resources import in_words
from pipeline.scene.grid import BlockGrid
from pipeline.scene.lazy import StoredChunks

# Tried in this order: more threads first, then more pixels, which cost less per pixel.
PIXELS_AT_ONCE = (262144, 131072, 65536, 32768, 16384, 8192, 4096)

# Bytes that a thread needs beside what grows with the pixels: a chunk that is compressed, rows that
# are decided in double precision, the network's own.
WORKSPACE = 24_000_000
# And bytes of the run as a whole: files that are open, memory that is free but not given back.
OVERHEAD = 40_000_000


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
