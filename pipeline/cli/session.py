"""What every command does: logging, signals, imports, and how it ends."""

import atexit
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from pipeline.errors import PipelineError

log = logging.getLogger("pipeline")


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """While the libraries of a command are imported; once, before its work.

    The collector would go through everything again and again meanwhile, and once more at the end:
    together a third of a second, for objects that stay to the end anyway.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)


def start(level: str, log_json: bool = False) -> None:
    """Show messages from a level on, and end in order on SIGTERM."""
    from pipeline.cli.terminal import start_logging
    from pipeline.machine.resources import use_one_thread_each

    use_one_thread_each()
    start_logging(level, log_json)
    # So that a scheduler's SIGTERM, too, leaves no half-written file.
    signal.signal(signal.SIGTERM, lambda number, _: stopped(number))


_signals: list[int] = []


def stopped(number: int) -> NoReturn:
    """End on a signal with the exit code a shell expects; another one does not disturb that."""
    _signals.append(number)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.warning("stopped by %s; no half-written product is left", signal.Signals(number).name)
    sys.exit(128 + number)


def unless_stopped(progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Ends the run at the next block where a signal came while nobody listened.

    Python drops an exception that a signal handler raises inside a finalizer.
    """

    def checked(done: int, total: int) -> None:
        if _signals:
            sys.exit(128 + _signals[0])
        progress(done, total)

    return checked


def failure(error: PipelineError) -> None:
    """Say what went wrong."""
    log.error("%s: %s", type(error).__name__, error)


@contextlib.contextmanager
def exit_on_error(*wrong: type[PipelineError]) -> Iterator[None]:
    """End the command at an error: with exit code 2 for these kinds, with 1 for any other."""
    try:
        yield
    except wrong as error:
        wrong_use(error)
    except PipelineError as error:
        failure(error)
        sys.exit(1)


def wrong_use(error: PipelineError) -> NoReturn:
    """Say what is wrong with the call or the configuration, and end."""
    failure(error)
    sys.exit(2)
