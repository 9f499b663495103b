"""The blocks of a run: a regular grid from the origin of the window, processed row by row."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockGrid:
    """Blocks of size ``chunk`` (lines, pixels); the last row or column may have smaller blocks."""

    origin: tuple[int, int]
    """First line and pixel of the window in the scene."""
    shape: tuple[int, int]
    """Lines and pixels of the window."""
    chunk: tuple[int, int]
    halo: int = 0
    """Width (pixels) of the border that is read around each block."""

    @property
    def rows(self) -> int:
        """Number of blocks from top to bottom."""
        return -(-self.shape[0] // self.chunk[0])

    @property
    def columns(self) -> int:
        """Number of blocks from left to right."""
        return -(-self.shape[1] // self.chunk[1])

    @property
    def count(self) -> int:
        """Number of all blocks."""
        return self.rows * self.columns

    def region(self, number: int) -> tuple[slice, slice]:
        """Return the lines and pixels of a block, counted from the window's origin."""
        row, column = divmod(number, self.columns)
        lines, pixels = (
            slice(place * size, min((place + 1) * size, end))
            for place, size, end in zip((row, column), self.chunk, self.shape, strict=True)
        )
        return lines, pixels

    def last_user(self, lines: slice, pixels: slice) -> int:
        """Return the last block that reads from a rectangle of the scene; -1 if no block does."""
        first_row, last_row = self._span(lines, 0)
        first_column, last_column = self._span(pixels, 1)
        if first_row > last_row or first_column > last_column:
            return -1
        return last_row * self.columns + last_column

    def first_user(self, lines: slice, pixels: slice) -> int:
        """Return the first block that reads from a rectangle; at least one block must do so."""
        return self._span(lines, 0)[0] * self.columns + self._span(pixels, 1)[0]

    def most_chunks(self, lines: int, pixels: int, at_once: int) -> int:
        """Return how many storage chunks of one array can be in memory at the same time.

        Args:
            lines: lines of a storage chunk; the first chunk begins at the scene's origin.
            pixels: pixels of a storage chunk.
            at_once: number of blocks that are processed at the same time.
        """
        first_line, first_pixel = (max(start - self.halo, 0) for start in self.origin)
        last_line, last_pixel = (
            start + size + self.halo for start, size in zip(self.origin, self.shape, strict=True)
        )
        change = np.zeros(self.count + 1, dtype=np.int64)
        for top in range(first_line // lines * lines, last_line, lines):
            for left in range(first_pixel // pixels * pixels, last_pixel, pixels):
                rectangle = slice(top, top + lines), slice(left, left + pixels)
                last = self.last_user(*rectangle)
                if last >= 0:
                    # Blocks run in parallel, so a block may need the chunk before its turn.
                    change[max(self.first_user(*rectangle) - (at_once - 1), 0)] += 1
                    change[last + 1] -= 1
        return int(np.cumsum(change).max(initial=0))

    def _span(self, part: slice, axis: int) -> tuple[int, int]:
        """Return the first and last row or column (axis 0 or 1) whose halo overlaps ``part``."""
        size, origin = self.chunk[axis], self.origin[axis]
        first = (part.start - origin - self.halo) // size
        last = (part.stop - 1 - origin + self.halo) // size
        if part.start - self.halo >= origin + self.shape[axis]:
            return 0, -1
        return max(first, 0), min(last, (self.rows, self.columns)[axis] - 1)
