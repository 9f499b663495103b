"""Opens HDF5 files, netCDF-4 files among them, after two checks.

The path must name a regular file, and the file must not refer to other files.
"""

import contextlib
import io
import math
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError
from pipeline.files.counts import check_counts
from pipeline.files.enclosed import check_enclosed
from pipeline.files.heaps import MOST_BYTES, endless_heap, largest_heap
from pipeline.files.limits import Limit
from pipeline.files.regular import FileIdentity, check_regular, memory_in_words, open_regular
from pipeline.files.superblock import SIGNATURE

# The signature may follow a user block. Its size is one of these numbers, or larger, but the
# programs that ocpipe knows write no user block.
_USER_BLOCKS = (0, 512, 1024, 2048, 4096, 8192)

# A run opens the file of a scene several times; the check need not be repeated each time. If the
# last change is more recent than this (ns), the time of change proves nothing, because a later
# change may get the same time.
_SETTLED_NS = 2_000_000_000
_MOST_KNOWN = 256
_known: OrderedDict[FileIdentity, None] = OrderedDict()
_lock = threading.Lock()


def has_hdf5_signature(path: Path, error: type[PipelineError]) -> bool:
    """Return whether a regular file starts like HDF5; errors are those of open_regular."""
    with open_regular(path, error) as file:
        for start in _USER_BLOCKS:
            file.seek(start)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
    return False


def open_hdf5(path: Path, error: type[PipelineError]) -> h5py.File:
    """Open an HDF5 file that leads to no other file; the caller closes it.

    Numbers of the file are not read. Use :func:`read_numbers` to read them within a limit.

    Args:
        path: the file.
        error: the class of error to raise.

    Raises:
        PipelineError: the file is not regular or not enclosed. This exception has the class
            ``error``.
        OSError: the file cannot be opened; h5py raises other exceptions of DAMAGE, too.
    """
    check_regular(path, error)
    with contextlib.ExitStack() as on_failure, memory_in_words(path.name, error):
        file = on_failure.enter_context(h5py.File(path, "r"))
        _check_once(file, path.name, error)
        on_failure.pop_all()
        return file


def names_at_root(path: Path, error: type[PipelineError]) -> tuple[set[str], set[str]]:
    """Return the names in the root group, and those of its attributes; no link is followed.

    These names are enough to recognise the format, even if other parts of the file are damaged.
    """
    check_regular(path, error)
    with memory_in_words(path.name, error), h5py.File(path, "r") as file:
        return set(file), set(file.attrs)


def open_hdf5_in_memory(content: bytes, name: str, error: type[PipelineError]) -> h5py.File:
    """Open the bytes of an HDF5 file, such as a member of an archive, after the same checks."""
    with contextlib.ExitStack() as on_failure, memory_in_words(name, error):
        file = on_failure.enter_context(h5py.File(io.BytesIO(content), "r"))
        _check(content[:MOST_BYTES], file, name, error)
        on_failure.pop_all()
        return file


def check_hdf5(path: Path, error: type[PipelineError]) -> None:
    """Check a file for a library that opens the path itself; the errors are those of open_hdf5."""
    open_hdf5(path, error).close()


def identity_of_open(file: h5py.File) -> FileIdentity:
    """Return the identity of the open file, even if its path now leads to another file."""
    return FileIdentity.of(os.fstat(file.id.get_vfd_handle()))


def read_numbers(
    dataset: h5py.Dataset, what: str, limit: Limit, error: type[PipelineError]
) -> npt.NDArray[Any]:
    """Return all values of a dataset, whose declared size is checked before memory is allocated.

    Args:
        dataset: a dataset of a file from :func:`open_hdf5`.
        what: the words for the dataset in messages.
        limit: largest number of values; it also applies to a single storage chunk.
        error: the class of error to raise.
    """
    limit.check(dataset.size or 0, what, error)
    limit.check(math.prod(dataset.chunks or ()), f"a storage chunk of {what}", error)
    with memory_in_words(what, error):
        return np.asarray(dataset[...])


def _check_once(file: h5py.File, name: str, error: type[PipelineError]) -> None:
    identity = identity_of_open(file)
    with _lock:
        if identity in _known:
            _known.move_to_end(identity)
            return
    _check(os.pread(file.id.get_vfd_handle(), MOST_BYTES, 0), file, name, error)
    if time.time_ns() - identity.ctime_ns > _SETTLED_NS:
        with _lock:
            _known[identity] = None
            while len(_known) > _MOST_KNOWN:
                _known.popitem(last=False)


def _check(content: bytes, file: h5py.File, name: str, error: type[PipelineError]) -> None:
    """Check an open file; ``content`` is its first bytes."""
    _check_heaps(content, name, error)
    check_enclosed(file, name, error)
    check_counts(file, name, error, largest_heap(content))


def _check_heaps(content: bytes, name: str, error: type[PipelineError]) -> None:
    place = endless_heap(content)
    if place is not None:
        raise error(
            f"{name}: the list of texts at byte {place:,} (a global heap of HDF5) has no end. The "
            "file is damaged; fetch it again."
        )
