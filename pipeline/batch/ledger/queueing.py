"""What has to be done: scenes that are new, and those that are out of date.

``enter_queue`` runs inside a transaction of its caller, so that a dry run can take all of it back.
"""

import json
import time
from collections.abc import Iterable

from pipeline.batch.job import MENDED_OUTSIDE, MISSING, NAME
from pipeline.batch.ledger.database import Database
from pipeline.batch.ledger.entries import SceneQueue

# Of a scene that is to be done (again), and why.
_AGAIN = "state = 'pending', attempts = 0, kind = NULL, reason = NULL, why ="
_IS_CHOSEN = "scene.id IN (SELECT id FROM chosen) AND scene.state != 'running'"
_FOUND = "FROM found f WHERE f.path = scene.path"


def enter_queue(database: Database, queue: SceneQueue) -> None:
    """Enter what was found, choose it for this connection, and make pending what must be done."""
    _enter_found(database, queue)
    _enter_new(database, queue)
    _choose(database, queue)
    _make_pending(database, queue)
    _name_products(database)
    _fail_at_once(database)


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
    # What is left is not there, or would become the product of another scene.
    database.execute(f"INSERT INTO scene ({columns}) SELECT {values} {new} ORDER BY path", given)


def _choose(database: Database, queue: SceneQueue) -> None:
    database.table("chosen", "id INTEGER PRIMARY KEY", ())
    database.execute(
        "INSERT INTO chosen SELECT s.id FROM scene s JOIN found f ON f.path = s.path "
        "WHERE s.run = ?",
        (queue.run,),
    )


def _make_pending(database: Database, queue: SceneQueue) -> None:
    # What is made of the same bytes is made again with the date it had.
    changed = f"sha256 = NULL, first_seen = {int(time.time())}"
    database.execute(
        f"UPDATE scene SET {_AGAIN} 'the configuration or the version changed', {changed} "
        f"WHERE {_IS_CHOSEN} AND recipe != ?",
        (queue.recipe,),
    )
    database.table("stale", "id INTEGER PRIMARY KEY", _stale_networks(database, queue))
    database.execute(
        f"UPDATE scene SET {_AGAIN} 'a network changed', {changed} WHERE {_IS_CHOSEN} "
        "AND state IN ('done', 'pending') AND networks IN (SELECT id FROM stale)"
    )
    database.table("gone", "id INTEGER PRIMARY KEY", _gone_products(database))
    database.execute(
        f"UPDATE scene SET {_AGAIN} 'the product is missing', sha256 = NULL "
        f"WHERE {_IS_CHOSEN} AND state = 'done' AND id IN (SELECT id FROM gone)"
    )
    database.execute(
        f"UPDATE scene SET {_AGAIN} 'the product goes elsewhere now', sha256 = NULL "
        f"WHERE {_IS_CHOSEN} AND state = 'done' "
        f"AND EXISTS (SELECT 1 {_FOUND} AND f.product != scene.product)"
    )
    # A changed input keeps its hash: if its bytes are the same, nothing is to be done.
    database.execute(
        f"UPDATE scene SET {_AGAIN} 'the input changed', first_seen = ?, "
        "sha256 = CASE WHEN state = 'done' THEN sha256 END "
        f"WHERE {_IS_CHOSEN} AND state IN ('done', 'skipped', 'failed') "
        f"AND EXISTS (SELECT 1 {_FOUND} AND f.size IS NOT NULL "
        "AND (f.size IS NOT scene.size OR f.mtime_ns IS NOT scene.mtime_ns))",
        (int(time.time()),),
    )
    kinds = ", ".join(f"'{kind}'" for kind in sorted(MENDED_OUTSIDE))
    database.execute(
        f"UPDATE scene SET {_AGAIN} 'tried again' WHERE {_IS_CHOSEN} AND state = 'failed' "
        f"AND (? OR kind IN ({kinds}))",
        (queue.retry_failed,),
    )
    database.execute(
        f"UPDATE scene SET recipe = ?, (size, mtime_ns) = (SELECT f.size, f.mtime_ns {_FOUND}) "
        f"WHERE {_IS_CHOSEN} AND state = 'pending'",
        (queue.recipe,),
    )


def _name_products(database: Database) -> None:
    """Of what has to be done: where it goes now, unless another scene's product is there."""
    database.execute(
        f"UPDATE OR IGNORE scene SET product = (SELECT f.product {_FOUND}), ours = 0 "
        f"WHERE {_IS_CHOSEN} AND state = 'pending' "
        f"AND EXISTS (SELECT 1 {_FOUND} AND f.product IS NOT NULL "
        "AND f.product IS NOT scene.product)"
    )


def _fail_at_once(database: Database) -> None:
    """What cannot be begun: the file is not there, or its product would be another's."""
    database.execute(
        "UPDATE scene SET state = 'failed', kind = ?, reason = path || ': no such file. Check the "
        f"path.' WHERE {_IS_CHOSEN} AND state = 'pending' AND size IS NULL",
        (MISSING,),
    )
    database.execute(
        "UPDATE scene SET state = 'failed', kind = ?, reason = scene.path || ' would become ' || "
        "f.product || ', which is the product of ' || s.path || '. Do them in separate folders, or "
        "name products by folder, too (execution.product: ''{parent}/{stem}.{name}.nc'').' "
        "FROM found f JOIN scene s ON s.product = f.product "
        f"WHERE f.path = scene.path AND s.id != scene.id AND {_IS_CHOSEN} "
        "AND scene.state = 'pending'",
        (NAME,),
    )


def _stale_networks(database: Database, queue: SceneQueue) -> Iterable[tuple[int]]:
    """Sets of networks with which scenes were done and that would be other sets now."""
    used = database.execute(
        "SELECT id, sensor, fingerprints FROM networks WHERE id IN (SELECT networks FROM scene "
        "WHERE run = ?)",
        (queue.run,),
    ).fetchall()
    for number, sensor, fingerprints in used:
        if json.loads(fingerprints) != dict(queue.networks_now(sensor)):
            yield (number,)


def _gone_products(database: Database) -> Iterable[tuple[int]]:
    made = database.execute(
        "SELECT s.id, s.product FROM scene s JOIN chosen c ON c.id = s.id "
        "WHERE s.state = 'done' AND s.product IS NOT NULL"
    ).fetchall()
    for scene, product in made:
        if not database.is_there(product):
            yield (scene,)
