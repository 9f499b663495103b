"""What tests of batches share: scenes, a configuration, the command as a process, a ledger read."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from obpg_miniature import CLDICE, counts_of, write_obpg_l2
from small_network import BANDS, write_network
from warm_commands import OCPIPE, Command, scenes

from pipeline.batch.loop import job_config
from pipeline.config import load_config

EPOCH = "1700000000"
# Seconds until a test gives up waiting: what hangs is found, what is slow is not blamed.
PATIENCE = 500


def write_scene(path: Path, shape: tuple[int, int] = (20, 30), seed: int = 0) -> Path:
    """A small MODIS-Aqua scene of random reflectances with some clouds."""
    drawn = np.random.default_rng(seed)
    counts = {nm: counts_of(10 ** drawn.uniform(-3.5, -1.5, shape)) for nm in BANDS}
    flags = np.where(drawn.random(shape) < 0.2, CLDICE, 0)
    return write_obpg_l2(path, counts, flags=flags, chunk=(min(64, shape[0]), min(64, shape[1])))


def copies(folder: Path, count: int, shape: tuple[int, int] = (20, 30)) -> list[Path]:
    """Scenes of different names with the same content, as fast as links are made."""
    folder.mkdir(parents=True, exist_ok=True)
    first = write_scene(folder / "S000.nc", shape)
    for number in range(1, count):
        os.link(first, folder / f"S{number:03}.nc")
    return sorted(folder.glob("S*.nc"))


def write_config(folder: Path, name: str = "test", **parts: Any) -> Path:
    """A run configuration with a small network; parts are merged into it."""
    network = folder / "net.h5"
    if not network.exists():
        write_network(network)
    data: dict[str, Any] = {
        "name": name,
        "science": {
            "networks": [{"name": "iop", "file": str(network)}],
            "masks": {"flags": ["CLDICE"]},
            "engine": "numpy",
            "output": {"chunk": [64, 64]},
            **parts.pop("science", {}),
        },
        **parts,
        # The scenes of a test are written just before they are read.
        "batch": {"settle": 0, **parts.pop("batch", {})},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def folder_of_a_child(folder: Path) -> Path:
    """A good scene and an output folder, for a child process that a test starts itself."""
    write_scene(folder / "good.nc", (200, 150))
    (folder / "out").mkdir()
    return folder


def config_of_a_child(folder: Path) -> dict[str, Any]:
    """The configuration of a job in this folder, as the loop of a batch gives it to a child."""
    settings = load_config(write_config(folder)).executing(output=folder / "out")
    return job_config(settings, 1)


@dataclass(frozen=True)
class Ended:
    """What a process left."""

    code: int
    stdout: str
    stderr: str


def environment(**changes: str | None) -> dict[str, str]:
    """That of the tests, with the date of products fixed unless it is changed; None unsets."""
    kept = {k: v for k, v in os.environ.items() if k != "OCPIPE_NETWORKS"}
    changed = kept | {"SOURCE_DATE_EPOCH": EPOCH} | changes
    return {name: value for name, value in changed.items() if value is not None}


def start(*arguments: object, **changes: str | None) -> Command:
    """The command at work in the background, its libraries imported before."""
    return scenes.start(*arguments, env=environment(**changes))


def start_cold(*arguments: object, **changes: str | None) -> subprocess.Popen[str]:
    """The command as a shell starts it, in the background."""
    return subprocess.Popen(
        [str(OCPIPE), *map(str, arguments)],
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: object, **changes: str | None) -> Ended:
    """The command, to its end, its libraries imported before."""
    return ended(start(*arguments, **changes))


def run_cold(*arguments: object, **changes: str | None) -> Ended:
    """The command as a shell starts it, to its end."""
    return ended(start_cold(*arguments, **changes))


def ended(process: subprocess.Popen[str] | Command) -> Ended:
    """What a command leaves, once it has ended; it is given time, as machines are busy."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert "Traceback" not in stderr, stderr
    return Ended(process.returncode, stdout, stderr)


def wait_for(condition: Callable[[], Any], what: str = "") -> Any:
    """What a condition gives once it is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {what or condition}")


def products(output: Path) -> dict[str, bytes]:
    """The bytes of every product, by its place below the output folder."""
    return {str(p.relative_to(output)): p.read_bytes() for p in output.rglob("*.nc")}


def leavings(output: Path) -> list[str]:
    """Temporary files that were left."""
    found = (*output.rglob(".*partial"), *output.rglob(".ocpipe-probe*"))
    return sorted(path.name for path in found)


@contextmanager
def rows(output: Path) -> Iterator[sqlite3.Connection]:
    """The ledger of an output folder, read without this program."""
    connection = sqlite3.connect(f"file:{output / 'ocpipe-ledger.sqlite'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def scenes_by_name(output: Path) -> dict[str, sqlite3.Row]:
    """The rows of all scenes, by file name."""
    with rows(output) as connection:
        found = connection.execute("SELECT * FROM scene").fetchall()
    return {Path(os.fsdecode(row["path"])).name: row for row in found}


def states(output: Path) -> Counter[str]:
    """How many scenes are in each state."""
    with rows(output) as connection:
        return Counter(row["state"] for row in connection.execute("SELECT state FROM scene"))


def quality_lines(output: Path) -> list[dict[str, Any]]:
    """What is recorded of each scene."""
    return [json.loads(line) for line in (output / "quality.jsonl").read_text().splitlines()]


def end(process: subprocess.Popen[str] | Command, number: int = signal.SIGTERM) -> Ended:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    return ended(process)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
