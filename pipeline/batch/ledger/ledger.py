"""The ledger of a batch; its methods enter, reserve, finish and look up scenes."""

import json
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.batch import kinds, process_identity
from pipeline.batch.job import JobOutcome
from pipeline.batch.ledger.database import Database, stamp
from pipeline.batch.ledger.entries import (
    IS_CHOSEN,
    Holder,
    Lease,
    LedgerEntry,
    Reading,
    Refusal,
    SceneCounts,
    SceneQueue,
)
from pipeline.batch.ledger.queueing import enter_queue
from pipeline.batch.reasons import AGAIN, OUTDATED
from pipeline.files.longest import LONGEST_MESSAGE, cut_message

_ENTRY = (
    f"path, state, substr(why, 1, {LONGEST_MESSAGE}), kind, substr(reason, 1, {LONGEST_MESSAGE}), "
    f"attempts, product, substr(suspect, 1, {LONGEST_MESSAGE}), finished"
)
_HOLDER = (
    "id, token, process, host, pid, output, slots, threads, started, beat, elapsed, done, failed, "
    "state"
)
# Reasons why a scene is pending whose file has changed since a job read it.
CHANGED = "the input changed while it was read"
UNFINISHED = "the input looks damaged and changed a short time ago"
# A call reads a changing scene at most this number of times. Then the scene waits for the next
# call, because a file that is written for a long time must not keep a call busy.
MOST_CHANGES = 3


class Ledger(Database):
    """An open ledger, to be used by one thread."""

    _recipe = ""
    """The recipe of the scenes in the queue; see ``recipe.py``."""

    def enqueue(self, queue: SceneQueue) -> list[Refusal]:
        """Enter new scenes, set outdated scenes back to pending, and choose all given scenes.

        After this call, ``claim`` and ``counts_of_chosen`` of this object use only these scenes.

        Returns:
            The scenes that fail without being processed, for example because they have no file.
        """
        self._recipe = queue.recipe
        with self.writing():
            return enter_queue(self, queue)

    def dry_run(self, queue: SceneQueue) -> list[LedgerEntry]:
        """Return the scenes with the states that ``enqueue`` would set.

        The ledger is not changed.
        """
        with self.writing(keep=False):
            enter_queue(self, queue)
            return self.chosen()

    def outdated(self, queue: SceneQueue) -> dict[str, int]:
        """Count the finished scenes that are outdated, by reason; the ledger is not changed."""
        with self.writing(keep=False):
            enter_queue(self, replace(queue, keeps=frozenset(OUTDATED)))
            return self.kept_outdated()

    def kept_outdated(self) -> dict[str, int]:
        """Count the chosen scenes that stay done although they are outdated, by reason."""
        found = self.execute(
            "SELECT o.why, count(*) FROM outdated o JOIN scene s ON s.id = o.id "
            "WHERE s.state = 'done' GROUP BY o.why"
        )
        return self._in_order(found.fetchall())

    def processed_again(self) -> dict[str, int]:
        """Count the chosen scenes that were done and are pending again, by reason."""
        found = self.execute(
            f"SELECT why, count(*) FROM scene WHERE state = 'pending' AND {IS_CHOSEN} GROUP BY why"
        )
        return self._in_order(found.fetchall())

    def _in_order(self, counts: Sequence[tuple[str, int]]) -> dict[str, int]:
        known = dict(counts)
        return {why: known[why] for why in AGAIN if why in known}

    def products(self, run: str) -> list[str]:
        """Return the full paths of the products of all finished scenes of a configuration."""
        found = self.execute(
            "SELECT product FROM scene WHERE run = ? AND state = 'done' AND product IS NOT NULL "
            "ORDER BY id",
            (run,),
        )
        return [self.located(product) for (product,) in found]

    def enter(self, output: Path, slots: int, threads: int) -> Holder:
        """Register this process as a holder."""
        token = secrets.token_hex(4)
        names = "token, process, host, pid, output, slots, threads, started"
        process, host = process_identity.mine(), socket.gethostname()
        given = (token, process, host, os.getpid(), str(output), slots, threads, stamp())
        with self.writing():
            self.execute(f"INSERT INTO holder ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", given)
        (holder,) = (h for h in self.holders(running=True) if h.token == token)
        return holder

    def claim(self, holder: Holder) -> Lease | None:
        """Reserve a pending scene for this holder; scenes with the fewest attempts come first.

        Scenes that changed while this call read them come last.
        """
        with self.writing():
            self._revive(holder)
            rows = (self._reserved(holder, changes) for changes in range(MOST_CHANGES))
            row = next((row for row in rows if row is not None), None)
            if row is None:
                return None
            scene, path, attempt, first_seen, sha256, product, ours = row
            if product is not None and not ours and not self.is_there(product):
                # There is no product yet, so a later file at this path was made for this ledger.
                self.execute("UPDATE scene SET ours = 1 WHERE id = ?", (scene,))
                ours = 1
        owned = self.located(product) if product is not None and ours else None
        return Lease(scene, path, attempt, first_seen, sha256, owned)

    def _reserved(self, holder: Holder, changes: int) -> Any:
        """Reserve a pending scene that has changed so often in this call; return its columns."""
        return self.execute(
            "UPDATE scene SET state = 'running', holder = ?, attempts = attempts + 1 WHERE id "
            # With IN instead of EXISTS, SQLite would read all chosen scenes.
            f"= (SELECT id FROM scene WHERE state = 'pending' AND {IS_CHOSEN} AND "
            "EXISTS (SELECT 1 FROM chosen WHERE chosen.id = scene.id AND changes = ?) "
            "ORDER BY attempts, id LIMIT 1) "
            "RETURNING id, path, attempts, first_seen, sha256, product, ours",
            (holder.id, changes),
        ).fetchone()

    def settle(
        self,
        holder: Holder,
        lease: Lease,
        outcome: JobOutcome,
        max_attempts: int,
        suspect: str | None,
        read: Reading | None = None,
    ) -> str | None:
        """Enter the outcome of a scene, and return the new state of the scene.

        The new state is None if another holder has taken over the scene. ``read`` is the state of
        the input that was read; None leaves the state that was queued.
        """
        state = _state_after(outcome, lease.attempt < max_attempts)
        is_unfinished = outcome.kind == kinds.UNFINISHED
        has_changed = outcome.kind == kinds.CHANGED or (read is not None and read.has_changed)
        has_changed |= is_unfinished
        is_done = state == "done" and outcome.kind != kinds.UNCHANGED
        state = "pending" if has_changed else state
        kind = None if outcome.kind in kinds.SUCCESS else outcome.kind
        reason = cut_message(outcome.reason) if kind else cut_message(outcome.reason) or None
        suspect = None if suspect is None else cut_message(suspect)
        changes: dict[str, Any] = {"state": state, "holder": None, "finished": stamp()}
        changes |= {"kind": kind, "reason": reason}
        if state == "pending":
            changes |= {"why": "tried again"}
        if read is not None:
            # The hash and the product belong to this state, which may differ from the queued state.
            changes |= {"size": read.size, "mtime_ns": read.mtime_ns}
        if has_changed:
            changes |= {
                "why": UNFINISHED if is_unfinished else CHANGED,
                "kind": None,
                "reason": None,
                "first_seen": int(time.time()),
            }
            changes |= {"attempts": lease.attempt - 1}
        with self.writing():
            if has_changed:
                # This call does not try an unfinished scene again.
                more = MOST_CHANGES if is_unfinished else 1
                self.execute(
                    "UPDATE chosen SET changes = changes + ? WHERE id = ?", (more, lease.scene)
                )
            if is_done:
                changes |= self._of_done(outcome, suspect)
            if not self._updated(holder, lease, changes):
                return None
            if state != "pending":
                column = "failed" if state == "failed" else "done"
                self.execute(
                    f"UPDATE holder SET {column} = {column} + 1 WHERE id = ?", (holder.id,)
                )
        return state

    def _of_done(self, outcome: JobOutcome, suspect: str | None) -> dict[str, Any]:
        """Return the columns of a scene whose product was made."""
        return {
            "sha256": outcome.sha256,
            "networks": self._networks(outcome),
            "product": self.stored(outcome.product or ""),
            "ours": 1,
            **({"recipe": self._recipe} if self._recipe else {}),
            "suspect": suspect,
            "seconds": outcome.seconds,
            "pixels": outcome.record.get("pixels"),
        }

    def release(self, holder: Holder, lease: Lease) -> None:
        """Set a scene back to pending; the present attempt is not counted."""
        with self.writing():
            self.execute(
                "UPDATE scene SET state = 'pending', holder = NULL, attempts = attempts - 1 "
                "WHERE id = ? AND state = 'running' AND holder = ?",
                (lease.scene, holder.id),
            )

    def take_back(self, lease: Lease, product: str) -> bool:
        """Return whether another scene has this product; make that scene pending if it is done."""
        with self.writing():
            found = self.execute(
                "UPDATE scene SET state = 'pending', attempts = 0, sha256 = NULL, why = 'another "
                "scene replaced its product' WHERE product = ? AND id != ? "
                "AND state IN ('done', 'pending')",
                (self.stored(product), lease.scene),
            )
            if found.rowcount:
                return True
            taken = self.execute(
                "SELECT 1 FROM scene WHERE product = ? AND id != ?",
                (self.stored(product), lease.scene),
            )
            return taken.fetchone() is not None

    def beat(self, holder: Holder, elapsed: float) -> None:
        """Count one heartbeat, and enter the seconds since the holder started."""
        with self.writing():
            self._revive(holder)
            self.execute(
                "UPDATE holder SET beat = beat + 1, elapsed = ? WHERE id = ?", (elapsed, holder.id)
            )

    def _revive(self, holder: Holder) -> None:
        """Mark a holder as running again, if others marked it as lost during a long stop.

        Otherwise, the scenes that it claims would seem to have no holder.
        """
        self.execute(
            "UPDATE holder SET state = 'running' WHERE id = ? AND state = 'lost'", (holder.id,)
        )

    def leave(self, holder: Holder, state: str, elapsed: float) -> None:
        """End a holder with the state ``ended``, ``interrupted`` or ``lost``.

        The running scenes of the holder become pending again; their present attempts are not
        counted.
        """
        with self.writing():
            self.execute(
                "UPDATE scene SET state = 'pending', holder = NULL, attempts = attempts - 1, why = "
                "'a batch ended before the scene was done' WHERE holder = ? AND state = 'running'",
                (holder.id,),
            )
            self.execute(
                "UPDATE holder SET state = ?, elapsed = ? WHERE id = ? AND state = 'running'",
                (state, elapsed, holder.id),
            )

    def holders(self, running: bool = False) -> list[Holder]:
        """Return all holders, or only the holders that are still running."""
        where = "WHERE state = 'running'" if running else ""
        rows = self.execute(f"SELECT {_HOLDER} FROM holder {where} ORDER BY id").fetchall()
        return [Holder(*row) for row in rows]

    def recipes_at_work(self, run: str) -> list[tuple[Holder, str]]:
        """Return the recipes of the running scenes of a configuration, with their holders."""
        found = self.execute(
            "SELECT DISTINCT holder, recipe FROM scene WHERE state = 'running' AND run = ?", (run,)
        ).fetchall()
        holders = {holder.id: holder for holder in self.holders(running=True)}
        return [(holders[number], recipe) for number, recipe in found if number in holders]

    def last_holder(self) -> Holder | None:
        """Return the holder that was entered last."""
        row = self.execute(f"SELECT {_HOLDER} FROM holder ORDER BY id DESC LIMIT 1").fetchone()
        return None if row is None else Holder(*row)

    def chosen(self) -> list[LedgerEntry]:
        """Return the chosen scenes."""
        return self._entries(IS_CHOSEN)

    def failures(self, run: str | None = None, last: int | None = None) -> list[LedgerEntry]:
        """Return at most ``last`` failed scenes of one configuration or of all configurations."""
        where, given = "state = 'failed' AND run = coalesce(?, run)", (run,)
        if last is None:
            return self._entries(where, given)
        return self._entries(where, given, f"finished DESC, id DESC LIMIT {last}")[::-1]

    def suspects(self, run: str) -> list[LedgerEntry]:
        """Return the suspect scenes of a configuration."""
        return self._entries("suspect IS NOT NULL AND state = 'done' AND run = ?", (run,))

    def paths(self, run: str) -> list[str]:
        """Return the paths of all scenes of a configuration."""
        found = self.execute("SELECT path FROM scene WHERE run = ? ORDER BY path", (run,))
        return [path for (path,) in found]

    def scenes_of(self, product: str) -> list[str]:
        """Return the paths of the scenes of a product, which is given by its full path.

        If a ledger is not in the output folder, its entries about calls name this folder.
        """
        outputs = self.execute("SELECT DISTINCT output FROM holder").fetchall()
        relative = {os.path.relpath(product, output) for (output,) in outputs}
        found = []
        for stored in sorted({self.stored(product), *relative}):
            found += self.execute("SELECT path FROM scene WHERE product = ?", (stored,)).fetchall()
        return [path for (path,) in found]

    def runs(self) -> list[str]:
        """Return the names of the configurations."""
        return [name for (name,) in self.execute("SELECT DISTINCT run FROM scene ORDER BY run")]

    def counts(self, run: str | None = None) -> SceneCounts:
        """Count the scenes in each state, of one configuration or of all configurations."""
        return self._counted("run = coalesce(?, run)", (run,))

    def counts_of_chosen(self) -> SceneCounts:
        """Count the chosen scenes in each state."""
        return self._counted(IS_CHOSEN)

    def left_changed(self) -> int:
        """Return the number of pending scenes that changed while this call read them."""
        found = self.execute(
            f"SELECT count(*) FROM scene WHERE state = 'pending' AND {IS_CHOSEN} "
            "AND id IN (SELECT id FROM chosen WHERE changes > 0)"
        )
        (count,) = found.fetchone()
        return int(count)

    def held_by_others(self, holder: Holder) -> int:
        """Return the number of chosen scenes that other processes work on."""
        found = self.execute(
            f"SELECT count(*) FROM scene WHERE state = 'running' AND holder != ? AND {IS_CHOSEN}",
            (holder.id,),
        )
        (count,) = found.fetchone()
        return int(count)

    def _counted(self, where: str, given: Sequence[Any] = ()) -> SceneCounts:
        states = f"SELECT state, count(*) FROM scene WHERE {where} GROUP BY state"
        suspects = (
            f"SELECT count(*) FROM scene WHERE state = 'done' AND suspect IS NOT NULL AND {where}"
        )
        (suspect,) = self.execute(suspects, given).fetchone()
        return SceneCounts(**dict(self.execute(states, given).fetchall()), suspect=suspect)

    def _entries(
        self, where: str, given: Sequence[Any] = (), order: str = "path"
    ) -> list[LedgerEntry]:
        found = self.execute(f"SELECT {_ENTRY} FROM scene WHERE {where} ORDER BY {order}", given)
        return [LedgerEntry(*row) for row in found.fetchall()]

    def _updated(self, holder: Holder, lease: Lease, changes: Mapping[str, Any]) -> bool:
        names = ", ".join(f"{name} = :{name}" for name in changes)
        update = (
            f"UPDATE scene SET {names} WHERE id = :its_id AND state = 'running' AND holder = :holds"
        )
        given = {**changes, "its_id": lease.scene, "holds": holder.id}
        return self.execute(update, given).rowcount == 1

    def _networks(self, outcome: JobOutcome) -> int:
        given = (outcome.sensor, json.dumps(dict(outcome.networks), sort_keys=True))
        self.execute("INSERT OR IGNORE INTO networks (sensor, fingerprints) VALUES (?, ?)", given)
        found = self.execute("SELECT id FROM networks WHERE sensor = ? AND fingerprints = ?", given)
        (number,) = found.fetchone()
        return int(number)


def _state_after(outcome: JobOutcome, may_try_again: bool) -> str:
    if outcome.kind == kinds.SKIPPED:
        return "skipped"
    if outcome.kind in kinds.SUCCESS:
        return "done"
    return "pending" if outcome.kind in kinds.TRANSIENT and may_try_again else "failed"
