"""(h) Batches: scenes at once, (i) what a tiny scene costs, (j) large ledgers."""

import contextlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import inputs
from commands import ocpipe
from report import Table, median

from pipeline.batch.job import JobOutcome
from pipeline.batch.kinds import DONE
from pipeline.batch.ledger import Ledger, SceneQueue
from pipeline.batch.sources import find_scenes

ROUNDS = 3
SCENES, SIDE = 48, 1024
TINY, TINY_SIDE = 300, 32
PARTS = ("open", "plan", "hash", "process")


@contextlib.contextmanager
def _scenes(count: int, side: int) -> Iterator[Path]:
    """A folder with so many scenes: one file under many names."""
    scene = inputs.sgli(side, (min(256, side), side), "batch")
    with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
        scenes = Path(folder) / "scenes"
        scenes.mkdir()
        for number in range(count):
            os.link(scene, scenes / f"S{number:04}.nc")
        yield Path(folder)


def scenes_at_once() -> Table:
    """Two workers against one."""
    config = inputs.config_for(inputs.aph_network())
    table = Table(
        "(h) Scenes at once",
        f"A batch of {SCENES} scenes of {SIDE} x {SIDE} pixels, 7 bands, network of (a). Start and "
        "imports count. Runs alternate; medians.",
        ("workers", "threads each", "runs", "seconds", "scenes per minute"),
    )
    seconds: dict[tuple[int, int], list[float]] = {(1, 1): [], (2, 1): [], (1, 2): []}
    with _scenes(SCENES, SIDE) as folder:
        for number in range(ROUNDS):
            for (workers, threads), spent in seconds.items():
                out = folder / f"out-{number}-{workers}-{threads}"
                ran = ocpipe(
                    "batch", config, folder / "scenes", "-o", out, "--workers", workers,
                    "--threads", threads, "--log-level", "error",
                )  # fmt: skip
                spent.append(ran.seconds)
                assert len(list(out.glob("*.nc"))) == SCENES
    for (workers, threads), spent in seconds.items():
        table.add(workers, threads, ROUNDS, median(spent), 60 * SCENES / median(spent))
    one, two, wide = (median(spent) for spent in seconds.values())
    table.note(f"{one / two:.2f} times the scenes with 2 workers of 1 thread")
    table.note(f"{one / wide:.2f} times with 1 worker of 2 threads")
    return table


def tiny_scenes() -> Table:
    """Where the time of a scene goes that has next to no pixels."""
    config = inputs.config_for(inputs.aph_network())
    table = Table(
        "(i) A tiny scene",
        f"A batch of {TINY} scenes of {TINY_SIDE} x {TINY_SIDE} pixels by one worker of one "
        "thread, the first ten left out: medians of what the worker measures of each scene, and "
        "the whole time between two ends.",
        ("part", "milliseconds"),
    )
    with _scenes(TINY, TINY_SIDE) as folder:
        out = folder / "out"
        ocpipe(
            "batch", config, folder / "scenes", "-o", out, "--workers", 1, "--threads", 1,
            "--log-level", "error",
        )  # fmt: skip
        lines = [json.loads(line) for line in (out / "quality.jsonl").read_text().splitlines()][10:]
        with contextlib.closing(sqlite3.connect(out / "ocpipe-ledger.sqlite")) as ledger:
            in_work = [s for (s,) in ledger.execute("SELECT seconds FROM scene ORDER BY id")][10:]
        ends = sorted(path.stat().st_mtime for path in out.glob("*.nc"))[10:]
    parts = {part: 1000 * median(line["seconds"][part] for line in lines) for part in PARTS}
    whole = 1000 * (ends[-1] - ends[0]) / (len(ends) - 1)
    supervised = 1000 * median(in_work)
    said = {
        "open": "open the file, read its metadata",
        "plan": "match bands, load networks and tables",
        "hash": "SHA-256 of the input",
        "process": "compute, write, wait for the disk, rename",
    }
    for part, spent in parts.items():
        table.add(said[part], spent)
    table.add("job there and outcome back, in two processes", supervised - sum(parts.values()))
    table.add("claim, quality line, settle", whole - supervised)
    table.add("all", whole)
    table.note(f"{whole:.0f} ms for each tiny scene and worker")
    return table


def ledgers(sizes: tuple[int, ...] = (100_000, 1_000_000)) -> Table:
    """How long a large ledger takes."""
    table = Table(
        "(j) Ledgers",
        "Scenes are empty files in folders of 1000. `status` is the whole command; pending is all "
        "that a call does before its first scene: finding the files and their times of change, "
        "entering them, comparing.",
        ("scenes", "what", "seconds", "most memory (GB)"),
    )
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
            _measure_ledger(table, Path(folder), size)
    return table


def _measure_ledger(table: Table, folder: Path, size: int) -> None:
    scenes, out = folder / "scenes", folder / "out"
    out.mkdir()
    for number in range(size):
        if number % 1000 == 0:
            (scenes / f"{number // 1000:04}").mkdir(parents=True)
        (scenes / f"{number // 1000:04}" / f"S{number:07}.nc").touch()
    config = inputs.config_for(inputs.aph_network())
    call = ("batch", config, scenes, "-o", out, "--dry-run", "--log-level", "error")
    begun = time.perf_counter()
    ledger = Ledger.open(out / "ocpipe-ledger.sqlite", out)
    found = find_scenes([str(scenes)], out, "bench")
    queue = SceneQueue("bench", "recipe", found, lambda p: f"{Path(p).stem}.nc", lambda _: {})
    ledger.enqueue(queue)
    table.add(size, "enter new scenes", time.perf_counter() - begun, "")
    _settle_some(ledger, out, size // 10)
    begun = time.perf_counter()
    ledger.enqueue(queue)
    table.add(size, "of which in the ledger, with nothing new", time.perf_counter() - begun, "")
    ledger.close()
    ran = ocpipe("status", out)
    table.add(size, "status", ran.seconds, ran.peak_gb)
    ran = ocpipe(*call)
    table.add(size, "what is pending (--dry-run)", ran.seconds, ran.peak_gb)


def _settle_some(ledger: Ledger, out: Path, count: int) -> None:
    """As if a tenth had been done."""
    me = ledger.enter(out, 1, 1)
    begun = time.perf_counter()
    for _ in range(min(count, 2000)):
        lease = ledger.claim(me)
        assert lease is not None
        product = out / f"{Path(lease.path).stem}.nc"
        product.touch()
        outcome = JobOutcome(DONE, product=str(product), sha256="0" * 64, networks={"aph": "f"})
        ledger.settle(me, lease, outcome, 2, None)
    print("   claim and settle", 1e3 * (time.perf_counter() - begun) / min(count, 2000), "ms")
    ledger.leave(me, "ended", 1.0)
