"""Shows the progress of batches, from one ledger or from all ledgers in a folder."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pipeline.batch import process_identity
from pipeline.batch.ledger import (
    LEDGER_STEM,
    LEDGER_SUFFIX,
    Holder,
    Ledger,
    LedgerEntry,
    SceneCounts,
)
from pipeline.errors import LedgerError
from pipeline.files.names import as_texts

# Number of the last failures to show.
LAST = 5


@dataclass(frozen=True)
class LedgerStatus:
    """The state of one ledger."""

    ledger: Path
    runs: dict[str, SceneCounts]
    """For each configuration (by name), the number of scenes in each state."""
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
class _Progress:
    """The progress of several ledgers together."""

    counts: SceneCounts
    rate: float | None
    """Scenes per minute of all running processes. If no process is running, each ledger
    counts with the rate of the process that started last; these rates are added."""
    left: int
    """Number of scenes that are pending or running."""
    seconds_left: float | None
    """Estimated remaining seconds, or None if no process is running or the rate is unknown."""

    @classmethod
    def of(cls, found: Sequence[LedgerStatus]) -> "_Progress":
        runs = [counts for status in found for counts in status.runs.values()]
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
            "folder of a batch, or its ledger."
        )
    return [_status_of(ledger) for ledger in found]


def _status_of(path: Path) -> LedgerStatus:
    with Ledger.read(path) as ledger:
        working = ledger.holders(running=True)
        return LedgerStatus(
            ledger=path,
            runs={run: ledger.counts(run) for run in ledger.runs()},
            workers=[h for h in working if process_identity.is_dead(h.process) is not True],
            last=ledger.last_holder(),
            failures=ledger.failures(last=LAST),
        )


def lines(found: Sequence[LedgerStatus]) -> Iterator[str]:
    """Yield lines of text that describe the progress."""
    for status in found:
        yield str(status.ledger)
        yield from (f"  {run:<14}{_counted(counts)}" for run, counts in status.runs.items())
        if not status.runs:
            yield "  no scenes"
        yield from (f"  working       {_worker(holder)}" for holder in status.workers)
    progress = _Progress.of(found)
    if len(found) > 1:
        yield f"together        {_counted(progress.counts)}"
    if progress.rate:
        yield f"rate            {progress.rate:.1f} scenes per minute"
    if progress.seconds_left:
        yield f"time left       about {in_time(progress.seconds_left)}"
    elif progress.left and not any(status.workers for status in found):
        yield f"stopped         {progress.left} scenes are left; call ocpipe batch to continue"
    failures = [entry for status in found for entry in status.failures]
    if failures:
        yield "last failures"
        yield from (f"  {entry.kind:<13} {entry.reason}" for entry in failures[-LAST:])


def as_json(found: Sequence[LedgerStatus]) -> str:
    """Return the progress as JSON."""
    progress = _Progress.of(found)
    data: dict[str, Any] = {
        "scenes": asdict(progress.counts),
        "scenes_per_minute": progress.rate,
        "seconds_left": progress.seconds_left,
        "ledgers": [
            {
                "ledger": str(status.ledger),
                "configurations": {run: asdict(counts) for run, counts in status.runs.items()},
                "workers": [asdict(holder) for holder in status.workers],
                "last_failures": [asdict(entry) for entry in status.failures],
            }
            for status in found
        ],
    }
    return json.dumps(as_texts(data), indent=2)


def _counted(counts: SceneCounts) -> str:
    parts = [f"{counts.done} done", f"{counts.failed} failed", f"{counts.pending} pending"]
    parts += [f"{counts.running} running"] if counts.running else []
    parts += [f"{counts.skipped} skipped"] if counts.skipped else []
    parts += [f"{counts.suspect} suspect"] if counts.suspect else []
    return f"{counts.total} scenes: {', '.join(parts)}"


def _worker(holder: Holder) -> str:
    return (
        f"process {holder.pid} on {holder.host} since {holder.started}, {holder.slots} scenes at "
        f"a time: {holder.done} done, {holder.failed} failed"
    )


def in_time(seconds: float) -> str:
    """Return a time in words such as ``40 s``, ``12 min`` or ``3 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
