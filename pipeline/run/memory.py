"""Estimates the memory of a run, and chooses how many threads and pixels stay within a limit.

The limit covers what a run needs in addition to the program itself (libraries and networks, about
0.2 GB). Within the limit, a run processes several blocks at the same time, and many pixels of
each block. The product does not depend on the limit.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.errors import SceneError
from pipeline.machine.in_order import ahead_of
from pipeline.machine.resources import in_words
from pipeline.run.step import RetrievalStep
from pipeline.run.uncertainty import InputUncertainty
from pipeline.scene.grid import BlockGrid
from pipeline.scene.lazy import StoredChunks

# Tried in this order: more threads first, then more pixels, which cost less per pixel.
PIXELS_AT_ONCE = (262144, 131072, 65536, 32768, 16384, 8192, 4096)

# Bytes that a thread needs for any number of pixels: for a chunk that is being compressed, for
# rows in double precision, and for the network itself.
WORKSPACE = 24_000_000
# Bytes of the run as a whole: open files, memory that was freed but not returned.
OVERHEAD = 40_000_000


@dataclass(frozen=True)
class Work:
    """The number of threads and of pixels that a run uses at the same time."""

    threads: int
    pixels_at_once: int
    """Pixels of a block that a thread computes at the same time."""
    peak_bytes: int
    """Estimated peak memory in bytes, without the program itself."""


def choose_work(estimate: Callable[[int, int], int], threads: int, limit: int) -> Work | None:
    """Choose the most threads within a memory limit (bytes), then the most pixels at a time.

    The result is None if even one thread with the fewest pixels exceeds the limit.
    """
    for number in range(threads, 0, -1):
        for pixels in PIXELS_AT_ONCE:
            peak = estimate(number, pixels)
            if peak <= limit:
                return Work(number, pixels, peak)
    return None


def product_pixel_bytes(steps: Sequence[RetrievalStep], source_flags_bytes: int) -> int:
    """Return how many bytes one product pixel takes, in all variables together."""
    variables = sum(4 * len(step.written) + 1 for step in steps)
    return variables + source_flags_bytes + 12  # quality_flags, latitude, longitude


def working_pixel_bytes(
    layers_read: int,
    row_length: int,
    steps: Sequence[RetrievalStep],
    uncertainty: InputUncertainty | None,
) -> int:
    """Estimate the working memory per pixel, in bytes."""
    outputs = sum(len(step.retrieval.outputs) for step in steps)
    uncertain = sum(len(step.uncertainties) for step in steps)
    values = 13 * layers_read + 12 * outputs + 100
    if uncertainty is None:
        return values + 16 * uncertain
    # Moved rows, deviations of the inputs; moments and results of the outputs.
    centres = sum(len(step.centres) for step in steps)
    return values + 8 * row_length + 8 * len(uncertainty.inputs) + 28 * uncertain + 8 * centres


@dataclass(frozen=True)
class MemoryEstimate:
    """The quantities that determine the memory of a run."""

    grid: BlockGrid
    storage: tuple[StoredChunks, ...]
    """Storage chunks of the layers that the run reads."""
    kept_bytes: int
    """Bytes that are in memory during the whole run."""
    product_bytes: int
    """Bytes per product pixel in all variables together."""
    pixel_bytes: int
    """Bytes per pixel while the pixel is computed."""

    def work_within(self, limit: int, threads: int) -> Work:
        """Choose the most threads within a memory limit (bytes), then the most pixels at a time.

        Raises:
            SceneError: even the smallest amount of work exceeds the limit.
        """
        found = choose_work(self.peak_bytes, threads, limit)
        if found is None:
            least = self.peak_bytes(1, PIXELS_AT_ONCE[-1])
            raise SceneError(
                f"the scene needs at least {in_words(least)} of memory in addition to the program "
                f"itself, but the limit is {in_words(limit)}. {self._largest_part(least)} Raise "
                "--memory-limit (execution.memory_limit), or process a part of the scene (--lines, "
                "--pixels)."
            )
        return found

    def peak_bytes(self, threads: int, pixels_at_once: int) -> int:
        """Estimate the peak memory, without the program itself."""
        lines, pixels = self.grid.chunk
        begun = ahead_of(threads)
        waiting = begun * lines * pixels * self.product_bytes
        at_once = min(max(pixels_at_once, pixels), lines * pixels)
        working = threads * (at_once * self.pixel_bytes + WORKSPACE)
        return self._input_bytes(begun) + waiting + working + OVERHEAD

    def _input_bytes(self, blocks: int) -> int:
        """Return how many bytes of storage chunks this number of blocks keeps in memory."""
        shapes = Counter((chunks.lines, chunks.pixels) for chunks in self.storage)
        most = {shape: self.grid.most_chunks(*shape, blocks) for shape in shapes}
        chunks = sum(most[stored.lines, stored.pixels] * stored.nbytes for stored in self.storage)
        return chunks + self.kept_bytes

    def _largest_part(self, least: int) -> str:
        """Return a sentence that names the largest part of the memory."""
        inputs, (lines, pixels) = self._input_bytes(1), self.grid.chunk
        if inputs * 2 < least:
            return f"Blocks of {lines} x {pixels} have many variables."
        chunks = max(self.storage, key=lambda chunks: chunks.nbytes)
        return (
            f"Storage chunks of {chunks.lines} lines x {chunks.pixels} pixels take "
            f"{in_words(inputs)} of this memory; they stay in memory until all blocks that need "
            "them are done."
        )
