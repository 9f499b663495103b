"""The data that every executor exchanges with its workers: jobs and their outcomes.

A job contains the names of files, and an outcome contains counts; no array or model is sent.
"""

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from pipeline.version import __version__

MORE_MEMORY = "Raise --memory-limit, or process fewer scenes at the same time (--workers)."


@dataclass(frozen=True)
class Job:
    """One scene to process."""

    path: str
    config: Mapping[str, Any]
    """Configuration of the run, as dictionaries and lists."""
    lease: str
    """Text in the names of this job's temporary files."""
    first_seen: int
    """Date of the product, in seconds since 1970."""
    owned: str | None = None
    """Path of an earlier product of this scene; the job may replace that product."""
    known_sha256: str | None = None
    """Hash of the scene file when it was last processed; an unchanged file is skipped."""
    memory_limit: int | None = None
    """Memory for the scene in bytes; by default a share of the Dask worker's memory."""
    program_bytes: int = 350_000_000
    """Memory in bytes that the program itself takes."""
    timeout_s: float = 3600.0
    version: str = __version__
    """Version of the program that made the job; other versions refuse the job."""


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended."""

    kind: str
    reason: str = ""
    """Message of a failure."""
    product: str | None = None
    sha256: str | None = None
    """Hash of the scene file."""
    sensor: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the networks; each key is the name of a network in the configuration."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """Content of the scene's line in ``quality.jsonl``."""
    seconds: float = 0.0
    messages: tuple[tuple[str, str], ...] = ()
    """Log messages of the job; each has a level and a text."""

    def data(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Make an outcome from plain data."""
        messages = tuple((level, text) for level, text in data.get("messages", ()))
        return cls(**{**data, "messages": messages})


def why_of_another_version(data: Mapping[str, Any]) -> str:
    """Return why this version refuses a job with these fields; empty if it accepts the job."""
    version = data.get("version", "0.2.0 or earlier")  # these versions did not state their number
    if version == __version__:
        return ""
    return (
        f"the batch is one of version {version}, but {platform.node()} processes scenes with "
        f"version {__version__}. Either the program was replaced while the batch runs, or the "
        "machines have different versions. Install the same version everywhere, then call again."
    )


Progress = Callable[[int, int], None]
"""A function with two arguments: the number of finished blocks, and the number of all blocks."""
