"""The kinds of data that a ledger stores, receives and returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.batch.reasons import CONFIGURATION, VERSION

if TYPE_CHECKING:  # importing it would take a third of the start of ``ocpipe status``
    from pipeline.batch.sources import FoundScene

# A condition of SQL: this call has chosen the scene. When a scene is removed, SQLite may give its
# number to another scene, so the number alone does not identify a scene.
IS_CHOSEN = (
    "EXISTS (SELECT 1 FROM chosen c WHERE c.id = scene.id AND c.path = scene.path "
    "AND c.run = scene.run)"
)


@dataclass(frozen=True)
class Lease:
    """A scene that a holder works on."""

    scene: int
    path: str
    attempt: int
    first_seen: int
    known_sha256: str | None
    """Hash of the scene file when it was last processed. It is set only if the size or the time of
    the file has changed since then."""
    owned: str | None
    """Path of an earlier product of this scene; that product may be replaced."""


@dataclass(frozen=True)
class Reading:
    """The state of a scene's file while a job read it."""

    size: int | None
    """Bytes when the job was submitted; None if the file was missing."""
    mtime_ns: int | None
    has_changed: bool
    """Whether the file was replaced or changed since then."""


@dataclass(frozen=True)
class SceneQueue:
    """The scenes of one call, and the facts that decide whether these scenes are up to date."""

    run: str
    recipe: str
    """The configuration and versions with which this call makes products; see ``recipe.py``."""
    found: "Sequence[FoundScene]"
    product_of: Callable[[str], str | None]
    """Returns a product's path, or None if the path depends on attributes in the scene file."""
    networks_now: Callable[[str], Mapping[str, str | None]]
    """Returns the present fingerprints of the networks for a sensor, by network name. None stands
    for a network that cannot be loaded now; such a network makes no scene outdated."""
    if_possible: frozenset[str] = frozenset()
    """Names of the networks that a run leaves out if they do not fit the scene."""
    retry_failed: bool = False
    change_since: Callable[[str], str | None] = lambda _: CONFIGURATION
    """Returns why a scene that was done with another recipe is outdated, or None."""
    keeps: frozenset[str] = frozenset((VERSION,))
    """Outdated scenes with one of these reasons stay done."""
    damaged: frozenset[str] = frozenset()
    """Full paths of products that were damaged or changed after they were written."""


@dataclass(frozen=True)
class Refusal:
    """A scene that failed when it was entered into the queue."""

    path: str
    kind: str
    reason: str


@dataclass(frozen=True)
class SceneCounts:
    """Number of scenes by state."""

    pending: int = 0
    running: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    suspect: int = 0
    """Number of finished scenes that are suspect."""

    @property
    def total(self) -> int:
        """Number of all scenes."""
        return self.pending + self.running + self.done + self.skipped + self.failed


@dataclass(frozen=True)
class LedgerEntry:
    """The entry of a scene in the ledger."""

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
    """A process that works on scenes."""

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
