"""Builds the injector, gives it orders, and reads what it did."""

import errno
import mmap
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SOURCE = Path(__file__).with_name("injector.c")
ARMED = Path(__file__).with_name("armed.py")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

_FACTS, _COUNTERS = struct.Struct("7i"), struct.Struct("128i")
SIZE = _FACTS.size + _COUNTERS.size + 512
FOR_EVER = 2**31 - 1

# What each kind of operation can fail with.
ERRORS = {
    "o": (errno.EMFILE, errno.ENFILE, errno.EIO),
    "c": (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    "w": (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS),
    "r": (errno.EIO,),
    "s": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "n": (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    "u": (errno.EROFS, errno.EIO),
    "m": (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    "p": (errno.EMFILE, errno.ENFILE),
    "f": (errno.EAGAIN, errno.ENOMEM),
    "t": (errno.EAGAIN,),
}
NAMES = {
    "o": "open", "c": "create", "w": "write", "r": "read", "s": "fsync", "n": "rename",
    "u": "unlink", "m": "mkdir", "p": "pipe", "f": "fork", "t": "thread",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the injector saw of one command."""

    counts: dict[str, int]
    """Number of operations of each kind."""
    fired: int
    """How many operations failed."""
    what: str
    """Kind, process and path of the first that failed."""


class Injector:
    """Gives orders to all processes that were started with its environment."""

    def __init__(self, folder: Path, root: Path) -> None:
        assert COMPILER is not None
        self._library = folder / "injector.so"
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-O1", "-w", "-o", self._library, SOURCE, "-ldl"],
            check=True,
        )
        self._orders = folder / "orders"
        self._orders.write_bytes(bytes(SIZE))
        with self._orders.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), SIZE)
        self._root = root

    @classmethod
    def below(cls, folder: Path, root: Path) -> Self:
        folder.mkdir()
        return cls(folder, root)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that obeys the orders."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAULTS_ORDERS": str(self._orders),
            "FAULTS_ROOT": str(self._root),
        }

    def order(
        self, kind: str = "\0", at: int = 1, number: int = 0, *, for_ever: bool = False
    ) -> None:
        """Let the operation ``at`` (from 1) of a kind fail; with ``for_ever`` also later ones."""
        self._shared[:] = bytes(SIZE)
        facts = _FACTS.pack(0, ord(kind), at, FOR_EVER if for_ever else at, number, 0, 0)
        self._shared[: _FACTS.size] = facts

    def seen(self) -> Seen:
        """What was done since the last order; ends it."""
        *_, fired = _FACTS.unpack(self._shared[: _FACTS.size])
        self._shared[:4] = bytes(4)
        end = _FACTS.size + _COUNTERS.size
        counters = _COUNTERS.unpack(self._shared[_FACTS.size : end])
        counts = {kind: counters[ord(kind)] for kind in ERRORS}
        what = self._shared[end:].partition(b"\0")[0].decode(errors="replace")
        return Seen(counts, fired, what)

    def processes(self) -> list[int]:
        """Processes that obey the orders; a server of commands is one of them."""
        mark = f"FAULTS_ORDERS={self._orders}".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in place.read_bytes().split(b"\0") and _lives(place.parent):
                    found.append(int(place.parent.name))
            except OSError:
                continue
        return sorted(found)


def _lives(process: Path) -> bool:
    return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
