"""The ledger records which scenes are done, running or failed, in one shared SQLite file.

A scene is identified by its path and the name of the configuration. A scene stays pending until it
has been processed with the present input, configuration, version and networks. A process that works
on scenes is called a holder. Every holder writes heartbeats to the ledger. When the heartbeats of a
holder stop, or its process is gone, other holders take over its scenes. The clocks of different
processes are never compared.
"""

from pipeline.batch.ledger.calls import Call, CallEnd, recorded_call, recorded_early_end
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
from pipeline.batch.ledger.overview import FailedKind, RunOverview, SuspectScene, overviews

__all__ = [
    "LEDGER_STEM",
    "LEDGER_SUFFIX",
    "Call",
    "CallEnd",
    "FailedKind",
    "Holder",
    "Lease",
    "Ledger",
    "LedgerEntry",
    "Reading",
    "RunOverview",
    "SceneCounts",
    "SceneQueue",
    "SuspectScene",
    "ledger_path",
    "overviews",
    "recorded_call",
    "recorded_early_end",
]
