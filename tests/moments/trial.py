"""One command, one signal, one moment: how it ended, and what of it was not as it must be."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import time
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import yaml
from batches import copies, write_config
from sample_tables import CHL, RRS, columns, write
from warm_commands import OCPIPE

INTERRUPTED = 75
# Seconds within which a command must end: at once, and of a batch that settles its scenes.
# With room for a machine that does other things, too.
AT_ONCE, SOON = 20.0, 40.0
# What an interpreter says that is interrupted before the first line of the command.
PYTHONS_OWN = ("init_import_site", "KeyboardInterrupt")
COMMANDS = ("run", "batch", "train", "tune")


class Commands:
    """What the commands work on; each of them takes longer than three seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scenes = copies(folder / "in", 60, (300, 350))
        self._runs = write_config(folder)
        samples = write(folder, columns(400))
        data = {
            "name": "net",
            "sensors": ["MODIS-Aqua"],
            "samples": {"files": [str(samples)], "inputs": [RRS], "targets": [CHL]},
            "splits": {"by": "random"},
            "network": {"hidden": [8, 8]},
            "fit": {"epochs": 4000, "early_stopping": {"patience": 4000}},
            "tune": {"trials": 40, "space": {"layers": [1, 2], "units": [4, 8]}},
        }
        self._recipe = folder / "net.yaml"
        self._recipe.write_text(yaml.safe_dump(data))

    def arguments(self, command: str, output: Path) -> list[str]:
        """The command with all that it needs."""
        made = {
            "run": [*self._scenes, "-c", self._runs, "--threads", 2],
            "batch": [self._runs, self._folder / "in", "--workers", 2],
            "train": [self._recipe],
            "tune": [self._recipe],
        }
        return [str(OCPIPE), command, *map(str, made[command]), "-o", str(output)]


@dataclass
class Ended:
    """How a command ended, and everything that was wrong."""

    command: str
    number: int
    moment: float
    code: int
    stderr: str
    seconds: float
    """From the signal to the end."""
    wrong: list[str] = field(default_factory=list)

    @property
    def is_before(self) -> bool:
        """Whether the signal came while Python itself started: no line of ours had run."""
        if self.code == -self.number:
            return not self.stderr or self.stderr.rstrip().endswith("KeyboardInterrupt")
        return self.code == 1 and all(words in self.stderr for words in PYTHONS_OWN)

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        how = f"{self.command} {name} after {self.moment:.3f} s: code {self.code}"
        return f"{how}, {self.seconds:.2f} s; {'; '.join(self.wrong) or 'well'}"


def trial(
    commands: Commands, command: str, number: int, moment: float, output: Path, again: bool = False
) -> Ended:
    """Start a command, send it a signal after ``moment`` seconds (``again``: two), and look."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        commands.arguments(command, output),
        env=os.environ | {"OCPIPE_MARK": mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A batch of commands in the background ignores SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    time.sleep(moment)
    process.send_signal(number)
    begun = time.monotonic()
    if again:
        time.sleep(0.05)
        process.send_signal(number)
    _, stderr = process.communicate()
    ended = Ended(command, number, moment, process.returncode, stderr, time.monotonic() - begun)
    ended.wrong += _about_the_end(ended, again)
    ended.wrong += _left(output, is_killed=again and command == "batch")
    ended.wrong += _processes(mark)
    return ended


def _about_the_end(ended: Ended, again: bool) -> list[str]:
    if ended.is_before:
        return []
    wrong = []
    code = INTERRUPTED if ended.command == "batch" else 128 + ended.number
    if ended.code not in (code, 0):
        wrong.append(f"code {ended.code}, not {code}: {ended.stderr[-2000:]}")
    if "Traceback" in ended.stderr or "Aborted" in ended.stderr:
        wrong.append(ended.stderr[-2000:])
    most = SOON if ended.command == "batch" and not again else AT_ONCE
    if ended.seconds > most:
        wrong.append(f"ended only after {ended.seconds:.1f} s")
    return wrong


def _left(output: Path, is_killed: bool) -> list[str]:
    """What is half written; a batch that ended at once leaves that to the next call."""
    files = [path for path in output.rglob("*") if path.is_file()]
    hidden = [path.name for path in files if path.name.startswith(".")]
    wrong = [f"left {name}" for name in hidden if not is_killed]
    for path in files:
        if not path.name.startswith("."):
            try:
                _read(path)
            except Exception as error:  # noqa: BLE001 - whatever a damaged file gives
                wrong.append(f"{path.name}: {error!r}")
    ledger = output / "ocpipe-ledger.sqlite"
    if ledger.exists() and not is_killed:
        with sqlite3.connect(ledger) as rows:
            if rows.execute("PRAGMA user_version").fetchone() == (1,):
                found = rows.execute("SELECT count(*) FROM scene WHERE state = 'running'")
                wrong += ["a scene is still running"] * found.fetchone()[0]
    return wrong


def _read(path: Path) -> None:
    """Read a file to its end by the rules of its format."""
    if path.suffix in (".nc", ".h5"):
        with h5py.File(path) as file:
            file.visititems(lambda _, found: found[()] if isinstance(found, h5py.Dataset) else None)
    elif path.suffix in (".npz", ".keras"):
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
    elif path.suffix in (".json", ".jsonl"):
        text = path.read_text()
        for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
            json.loads(part)
    elif path.suffix == ".csv":
        with path.open() as file:
            assert len({len(row) for row in csv.reader(file)}) == 1
    elif path.suffix == ".yaml":
        yaml.safe_load(path.read_text())
    elif path.suffix == ".png":
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")


def _processes(mark: str) -> list[str]:
    """Processes of the command that still live; the kernel needs a moment to end them."""
    deadline = time.monotonic() + 5
    while found := _marked(mark):
        if time.monotonic() > deadline:
            return [f"processes {found} live"]
        time.sleep(0.02)
    return []


def _marked(mark: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
