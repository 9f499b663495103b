"""Replace a scene at an exact moment between opening it and entering its outcome.

A moment is the call of a function of this program, before or after it. At that moment another scene
of the same length takes the place of the first, by renaming or in place with all times set back
that a program can set. Products of both scenes are made beforehand, so that a product shows by its
bytes which of them it was made from.
"""

import contextlib
import importlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batches import EPOCH, write_config, write_scene

from pipeline.batch.loop import BatchSummary
from pipeline.batch.request import BatchRequest
from pipeline.batch.runner import run_batch
from pipeline.cli.batch_display import LineDisplay
from pipeline.config import load_config

NAME = "S000.nc"

# Module, function of it or of one of its classes, and when.
MOMENTS: tuple[tuple[str, str, str], ...] = (
    ("pipeline.batch.loop", "Loop._job", "before"),
    ("pipeline.batch.child", "_done", "before"),
    ("pipeline.process", "holding", "before"),
    ("pipeline.process", "open_scene", "before"),
    ("pipeline.readers", "describe_content", "before"),
    ("pipeline.readers", "describe_content", "after"),
    ("pipeline.readers.obpg_l2", "ObpgL2.recognises", "after"),
    ("pipeline.readers.obpg_l2", "ObpgL2.open", "before"),
    ("pipeline.readers.obpg_l2", "open_groups_undecoded", "before"),
    ("pipeline.readers.obpg_l2", "open_groups_undecoded", "after"),
    ("pipeline.readers.obpg_l2", "assembled", "before"),
    ("pipeline.readers.obpg_l2", "ObpgL2.open", "after"),
    ("pipeline.process", "open_scene", "after"),
    ("pipeline.files.identity", "HeldSource.check", "after"),
    ("pipeline.product.delivery", "Delivery.target", "before"),
    ("pipeline.process", "locate_and_plan", "before"),
    ("pipeline.process", "locate_and_plan", "after"),
    ("pipeline.process", "_build_engines", "before"),
    ("pipeline.files.identity", "HeldSource.sha256", "before"),
    ("pipeline.files.identity", "HeldSource.sha256", "after"),
    ("pipeline.process", "_write", "before"),
    ("pipeline.process", "compute_block", "before"),
    ("pipeline.readers.hdf5_chunks", "read_direct_chunk", "before"),
    ("pipeline.readers.hdf5_chunks", "read_direct_chunk", "after"),
    ("pipeline.process", "compute_block", "after"),
    ("pipeline.process", "record_of", "before"),
    ("pipeline.process", "record_of", "after"),
    ("pipeline.writers.netcdf", "_write_group", "after"),
    ("pipeline.writers.netcdf", "_to_disk", "before"),
    ("pipeline.process", "write_product", "after"),
    ("pipeline.process", "deliver_scene", "after"),
    ("pipeline.batch.loop", "Loop._settle", "before"),
    ("pipeline.batch.loop", "Loop._reading", "before"),
)
WAYS = ("rename", "in place")


@dataclass(frozen=True)
class Bench:
    """A folder with two scenes, a configuration, and the products that belong to the scenes."""

    folder: Path
    config: Path
    first: Path
    second: Path
    products: tuple[bytes, bytes]
    """The product of the first scene and that of the second."""

    @classmethod
    def of(cls, folder: Path) -> "Bench":
        """Make the scenes and their products."""
        first, second = (write_scene(folder / f"{n}.nc", (20, 30), seed=n) for n in (1, 2))
        size = max(path.stat().st_size for path in (first, second))
        for path in (first, second):  # HDF5 does not read beyond the end that it wrote
            os.truncate(path, size)
        made = cls(folder, write_config(folder), first, second, (b"", b""))
        return cls(folder, made.config, first, second, (made.alone(first), made.alone(second)))

    def alone(self, scene: Path) -> bytes:
        """Return the product of a scene that nobody replaces."""
        trial = Trial(self, self.folder / f"alone-{scene.stem}", scene)
        trial.batch()
        return trial.product.read_bytes()


@dataclass
class Trial:
    """A batch of one scene."""

    bench: Bench
    folder: Path
    start: Path
    count: int = 0
    """How often the scene was replaced."""
    inputs: tuple[str, ...] = ()
    """What the batch is given; by default the scene."""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        shutil.copyfile(self.start, self.scene)
        # The scene was there long before the batch.
        os.utime(self.scene, ns=(10**18, 10**18))

    @property
    def scene(self) -> Path:
        return self.folder / NAME

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def product(self) -> Path:
        return self.output / "S000.test.nc"

    def batch(self) -> BatchSummary:
        """Call the batch in this process."""
        config = load_config(self.bench.config).executing(output=self.output)
        config = config.batching(executor="inline")
        os.environ["SOURCE_DATE_EPOCH"] = EPOCH
        request = BatchRequest(config, self.inputs or (str(self.scene),))
        return run_batch(request, LineDisplay(), threading.Event())

    def replace(self, way: str) -> None:
        """Put the other scene in the place of the present one."""
        content = self.scene.read_bytes()
        other = next(
            path for path in (self.bench.second, self.bench.first) if path.read_bytes() != content
        )
        replace(self.scene, other, way)
        self.count += 1

    def is_true(self) -> bool:
        """Whether a product, if there is one, names the scene that it was made from."""
        return not self.product.exists() or self.product.read_bytes() in self.bench.products

    def is_right(self) -> bool:
        """Whether the product is that of the present scene."""
        number = (self.bench.first, self.bench.second)
        content = self.scene.read_bytes()
        (expected,) = (
            product
            for path, product in zip(number, self.bench.products, strict=True)
            if path.read_bytes() == content
        )
        return self.product.exists() and self.product.read_bytes() == expected


def replace(scene: Path, other: Path, way: str, mtime_ns: int | None = None) -> None:
    """Put the bytes of another file in the place of a scene; size and time stay as they were."""
    before = scene.stat()
    times = before.st_atime_ns, mtime_ns or before.st_mtime_ns
    if way == "rename":
        new = scene.with_name(".new")
        shutil.copyfile(other, new)
        os.utime(new, ns=times)
        new.replace(scene)
    else:
        with scene.open("r+b") as file:
            file.write(other.read_bytes())
        os.utime(scene, ns=times)


@contextlib.contextmanager
def at(moment: tuple[str, str, str], act: Callable[[], None], times: int = 1) -> Iterator[None]:
    """Call ``act`` at a moment, in the first calls of its function only."""
    module, name, when = moment
    owner: Any = importlib.import_module(module)
    *inside, last = name.split(".")
    for part in inside:
        owner = getattr(owner, part)
    original, left = getattr(owner, last), [times]

    def watched(*given: Any, **named: Any) -> Any:
        due = left[0] > 0
        left[0] -= 1
        if due and when == "before":
            act()
        result = original(*given, **named)
        if due and when == "after":
            act()
        return result

    setattr(owner, last, watched)
    try:
        yield
    finally:
        setattr(owner, last, original)


def settled(trial: Trial, moment: tuple[str, str, str], way: str) -> list[str]:
    """Replace a scene at a moment of a batch; return what is wrong afterwards."""
    with at(moment, lambda: trial.replace(way)):
        trial.batch()
    wrong = [] if trial.count else ["the moment never came"]
    if not trial.is_true():
        wrong.append("the product is of neither scene")
    trial.batch()
    if not trial.is_right():
        wrong.append("the next call did not make it right")
    return wrong
