"""What people see: messages and progress on a terminal, plain lines elsewhere; all on stderr."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator


class _Lines(logging.Formatter):
    """``12:00:01 warning message``: one line per message, the date in front in log files."""

    def __init__(self) -> None:
        dated = "" if sys.stderr.isatty() else "%Y-%m-%d "
        super().__init__("%(asctime)s %(level)s %(message)s", f"{dated}%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.level = record.levelname.lower()
        return super().format(record)


def start_logging(level: str) -> None:
    """Show this program's messages from a level on, and other libraries' from warning on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
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

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
