"""Describes the progress of batches in lines and tables for people."""

from collections.abc import Iterator, Sequence

from pipeline.batch.ages import ago, in_time
from pipeline.batch.ledger import FailedKind, Holder, RunOverview, SceneCounts
from pipeline.batch.status import LAST, LedgerStatus, Progress, named_runs
from pipeline.evaluation.columns import Column, TextTable, aligned, table
from pipeline.machine.words import counted

_Named = tuple[str, RunOverview]
_NamedCounts = tuple[str, SceneCounts]
# Heads of columns, and the properties of SceneCounts that they show.
_STATES = {"scenes": "total"} | {
    name: name for name in ("done", "failed", "pending", "running", "skipped", "suspect")
}


def lines(found: Sequence[LedgerStatus], now: float) -> Iterator[str]:
    """Yield lines that describe the progress; ``now`` is in seconds since 1970."""
    runs, progress = list(named_runs(found)), Progress.of(found)
    yield from (str(status.ledger) for status in found)
    if not runs:
        yield "no scenes"
        return
    counts = [(name, overview.counts) for name, overview in runs]
    yield from _table(_counts([*counts, *([("together", progress.counts)] if counts[1:] else [])]))
    yield from _table(_times(runs, now))
    work = [*_problems(runs), *_work(found, progress)]
    yield from ("", *work) if work else ()
    yield from _failures(found, runs, now)
    yield from _suspects(runs)


def _table(content: TextTable) -> list[str]:
    return ["", *aligned(content).split("\n")] if content[1] else []


def _counts(rows: Sequence[_NamedCounts]) -> TextTable:
    """Return the number of scenes in each state."""
    columns: list[Column[_NamedCounts]] = [Column("configuration", lambda row: row[0])]
    columns += [_count_column(head, state) for head, state in _STATES.items()]
    return table(columns, rows)


def _count_column(head: str, state: str) -> Column[_NamedCounts]:
    return Column(head, lambda row: getattr(row[1], state))


def _times(runs: Sequence[_Named], now: float) -> TextTable:
    """Return the time of the last success and of the last call."""
    columns: Sequence[Column[_Named]] = (
        Column("configuration", lambda row: row[0]),
        Column("last success", lambda row: ago(row[1].last_success, now)),
        Column("last call", lambda row: ago(row[1].last_call, now)),
        Column("how it ended", lambda row: row[1].call.how_in_words if row[1].call else "-"),
    )
    return table(columns, runs)


def _problems(runs: Sequence[_Named]) -> Iterator[str]:
    for name, overview in runs:
        if overview.call is not None and overview.call.problem:
            yield f"problem       {name}: {overview.call.problem}"


def _work(found: Sequence[LedgerStatus], progress: Progress) -> Iterator[str]:
    """Yield the processes at work, the rate and the time left."""
    for status in found:
        yield from (f"working       {_worker(holder)}" for holder in status.workers)
    if progress.rate:
        yield f"rate          {progress.rate:.1f} scenes per minute"
    if progress.seconds_left:
        yield f"time left     about {in_time(progress.seconds_left)}"
    elif progress.left and not any(status.workers for status in found):
        left = counted(progress.left, "scene is", "scenes are")
        yield (
            f"stopped       {left} left; call ocpipe batch to continue, or ocpipe prune if their "
            "files were removed"
        )


def _failures(found: Sequence[LedgerStatus], runs: Sequence[_Named], now: float) -> Iterator[str]:
    """Yield the failures by kind, and the reasons of the last failures."""
    rows = [(name, kind) for name, overview in runs for kind in overview.failed_kinds]
    columns: Sequence[Column[tuple[str, FailedKind]]] = (
        Column("configuration", lambda row: row[0]),
        Column("kind of failure", lambda row: row[1].kind),
        Column("scenes", lambda row: row[1].scenes),
        Column("last one", lambda row: ago(row[1].last, now)),
    )
    yield from _table(table(columns, rows))
    failures = [entry for status in found for entry in status.failures]
    failures.sort(key=lambda entry: entry.finished or "")
    if failures:
        yield ""
        yield "last failures"
        yield from (f"  {entry.kind:<13} {entry.reason}" for entry in failures[-LAST:])


def _suspects(runs: Sequence[_Named]) -> Iterator[str]:
    """Yield the suspect scenes that were finished last, with their reasons."""
    suspects = [suspect for _, overview in runs for suspect in overview.suspects]
    suspects.sort(key=lambda suspect: suspect.finished or "")
    if suspects:
        yield ""
        yield "last suspect scenes"
        yield from (f"  {one.product or one.path}: {one.reason}" for one in suspects[-LAST:])


def _worker(holder: Holder) -> str:
    return (
        f"process {holder.pid} on {holder.host} since {holder.started}, "
        f"{counted(holder.slots, 'scene')} at a time: {holder.done} done, {holder.failed} failed"
    )
