"""Runs netCDF4, h5py and rasterio in a process of its own: damaged files crash libraries."""

import contextlib
import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.expectation import Seen, Wanted, seen

PATIENCE = 300.0


class Libraries:
    """Asks the independent libraries what is in a file."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def seen(self, path: Path, wanted: Wanted, library: str) -> Seen | str:
        """What a library finds, or why it does not."""
        connection = self._started()
        try:
            connection.send((path, wanted, library))
            if connection.poll(PATIENCE):
                found: Seen | str = connection.recv()
                return found
            problem = f"{library} took more than {PATIENCE:g} s"
        except (EOFError, OSError):
            problem = f"{library} crashed"
        self.close()
        return problem

    def _started(self) -> Connection:
        if self._connection is None:
            self._connection, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._connection

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None


def _serve(connection: Connection) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # libraries complain about damaged files, which is what they are given
    with contextlib.suppress(EOFError):
        while True:
            path, wanted, library = connection.recv()
            try:
                connection.send(seen(path, wanted, library))
            except Exception as error:  # noqa: BLE001 - whatever it is, the file was not read
                connection.send(f"{library}: {type(error).__name__}: {error}")
