"""Records the last call of each configuration: when it began, when it ended, and how.

If a call finds nothing to do, it reserves no scene, so only this record shows that there was a
call. A call that finds no scenes, or cannot use the output folder, is recorded too. Otherwise,
monitoring would show the end of the earlier call.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.batch import process_identity
from pipeline.batch.ledger.database import Database, stamp
from pipeline.errors import (
    LedgerError,
    MachineError,
    NoSceneError,
    OutputError,
    PipelineError,
)
from pipeline.files.longest import cut_message

COMPLETE, INTERRUPTED, PROBLEM = "complete", "interrupted", "problem"


@dataclass(frozen=True)
class Call:
    """The last call of a configuration; times are texts in UTC."""

    process: str
    begun: str
    ended: str | None
    """None if the call is still running, or if its process was killed."""
    how: str | None
    """``complete``, ``interrupted`` or ``problem``; None as long as it has not ended."""
    problem: str | None
    """Why the call ended early."""
    completed: str | None
    """End of the last complete call, which may be an earlier call."""

    @property
    def is_at_work(self) -> bool:
        """Whether the call has not ended, and its process may still run."""
        return self.ended is None and process_identity.is_dead(self.process) is not True

    @property
    def was_killed(self) -> bool:
        """Whether the process is gone, and did not write how the call ended."""
        return self.ended is None and not self.is_at_work

    @property
    def how_in_words(self) -> str:
        """``at work``, ``killed``, ``complete``, ``interrupted`` or ``problem``."""
        return self.how or ("at work" if self.is_at_work else "killed")


@dataclass
class CallEnd:
    """How a call ends; the code that records the call sets the fields."""

    problem: str = ""
    interrupted: bool = False

    @property
    def how(self) -> str:
        """``complete``, ``interrupted`` or ``problem``."""
        if self.problem:
            return PROBLEM
        return INTERRUPTED if self.interrupted else COMPLETE


@contextlib.contextmanager
def recorded_call(ledger: Database, run: str) -> Iterator[CallEnd]:
    """Record the start and the end of a call of a configuration."""
    process, end = process_identity.mine(), CallEnd()
    _enter_begin(ledger, run, process)
    try:
        yield end
    except PipelineError as error:
        end.problem = str(error)
        # If the ledger can no longer be written, this fails too.
        with contextlib.suppress(LedgerError, MachineError):
            _enter_end(ledger, run, process, end)
        raise
    _enter_end(ledger, run, process, end)


@contextlib.contextmanager
def recorded_early_end(path: Path, products: Path, run: str) -> Iterator[None]:
    """Record a call that ends in a ``with`` block, before it opens its ledger at ``path``.

    No ledger is made. If another call is running, its record stays.
    """
    try:
        yield
    except (NoSceneError, OutputError, MachineError) as error:
        # If the ledger itself is the cause, nothing can be recorded.
        with contextlib.suppress(LedgerError, MachineError):
            if path.is_file():
                with Database.open(path, products) as ledger:
                    _enter_early_end(ledger, run, str(error))
        raise


def _enter_early_end(ledger: Database, run: str, problem: str) -> None:
    call, process = last_calls(ledger).get(run), process_identity.mine()
    if call is None or not call.is_at_work:
        _enter_begin(ledger, run, process)
        _enter_end(ledger, run, process, CallEnd(problem))


def _enter_begin(ledger: Database, run: str, process: str) -> None:
    with ledger.writing():
        ledger.execute(
            "INSERT INTO call (run, process, begun) VALUES (:run, :process, :now) "
            "ON CONFLICT (run) DO UPDATE SET process = :process, begun = :now, ended = NULL, "
            "how = NULL, problem = NULL",
            {"run": run, "process": process, "now": stamp()},
        )


def _enter_end(ledger: Database, run: str, process: str, end: CallEnd) -> None:
    given = {
        "run": run,
        "process": process,
        "now": stamp(),
        "how": end.how,
        "problem": cut_message(end.problem) or None,
    }
    with ledger.writing():
        # If another call has begun since then, the record belongs to that call and stays.
        ledger.execute(
            "UPDATE call SET ended = :now, how = :how, problem = :problem "
            "WHERE run = :run AND process = :process",
            given,
        )
        if end.how == COMPLETE:
            ledger.execute("UPDATE call SET completed = :now WHERE run = :run", given)


def last_calls(ledger: Database) -> dict[str, Call]:
    """Return the last call of each configuration; versions up to 0.2.0 recorded no calls."""
    if not ledger.has_table("call"):
        return {}
    columns = "run, process, begun, ended, how, problem, completed"
    rows = ledger.execute(f"SELECT {columns} FROM call ORDER BY run").fetchall()
    return {run: Call(*columns) for run, *columns in rows}
