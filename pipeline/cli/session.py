"""Functions that commands share, for logging, signals, imports, progress and exit codes."""

import atexit
import contextlib
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline import stopping
from pipeline.cli.refusals import exit_if_refused
from pipeline.errors import ConfigError, NetworkError, PipelineError

if TYPE_CHECKING:
    from pipeline.training.fitting import Epoch
    from pipeline.training.fitting.tensorboard import TensorBoardLog

log = logging.getLogger("pipeline")


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Turn the garbage collector off while a command imports its libraries.

    Otherwise, the collector searches all objects many times. These searches take a third of a
    second and find nothing, because the objects are needed until the end.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)


def start(level: str, log_json: bool = False) -> None:
    """Start logging; from now on, a signal ends the program even during a long library call."""
    from pipeline.cli.terminal import say_at_once, start_logging
    from pipeline.machine.resources import use_one_thread_each

    use_one_thread_each()
    start_logging(level, log_json)
    stopping.watch(say_at_once)


def failure(error: PipelineError) -> None:
    """Log an error."""
    log.error("%s: %s", type(error).__name__, error)


@contextlib.contextmanager
def exit_on_error(*wrong: type[PipelineError]) -> Iterator[None]:
    """End the command after an error; errors of the types ``wrong`` give exit code 2, others 1."""
    try:
        yield
    except wrong as error:
        exit_if_refused(error, about_scene=False)
        wrong_use(error)
    except PipelineError as error:
        exit_if_refused(error)
        failure(error)
        sys.exit(1)


def wrong_use(error: PipelineError) -> NoReturn:
    """Log an error in the call or the configuration, and exit with code 2."""
    failure(error)
    sys.exit(2)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """End a training command without a traceback after an error."""
    with exit_on_error(ConfigError, NetworkError):
        yield


@contextlib.contextmanager
def listening(name: str, output: Path, tensorboard: bool = False) -> "Iterator[TrainingProgress]":
    """Show the epochs on the terminal; with ``tensorboard``, also log them for TensorBoard."""
    from pipeline.cli.terminal import epoch_progress

    with contextlib.ExitStack() as stack:
        board = None
        if tensorboard:
            from pipeline.training.fitting.tensorboard import TensorBoardLog

            board = stack.enter_context(contextlib.closing(TensorBoardLog(output / "tensorboard")))
        yield TrainingProgress(stack.enter_context(epoch_progress(name)), board)


@dataclass(frozen=True)
class TrainingProgress:
    """Shows each epoch of a training."""

    show: Callable[[int, int, str], None]
    board: "TensorBoardLog | None"

    def epoch(self, epoch: "Epoch", epochs: int) -> None:
        """Show an epoch that has just ended."""
        best = " (best)" if epoch.is_best else ""
        losses = f"loss {epoch.loss:.4g}, validation {epoch.validation_loss:.4g}{best}"
        self.show(epoch.number, epochs, losses)
        if self.board is not None:
            self.board.epoch(epoch)
