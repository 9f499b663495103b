"""Storage chunks are read once, kept while a block needs them and not longer."""

import copy
import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.machine.in_order import ahead_of, in_order
from pipeline.readers import chunk_cache
from pipeline.readers.chunk_cache import Chunk, ChunkCache
from pipeline.scene.grid import BlockGrid

PATIENCE = 300  # seconds until a thread that never comes fails a test
EVERYWHERE = slice(0, 1)


class Loads:
    """Chunks that count how often they are loaded, of so many bytes each."""

    def __init__(self, nbytes=8):
        self.counts, self.nbytes = Counter(), nbytes
        self._lock = threading.Lock()

    def chunk(self, key, lines=EVERYWHERE, pixels=EVERYWHERE):
        def load():
            with self._lock:
                self.counts[key] += 1
            return np.full(self.nbytes, hash(key) % 100, np.uint8)

        return Chunk(key, lines, pixels, load)


def in_threads(number, function):
    """The results of a function called with 0, 1 ... in so many threads that begin together."""
    together = threading.Barrier(number)

    def begin(index):
        together.wait(PATIENCE)
        return function(index)

    with ThreadPoolExecutor(number) as pool:
        return [f.result(PATIENCE) for f in [pool.submit(begin, i) for i in range(number)]]


# Loading


def test_many_threads_load_each_chunk_once():
    """Whatever the order in which they ask, all get the same numbers."""
    cache, loads = ChunkCache(), Loads()
    keys = list(range(40))

    def fetch(seed):
        order = np.random.default_rng(seed).permutation(keys).tolist()
        arrays = cache.fetch([loads.chunk(key) for key in order])
        return all((array == key % 100).all() for key, array in zip(order, arrays, strict=True))

    assert in_threads(8, fetch) == [True] * 8
    assert loads.counts == dict.fromkeys(keys, 1)


def test_a_chunk_that_is_asked_for_twice_at_once_is_loaded_once():
    """Two layers of one fetch may lie in the same chunk."""
    cache, loads = ChunkCache(), Loads()
    first, second = cache.fetch([loads.chunk("a"), loads.chunk("a")])
    assert first is second
    assert loads.counts == {"a": 1}


def test_who_finds_a_chunk_in_the_making_goes_on_with_others():
    """Two threads that ask for the same chunks in the opposite order do not wait for each other."""
    cache = ChunkCache()
    loading = {key: threading.Event() for key in "ab"}

    def chunk(key, other):
        def load():
            loading[key].set()
            assert loading[other].wait(PATIENCE)  # both are loaded at the same time, or never
            return np.array([ord(key)])

        return Chunk(key, EVERYWHERE, EVERYWHERE, load)

    both = chunk("a", "b"), chunk("b", "a")
    found = in_threads(2, lambda index: cache.fetch(both[:: 1 - 2 * index]))
    assert [[int(array[0]) for array in arrays] for arrays in found] == [[97, 98], [98, 97]]


@pytest.mark.parametrize("failure", [OSError, MemoryError, KeyboardInterrupt])
def test_a_failure_is_everybodys_and_the_next_may_succeed(failure):
    """All who wait for a chunk that fails are told; it is not kept as failed."""
    cache, began, gate = ChunkCache(), threading.Event(), threading.Event()
    tries = itertools.count()

    def load():
        if next(tries):
            return np.zeros(1)
        began.set()
        assert gate.wait(PATIENCE)
        raise failure("damaged")

    chunk = Chunk("a", EVERYWHERE, EVERYWHERE, load)
    told = []

    def fetch(_index):
        try:
            cache.fetch([chunk])
        except failure:
            told.append("failed")
        else:
            told.append("loaded")

    first = threading.Thread(target=fetch, args=(0,))
    first.start()
    assert began.wait(PATIENCE)
    waiting = [threading.Thread(target=fetch, args=(1,)) for _ in range(3)]
    for thread in waiting:
        thread.start()
    gate.set()
    for thread in (first, *waiting):
        thread.join(PATIENCE)
    # One that came only after the failure tried again.
    assert sorted(set(told)) in (["failed"], ["failed", "loaded"])
    assert len(told) == 4
    assert next(tries) <= 2
    assert cache.fetch([chunk])[0].tolist() == [0]


def test_a_failure_keeps_what_was_loaded_before_it():
    """Only the chunk that failed is read again."""
    cache, loads = ChunkCache(), Loads()

    def fail():
        raise OSError("damaged")

    with pytest.raises(OSError, match="damaged"):
        cache.fetch([loads.chunk("a"), Chunk("b", EVERYWHERE, EVERYWHERE, fail)])
    cache.fetch([loads.chunk("a"), loads.chunk("b")])
    assert loads.counts == {"a": 1, "b": 1}


def test_a_copy_is_the_same_cache():
    """A scene is copied with what is in its ``encoding``."""
    cache = ChunkCache()
    assert copy.deepcopy({"cache": cache})["cache"] is cache


# Without a run


@given(
    asked=st.lists(st.integers(0, 9), max_size=40),
    capacity=st.integers(0, 100),
)
def test_without_a_grid_what_was_used_last_is_kept(asked, capacity):
    """As many chunks as fit, the least recently used one goes first."""
    loads, kept, expected = Loads(nbytes=10), [], Counter()
    cache = ChunkCache()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chunk_cache, "CAPACITY", capacity)
        for key in asked:
            if key in kept:
                kept.remove(key)
            else:
                expected[key] += 1
            kept = [*kept, key][max(len(kept) + 1 - capacity // 10, 0) :]
            assert cache.fetch([loads.chunk(key)])[0].size == 10
            assert cache.nbytes == 10 * len(kept) <= capacity
    assert loads.counts == expected


def test_a_fetch_of_more_than_is_kept_gives_everything():
    """What does not fit is handed over all the same."""
    loads, cache = Loads(nbytes=chunk_cache.CAPACITY // 3), ChunkCache()
    arrays = cache.fetch([loads.chunk(key) for key in range(5)])
    assert [int(array[0]) for array in arrays] == [0, 1, 2, 3, 4]
    assert cache.nbytes <= chunk_cache.CAPACITY


# In a run

SMALL = st.tuples(st.integers(1, 6), st.integers(1, 6))
GRIDS = st.builds(
    BlockGrid,
    origin=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    shape=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    chunk=SMALL,
    halo=st.integers(0, 4),
)


def needed(grid, size):
    """The chunks, of so many lines and pixels, that each block reads; by looking at each pixel."""
    found = []
    for region in map(grid.region, range(grid.count)):
        along = [
            sorted({place // n for place in range(max(first, 0), last)})
            for n, first, last in (
                (n, origin + part.start - grid.halo, origin + part.stop + grid.halo)
                for part, origin, n in zip(region, grid.origin, size, strict=True)
            )
        ]
        found.append(set(itertools.product(*along)))
    return found


def chunk_of(loads, key, size):
    lines, pixels = (slice(k * n, (k + 1) * n) for k, n in zip(key, size, strict=True))
    return loads.chunk(key, lines, pixels)


def schedule(count, at_once, draw):
    """What happens in a run: (begin, block), (finish, block), with so many blocks in work."""
    begun, working, done, following = 0, [], set(), 0
    while following < count:
        can_begin = begun < min(count, following + at_once)
        if can_begin and (not working or draw(st.booleans())):
            yield "begin", begun
            working.append(begun)
            begun += 1
        else:
            block = draw(st.sampled_from(working))
            working.remove(block)
            done.add(block)
            while following in done:
                following += 1
            yield "finish", block


@settings(max_examples=60)
@given(grid=GRIDS, size=SMALL, at_once=st.integers(1, 5), data=st.data())
def test_in_a_run_chunks_are_there_exactly_while_they_are_needed(grid, size, at_once, data):
    """Each is loaded once, and let go of with the last block that needs it, whichever ends last."""
    cache, loads = ChunkCache(), Loads()
    of_block = needed(grid, size)
    last = {key: n for n, keys in enumerate(of_block) for key in keys}
    cache.fetch([chunk_of(loads, key, size) for key in of_block[0]])
    cache.follow(grid)
    assert cache.nbytes == 0
    loads.counts.clear()
    most = loads.nbytes * grid.most_chunks(*size, at_once)
    done, following = set(), 0
    for what, block in schedule(grid.count, at_once, data.draw):
        if what == "begin":
            cache.fetch([chunk_of(loads, key, size) for key in of_block[block]])
            assert cache.nbytes <= most
            continue
        cache.finished(block)
        done.add(block)
        while following in done:
            following += 1
        still = {key for key in loads.counts if last[key] >= following}
        assert set(cache._entries) == still
    assert cache.nbytes == 0
    assert loads.counts == dict.fromkeys(last, 1)


@given(grid=GRIDS, size=SMALL, at_once=st.integers(1, 6))
def test_most_chunks_are_those_that_can_be_in_memory(grid, size, at_once):
    """All blocks that may be in work together have read, none has ended."""
    of_block = needed(grid, size)
    first = {key: n for n, keys in reversed(list(enumerate(of_block))) for key in keys}
    last = {key: n for n, keys in enumerate(of_block) for key in keys}
    most = max(
        sum(first[key] < start + at_once and last[key] >= start for key in first)
        for start in range(grid.count)
    )
    assert grid.most_chunks(*size, at_once) == most


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_threads_of_a_run_stay_below_the_peak(threads):
    """Blocks across chunks, with a halo, in the order and the threads of a real run."""
    grid, size = BlockGrid((3, 5), (60, 44), (7, 9), halo=2), (8, 10)
    cache, loads, of_block = ChunkCache(), Loads(), needed(grid, size)
    cache.follow(grid)
    seen = []

    def work(number):
        arrays = cache.fetch([chunk_of(loads, key, size) for key in of_block[number]])
        seen.append(cache.nbytes)
        cache.finished(number)
        return len(arrays)

    done = list(in_order(work, grid.count, threads))
    assert done == [len(keys) for keys in of_block]
    assert set(loads.counts.values()) == {1}
    assert max(seen) <= loads.nbytes * grid.most_chunks(*size, ahead_of(threads))
    assert cache.nbytes == 0


def test_a_second_run_begins_anew():
    """The same scene may be worked through again, by another grid."""
    cache, loads = ChunkCache(), Loads()
    for grid in (BlockGrid((0, 0), (4, 4), (2, 2)), BlockGrid((0, 0), (4, 4), (4, 1))):
        cache.follow(grid)
        for number, keys in enumerate(needed(grid, (4, 4))):
            cache.fetch([chunk_of(loads, key, (4, 4)) for key in keys])
            cache.finished(number)
        assert cache.nbytes == 0
    assert loads.counts == {(0, 0): 2}
