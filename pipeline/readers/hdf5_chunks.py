"""Storage chunks of HDF5 files, decompressed outside of the library's lock.

HDF5 does everything under one lock, decompression too, so a second thread gains nothing. Here only
the compressed bytes are fetched under that lock (it must be h5py's own: below 3.16 it does not take
it for direct chunks by itself); inflating and unshuffling run in the thread that asks. A chunk with
any other filter is read by the library. Of the libraries that inflate zlib streams, libdeflate is
the fastest measured here (twice ISA-L), and imagecodecs the best kept that brings it.
"""

import math
from typing import Any

import h5py
import imagecodecs
import numpy as np
import numpy.typing as npt
from h5py import h5t, h5z
from h5py._objects import phil

Array = npt.NDArray[Any]

_KNOWN = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE)


class Hdf5Chunks:
    """The storage chunks of one variable."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.name = str(dataset.name)
        self.shape = tuple(dataset.shape)
        self.dtype = np.dtype(dataset.dtype)
        self.chunk = tuple(dataset.chunks)
        with phil:
            properties = dataset.id.get_create_plist()
            self._filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
            # Numbers of reduced precision, or of another layout than any of NumPy's, are converted.
            is_plain = dataset.id.get_type().equal(h5t.py_create(self.dtype))
        # Each once: of what is deflated twice nobody knows the length in between.
        known = all(self._filters.count(code) == 1 and code in _KNOWN for code in self._filters)
        self._is_direct = self.dtype.kind in "iuf" and is_plain and known

    def load(self, offsets: tuple[int, ...]) -> Array:
        """A chunk by the position of its first element; at the array's edge only what is inside.

        Raises:
            OSError: the bytes are damaged.
        """
        place = inside(offsets, self.chunk, self.shape)
        compressed = self._compressed(offsets) if self._is_direct else None
        if compressed is None:
            return self._read(place)
        numbers = self._decompressed(offsets, *compressed)
        return numbers[tuple(slice(part.stop - part.start) for part in place)]

    def _read(self, place: tuple[slice, ...]) -> Array:
        """By the library."""
        try:
            return np.asarray(self._dataset[place])
        except OSError as error:
            missing = [str(code) for code in self._filters if not h5z.filter_avail(code)]
            if not missing:
                raise
            raise OSError(
                f"{self.name} is compressed by filter {', '.join(missing)}, which is not installed "
                "here; h5repack -f GZIP=4 makes another file of it"
            ) from error

    @property
    def _nbytes(self) -> int:
        """Of a whole chunk."""
        return int(math.prod(self.chunk)) * int(self.dtype.itemsize)

    def _compressed(self, offsets: tuple[int, ...]) -> tuple[int, bytes] | None:
        """Which filters were left out, and the bytes; None for what the library must read.

        That is a chunk that was never written, and one at the array's edge which may be stored
        without its filters: no mask says so.
        """
        ends = (start + size for start, size in zip(offsets, self.chunk, strict=True))
        is_edge = any(end > size for end, size in zip(ends, self.shape, strict=True))
        with phil:
            info = self._dataset.id.get_chunk_info_by_coord(offsets)
            if info.byte_offset is None or (
                is_edge and self._filters and info.size == self._nbytes
            ):
                return None
            if not self._filters and info.size != self._nbytes:
                # The library would write so many bytes into memory for a chunk.
                raise self._of_wrong_size(offsets, info.size)
            return read_direct_chunk(self._dataset, offsets)

    def _of_wrong_size(self, offsets: tuple[int, ...], size: int) -> OSError:
        return OSError(
            f"{self.name}: the chunk at {offsets} has {size} bytes, expected {self._nbytes}"
        )

    def _decompressed(self, offsets: tuple[int, ...], left_out: int, stored: bytes) -> Array:
        expected = self._nbytes
        try:
            for position in reversed(range(len(self._filters))):
                if left_out & (1 << position):
                    continue
                undo = inflated if self._filters[position] == h5z.FILTER_DEFLATE else unshuffled
                stored = undo(stored, expected, self.dtype.itemsize)
        except imagecodecs.DeflateError as error:
            raise OSError(
                f"{self.name}: the chunk at {offsets} cannot be decompressed ({error})"
            ) from error
        if len(stored) != expected:
            raise self._of_wrong_size(offsets, len(stored))
        return np.frombuffer(stored, dtype=self.dtype).reshape(self.chunk)


def inside(
    offsets: tuple[int, ...], chunk: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[slice, ...]:
    """Where a chunk lies in its array, as far as it does."""
    return tuple(
        slice(start, min(start + size, end))
        for start, size, end in zip(offsets, chunk, shape, strict=True)
    )


def read_direct_chunk(dataset: h5py.Dataset, offsets: tuple[int, ...]) -> tuple[int, bytes]:
    """The filter mask and the stored bytes of a chunk. Call it under ``phil``."""
    mask, stored = dataset.id.read_direct_chunk(offsets)
    return int(mask), stored


def inflated(stored: bytes, expected: int, _itemsize: int) -> bytes:
    """Deflated bytes as they were."""
    return bytes(imagecodecs.deflate_decode(stored, raw=False, out=expected))


def unshuffled(stored: bytes, _expected: int, itemsize: int) -> Any:
    """Bytes of numbers together again: the first bytes of all, the second bytes of all ..."""
    if itemsize == 1:
        return stored
    count = len(stored) // itemsize
    planes = np.frombuffer(stored, dtype=np.uint8, count=count * itemsize).reshape(itemsize, count)
    numbers = np.empty((count, itemsize), dtype=np.uint8)
    for byte in range(itemsize):
        numbers[:, byte] = planes[byte]
    rest = stored[count * itemsize :]
    return numbers.tobytes() + bytes(rest) if rest else numbers.reshape(-1).data
