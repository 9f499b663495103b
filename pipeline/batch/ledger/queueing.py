"""Decides which scenes must be processed: new scenes, and scenes with an outdated product.

The caller of ``enter_queue`` opens the transaction, so a dry run can undo all changes.
"""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.batch import kinds
from pipeline.batch.ledger.database import Database, stamp
from pipeline.batch.ledger.entries import IS_CHOSEN, Refusal, SceneQueue
from pipeline.batch.ledger.schema import damaged
from pipeline.batch.ledger.whole_products import products_not_whole
from pipeline.batch.reasons import INPUT, MOVED, NETWORK, NOT_WHOLE, OUTDATED, VERSION
from pipeline.files.access import why_absent

_IS_CHOSEN = f"{IS_CHOSEN} AND scene.state != 'running'"
_FOUND = "FROM found f WHERE f.path = scene.path"


def enter_queue(database: Database, queue: SceneQueue) -> list[Refusal]:
    """Enter and choose the scenes of a call; make a scene pending if it must be processed.

    Returns:
        The scenes that fail without being processed.
    """
    _enter_found(database, queue)
    _enter_new(database, queue)
    _forget_phantoms(database, queue)
    _choose(database, queue)
    _make_pending(database, queue)
    _name_products(database)
    return _fail_at_once(database)


def _enter_found(database: Database, queue: SceneQueue) -> None:
    database.table(
        "found",
        "path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, product TEXT",
        ((f.path, f.size, f.mtime_ns, queue.product_of(f.path)) for f in queue.found),
    )


def _enter_new(database: Database, queue: SceneQueue) -> None:
    given = {"run": queue.run, "recipe": queue.recipe, "now": int(time.time())}
    columns = "run, path, size, mtime_ns, recipe, state, why, first_seen"
    values = ":run, path, size, mtime_ns, :recipe, 'pending', 'new', :now"
    new = (
        "FROM found f WHERE NOT EXISTS "
        "(SELECT 1 FROM scene s WHERE s.run = :run AND s.path = f.path)"
    )
    database.execute(
        f"INSERT OR IGNORE INTO scene ({columns}, product) SELECT {values}, product {new} "
        "AND size IS NOT NULL ORDER BY path",
        given,
    )
    # The other new scenes have no file, or would have the same product as another scene.
    database.execute(f"INSERT INTO scene ({columns}) SELECT {values} {new} ORDER BY path", given)


def _forget_phantoms(database: Database, queue: SceneQueue) -> None:
    """Remove paths at which no file ever existed and which this call no longer names.

    Such a path was mistyped, or its disk was not mounted at that time.
    """
    database.execute(
        "DELETE FROM scene WHERE run = ? AND state = 'failed' AND kind = ? AND size IS NULL "
        "AND sha256 IS NULL AND networks IS NULL AND path NOT IN (SELECT path FROM found)",
        (queue.run, kinds.MISSING),
    )


def _choose(database: Database, queue: SceneQueue) -> None:
    # The column changes counts how often a scene changed while this call read it: see MOST_CHANGES
    # in # ledger.py.
    columns = "id INTEGER PRIMARY KEY, run TEXT, path TEXT, changes INTEGER NOT NULL DEFAULT 0"
    database.table("chosen", columns, ())
    database.execute(
        "INSERT INTO chosen (id, run, path) SELECT s.id, s.run, s.path FROM scene s "
        "JOIN found f ON f.path = s.path WHERE s.run = ?",
        (queue.run,),
    )


def _make_pending(database: Database, queue: SceneQueue) -> None:
    # A scene that is processed again with the same inputs keeps its date.
    now = int(time.time())
    _find_outdated(database, queue)
    for why in OUTDATED:
        kept = "''" if why not in queue.keeps else "'done'"
        if why == VERSION and why in queue.keeps:
            kept = "'done', 'pending'"  # pending scenes of an earlier version stay as they are
        is_outdated = f"id IN (SELECT id FROM outdated WHERE why = ?) AND state NOT IN ({kept})"
        _again(database, why, is_outdated, (why,), f", sha256 = NULL, first_seen = {now}")
    database.table("gone", "id INTEGER PRIMARY KEY, why TEXT", products_not_whole(database, queue))
    for why in NOT_WHOLE:
        is_gone = "state = 'done' AND id IN (SELECT id FROM gone WHERE why = ?)"
        _again(database, why, is_gone, (why,), ", sha256 = NULL")
    is_moved = f"state = 'done' AND EXISTS (SELECT 1 {_FOUND} AND f.product != scene.product)"
    _again(database, MOVED, is_moved, also=", sha256 = NULL")
    # A changed input keeps its hash: if its bytes are the same, nothing needs to be done. But this
    # must # not make an outdated scene that stays done look up to date.
    is_same = "state = 'done' AND id NOT IN (SELECT id FROM outdated WHERE why != ?)"
    _again(
        database,
        INPUT,
        f"state IN ('done', 'skipped', 'failed') AND EXISTS (SELECT 1 {_FOUND} AND f.size IS NOT "
        "NULL AND (f.size IS NOT scene.size OR f.mtime_ns IS NOT scene.mtime_ns))",
        (VERSION,),
        f", first_seen = {now}, sha256 = CASE WHEN {is_same} THEN sha256 END",
    )
    mended = ", ".join(f"'{kind}'" for kind in sorted(kinds.MENDED_OUTSIDE))
    is_retried = f"state = 'failed' AND (? OR kind IN ({mended}))"
    _again(database, "tried again", is_retried, (queue.retry_failed,))
    database.execute(
        # If the hash is kept, the product may be kept, too; it was made with the earlier recipe.
        "UPDATE scene SET recipe = CASE WHEN sha256 IS NULL THEN ? ELSE recipe END, "
        f"(size, mtime_ns) = (SELECT f.size, f.mtime_ns {_FOUND}) "
        f"WHERE {_IS_CHOSEN} AND state = 'pending'",
        (queue.recipe,),
    )


def _again(
    database: Database, why: str, condition: str, given: Sequence[Any] = (), also: str = ""
) -> None:
    """Set chosen scenes back to pending if they meet a condition.

    ``also`` is SQL that sets further columns of these scenes; ``given`` are the values for its
    question marks, and then for those of the condition.
    """
    database.execute(
        "UPDATE scene SET state = 'pending', attempts = 0, kind = NULL, reason = NULL, "
        f"why = '{why}'{also} WHERE {_IS_CHOSEN} AND {condition}",
        given,
    )


def _find_outdated(database: Database, queue: SceneQueue) -> None:
    """Make the table ``outdated``: each chosen scene that is outdated, with the first reason."""
    recipes = database.execute(f"SELECT DISTINCT recipe FROM scene WHERE {_IS_CHOSEN}").fetchall()
    others = [recipe for (recipe,) in recipes if recipe != queue.recipe]
    changes = ((recipe, queue.change_since(recipe)) for recipe in others)
    database.table("changed", "recipe TEXT PRIMARY KEY, why TEXT", changes)
    database.table("stale", "id INTEGER PRIMARY KEY", _stale_networks(database, queue))
    database.table("outdated", "id INTEGER PRIMARY KEY, why TEXT NOT NULL", ())
    of_recipe = (
        "INSERT OR IGNORE INTO outdated SELECT scene.id, c.why FROM scene "
        f"JOIN changed c ON c.recipe = scene.recipe WHERE {_IS_CHOSEN} AND c.why = ?"
    )
    for why in OUTDATED:
        if why == NETWORK:
            database.execute(
                f"INSERT OR IGNORE INTO outdated SELECT id, ? FROM scene WHERE {_IS_CHOSEN} "
                "AND state IN ('done', 'pending') AND networks IN (SELECT id FROM stale)",
                (why,),
            )
        else:
            database.execute(of_recipe, (why,))


def _name_products(database: Database) -> None:
    """Set the product path of each pending scene, unless another scene has this product path."""
    database.execute(
        f"UPDATE OR IGNORE scene SET product = (SELECT f.product {_FOUND}), ours = 0 "
        f"WHERE {_IS_CHOSEN} AND state = 'pending' "
        f"AND EXISTS (SELECT 1 {_FOUND} AND f.product IS NOT NULL "
        "AND f.product IS NOT scene.product)"
    )


def _fail_at_once(database: Database) -> list[Refusal]:
    """Mark a scene as failed if its file is missing, or if another scene has the same product."""
    absent = database.execute(
        f"SELECT path FROM scene WHERE {_IS_CHOSEN} AND state = 'pending' AND size IS NULL"
    ).fetchall()
    database.table(
        "absent",
        "path TEXT PRIMARY KEY, reason TEXT",
        (
            (path, f"{path}: {why_absent(path) or 'the file is there now. Call again'}.")
            for (path,) in absent
        ),
    )
    refused = database.execute(
        "UPDATE scene SET state = 'failed', kind = ?, finished = ?, reason = absent.reason "
        f"FROM absent WHERE absent.path = scene.path AND {_IS_CHOSEN} "
        "AND scene.state = 'pending' RETURNING path, kind, reason",
        (kinds.MISSING, stamp()),
    ).fetchall()
    refused += database.execute(
        "UPDATE scene SET state = 'failed', kind = ?, finished = ?, reason = scene.path || "
        "': the product would be ' || f.product || ', but that file is the product of ' || s.path "
        "|| '. Use separate output folders, or put the folder into the product name "
        "(execution.product: ''{parent}/{stem}.{name}.nc'').' "
        "FROM found f JOIN scene s ON s.product = f.product "
        f"WHERE f.path = scene.path AND s.id != scene.id AND {_IS_CHOSEN} "
        "AND scene.state = 'pending' RETURNING scene.path, scene.kind, scene.reason",
        (kinds.NAME, stamp()),
    ).fetchall()
    return [Refusal(*row) for row in sorted(set(refused))]


def _stale_networks(database: Database, queue: SceneQueue) -> Iterable[tuple[int]]:
    """Yield the id of each recorded set of networks that contains a changed network."""
    used = database.execute(
        "SELECT id, sensor, fingerprints FROM networks WHERE id IN (SELECT networks FROM scene "
        "WHERE run = ?)",
        (queue.run,),
    ).fetchall()
    for number, sensor, fingerprints in used:
        recorded, now = _recorded(database, fingerprints), queue.networks_now(sensor)
        left_out = queue.if_possible - set(recorded)
        unknown = {name for name in recorded if name in now and now[name] is None}
        expected = {name: now[name] for name in now if name not in left_out}
        expected |= {name: recorded[name] for name in unknown}
        if recorded != expected:
            yield (number,)


def _recorded(database: Database, fingerprints: str) -> dict[str, Any]:
    """Return the fingerprints that a ledger recorded as text."""
    try:
        recorded = json.loads(fingerprints)
    except (ValueError, RecursionError):
        recorded = None
    if not isinstance(recorded, dict):
        raise damaged(database.path, "its table networks has fingerprints that are not JSON")
    return recorded
