"""What people see: messages and progress on a terminal, plain lines elsewhere; all on stderr."""

import contextlib
import datetime
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

# Seconds between lines of progress.
BETWEEN_LINES = 2.0


class _Lines(logging.Formatter):
    """``12:00:01 warning message``: one line per message, the date in front in log files."""

    def __init__(self) -> None:
        dated = "" if sys.stderr.isatty() else "%Y-%m-%d "
        super().__init__("%(asctime)s %(level)s %(message)s", f"{dated}%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.level = record.levelname.lower()
        return super().format(record)


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at the time, so that a progress bar moves out of the way."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


class _JsonLines(logging.Formatter):
    """A JSON object per message: time (UTC), level, message, and what it is about."""

    # What every record has; the rest was given with the message.
    _USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        facts = {key: value for key, value in vars(record).items() if key not in self._USUAL}
        return json.dumps(
            {
                "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "message": message,
                **facts,
            },
            default=str,
        )


def start_logging(level: str, as_json: bool = False) -> None:
    """Show this program's messages from a level on, and other libraries' from warning on.

    Args:
        level: the least serious level that is shown.
        as_json: a JSON object per line instead of plain lines.
    """
    handler = _CurrentStderr()
    handler.setFormatter(_JsonLines() if as_json else _Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("pipeline").setLevel(level.upper())


@contextlib.contextmanager
def block_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """To be called with finished and all blocks: a bar on a terminal, debug lines elsewhere."""
    log = logging.getLogger(__name__)
    if not sys.stderr.isatty():
        yield lambda done, total: log.debug("%s: block %d of %d", name, done, total)
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(name, total=None)

    def update(done: int, total: int) -> None:
        bar.start()  # only now: what is imported before writes to the terminal's file itself
        bar.update(task, completed=done, total=total)

    try:
        yield update
    finally:
        bar.stop()


@contextlib.contextmanager
def epoch_progress(name: str) -> Iterator[Callable[[int, int, str], None]]:
    """To be called with the epoch, the last one and how it went: a bar on a terminal, else lines.

    Lines come at most every two seconds, but for the last epoch.
    """
    log = logging.getLogger(__name__)
    if not sys.stderr.isatty():
        said = float("-inf")

        def tell(epoch: int, last: int, how: str) -> None:
            nonlocal said
            if epoch == last or time.monotonic() - said > BETWEEN_LINES:
                said = time.monotonic()
                log.info("%s: epoch %d of %d, %s", name, epoch, last, how)

        yield tell
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[how]}"),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    task = bar.add_task(name, total=None, how="")

    def update(epoch: int, last: int, how: str) -> None:
        bar.start()
        bar.update(task, completed=epoch, total=last, how=how)

    try:
        yield update
    finally:
        bar.stop()
