"""Shows a batch on stderr: as bars if stderr is a terminal, otherwise as one line per scene."""

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Self

from pipeline.batch import kinds
from pipeline.batch.job import JobOutcome
from pipeline.batch.ledger import SceneCounts
from pipeline.machine.printable import printable
from pipeline.machine.progress_bar import bars
from pipeline.machine.words import counted

if TYPE_CHECKING:
    from rich.progress import TaskID

log = logging.getLogger(__name__)

# Levels of messages from a worker. Info messages are not shown: a batch has too many of them.
_LEVELS = {"warning": logging.WARNING, "error": logging.ERROR, "critical": logging.ERROR}


class LineDisplay:
    """Writes one line per scene, for log files and other programs."""

    done_level = logging.INFO
    """Log level of the line for a scene that has no problem."""

    def __init__(self) -> None:
        self._counts, self._ended, self._waiting_for = SceneCounts(), 0, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begun(self, slots: str, counts: SceneCounts) -> None:
        """Show the number of scenes, and the resources that the scenes get."""
        self._counts = counts
        log.info(
            "%s to process (%d done before, %d failed before); %s",
            counted(counts.pending, "scene"), counts.done + counts.skipped, counts.failed, slots,
        )  # fmt: skip

    def scene_begun(self, path: str, attempt: int) -> None:
        """Show that a scene starts."""
        again = f", attempt {attempt}" if attempt > 1 else ""
        log.debug("%s: started%s", _name(path), again, extra={"scene": path})

    def progress(self, path: str, done: int, total: int) -> None:
        """Show the number of finished blocks of a scene."""
        log.debug("%s: block %d of %d", _name(path), done, total, extra={"scene": path})

    def scene_ended(self, path: str, state: str, outcome: JobOutcome, suspect: str | None) -> None:
        """Show the state of a scene after its job: done, failed, skipped, or pending again."""
        facts = {"scene": path, "state": state, "seconds": round(outcome.seconds, 3)}
        for level, text in outcome.messages:
            log.log(_LEVELS.get(level, logging.DEBUG), "%s", text, extra={"scene": path})
        if state == "pending":
            is_next = outcome.kind == kinds.UNFINISHED
            when = "The next call tries it again." if is_next else "The scene will be tried again."
            log.warning("%s %s", outcome.reason, when, extra=facts)
            return
        self._ended += 1
        of_all = f"{self._ended}/{max(self._counts.pending, self._ended)}"
        if state == "failed":
            facts |= {"kind": outcome.kind}
            log.error("%s %s", of_all, outcome.reason, extra=facts)
        else:
            result = _result(state, outcome)
            log.log(self.done_level, "%s %s: %s", of_all, _name(path), result, extra=facts)
        if suspect:
            log.warning("%s: suspect: %s", _name(path), suspect, extra={"scene": path})

    def waiting(self, why: str) -> None:
        """Show the reason why the batch waits; show each reason only once."""
        if why != self._waiting_for:
            log.info("waiting: %s", why)
        self._waiting_for = why


class BarDisplay(LineDisplay):
    """Shows a bar for the batch (with rate and remaining time) and a bar for each running scene.

    Lines above the bars show the scenes that fail, are tried again or are suspect.
    """

    done_level = logging.DEBUG

    def __init__(self) -> None:
        super().__init__()
        self._bars = bars("shown")
        self._batch: TaskID | None = None
        self._scenes: dict[str, TaskID] = {}
        self._failed = 0
        self._begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begun(self, slots: str, counts: SceneCounts) -> None:
        """Show the bar of the batch."""
        super().begun(slots, counts)
        self._bars.start()
        self._batch = self._bars.add_task("scenes", total=counts.pending, shown="")

    def scene_begun(self, path: str, attempt: int) -> None:
        """Show a bar for the scene."""
        name = printable(_name(path))
        short = name if len(name) <= 36 else f"{name[:20]}…{name[-15:]}"
        self._scenes[path] = self._bars.add_task(f"  {short}", total=None, shown="")
        super().scene_begun(path, attempt)

    def progress(self, path: str, done: int, total: int) -> None:
        """Move the bar of the scene."""
        self._bars.update(self._scenes[path], completed=done, total=total)

    def scene_ended(self, path: str, state: str, outcome: JobOutcome, suspect: str | None) -> None:
        """Remove the bar of the scene and move the bar of the batch."""
        self._bars.remove_task(self._scenes.pop(path))
        super().scene_ended(path, state, outcome, suspect)
        self._failed += state == "failed"
        if self._batch is not None and state != "pending":
            minutes = (time.monotonic() - self._begun) / 60
            failed = f", {self._failed} failed" if self._failed else ""
            shown = f"{self._ended / minutes:.0f}/min{failed}"
            self._bars.update(self._batch, completed=self._ended, shown=shown)


def display() -> LineDisplay:
    """Return a listener that shows bars if stderr is a terminal, and lines otherwise."""
    return BarDisplay() if sys.stderr.isatty() else LineDisplay()


def _name(path: str) -> str:
    return os.path.basename(path)


def _result(state: str, outcome: JobOutcome) -> str:
    if state == "skipped":
        return outcome.reason
    if outcome.kind == kinds.UNCHANGED:
        return "the input has the same bytes as before; the product was kept"
    shares = outcome.record.get("valid_fraction", {})
    computed = ", ".join(f"{name} on {share:.0%}" for name, share in shares.items())
    return f"done in {outcome.seconds:.1f} s; computed {computed} of the pixels"
