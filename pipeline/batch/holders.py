"""Writes the heartbeats of processes that work on scenes, and looks at the other processes."""

import contextlib
import errno
import logging
import os
import threading
import time
from pathlib import Path

from pipeline.batch import process_identity
from pipeline.batch.ledger import Holder, Ledger
from pipeline.batch.reasons import CONFIGURATION
from pipeline.batch.recipe import Recipe
from pipeline.errors import ConfigError, PipelineError
from pipeline.machine.refusal import refused_process

log = logging.getLogger(__name__)

# Time between two heartbeats, and time without a heartbeat after which a holder is treated as dead
# (seconds).
BEAT = 2.0
PATIENCE = 60.0
# Longest time to search an output folder for temporary files, also after a signal (seconds).
CLEARING, CLEARING_IN_HASTE = 60.0, 5.0


class Heart(threading.Thread):
    """Writes heartbeats through its own database connection while the runner is busy."""

    def __init__(self, ledger: Path, holder: Holder) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._path, self._holder = ledger, holder
        self._begun = time.monotonic()
        self._ended = threading.Event()
        self.problem: PipelineError | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the holder started."""
        return time.monotonic() - self._begun

    def run(self) -> None:
        """Write heartbeats until the runner ends, or until the ledger fails."""
        try:
            with Ledger.open(self._path, is_known=True) as ledger:
                while not self._ended.wait(BEAT):
                    ledger.check_presence()
                    ledger.beat(self._holder, self.elapsed)
        except PipelineError as error:
            self.problem = error

    def begin(self) -> None:
        """Start beating; raise MachineError if the system refuses a thread."""
        try:
            self.start()
        except RuntimeError:
            raise refused_process(errno.EAGAIN) from None

    def end(self) -> None:
        """Stop beating."""
        self._ended.set()
        if self.ident is not None:
            self.join()


class Watch:
    """Measures the time since the last heartbeat of other holders.

    The time is measured with the clock of this process.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def is_dead(self, holder: Holder) -> bool:
        """Return whether a holder's process is gone, or the holder's last heartbeat is too old."""
        if process_identity.is_dead(holder.process):
            return True
        now = time.monotonic()
        beat, since = self._seen.get(holder.token, (-1, now))
        if beat != holder.beat:
            beat, since = holder.beat, now
        self._seen[holder.token] = (beat, since)
        return now - since > PATIENCE


def bury_the_dead(ledger: Ledger, watch: Watch, me: Holder | None = None) -> None:
    """Set the scenes of dead holders back to pending, and remove the holders' temporary files."""
    dead: dict[str, list[Holder]] = {}
    for holder in ledger.holders(running=True):
        if (me is None or holder.id != me.id) and watch.is_dead(holder):
            log.warning(
                "process %d on %s, started %s, died; its unfinished scenes are pending again",
                holder.pid, holder.host, holder.started,
            )  # fmt: skip
            dead.setdefault(holder.output, []).append(holder)
    for output, holders in dead.items():
        clear_partials(Path(output), *(holder.token for holder in holders))
        for holder in holders:
            ledger.leave(holder, "lost", holder.elapsed)


def refuse_another_configuration(ledger: Ledger, run: str, recipe: Recipe) -> None:
    """Refuse a call while a process here works with another configuration of the same name.

    Each of the two processes would treat the products of the other as outdated, and replace them.

    Raises:
        ConfigError: there is such a process.
    """
    for holder, other in ledger.recipes_at_work(run):
        is_alive = process_identity.is_dead(holder.process) is False
        if is_alive and recipe.change_since(other) == CONFIGURATION:
            raise ConfigError(
                f"process {holder.pid} on {holder.host} works on this ledger with another "
                f"configuration that has the same name, {run}. Each would replace the products of "
                "the other. Give this configuration another name, or call again when that process "
                "has ended."
            )


def clear_partials(output: Path, *tokens: str, seconds: float = CLEARING) -> None:
    """Remove holders' temporary files from the output folder and all its subfolders.

    If the search of a folder takes too long, its files stay: the folder's path comes from the
    ledger, and a damaged ledger may name ``/``.
    """
    deadline = time.monotonic() + seconds
    for here, _, files in os.walk(output):
        if time.monotonic() > deadline:
            log.warning("%s: too large to remove all temporary files of dead processes", output)
            return
        for name in files:
            if not (name.startswith(".") and name.endswith(".partial")):
                continue
            if any(f".{token}_" in name for token in tokens):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(here, name))
