"""``ocpipe tune``: a search for hyperparameters, and the best as a recipe."""

from pathlib import Path

import click

from pipeline.cli.options import EXISTING, log_level_option
from pipeline.cli.session import importing, start
from pipeline.cli.train import _guarded, _listening, samples_option


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
    with importing():
        from pipeline.config.training import TrainingConfig, load_recipe
        from pipeline.training.tuning.report import BEST, trials_text, write_tuned
        from pipeline.training.tuning.tune import tune as search

    def work() -> None:
        recipe = load_recipe(config, TrainingConfig).reading(samples)
        if restart:
            _forget(output)
        tuned = search(recipe, output, lambda name: _listening(name, output, tensorboard=False))
        write_tuned(output, tuned)
        click.echo(trials_text(tuned))
        click.echo(output / BEST)

    _guarded(work)


def _forget(output: Path) -> None:
    """Remove the journal and the checkpoints of an earlier call."""
    import shutil

    from pipeline.training.tuning.journal import NAME
    from pipeline.training.tuning.tune import CHECKPOINTS

    (output / NAME).unlink(missing_ok=True)
    if (output / CHECKPOINTS).is_dir():
        shutil.rmtree(output / CHECKPOINTS)
