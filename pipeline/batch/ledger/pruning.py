"""Removes entries from a ledger: scenes to forget, and scenes whose files were removed."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.batch import process_identity
from pipeline.batch.ledger.ledger import Ledger
from pipeline.errors import LedgerError


@dataclass(frozen=True)
class Kept:
    """The entry of a scene that no process works on."""

    id: int
    run: str
    path: str
    state: str
    kind: str | None
    """Kind of the failure."""
    product: str | None
    """Full path of the product, if it was made for this ledger."""
    finished: str | None
    """Time (UTC) such as 2026-11-25T20:11:33Z."""


def entries(ledger: Ledger, run: str | None = None) -> list[Kept]:
    """Return the entries of one or all configurations, without the scenes that are running."""
    rows = ledger.execute(
        "SELECT id, run, path, state, kind, CASE WHEN ours THEN product END, finished FROM scene "
        "WHERE state != 'running' AND run = coalesce(?, run) ORDER BY path, run",
        (run,),
    ).fetchall()
    return [
        Kept(number, run, path, state, kind, ledger.located(product) if product else None, finished)
        for number, run, path, state, kind, product, finished in rows
    ]


def remove(ledger: Ledger, removed: Iterable[Kept], holders_until: str | None = None) -> None:
    """Remove entries, and calls that started before a time. If one cannot be removed, none is.

    An entry that has changed since it was read stays. The entry of the last call stays, too.

    Raises:
        LedgerError: a batch works with this ledger, and would miss the entries.
    """
    with ledger.writing():
        _check_idle(ledger)
        ledger.table(
            "removed",
            "id INTEGER PRIMARY KEY, run TEXT, path TEXT, state TEXT, finished TEXT",
            ((each.id, each.run, each.path, each.state, each.finished) for each in removed),
        )
        ledger.execute(
            "DELETE FROM scene WHERE EXISTS (SELECT 1 FROM removed r WHERE r.id = scene.id AND "
            "r.run = scene.run AND r.path = scene.path AND r.state = scene.state AND "
            "r.finished IS scene.finished)"
        )
        ledger.execute(
            "DELETE FROM networks WHERE id NOT IN "
            "(SELECT networks FROM scene WHERE networks IS NOT NULL)"
        )
        if holders_until is not None:
            ledger.execute(
                "DELETE FROM holder WHERE state != 'running' AND started < ? "
                "AND id != (SELECT max(id) FROM holder) "
                "AND id NOT IN (SELECT holder FROM scene WHERE holder IS NOT NULL)",
                (holders_until,),
            )


def _check_idle(ledger: Ledger) -> None:
    for holder in ledger.holders(running=True):
        if process_identity.is_dead(holder.process) is not True:
            raise LedgerError(
                f"{ledger.path}: a batch is working with this ledger (process {holder.pid} on "
                f"{holder.host}, started {holder.started}). Call again after it has ended."
            )
