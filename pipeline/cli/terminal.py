"""Writes to a terminal: results on stdout, messages on stderr.

Text from files must not control the terminal, and must not look like a message of ocpipe. So this
module and :mod:`pipeline.machine.progress_bar` make all text printable, and no other module prints
(``tests/test_terminal.py``).
"""

import contextlib
import datetime
import json
import logging
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TextIO

import click

from pipeline import stopping
from pipeline.files.names import as_texts
from pipeline.machine.printable import printable, printable_lines
from pipeline.machine.progress_bar import moving

log = logging.getLogger(__name__)

# Shortest time between two lines of progress (seconds).
BETWEEN_LINES = 2.0
_INDENT = "  "


def show(*lines: object) -> None:
    """Print lines on stdout; a line break inside a line is shown as an escape."""
    for line in lines:
        click.echo(_encodable(printable(str(line))))


def clear() -> None:
    """Clear the terminal, so that the next lines replace the lines before."""
    click.clear()


def terminal_question() -> Callable[[str], bool] | None:
    """Return a function that asks a question; None if there is no terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return lambda text: click.confirm(printable(text), default=False, err=True)


def _encodable(text: str) -> str:
    """Return a text with escapes for characters that stdout cannot encode, for example in ASCII."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)


@contextlib.contextmanager
def printable_errors() -> Iterator[None]:
    """Make the errors of click printable, because they quote arguments such as names of files."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = printable_lines(error.message)  # Final in click
        raise


class _Lines(logging.Formatter):
    """Formats a message as ``12:00:01 warning message``; in log files, the date is added.

    Further lines of a message are indented, so that no line from a file looks like a message.
    """

    def __init__(self) -> None:
        dated = "" if sys.stderr.isatty() else "%Y-%m-%d "
        super().__init__("%(asctime)s %(level)s %(message)s", f"{dated}%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.level = record.levelname.lower()
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as the base class
        first, _, further = printable_lines(record.message.rstrip("\n")).partition("\n")
        if any(not line.startswith(_INDENT) for line in further.split("\n") if line):
            further = textwrap.indent(further, _INDENT)
        record.message = f"{first}\n{further}" if further else first
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as the base class
        return textwrap.indent(printable_lines(super().formatException(ei)), _INDENT)


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

    # Attributes that every record has. All other attributes were given with the message.
    _USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        facts = {key: value for key, value in vars(record).items() if key not in self._USUAL}
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": message,
            **facts,
        }
        return json.dumps(as_texts(line), default=str)


def start_logging(level: str, as_json: bool = False) -> None:
    """Show messages of ``level`` and above; for libraries, show only warnings and errors."""
    handler = _CurrentStderr()
    handler.setFormatter(_JsonLines() if as_json else _Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("pipeline").setLevel(level.upper())
    logging.captureWarnings(True)  # a library's warning may quote a file
    sys.excepthook = _log_failure


def _log_failure(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log an error of this program; the log makes the quoted lines of the traceback printable."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    text = "unexpected failure; please report it with this traceback"
    log.error("%s", text, exc_info=(kind, error, trace))


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
    with moving(name) as move:
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
    with moving(name, "how") as move:
        yield lambda epoch, last, how: move(completed=epoch, total=last, how=how)
