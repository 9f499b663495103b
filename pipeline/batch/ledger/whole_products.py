"""Finds the products of finished scenes that are missing, cut short or changed."""

import os
from collections.abc import Iterable

from pipeline.batch.ledger.database import Database
from pipeline.batch.ledger.entries import SceneQueue
from pipeline.batch.reasons import CHANGED, CUT, MISSING
from pipeline.files.superblock import is_cut_short


def products_not_whole(database: Database, queue: SceneQueue) -> Iterable[tuple[int, str]]:
    """Yield the ids of chosen scenes that are done without a whole product, and the reason."""
    made = database.execute(
        "SELECT s.id, s.product FROM scene s JOIN chosen c ON c.id = s.id "
        "WHERE s.state = 'done' AND s.product IS NOT NULL"
    ).fetchall()
    for scene, product in made:
        path = database.located(product)
        why = CHANGED if path in queue.damaged else why_not_whole(path)
        if why is not None:
            yield scene, why


def why_not_whole(path: str) -> str | None:
    """Return why a product cannot be whole, or None; only its first bytes are read.

    If a product cannot be read now, the result is None, because its state is not known.
    """
    try:
        return CUT if is_cut_short(path) else None
    except OSError:
        return None if os.path.exists(path) else MISSING
