"""The command ``ocpipe tune``, which searches for hyperparameters and writes a recipe."""

import contextlib
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import PATH, log_level_option
from pipeline.cli.session import guarded, importing, listening, start
from pipeline.cli.terminal import show
from pipeline.cli.train import restart_option, samples_option

if TYPE_CHECKING:
    from pipeline.training.fitting import Epoch, OpenListener

log = logging.getLogger("pipeline")

BETWEEN_LINES = 10.0
"""Seconds between log lines about epochs; another line is written when a training ends."""


@click.command()
@click.argument("config")
@samples_option
@click.option(
    "-o", "--output", type=PATH, required=True, help="Folder for the trials and best.yaml."
)
@restart_option
@click.option(
    "--dry-run", is_flag=True, help="Read the samples, print what would be searched, and stop."
)
@log_level_option
def tune(
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    restart: bool,
    dry_run: bool,
    log_level: str,
) -> None:
    """Search for hyperparameters as the section tune of CONFIG says, and write best.yaml.

    If a search was stopped or killed, the same command resumes it with the unfinished trial. The
    result is a training configuration; use it with ocpipe train FOLDER/best.yaml.
    """
    start(log_level)
    if log_level == "info":
        # Otherwise each trial that continues another trial would write a line.
        logging.getLogger("pipeline.training.fit_network").setLevel(logging.WARNING)
    with importing():
        from pipeline.config.training import TrainingConfig
        from pipeline.training.folder import forget
        from pipeline.training.recipe import load_recipe
        from pipeline.training.tuning.journal import NAME
        from pipeline.training.tuning.report import BEST, trials_text, write_tuned
        from pipeline.training.tuning.tune import CHECKPOINTS, plan_search
        from pipeline.training.tuning.tune import tune as search

    with guarded():
        recipe = load_recipe(config, TrainingConfig).reading(samples)
        if dry_run:
            show(*plan_search(recipe).lines(output))
            return
        if restart:
            forget(output / NAME)
            forget(output / CHECKPOINTS)
        tuned = search(recipe, output, _progress(output))
        write_tuned(output, tuned)
        show(*trials_text(tuned).split("\n"), output / BEST)


def _progress(output: Path) -> "OpenListener":
    """Return a function that makes a training's listener, which shows a bar or log lines."""
    if sys.stderr.isatty():
        return lambda name: listening(name, output)
    last = [time.monotonic()]
    return lambda name: contextlib.nullcontext(_FewLines(name, last))


@dataclass(frozen=True)
class _FewLines:
    """Logs an epoch only if no training has written a log line for some time."""

    name: str
    last: list[float]
    """Time of the last log line in seconds, shared by all trainings."""

    def epoch(self, epoch: "Epoch", epochs: int) -> None:
        """Log an epoch if enough time has passed since the last log line."""
        if time.monotonic() - self.last[0] > BETWEEN_LINES:
            self.last[0] = time.monotonic()
            log.info("%s: epoch %d of %d", self.name, epoch.number, epochs)
