"""The ledger records which scenes are done, running or failed, in one shared SQLite file.

A scene is identified by its path and the name of the configuration. It stays pending until it was
processed with the present input, configuration, version and networks. A process that works on
scenes is a holder. It counts heartbeats, and other holders take over its scenes when the count
stops or the process is gone. No clocks are compared.
"""

from pipeline.batch.ledger.database import LEDGER_STEM, LEDGER_SUFFIX, ledger_path
from pipeline.batch.ledger.entries import Holder, Lease, LedgerEntry, SceneCounts, SceneQueue
from pipeline.batch.ledger.ledger import Ledger

__all__ = [
    "LEDGER_STEM",
    "LEDGER_SUFFIX",
    "Holder",
    "Lease",
    "Ledger",
    "LedgerEntry",
    "SceneCounts",
    "SceneQueue",
    "ledger_path",
]
