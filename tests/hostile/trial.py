"""Makes one hostile file, reads it by a command, and says what is wrong about how that ended."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

import numpy as np
from fuzz.mutations import _BYTES
from fuzz.outside import NUMBERS, Outside, Watch

from hostile.bases import BASES, Bases
from hostile.bounded import Bounded, Ending
from hostile.mutations import FIFO, MUTATIONS

KINDS = tuple(MUTATIONS)
assert set(KINDS) == set(BASES)
# Numbers of a canary, as a message or a table would show them.
CANARY = tuple(
    re.compile(rf"(?<![0-9a-f.]){re.escape(str(number))}(?![0-9a-f])")
    for number in NUMBERS.values()
)
GOOD_CODES = (0, 1, 2)
# Random bytes in the place of its lists can still end the HDF5 library (1.14) itself.
DAMAGE = frozenset(_BYTES)
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)


@dataclass(frozen=True)
class Mutant:
    """A hostile file: the same whenever it is made."""

    kind: str
    mutation: str
    seed: int

    def __str__(self) -> str:
        return f"{self.kind} {self.mutation} {self.seed}"


@dataclass(frozen=True)
class Verdict:
    """How the commands on a mutant ended."""

    mutant: Mutant
    did: str
    endings: tuple[tuple[str, Ending], ...]
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.mutant} ({self.did})"]
        for command, ending in self.endings:
            lines.append(f"  {command}: {ending.code} {ending.output.strip()[-500:]}")
        lines += [f"  WRONG {what}" for what in self.wrong]
        return "\n".join([*lines, f"  again: cd tests && python -m hostile {self.mutant}"])


def mutants(kind: str, count: int, first_seed: int) -> Iterator[Mutant]:
    """So many of a kind: every mutation in turn."""
    names = list(MUTATIONS[kind])
    for number in range(count):
        yield Mutant(kind, names[(number + first_seed) % len(names)], first_seed + number)


class Trials:
    """Tries mutants, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("outside", "allowed", "bases"):
            (folder / name).mkdir()
        os.mkfifo(folder / "outside" / FIFO)
        self._watch = Watch(folder / "outside")
        self._outside = Outside(folder / "outside", folder / "allowed", self._watch.port)
        self._outside.raw(np.dtype("f8"), 1000)
        self._bases = Bases(folder / "bases")
        self._bounded = Bounded()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bounded.close()
        self._watch.close()

    def whole(self, kind: str, folder: Path) -> Path:
        """A copy of a file to which nothing is done."""
        return self._bases.copied(kind, folder)

    def ended(self, command: str, path: Path) -> Ending:
        """How a command on a file ends."""
        return self._bounded.run(command, path)

    def run(self, mutant: Mutant) -> Verdict:
        """Make it, read it, judge it."""
        draw = Random(str(mutant))  # noqa: S311 - to be repeated
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            path = self._bases.copied(mutant.kind, folder)
            did = MUTATIONS[mutant.kind][mutant.mutation](path, draw, self._outside)
            self._watch.seen()
            endings = tuple(
                (command, self._bounded.run(command, path, *_options(command, folder)))
                for command in _commands(mutant.kind, draw)
            )
            opened = self._watch.seen()
            shutil.rmtree(folder / "output", ignore_errors=True)
        wrong = _wrong(endings, opened, may_crash=mutant.mutation in DAMAGE)
        return Verdict(mutant, did, endings, tuple(wrong))


def _commands(kind: str, draw: Random) -> tuple[str, ...]:
    if kind == "ledger":
        return ("status",)
    if kind == "product":
        return (draw.choice(("verify", "verify", "inspect", "quicklook")),)
    return ("inspect",)


def _options(command: str, folder: Path) -> tuple[object, ...]:
    return ("--networks", folder) if command == "verify" else ()


def _wrong(
    endings: tuple[tuple[str, Ending], ...], opened: set[Path | str], *, may_crash: bool
) -> Iterator[str]:
    for command, ending in endings:
        if not (may_crash and -ending.code in CRASHES):
            yield from (f"{command} {fault}" for fault in ending.faults)
        if ending.code not in GOOD_CODES and ending.code >= 0:
            yield f"{command} ended with {ending.code}"
        shown = (found[0] for each in CANARY if (found := each.search(ending.output)))
        yield from (f"{command} shows {number} of a canary" for number in shown)
    yield from (f"{path} was opened" for path in opened)
