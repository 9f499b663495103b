"""Storage chunks of HDF5 files, decompressed outside the lock of the HDF5 library.

HDF5 does everything under one lock, including decompression, so a second thread saves no time. This
module fetches only the compressed bytes under that lock. It also takes h5py's lock, which h5py
below 3.16 does not take when it fetches these bytes. The calling thread inflates and unshuffles the
bytes. Chunks with any other filter are read by the HDF5 library. libdeflate inflates zlib streams
faster than all other libraries that were measured (twice as fast as ISA-L); imagecodecs is the
best-maintained package that contains it.
"""

import math
from pathlib import Path
from typing import Any

import h5py
import imagecodecs
import numpy as np
import numpy.typing as npt
from h5py import h5t, h5z
from h5py._objects import phil

from pipeline.errors import SceneError

Array = npt.NDArray[Any]

# Real variables have some thousands of chunks. Each takes some 20 microseconds and 200 bytes.
MOST_CHUNKS = 1_000_000
_KNOWN = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE)


class Hdf5Chunks:
    """The storage chunks of one HDF5 variable."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.name = str(dataset.name)
        self.shape = tuple(dataset.shape)
        self.dtype = np.dtype(dataset.dtype)
        self.chunk = tuple(dataset.chunks)
        self._sizes: dict[tuple[int, ...], int] | None = None
        with phil:
            properties = dataset.id.get_create_plist()
            self._filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
            # HDF5 converts numbers of reduced precision, and numbers in a layout that NumPy lacks.
            is_plain = dataset.id.get_type().equal(h5t.py_create(self.dtype))
        # Each filter may occur once: after two deflations, the length in between is unknown.
        known = all(self._filters.count(code) == 1 and code in _KNOWN for code in self._filters)
        self._is_direct = self.dtype.kind in "iuf" and is_plain and known

    def load(self, offsets: tuple[int, ...]) -> Array:
        """Read the chunk that begins at these offsets, cut at the edge of the array."""
        place = inside(offsets, self.chunk, self.shape)
        compressed = self._compressed(offsets) if self._is_direct else None
        if compressed is None:
            return self._read(place)
        numbers = self._decompressed(offsets, *compressed)
        return numbers[tuple(slice(part.stop - part.start) for part in place)]

    def _read(self, place: tuple[slice, ...]) -> Array:
        """Read a region with the HDF5 library."""
        try:
            return np.asarray(self._dataset[place])
        except OSError as error:
            missing = [str(code) for code in self._filters if not h5z.filter_avail(code)]
            if not missing:
                raise
            raise OSError(
                f"{self.name} is compressed by HDF5 filter {', '.join(missing)}, which is not "
                "installed; to rewrite the file without this filter, use h5repack -f GZIP=4"
            ) from error

    @property
    def _nbytes(self) -> int:
        """Size of a whole chunk in bytes."""
        return int(math.prod(self.chunk) * self.dtype.itemsize)

    def _compressed(self, offsets: tuple[int, ...]) -> tuple[int, bytes] | None:
        """Return the filter mask and the bytes of a chunk; None if the HDF5 library must read it.

        A chunk that was never written has no bytes, so HDF5 must read it. At the edge of the array,
        a chunk may be stored unfiltered, and the mask does not show this; HDF5 must read such a
        chunk, too.
        """
        ends = (start + size for start, size in zip(offsets, self.chunk, strict=True))
        is_edge = any(end > size for end, size in zip(ends, self.shape, strict=True))
        with phil:
            size = self._stored_sizes().get(offsets)
            if size is None or (is_edge and self._filters and size == self._nbytes):
                return None
            if not self._filters and size != self._nbytes:
                # The HDF5 library would write that many bytes into the memory of one chunk.
                raise self._of_wrong_size(offsets, size)
            return read_direct_chunk(self._dataset, offsets)

    def _stored_sizes(self) -> dict[tuple[int, ...], int]:
        """Return the stored bytes of each written chunk by its position; the caller has the lock.

        To find one chunk, the HDF5 library visits all chunks. So one visit of all chunks finds all
        their sizes.
        """
        if self._sizes is None:
            self._check_count()
            sizes: dict[tuple[int, ...], int] = {}

            def note(info: Any) -> None:
                if info.byte_offset is not None:
                    sizes[info.chunk_offset] = info.size

            self._dataset.id.chunk_iter(note)
            self._sizes = sizes
        return self._sizes

    def _check_count(self) -> None:
        count = math.prod(
            -(-size // step) for size, step in zip(self.shape, self.chunk, strict=True)
        )
        if count > MOST_CHUNKS:
            raise SceneError(
                f"{Path(self._dataset.file.filename).name}: {self.name} is stored in {count:,} "
                f"chunks of shape {self.chunk}, expected at most {MOST_CHUNKS:,}. Store it in "
                "larger chunks: nccopy -c, or h5repack -l CHUNK=."
            )

    def _of_wrong_size(self, offsets: tuple[int, ...], size: int) -> OSError:
        return OSError(
            f"{self.name}: the chunk at {offsets} has {size} bytes, expected {self._nbytes}"
        )

    def _decompressed(self, offsets: tuple[int, ...], skipped: int, stored: bytes) -> Array:
        expected = self._nbytes
        try:
            for position in reversed(range(len(self._filters))):
                if skipped & (1 << position):
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
    """Return the part of the array that a chunk covers, cut at the edge of the array."""
    return tuple(
        slice(start, min(start + size, end))
        for start, size, end in zip(offsets, chunk, shape, strict=True)
    )


def read_direct_chunk(dataset: h5py.Dataset, offsets: tuple[int, ...]) -> tuple[int, bytes]:
    """Return the filter mask and the stored bytes of a chunk; the caller has h5py's lock."""
    mask, stored = dataset.id.read_direct_chunk(offsets)
    return int(mask), stored


def inflated(stored: bytes, expected: int, _itemsize: int) -> bytes:
    """Inflate the bytes of a zlib stream."""
    return bytes(imagecodecs.deflate_decode(stored, raw=False, out=expected))


def unshuffled(stored: bytes, _expected: int, itemsize: int) -> Any:
    """Undo HDF5's shuffle, which stores the first bytes of all numbers, then all second bytes."""
    if itemsize == 1:
        return stored
    count = len(stored) // itemsize
    planes = np.frombuffer(stored, dtype=np.uint8, count=count * itemsize).reshape(itemsize, count)
    numbers = np.empty((count, itemsize), dtype=np.uint8)
    for byte in range(itemsize):
        numbers[:, byte] = planes[byte]
    rest = stored[count * itemsize :]
    return numbers.tobytes() + bytes(rest) if rest else numbers.reshape(-1).data
