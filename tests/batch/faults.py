"""Files that go wrong in the hands of the faulty reader, which is a package of its own."""

import json
import os
from pathlib import Path

FAULTY = Path(__file__).parent / "faulty"
# What a command needs to know the faulty reader.
_PATHS = (str(FAULTY), os.environ.get("PYTHONPATH", ""))
PATH_TO_FAULTS = os.pathsep.join(filter(None, _PATHS))
KNOWS_FAULTS = {"PYTHONPATH": PATH_TO_FAULTS}


def write_fault(path: Path, fault: str, scene: Path, **how: bool) -> Path:
    """A file that says how it goes wrong.

    Args:
        path: of the file.
        fault: a name in ``faulty_reader.FAULTS``, or ``gate``.
        scene: a good scene, which is read otherwise.
        how: ``late`` for after the first blocks, ``once`` for well from the second time on.
    """
    told = {"fault": fault, "scene": str(scene), **how}
    path.write_bytes(b"FAULT\n" + json.dumps(told).encode())
    return path


class Gate:
    """A scene in the middle of which its process waits until the gate is opened; it is open."""

    def __init__(self, path: Path, scene: Path) -> None:
        self.path = write_fault(path, "gate", scene, late=True)
        self._reached = path.with_name(f"{path.name}.happened")
        self._open = path.with_name(f"{path.name}.open")
        self.open()

    def open(self) -> None:
        self._open.touch()

    def close(self) -> None:
        """Let the next process wait."""
        self._reached.unlink(missing_ok=True)
        self._open.unlink(missing_ok=True)

    def is_reached(self) -> bool:
        """Whether a process has come to it since it was closed."""
        return self._reached.exists()
