"""The request of one call of ``ocpipe batch``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.batch.ledger import LEDGER_STEM, ledger_path
from pipeline.config import RunConfig


@dataclass(frozen=True)
class BatchRequest:
    """The arguments of one call of ``ocpipe batch``."""

    config: RunConfig
    inputs: tuple[str, ...]
    """Scenes to process; if this tuple is empty, the scenes of the configuration or of the ledger
    are processed."""
    ledger: Path | None = None
    """Path of the ledger, or None for a ledger in the output folder."""
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    limit: int | None = None
    """Largest number of scenes that the call starts."""
    ledger_must_exist: bool = False
    """Whether a missing ledger is an error; otherwise the call makes it."""
    remake_missing: bool = False
    """Whether products are made again even if the output folder has become empty."""
    may_be_empty: bool = False
    """Whether folders, patterns and lists without scenes are allowed."""
    deep: bool = False
    """Whether the numbers of every finished product are compared with their checksums."""
    ask: Callable[[str], bool] | None = None
    """Function that asks whether to process outdated scenes again; None if nobody can be asked."""

    @property
    def output(self) -> Path:
        """The output folder."""
        return self.config.execution.output

    @property
    def ledger_path(self) -> Path:
        """Path of the ledger."""
        return self.ledger or ledger_path(self.output, self.shard)

    def record(self, name: str) -> Path:
        """Return the path of a record file; if there are shards, its name contains the shard."""
        stem = self.ledger_path.stem
        part = stem.partition(LEDGER_STEM)[2] if "-of-" in stem else ""
        path = self.output / name
        return path.with_stem(f"{path.stem}{part}")
