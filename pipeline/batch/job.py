"""What a worker is told of a scene, and what comes back: small, plain, the same for every executor.

Neither arrays nor models travel: a job names files, an outcome holds counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

# What ends well.
DONE, UNCHANGED, SKIPPED = "done", "unchanged", "skipped"
SUCCESS = frozenset((DONE, UNCHANGED, SKIPPED))

# What is wrong with the scene itself: another attempt ends the same.
SCENE, DEFECT = "scene", "defect"
# What may be mended outside, between two calls: the next call tries again by itself.
MISSING, NAME, WRITE, NETWORK = "missing", "name", "write", "network"
CONFIGURATION = "configuration"
# What may go well another time; tried again in the same call, up to the limit of attempts.
MEMORY, TIMEOUT, CRASH, LOST = "memory", "timeout", "crash", "lost"
TRANSIENT = frozenset((MEMORY, TIMEOUT, CRASH, LOST))
MENDED_OUTSIDE = frozenset((MISSING, NAME, WRITE, NETWORK, CONFIGURATION, LOST))

# The folder of products cannot be used: no scene's failure, and the end of the batch.
OUTPUT = "output"

# The work was given up because the batch ends: no attempt.
STOPPED = "stopped"


@dataclass(frozen=True)
class Job:
    """One scene to be done."""

    path: str
    config: Mapping[str, Any]
    """The run configuration as plain data."""
    lease: str
    """What temporary files bear in their names."""
    first_seen: int
    """The date of the product, seconds since 1970."""
    owned: str | None = None
    """The earlier product of this scene, which may be replaced."""
    known_sha256: str | None = None
    """Hash of the input when it was done last: if it has it still, nothing is to be done."""
    memory_limit: int | None = None
    """Bytes beside the program itself; None for a share of a Dask worker's."""
    program_bytes: int = 350_000_000
    """What the program itself takes."""
    timeout_s: float = 3600.0

    def data(self) -> dict[str, Any]:
        """As plain data, to travel."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """From plain data."""
        return cls(**data)


@dataclass(frozen=True)
class JobOutcome:
    """What became of a job."""

    kind: str
    reason: str = ""
    """Of a failure, in words."""
    product: str | None = None
    sha256: str | None = None
    """Of the input."""
    sensor: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint of each network by its name in the configuration."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """What the quality line of the scene holds."""
    seconds: float = 0.0
    messages: tuple[tuple[str, str], ...] = ()
    """What was said meanwhile: level and text."""

    def data(self) -> dict[str, Any]:
        """As plain data, to travel."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """From plain data."""
        messages = tuple((level, text) for level, text in data.get("messages", ()))
        return cls(**{**data, "messages": messages})


Progress = Callable[[int, int], None]
"""Told about finished blocks and all blocks of a scene."""
