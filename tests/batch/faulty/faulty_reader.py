"""A reader of another package, whose files say how it goes wrong.

With its folder on PYTHONPATH it is found by its entry point, as any installed reader is. What its
files hold is in ``faults.write_fault``.
"""

import ctypes
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config import ReaderOptions
from pipeline.readers import open_scene
from pipeline.scene.lazy import Generated, lazy

MARK = b"FAULT\n"


def _segfault() -> None:
    ctypes.string_at(0)


def _hang() -> None:
    ctypes.PyDLL(None).pause()  # keeps Python's lock, so that nothing else runs in the process


def _memory() -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(1) * 20_000_000))
        time.sleep(0.002)


def _defect() -> None:
    raise AssertionError("this cannot be")


FAULTS = {
    "segfault": _segfault,
    "abort": os.abort,
    "hang": _hang,
    "sleep": lambda: time.sleep(1e6),
    "memory": _memory,
    "allocate": lambda: np.ones(10**12),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "exception": _defect,
    "interrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt),
}


def _wait_at_gate(path: Path) -> None:
    """Until a test opens it: what is in work is then known, however busy the machine is."""
    while not path.with_name(f"{path.name}.open").exists():
        time.sleep(0.01)


class FaultyReader:
    """Opens files of ``write_fault``."""

    Options = ReaderOptions

    def __init__(self, options: ReaderOptions) -> None:
        pass

    def recognises(self, path: Path) -> bool:
        """Whether the file begins with the mark."""
        return path.is_file() and path.read_bytes().startswith(MARK)

    def open(self, path: Path) -> xr.Dataset:
        """The good scene, unless the fault comes first."""
        told = json.loads(path.read_bytes().removeprefix(MARK))
        happened = path.with_name(f"{path.name}.happened")

        def go_wrong() -> None:
            if not (told.get("once") and happened.exists()):
                happened.write_text("")
                if told["fault"] == "gate":
                    _wait_at_gate(path)
                else:
                    FAULTS[told["fault"]]()

        if not told.get("late"):
            go_wrong()
        scene = open_scene(told["scene"])
        if told.get("late"):
            shape = scene.sizes["y"], scene.sizes["x"]

            def latitude(lines: slice, pixels: slice) -> np.ndarray:
                if lines.start > 0:
                    go_wrong()
                return np.full((lines.stop - lines.start, pixels.stop - pixels.start), 10, "f4")

            layer = Generated(latitude, shape, np.dtype(np.float32))
            attributes = scene["latitude"].attrs
            scene["latitude"] = lazy(layer, ("y", "x"), attributes)
        return scene
