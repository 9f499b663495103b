"""What lies outside of a damaged file, and whether anybody looks at it.

Canaries are files as whole and as readable as the damaged one, with numbers of their own that no
other file holds. The kernel (inotify) says whether one is opened, a socket whether one is fetched.
"""

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import rasterio

# By type, the number that only canaries hold.
NUMBERS = {"i": 12345, "u": 54321, "f": 0.0777}

# From <sys/inotify.h>.
IN_OPEN, IN_ISDIR = 0x20, 0x40000000
_EVENT = struct.Struct("iIII")


@dataclass(frozen=True)
class Outside:
    """A folder with canaries, and an address that nobody should call."""

    folder: Path
    """Of canaries."""
    allowed: Path
    """Where a user may have put what a folder links to."""
    port: int = 0

    def hdf5(self, like: Path) -> Path:
        """The same groups, variables and attributes with the canary's numbers."""
        path = self.folder / f"canary_of_{like.name}"
        path.write_bytes(like.read_bytes())
        with h5py.File(path, "a") as file:
            file.visititems(lambda _, found: _fill(found))
        return path

    def raw(self, dtype: np.dtype, size: int) -> Path:
        """The canary's numbers without any format."""
        path = self.folder / "canary.raw"
        path.write_bytes(np.full(size, NUMBERS[dtype.kind], dtype).tobytes())
        return path

    def tiff(self, like: Path) -> Path:
        """A raster of the same bands, types and place."""
        path = self.folder / "canary.tif"
        path.write_bytes(like.read_bytes())
        with rasterio.open(path, "r+") as file:
            shape = (file.count, *file.shape)
            file.write(np.full(shape, NUMBERS[np.dtype(file.dtypes[0]).kind], file.dtypes[0]))
        return path

    @property
    def address(self) -> str:
        """Where a request is noticed."""
        return f"http://127.0.0.1:{self.port}"


def is_canary(stored: np.ndarray) -> bool:
    """Whether numbers are those of a canary."""
    if stored.dtype.kind not in NUMBERS or stored.dtype.itemsize == 1:
        return False
    return bool((stored == np.array(NUMBERS[stored.dtype.kind]).astype(stored.dtype)).any())


def _fill(found: h5py.Group | h5py.Dataset) -> None:
    if isinstance(found, h5py.Dataset) and found.dtype.kind in NUMBERS and found.dtype.itemsize > 1:
        found[...] = NUMBERS[found.dtype.kind]


class Watch:
    """Notices which files of some folders are opened, and calls to a port."""

    def __init__(self, *folders: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders: dict[int, Path] = {}
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Look at one more folder."""
        number = self._libc.inotify_add_watch(self._inotify, os.fsencode(folder), IN_OPEN)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))
        self._folders[number] = folder

    @property
    def port(self) -> int:
        """The port that nobody should call."""
        return int(self._server.getsockname()[1])

    def seen(self) -> set[Path | str]:
        """The files that were opened since the last time, and calls."""
        found: set[Path | str] = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                for number, mask, name in _events(os.read(self._inotify, 65536)):
                    if mask & IN_OPEN and not mask & IN_ISDIR and number in self._folders:
                        found.add(self._folders[number] / name)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._server.accept()
                connection.close()
                found.add("the network")
        return found

    def close(self) -> None:
        """Look no more."""
        os.close(self._inotify)
        self._server.close()


def _events(read: bytes) -> Iterator[tuple[int, int, str]]:
    start = 0
    while start < len(read):
        number, mask, _, length = _EVENT.unpack_from(read, start)
        start += _EVENT.size
        yield number, mask, os.fsdecode(read[start : start + length].rstrip(b"\0"))
        start += length
