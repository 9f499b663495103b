"""A batch of three scenes that is disturbed at one operation, and the batch after it."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import batches
import warm_commands

from machine_faults.injection import ARMED, NAMES, Injector, Seen

SCENES = 3
CODES = (0, 1, 71, 73)


@dataclass
class Case:
    """Scenes, the products that they should become, and a server whose commands are disturbed."""

    folder: Path
    injector: Injector
    server: warm_commands.Server
    is_cold: bool = False
    """Whether commands start as a shell starts them; their processes for scenes always do then."""
    expected: dict[str, bytes] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.folder / "root" / "out"

    def run(self) -> batches.Ended:
        """One call of the batch, under the present orders."""
        root = self.folder / "root"
        arguments = ("batch", root / "test.yaml", root / "in", "-o", self.output, "--workers", "1")
        env = batches.environment(TMPDIR=str(root / "tmp"), **self.injector.environment)
        if self.is_cold:
            done = subprocess.run(
                [sys.executable, ARMED, *map(str, arguments)],
                env=env, capture_output=True, text=True, check=False, timeout=300,
            )  # fmt: skip
            return batches.Ended(done.returncode, done.stdout, done.stderr)
        command = self.server.start(*arguments, env=env | {"FAULTS_SERVED": "1"})
        stdout, stderr = command.communicate(timeout=300)
        return batches.Ended(command.wait(), stdout, stderr)

    def undisturbed(self) -> Seen:
        """Make the products without faults; return what the batch does."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.injector.order()
        ended = self.run()
        assert ended.code == 0, ended.stderr
        seen = self.injector.seen()
        self.expected = batches.products(self.output)
        assert len(self.expected) == SCENES
        return seen

    def disturbed(
        self, kind: str, at: int, number: int, *, for_ever: bool = False
    ) -> tuple[str, list[str]]:
        """Let one operation fail; return what that was, and everything that is wrong then."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.injector.order(kind, at, number, for_ever=for_ever)
        left = self.run()
        seen = self.injector.seen()
        if not seen.fired:
            return "nothing", []
        place = seen.what.split(" ", 2)[2].replace(str(self.folder), "")
        what = f"{NAMES[kind]} {at} {errno.errorcode[number]} {place} -> {left.code}"
        wrong = list(self._wrong_after(left, for_ever))
        self.injector.order()
        again = self.run()
        self.injector.seen()
        wrong += self._wrong_at_the_end(again)
        if wrong:
            wrong += [left.stderr, again.stderr]
        return what, wrong

    def _wrong_after(self, left: batches.Ended, for_ever: bool) -> Iterator[str]:
        if left.code not in CODES:
            yield f"exit code {left.code}"
        if "Traceback" in left.stderr:
            yield "traceback"
        deadline = time.monotonic() + 10  # a process that was told to end ends a moment later
        while others := [pid for pid in self.injector.processes() if pid != self.server.pid]:
            if time.monotonic() > deadline:
                yield f"processes are left: {others}"
                break
            time.sleep(0.02)
        found = batches.products(self.output)
        if any(found[name] != self.expected.get(name) for name in found):
            yield "a product has wrong bytes"
        if not (self.output / "ocpipe-ledger.sqlite").exists():
            return
        try:
            rows = batches.scenes_by_name(self.output)
        except Exception:  # noqa: BLE001 - no table was made yet
            return
        for name, row in rows.items():
            if row["state"] == "done" and Path(row["product"] or "?").name not in found:
                yield f"{name} is done without a product"
            if row["state"] == "running" and not for_ever:
                yield f"{name} is running"
            if row["state"] == "failed" and row["kind"] != "unavailable":
                yield f"{name} failed: {row['kind']} {row['reason']}"
            if row["state"] == "failed" and left.code not in (1, 73):
                yield f"{name} failed, and the exit code is {left.code}"
            if row["state"] == "pending" and row["attempts"]:
                yield f"{name} has lost an attempt"
        states = Counter(row["state"] for row in rows.values())
        if left.code == 0 and states != {"done": SCENES}:
            yield f"exit code 0, but {states}"

    def _wrong_at_the_end(self, again: batches.Ended) -> Iterator[str]:
        if again.code != 0:
            yield f"the next call ends with {again.code}"
        if batches.products(self.output) != self.expected:
            yield "products differ at the end"
        if batches.states(self.output) != {"done": SCENES}:
            yield f"states at the end: {batches.states(self.output)}"
        left = batches.leavings(self.output)
        if left:
            yield f"temporary files are left: {left}"


@contextmanager
def batch_case(folder: Path, *, is_cold: bool = False) -> Iterator[Case]:
    """A case in an empty folder; its server is ended with it."""
    root = folder / "root"
    root.mkdir()
    (root / "tmp").mkdir()
    scenes = batches.copies(root / "in", SCENES, (20, 30))
    for number, scene in enumerate(scenes):
        scene.unlink()
        batches.write_scene(scene, (20, 30), seed=number)
    batches.write_config(root)
    injector = Injector.below(folder / "injector", root)
    before = dict(os.environ)
    os.environ.update(injector.environment)
    shown, warm_commands.OCPIPE = warm_commands.OCPIPE, ARMED
    server = warm_commands.Server(warm_commands.SCENES)
    try:
        yield Case(folder, injector, server, is_cold)
    finally:
        server.close()
        os.environ.clear()
        os.environ.update(before)
        warm_commands.OCPIPE = shown
