"""Finds the scenes of products in the ledgers of their batches."""

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.batch.ledger import LEDGER_STEM, LEDGER_SUFFIX, Ledger
from pipeline.errors import LedgerError

log = logging.getLogger(__name__)

# The ledger is in the output folder; a product may be in a subfolder of it.
MOST_LEVELS = 8


class KnownScenes(contextlib.AbstractContextManager["KnownScenes"]):
    """Looks up the scenes of products in ledgers; each ledger is opened once.

    ``ledgers`` are searched first, then the ledgers in the folders above a product.

    Raises:
        LedgerError: one of ``ledgers`` cannot be read.
    """

    def __init__(self, ledgers: Sequence[Path] = ()) -> None:
        self._ledgers: dict[Path, list[Ledger]] = {}
        self._open = contextlib.ExitStack()
        self._given = [self._open.enter_context(Ledger.read(path)) for path in ledgers]

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def of(self, product: Path) -> list[Path]:
        """Return the recorded paths of a product's scene."""
        where = Path(os.path.abspath(product))  # links are not resolved
        above = (ledger for up in where.parents[:MOST_LEVELS] for ledger in self._ledgers_in(up))
        found = []
        for ledger in (*self._given, *above):
            with contextlib.suppress(LedgerError):
                found += [Path(path) for path in ledger.scenes_of(str(where))]
        return list(dict.fromkeys(found))

    def _ledgers_in(self, folder: Path) -> list[Ledger]:
        if folder not in self._ledgers:
            self._ledgers[folder] = opened = []
            for path in sorted(folder.glob(f"{LEDGER_STEM}*{LEDGER_SUFFIX}")):
                try:
                    opened.append(self._open.enter_context(Ledger.read(path)))
                except LedgerError as error:
                    log.warning("this ledger was not searched for the path of the input: %s", error)
        return self._ledgers[folder]
