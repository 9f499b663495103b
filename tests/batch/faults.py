"""Files that go wrong in the hands of the faulty reader, which is a package of its own."""

import json
from pathlib import Path

FAULTY = Path(__file__).parent / "faulty"


def write_fault(path: Path, fault: str, scene: Path, **how: bool) -> Path:
    """A file that says how it goes wrong.

    Args:
        path: of the file.
        fault: a name in ``faulty_reader.FAULTS``.
        scene: a good scene, which is read otherwise.
        how: ``late`` for after the first blocks, ``once`` for well from the second time on.
    """
    told = {"fault": fault, "scene": str(scene), **how}
    path.write_bytes(b"FAULT\n" + json.dumps(told).encode())
    return path
