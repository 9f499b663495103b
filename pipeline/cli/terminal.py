"""Shows messages and progress on stderr: bars on a terminal, otherwise lines of text."""

import contextlib
import datetime
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from pipeline import stopping

log = logging.getLogger(__name__)

# Shortest time between two lines of progress (seconds).
BETWEEN_LINES = 2.0


class _Lines(logging.Formatter):
    """Formats a message as ``12:00:01 warning message``; in log files, the date is added."""

    def __init__(self) -> None:
        dated = "" if sys.stderr.isatty() else "%Y-%m-%d "
        super().__init__("%(asctime)s %(level)s %(message)s", f"{dated}%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.level = record.levelname.lower()
        return super().format(record)


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, so that messages appear above a progress bar."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


class _JsonLines(logging.Formatter):
    """Writes each message as a JSON object with time (UTC), level, text and facts."""

    # Attributes of every record; any other was given with the message.
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
    """Show messages of ``level`` and above; for libraries, show only warnings and errors."""
    handler = _CurrentStderr()
    handler.setFormatter(_JsonLines() if as_json else _Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("pipeline").setLevel(level.upper())


def say_at_once(text: str) -> None:
    """Write a warning just before the program is ended."""
    record = logging.makeLogRecord(
        {"name": "pipeline", "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
    )
    for handler in logging.getLogger().handlers:
        stopping.tell(handler.format(record))


@contextlib.contextmanager
def block_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many of all blocks are finished.

    On a terminal, the function moves a bar; elsewhere, it writes debug messages.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: log.debug("%s: block %d of %d", name, done, total)
        return
    from rich.progress import Progress

    with _moving(name, *Progress.get_default_columns()) as move:
        yield lambda done, total: move(completed=done, total=total)


@contextlib.contextmanager
def epoch_progress(name: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that shows the number of the epoch, the number of epochs, and a text.

    On a terminal, the function moves a bar. Without a terminal, the function writes at most one
    line every two seconds, and always writes a line for the last epoch.
    """
    if not sys.stderr.isatty():
        shown = float("-inf")

        def write(epoch: int, last: int, how: str) -> None:
            nonlocal shown
            if epoch == last or time.monotonic() - shown > BETWEEN_LINES:
                shown = time.monotonic()
                log.info("%s: epoch %d of %d, %s", name, epoch, last, how)

        yield write
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[how]}"),
    )  # fmt: skip
    with _moving(name, *columns, how="") as move:
        yield lambda epoch, last, how: move(completed=epoch, total=last, how=how)


@contextlib.contextmanager
def _moving(name: str, *columns: Any, **fields: Any) -> Iterator[Callable[..., None]]:
    """Yield a function that moves a progress bar; the bar disappears at the end."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(name, total=None, **fields)

    def move(**changes: Any) -> None:
        bar.start()  # only now, because imports before it write to the terminal's file itself
        bar.update(task, **changes)

    try:
        yield move
    finally:
        bar.stop()
