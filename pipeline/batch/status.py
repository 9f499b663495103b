"""Reads the progress of batches, from one ledger or from all ledgers in a folder."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.batch import process_identity
from pipeline.batch.ages import iso_time
from pipeline.batch.ledger import (
    LEDGER_STEM,
    LEDGER_SUFFIX,
    Call,
    Holder,
    Ledger,
    LedgerEntry,
    RunOverview,
    SceneCounts,
    overviews,
)
from pipeline.errors import LedgerError
from pipeline.files.names import as_texts

# Number of the last failures to show.
LAST = 5


@dataclass(frozen=True)
class LedgerStatus:
    """The state of one ledger."""

    ledger: Path
    runs: dict[str, RunOverview]
    """The scenes of each configuration (by name)."""
    workers: list[Holder]
    """Processes that work on scenes now."""
    last: Holder | None
    """The process that started last."""
    failures: list[LedgerEntry]
    """The scenes that failed most recently."""

    @property
    def scenes_per_minute(self) -> float | None:
        """Scenes per minute of the running processes, or of the last process if none is running."""
        measured = self.workers or ([self.last] if self.last is not None else [])
        rates = [60 * h.done / h.elapsed for h in measured if h.elapsed > 0 and h.done]
        return sum(rates) or None


@dataclass(frozen=True)
class Progress:
    """The progress of several ledgers together."""

    counts: SceneCounts
    rate: float | None
    """Scenes per minute of all running processes. If no process is running, it is the sum over the
    ledgers of the rate of the process that started last."""
    left: int
    """Number of scenes that are pending or running."""
    seconds_left: float | None
    """Estimated remaining seconds, or None if no process is running or the rate is unknown."""

    @classmethod
    def of(cls, found: Sequence[LedgerStatus]) -> "Progress":
        """Return the progress of these ledgers."""
        runs = [run.counts for status in found for run in status.runs.values()]
        names = [field.name for field in fields(SceneCounts)]
        counts = SceneCounts(**{name: sum(getattr(c, name) for c in runs) for name in names})
        working = [status for status in found if status.workers]
        rate = sum(s.scenes_per_minute or 0.0 for s in working or found) or None
        left = counts.pending + counts.running
        return cls(counts, rate, left, 60 * left / rate if rate and working else None)


def read_status(path: Path) -> list[LedgerStatus]:
    """Read one ledger or all ledgers of a folder; raise LedgerError if no ledger exists."""
    if not path.is_dir():
        return [_status_of(path)]
    found = sorted(path.glob(f"{LEDGER_STEM}*{LEDGER_SUFFIX}"))
    if not found:
        raise LedgerError(
            f"{path}: this folder has no ledger ({LEDGER_STEM}*{LEDGER_SUFFIX}). Give the output "
            "folder of a batch, or its ledger. If its disk is not mounted, mount it."
        )
    return [_status_of(ledger) for ledger in found]


def _status_of(path: Path) -> LedgerStatus:
    with Ledger.read(path) as ledger:
        working = ledger.holders(running=True)
        return LedgerStatus(
            ledger=path,
            runs=overviews(ledger),
            workers=[h for h in working if process_identity.is_dead(h.process) is not True],
            last=ledger.last_holder(),
            failures=ledger.failures(last=LAST),
        )


def named_runs(found: Sequence[LedgerStatus]) -> Iterator[tuple[str, RunOverview]]:
    """Yield each configuration with a name; with several ledgers, their names are part of it."""
    for status in found:
        for run, overview in status.runs.items():
            yield run if len(found) == 1 else f"{status.ledger.stem}: {run}", overview


def as_json(found: Sequence[LedgerStatus], now: float, indent: int | None = 2) -> str:
    """Return the progress as JSON; ``now`` is the present time (seconds since 1970)."""
    progress = Progress.of(found)
    data: dict[str, Any] = {
        "time": iso_time(now),
        "scenes": asdict(progress.counts),
        "scenes_per_minute": progress.rate,
        "seconds_left": progress.seconds_left,
        "ledgers": [
            {
                "ledger": str(status.ledger),
                "configurations": {run: _run(overview) for run, overview in status.runs.items()},
                "workers": [asdict(holder) for holder in status.workers],
                "last_failures": [asdict(entry) for entry in status.failures],
            }
            for status in found
        ],
    }
    return json.dumps(as_texts(data), indent=indent)


def _run(overview: RunOverview) -> dict[str, Any]:
    call = overview.call
    return {
        **asdict(overview.counts),
        "last_success": overview.last_success,
        "last_call": None if call is None else _call(call),
        "last_complete_call": overview.last_complete_call,
        "failures_by_kind": [asdict(kind) for kind in overview.failed_kinds],
        "suspects": [asdict(suspect) for suspect in overview.suspects],
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "begun": call.begun,
        "ended": call.ended,
        "how": call.how_in_words,
        "problem": call.problem,
    }
