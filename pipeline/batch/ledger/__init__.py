"""The ledger records which scenes are done, running or failed, in one shared SQLite file.

A scene is identified by its path and the name of the configuration. A scene stays pending until it
has been processed with the present input, configuration, version and networks. A process that works
on scenes is called a holder. Every holder writes heartbeats to the ledger. When the heartbeats of a
holder stop, or its process is gone, other holders take over its scenes. The clocks of different
processes are never compared.
"""

from pipeline.batch.ledger.database import LEDGER_STEM, LEDGER_SUFFIX, ledger_path
from pipeline.batch.ledger.entries import (
    Holder,
    Lease,
    LedgerEntry,
    Reading,
    SceneCounts,
    SceneQueue,
)
from pipeline.batch.ledger.ledger import Ledger

__all__ = [
    "LEDGER_STEM",
    "LEDGER_SUFFIX",
    "Holder",
    "Lease",
    "Ledger",
    "LedgerEntry",
    "Reading",
    "SceneCounts",
    "SceneQueue",
    "ledger_path",
]
