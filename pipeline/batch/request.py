"""What a call of ``ocpipe batch`` asks for."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.batch.ledger import ledger_path
from pipeline.config import RunConfig


@dataclass(frozen=True)
class BatchRequest:
    """What a call of ``ocpipe batch`` asks for."""

    config: RunConfig
    inputs: tuple[str, ...]
    """Files, folders, patterns, lists; none for those of the configuration or of the ledger."""
    ledger: Path | None = None
    """Where the ledger is; None for the output folder."""
    shard: tuple[int, int] | None = None
    retry_failed: bool = False
    limit: int | None = None
    """Scenes that are begun at most."""

    @property
    def output(self) -> Path:
        """Where products go."""
        return self.config.execution.output

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return self.ledger or ledger_path(self.output, self.shard)
