"""What a ledger is asked, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.batch.sources import FoundScene


@dataclass(frozen=True)
class Lease:
    """A scene that a holder works on."""

    scene: int
    path: str
    attempt: int
    first_seen: int
    known_sha256: str | None
    """Of the input, where nothing but its time of change makes the scene pending."""
    owned: str | None
    """The path of a product of this scene, which may be replaced."""


@dataclass(frozen=True)
class SceneQueue:
    """What a call asks for."""

    run: str
    recipe: str
    found: Sequence[FoundScene]
    product_of: Callable[[str], str | None]
    """The path of a scene's product in their folder; None where only the scene can tell."""
    networks_now: Callable[[str], Mapping[str, str]]
    """Of a sensor: fingerprints of the networks that there are now, by name."""
    retry_failed: bool = False


@dataclass(frozen=True)
class SceneCounts:
    """Scenes by state."""

    pending: int = 0
    running: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    suspect: int = 0
    """Among those that are done."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.running + self.done + self.skipped + self.failed


@dataclass(frozen=True)
class LedgerEntry:
    """A scene as the ledger has it."""

    path: str
    state: str
    why: str
    kind: str | None
    reason: str | None
    attempts: int
    product: str | None
    suspect: str | None
    finished: str | None


@dataclass(frozen=True)
class Holder:
    """Someone who works on scenes."""

    id: int
    token: str
    process: str
    host: str
    pid: int
    output: str
    slots: int
    threads: int
    started: str
    beat: int
    elapsed: float
    done: int
    failed: int
    state: str
