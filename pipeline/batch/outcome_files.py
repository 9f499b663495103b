"""Writes how a call of a batch ended into the files next to the products."""

from dataclasses import asdict
from typing import Any

from pipeline.batch import records
from pipeline.batch.ledger import Ledger
from pipeline.batch.ledger.database import stamp
from pipeline.batch.loop import BatchSummary
from pipeline.batch.request import BatchRequest
from pipeline.errors import OutputError
from pipeline.files.names import as_texts
from pipeline.version import __version__


def write_outcome_files(request: BatchRequest, ledger: Ledger, summary: BatchSummary) -> None:
    """Write the table of failures and the summary; ``summary`` notes if this fails.

    A call that has done nothing also writes these files if they are out of date, because an
    earlier call may have failed to write them.
    """
    name = request.config.name
    summary.suspects = [entry.path for entry in ledger.suspects(name)]
    if not summary.did_something and not summary.counts.total:
        return
    state = {"scenes": asdict(summary.counts), "suspects": summary.suspects}
    path = request.record("summary.json")
    try:
        failures = {run: ledger.failures(run) for run in (name, *ledger.runs())}
        records.write_failures(request.record("failures.csv"), failures)
        before = records.summary_of(path, name)
        is_old = any(before.get(key) != as_texts(value) for key, value in state.items())
        if summary.did_something or is_old:
            records.write_summary(path, name, {**_of_call(summary), **state})
    except OutputError as error:
        summary.end_early(error)


def _of_call(summary: BatchSummary) -> dict[str, Any]:
    minutes = summary.seconds / 60
    return {
        "time": stamp(),
        "software": f"ocpipe {__version__}",
        "last_call": {
            "done": summary.done,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "changed": summary.changed,
            "inputs_without_scenes": summary.nothing,
            "processed_again": summary.processed_again,
            "kept_outdated": summary.kept_outdated,
            "seconds": round(summary.seconds, 1),
            "scenes_per_minute": round(summary.done / minutes, 2) if minutes else 0.0,
            "interrupted": summary.interrupted,
            "problem": summary.problem or None,
        },
    }
