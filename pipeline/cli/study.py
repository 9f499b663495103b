"""The option ``ocpipe train --study``, which compares several sizes of a network."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.options import option
from pipeline.cli.session import listening
from pipeline.cli.terminal import show

if TYPE_CHECKING:
    from pipeline.config.training import TrainingConfig

study_option = option(
    "--study",
    "Compare several sizes of the network, then train the smallest size that is good enough. Keys: "
    "sizes=tiny,small,medium,large (or units such as 16-8,64-64); folds=N; seeds=N. Repeatable.",
    "none",
    metavar="KEY=VALUE",
    multiple=True,
)


def choose_size(
    recipe: "TrainingConfig", options: tuple[str, ...], output: Path
) -> "tuple[TrainingConfig, Path]":
    """If ``--study`` is given, run a capacity study, and write and show its report.

    Returns:
        The recipe with the chosen size, and the folder for the checkpoints of its training.
    """
    checkpoints = output / "checkpoints"
    if not options:
        return recipe, checkpoints
    from pipeline.config.study import parse_study
    from pipeline.evaluation.capacity_report import capacity_text
    from pipeline.training.results import write_study
    from pipeline.training.study import study

    sizes = parse_study(options)
    studied = study(recipe, sizes, lambda name: listening(name, output), checkpoints / "study")
    write_study(output, studied)
    show(*capacity_text(studied.capacity).split("\n"))
    # One folder per size, because another study in this folder may choose another size.
    return studied.recipe, checkpoints / f"chosen_{studied.capacity.chosen}"


def study_lines(options: tuple[str, ...]) -> list[str]:
    """Return a line that describes the study, or no line if ``--study`` is not given.

    Raises:
        ConfigError: an option is wrong.
    """
    from pipeline.config.study import parse_study

    if not options:
        return []
    sizes = parse_study(options)
    folds = "by the number of groups" if sizes.folds is None else sizes.folds
    how = f"folds: {folds}, seeds: {sizes.seeds}"
    listed = ", ".join(sizes.sizes)
    return [f"study     {listed} are compared first ({how}); the chosen one replaces the network"]
