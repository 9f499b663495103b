"""The progress of batches as an OpenMetrics text file, for example for Prometheus."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.batch.ages import seconds_since_1970
from pipeline.batch.ledger import RunOverview
from pipeline.batch.status import LedgerStatus
from pipeline.machine.printable import printable

_STATES = ("pending", "running", "done", "skipped", "failed")
# For each time: its name, its meaning, and a function that takes its text from an overview.
_TIMES: tuple[tuple[str, str, Callable[[RunOverview], str | None]], ...] = (
    ("success", "Time at which a scene was done last", lambda run: run.last_success),
    ("call", "Time at which the last call began", lambda run: run.last_call),
    (
        "complete_call",
        "Time at which the last complete call ended",
        lambda run: run.last_complete_call,
    ),
)


def openmetrics(found: Sequence[LedgerStatus], now: float) -> str:
    """Return the counts and times of all ledgers in the OpenMetrics text format.

    ``now`` is the present time (seconds since 1970). A time that is not known has no line.
    """
    return "\n".join((*_lines(found, now), "# EOF", ""))


def _lines(found: Sequence[LedgerStatus], now: float) -> Iterator[str]:
    runs = [
        ({"ledger": str(status.ledger), "configuration": run}, overview)
        for status in found
        for run, overview in status.runs.items()
    ]
    yield from _head("ocpipe_scenes", "Scenes in each state")
    for labels, overview in runs:
        for state in _STATES:
            count = getattr(overview.counts, state)
            yield _sample("ocpipe_scenes", count, **labels, state=state)
    yield from _head("ocpipe_suspect_scenes", "Finished scenes that are suspect")
    for labels, overview in runs:
        yield _sample("ocpipe_suspect_scenes", overview.counts.suspect, **labels)
    yield from _head("ocpipe_failed_scenes", "Failed scenes of each kind")
    for labels, overview in runs:
        for kind in overview.failed_kinds:
            yield _sample("ocpipe_failed_scenes", kind.scenes, **labels, kind=kind.kind)
    for name, meaning, text_of in _TIMES:
        metric = f"ocpipe_last_{name}_timestamp_seconds"
        yield from _head(metric, meaning, "seconds")
        for labels, overview in runs:
            seconds = seconds_since_1970(text_of(overview))
            if seconds is not None:
                yield _sample(metric, seconds, **labels)
    yield from _head("ocpipe_last_call_problem", "1 if the last call ended early by a problem")
    for labels, overview in runs:
        if overview.call is not None:
            yield _sample("ocpipe_last_call_problem", int(bool(overview.call.problem)), **labels)
    yield from _head("ocpipe_workers", "Processes that work on scenes")
    for status in found:
        yield _sample("ocpipe_workers", len(status.workers), ledger=str(status.ledger))
    yield from _head("ocpipe_status_timestamp_seconds", "Time of this file", "seconds")
    yield _sample("ocpipe_status_timestamp_seconds", int(now))


def _head(name: str, meaning: str, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {meaning}."


def _sample(name: str, value: Any, **labels: str) -> str:
    text = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{text}}} {value}" if text else f"{name} {value}"


def _escaped(value: str) -> str:
    """Return the value of a label; control characters are shown as escapes."""
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')
