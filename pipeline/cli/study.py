"""``ocpipe train --study``: several sizes, the choice between them, and the chosen one trained."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.config.training import TrainingConfig
    from pipeline.training.fitting import EpochListener

study_option = click.option(
    "--study",
    multiple=True,
    metavar="KEY=VALUE",
    show_default="none",
    help="First compare sizes of the network and train the smallest that is good enough: "
    "sizes=tiny,small,medium,large or such as 16-8,64-64; folds=N; seeds=N. Repeatable.",
)


def choose_size(
    recipe: "TrainingConfig",
    said: tuple[str, ...],
    output: Path,
    listening: Callable[[str, Path, bool], "AbstractContextManager[EpochListener]"],
) -> "tuple[TrainingConfig, Path]":
    """The recipe with the size that a study chooses, and the folder for its checkpoints.

    The report of the study is written and shown.

    Args:
        recipe: what is studied.
        said: values of ``--study``; with none the recipe stays as it is.
        output: folder of the report.
        listening: what is told of epochs, by name, folder and whether TensorBoard is, too.
    """
    checkpoints = output / "checkpoints"
    if not said:
        return recipe, checkpoints
    from pipeline.config.study import parse_study
    from pipeline.evaluation.capacity_report import capacity_text
    from pipeline.training.study import study
    from pipeline.training.study_files import write_study

    def quiet(name: str) -> "AbstractContextManager[EpochListener]":
        return listening(name, output, False)

    studied = study(recipe, parse_study(said), quiet, checkpoints / "study")
    write_study(output, studied)
    click.echo(capacity_text(studied.capacity))
    # Of each size its own: another study in the same folder may choose another one.
    return studied.recipe, checkpoints / f"chosen_{studied.capacity.chosen}"
