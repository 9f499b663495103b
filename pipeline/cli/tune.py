"""``ocpipe tune``: a search for hyperparameters, and the best as a recipe."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import EXISTING, log_level_option
from pipeline.cli.session import importing, start
from pipeline.cli.train import _guarded, _listening, samples_option

if TYPE_CHECKING:
    from pipeline.training.fitting import Epoch, EpochListener

log = logging.getLogger("pipeline")

BETWEEN_LINES = 10.0
"""Seconds; there are many short trainings, each of which has a line when it is done."""


@click.command()
@click.argument("config")
@samples_option
@click.option(
    "-o", "--output", type=EXISTING, required=True, help="Folder for the trials and the best."
)
@click.option(
    "--restart", is_flag=True, help="Begin anew where there are trials of an earlier call."
)
@log_level_option
def tune(
    config: str, samples: tuple[Path, ...], output: Path, restart: bool, log_level: str
) -> None:
    """Search for hyperparameters as the section tune of CONFIG says; the best becomes best.yaml.

    Stopped, or killed, and called again, it goes on with the trial that was in work. The result is
    a training configuration: ocpipe train FOLDER/best.yaml.
    """
    start(log_level)
    if log_level == "info":
        # It would tell of each trial that goes on with another one.
        logging.getLogger("pipeline.training.train").setLevel(logging.WARNING)
    with importing():
        from pipeline.config.training import TrainingConfig
        from pipeline.training.recipe import load_recipe
        from pipeline.training.tuning.report import BEST, trials_text, write_tuned
        from pipeline.training.tuning.tune import tune as search

    def work() -> None:
        recipe = load_recipe(config, TrainingConfig).reading(samples)
        if restart:
            _forget(output)
        tuned = search(recipe, output, _progress(output))
        write_tuned(output, tuned)
        click.echo(trials_text(tuned))
        click.echo(output / BEST)

    _guarded(work)


def _progress(output: Path) -> "Callable[[str], contextlib.AbstractContextManager[EpochListener]]":
    """What is told of the epochs of a trial: a bar on a terminal, else few lines."""
    if sys.stderr.isatty():
        return lambda name: _listening(name, output, tensorboard=False)
    said = [time.monotonic()]
    return lambda name: contextlib.nullcontext(_FewLines(name, said))


class _FewLines:
    """Tells of epochs now and then, through all trainings."""

    def __init__(self, name: str, said: list[float]) -> None:
        self._name, self._said = name, said

    def epoch(self, epoch: "Epoch", epochs: int) -> None:
        """An epoch is done."""
        if time.monotonic() - self._said[0] > BETWEEN_LINES:
            self._said[0] = time.monotonic()
            log.info("%s: epoch %d of %d", self._name, epoch.number, epochs)


def _forget(output: Path) -> None:
    """Remove the journal and the checkpoints of an earlier call."""
    import shutil

    from pipeline.training.tuning.journal import NAME
    from pipeline.training.tuning.tune import CHECKPOINTS

    (output / NAME).unlink(missing_ok=True)
    if (output / CHECKPOINTS).is_dir():
        shutil.rmtree(output / CHECKPOINTS)
