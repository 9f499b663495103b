"""What is done, what is in work and what failed: one SQLite file, shared by all who work on it.

A scene is known by its path and the name of the configuration. It is pending until it was done with
the input, the configuration, the version and the networks that there are now. Who works on scenes
is a holder: it counts heartbeats, and others take its scenes over when the count stands still or
its process is gone. No clocks are compared.
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
