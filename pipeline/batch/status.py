"""How far batches are: one ledger, or all of a folder together."""

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

# Of the last failures, how many are shown.
LAST = 5


@dataclass(frozen=True)
class LedgerStatus:
    """Of one ledger."""

    ledger: Path
    runs: dict[str, SceneCounts]
    """By the name of the configuration."""
    workers: list[Holder]
    """Who works now."""
    last: Holder | None
    """Who worked last."""
    failures: list[LedgerEntry]
    """The last ones."""

    @property
    def counts(self) -> SceneCounts:
        """Of all configurations."""
        return total(self.runs.values())

    @property
    def scenes_per_minute(self) -> float | None:
        """Of those who work now, else of who worked last; None where too little was done."""
        measured = self.workers or ([self.last] if self.last is not None else [])
        rates = [60 * h.done / h.elapsed for h in measured if h.elapsed > 0 and h.done]
        return sum(rates) or None


def total(counts: Any) -> SceneCounts:
    """Counts added up."""
    listed = list(counts)
    return SceneCounts(
        **{f.name: sum(getattr(c, f.name) for c in listed) for f in fields(SceneCounts)}
    )


def read_status(path: Path) -> list[LedgerStatus]:
    """Of a ledger, or of every ledger in a folder.

    Raises:
        LedgerError: there is none.
    """
    if not path.is_dir():
        return [_status_of(path)]
    found = sorted(path.glob(f"{LEDGER_STEM}*{LEDGER_SUFFIX}"))
    if not found:
        raise LedgerError(
            f"{path}: no ledger ({LEDGER_STEM}*{LEDGER_SUFFIX}) is in this folder. Give the "
            "output folder of a batch, or its ledger."
        )
    return [_status_of(ledger) for ledger in found]


def _status_of(path: Path) -> LedgerStatus:
    with Ledger.read(path) as ledger:
        holders = ledger.holders()
        working = [h for h in holders if h.state == "running"]
        return LedgerStatus(
            ledger=path,
            runs={run: ledger.counts(run) for run in ledger.runs()},
            workers=[h for h in working if process_identity.is_dead(h.process) is not True],
            last=holders[-1] if holders else None,
            failures=ledger.failures(last=LAST),
        )


def lines(found: Sequence[LedgerStatus]) -> Iterator[str]:
    """In words."""
    for status in found:
        yield str(status.ledger)
        for run, counts in status.runs.items():
            yield f"  {run:<14}{_counted(counts)}"
        if not status.runs:
            yield "  no scenes"
        yield from (f"  working       {_worker(holder)}" for holder in status.workers)
    if len(found) > 1:
        yield f"together        {_counted(total(s.counts for s in found))}"
    counts, rate = total(s.counts for s in found), _rate(found)
    left = counts.pending + counts.running
    if rate:
        yield f"rate            {rate:.1f} scenes per minute"
    if any(s.workers for s in found) and rate and left:
        yield f"time left       about {in_time(60 * left / rate)}"
    elif left:
        yield f"nobody works    {left} scenes are left; ocpipe batch goes on with them"
    failures = [entry for status in found for entry in status.failures]
    if failures:
        yield "last failures"
        for entry in failures[-LAST:]:
            yield f"  {entry.kind:<13} {entry.reason}"


def as_json(found: Sequence[LedgerStatus]) -> str:
    """For programs."""
    rate, counts = _rate(found), total(s.counts for s in found)
    left = counts.pending + counts.running
    data: dict[str, Any] = {
        "scenes": asdict(counts),
        "scenes_per_minute": rate,
        "seconds_left": 60 * left / rate if rate and any(s.workers for s in found) else None,
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
    return json.dumps(data, indent=2)


def _rate(found: Sequence[LedgerStatus]) -> float | None:
    """Of all who work now together; of one who worked last, where nobody does."""
    working = [s for s in found if s.workers]
    return sum(s.scenes_per_minute or 0.0 for s in working or found) or None


def _counted(counts: SceneCounts) -> str:
    parts = [f"{counts.done} done", f"{counts.failed} failed", f"{counts.pending} pending"]
    parts += [f"{counts.running} in work"] if counts.running else []
    parts += [f"{counts.skipped} skipped"] if counts.skipped else []
    parts += [f"{counts.suspect} suspect"] if counts.suspect else []
    return f"{counts.total} scenes: {', '.join(parts)}"


def _worker(holder: Holder) -> str:
    return (
        f"process {holder.pid} on {holder.host} since {holder.started}, {holder.slots} scenes at "
        f"once: {holder.done} done, {holder.failed} failed"
    )


def in_time(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
