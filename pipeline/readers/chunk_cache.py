"""Cache of storage chunks: each chunk stays in memory until no later block needs it.

A storage chunk is read and decompressed once, by the first thread that asks for it. If another
thread needs this chunk at the same time, that thread first loads its other chunks and then waits.
In a run, the cache knows the order of the blocks and drops a chunk when the last block that needs
it is done. Outside a run, the cache keeps the most recently used chunks.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from pipeline.scene.grid import BlockGrid

Array = npt.NDArray[Any]

# Bytes kept without a run: enough for the values and the states of one region.
CAPACITY = 64_000_000


@dataclass(frozen=True)
class Chunk:
    """A storage chunk, and the lines and pixels of the scene that it covers."""

    key: Hashable
    lines: slice
    pixels: slice
    load: Callable[[], Array]


@dataclass
class _Entry:
    lines: slice
    pixels: slice
    loaded: "Future[Array]" = field(default_factory=Future)

    @property
    def nbytes(self) -> int:
        done = self.loaded.done() and self.loaded.exception() is None
        return self.loaded.result().nbytes if done else 0


class ChunkCache:
    """The storage chunks of one file; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.RLock()
        self._grid: BlockGrid | None = None
        self._done: set[int] = set()
        self._next = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "ChunkCache":
        """Return this cache itself, because copies of a scene read the same file."""
        return self

    def fetch(self, chunks: Sequence[Chunk]) -> list[Array]:
        """Return the arrays of the given chunks; load the chunks that are not in memory."""
        entries = []
        for chunk in chunks:
            with self._lock:
                entry = self._entries.get(chunk.key)
                is_mine = entry is None
                if entry is None:
                    entry = self._entries[chunk.key] = _Entry(chunk.lines, chunk.pixels)
                else:
                    self._entries.move_to_end(chunk.key)
            if is_mine:
                self._load(chunk, entry)
            entries.append(entry)
        arrays = [entry.loaded.result() for entry in entries]
        if self._grid is None:
            self._forget_oldest()
        return arrays

    def _load(self, chunk: Chunk, entry: _Entry) -> None:
        try:
            entry.loaded.set_result(chunk.load())
        except BaseException as error:
            with self._lock:
                self._entries.pop(chunk.key, None)
            entry.loaded.set_exception(error)
            raise

    def _forget_oldest(self) -> None:
        with self._lock:
            total = self.nbytes
            for key, entry in list(self._entries.items()):
                if total <= CAPACITY:
                    return
                if entry.nbytes:
                    total -= entry.nbytes
                    del self._entries[key]

    def follow(self, grid: BlockGrid) -> None:
        """Drop all chunks, and prepare for the blocks of this grid in their order."""
        with self._lock:
            self._grid, self._done, self._next = grid, set(), 0
            self._entries.clear()

    def finished(self, block: int) -> None:
        """Record that a block is done, and drop the chunks that no later block needs."""
        with self._lock:
            self._done.add(block)
            while self._next in self._done:
                self._done.remove(self._next)
                self._next += 1
            if self._grid is None:
                return
            for key, entry in list(self._entries.items()):
                if self._grid.last_user(entry.lines, entry.pixels) < self._next:
                    del self._entries[key]

    @property
    def nbytes(self) -> int:
        """Size of all chunks in memory, in bytes."""
        with self._lock:
            return sum(entry.nbytes for entry in self._entries.values())
