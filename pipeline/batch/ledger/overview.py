"""Sums up a ledger for each configuration; a few statements do this for 100,000 scenes."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.batch.ledger.calls import Call, last_calls
from pipeline.batch.ledger.database import Database
from pipeline.batch.ledger.entries import SceneCounts
from pipeline.files.longest import LONGEST_MESSAGE

# Number of suspect scenes that are returned for each configuration.
MOST_SUSPECTS = 1000


@dataclass(frozen=True)
class FailedKind:
    """The failed scenes of one kind."""

    kind: str
    scenes: int
    last: str | None
    """Time of the last failure, as text in UTC."""
    reason: str
    """Reason of the last failure."""


@dataclass(frozen=True)
class SuspectScene:
    """A finished scene that is suspect."""

    path: str
    product: str | None
    finished: str | None
    reason: str


@dataclass(frozen=True)
class RunOverview:
    """The scenes of one configuration."""

    counts: SceneCounts
    last_success: str | None
    """Time at which a scene was done last, as text in UTC."""
    failed_kinds: tuple[FailedKind, ...] = ()
    """The most frequent kind first."""
    suspects: tuple[SuspectScene, ...] = ()
    """At most ``MOST_SUSPECTS`` scenes, in the order in which they were finished."""
    call: Call | None = None
    """The last call; None if no call was recorded."""

    @property
    def last_call(self) -> str | None:
        """Start of the last call."""
        return None if self.call is None else self.call.begun

    @property
    def last_complete_call(self) -> str | None:
        """End of the last call that was complete."""
        return None if self.call is None else self.call.completed


@dataclass
class _Found:
    counts: dict[str, int] = field(default_factory=dict)
    last_success: str | None = None
    kinds: list[FailedKind] = field(default_factory=list)


def overviews(ledger: Database) -> dict[str, RunOverview]:
    """Return an overview of each configuration in the ledger, by name.

    A configuration whose calls have found no scene yet is included.
    """
    calls = last_calls(ledger)
    found = {run: _Found() for run in calls}
    for run, state, count, suspect, finished in ledger.execute(
        "SELECT run, state, count(*), sum(suspect IS NOT NULL), max(finished) FROM scene "
        "GROUP BY run, state"
    ).fetchall():
        of_run = found.setdefault(run, _Found())
        of_run.counts[state] = count
        if state == "done":
            of_run.counts["suspect"], of_run.last_success = suspect, finished
    # Beside max(), SQLite returns the other columns of the row that has the maximum.
    for run, *columns in ledger.execute(
        f"SELECT run, kind, count(*), max(finished), substr(reason, 1, {LONGEST_MESSAGE}) "
        "FROM scene WHERE state = 'failed' GROUP BY run, kind ORDER BY count(*) DESC, kind"
    ).fetchall():
        found[run].kinds.append(FailedKind(*columns))
    return {
        run: RunOverview(
            counts=SceneCounts(**one.counts),
            last_success=one.last_success,
            failed_kinds=tuple(one.kinds),
            suspects=_suspects(ledger, run) if one.counts.get("suspect") else (),
            call=calls.get(run),
        )
        for run, one in sorted(found.items())
    }


def _suspects(ledger: Database, run: str) -> tuple[SuspectScene, ...]:
    found: list[Any] = ledger.execute(
        f"SELECT path, product, finished, substr(suspect, 1, {LONGEST_MESSAGE}) FROM scene "
        "WHERE state = 'done' AND run = ? AND suspect IS NOT NULL "
        f"ORDER BY finished DESC, id DESC LIMIT {MOST_SUSPECTS}",
        (run,),
    ).fetchall()
    return tuple(SuspectScene(*row) for row in reversed(found))
