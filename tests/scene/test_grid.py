"""Blocks cover their window, and the first and last of them that read a rectangle are known."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scene.grid import BlockGrid

GRIDS = st.builds(
    BlockGrid,
    origin=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    shape=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    chunk=st.tuples(st.integers(1, 16), st.integers(1, 16)),
    halo=st.integers(0, 9),
)


def regions_of(grid):
    """The blocks of a grid in their order."""
    return map(grid.region, range(grid.count))


def readers_of(grid, lines, pixels):
    """The blocks that, with their halo, read from a rectangle of the scene; by looking at each."""
    found = []
    for number, region in enumerate(regions_of(grid)):
        read = [
            range(origin + part.start - grid.halo, origin + part.stop + grid.halo)
            for origin, part in zip(grid.origin, region, strict=True)
        ]
        wanted = range(lines.start, lines.stop), range(pixels.start, pixels.stop)
        if all(set(r) & set(w) for r, w in zip(read, wanted, strict=True)):
            found.append(number)
    return found


@given(grid=GRIDS)
def test_blocks_cover_the_window_once(grid):
    """Row by row, each with no more than a chunk; only the last row and column are short."""
    covered = np.zeros(grid.shape, int)
    for number, region in enumerate(regions_of(grid)):
        covered[region] += 1
        row, column = divmod(number, grid.columns)
        sizes = tuple(part.stop - part.start for part in region)
        inner = row < grid.rows - 1, column < grid.columns - 1
        for size, full, is_inner in zip(sizes, grid.chunk, inner, strict=True):
            assert 0 < size <= full
            assert size == full or not is_inner
    assert (covered == 1).all()
    assert grid.count == grid.rows * grid.columns


@given(grid=GRIDS, data=st.data())
def test_first_and_last_user_of_a_rectangle_that_is_read(grid, data):
    """Those that looking at every block finds, for any window, chunk and halo."""
    parts = []
    for origin, size in zip(grid.origin, grid.shape, strict=True):
        first_read = max(origin - grid.halo, 0)
        start = data.draw(st.integers(max(first_read - 12, 0), origin + size + grid.halo - 1))
        parts.append(slice(start, max(start, first_read) + data.draw(st.integers(1, 12))))
    found = readers_of(grid, *parts)
    assert (grid.first_user(*parts), grid.last_user(*parts)) == (found[0], found[-1])


@given(grid=GRIDS, axis=st.sampled_from((0, 1)), data=st.data())
def test_a_rectangle_before_all_blocks_is_of_none(grid, axis, data):
    """Above or left of the window and its halo."""
    grid = replace(grid, origin=tuple(start + grid.halo + 1 for start in grid.origin))
    stop = data.draw(st.integers(1, grid.origin[axis] - grid.halo))
    parts = [slice(0, 60), slice(0, 60)]
    parts[axis] = slice(data.draw(st.integers(0, stop - 1)), stop)
    assert readers_of(grid, *parts) == []
    assert grid.last_user(*parts) == -1
