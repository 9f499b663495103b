"""The commands ``train``, ``finetune``, ``evaluate`` and ``export``."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.cli.options import PATH, log_level_option, networks_option, option
from pipeline.cli.session import guarded, importing, listening, start
from pipeline.cli.study import choose_size, study_lines, study_option
from pipeline.cli.terminal import show
from pipeline.errors import NetworkError

if TYPE_CHECKING:
    from pipeline.config.training import Recipe
    from pipeline.networks import Ensemble, Network
    from pipeline.training.fit_network import TrainingResult
    from pipeline.training.samples.preparation import PreparedSamples

Kind = TypeVar("Kind", bound="Recipe")

output_option = click.option(
    "-o", "--output", type=PATH, required=True, help="Folder for the network and its reports."
)
restart_option = click.option(
    "--restart", is_flag=True, help="Start over instead of resuming an earlier call."
)
samples_option = option(
    "--samples",
    "Table of samples; repeatable.",
    "samples.files",
    PATH,
    metavar="FILE",
    multiple=True,
)
members_option = click.option(
    "--members",
    type=int,
    metavar="N",
    help="Train N networks and run them as one ensemble, which also estimates uncertainties.",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Read the samples, print what would be trained, and stop."
)
PARTS = ("test", "validation", "train", "all")


@click.command()
@click.argument("config")
@samples_option
@output_option
@study_option
@members_option
@restart_option
@dry_run_option
@log_level_option
def train(
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    study: tuple[str, ...],
    members: int | None,
    restart: bool,
    dry_run: bool,
    log_level: str,
) -> None:
    """Train a network as CONFIG says, and save it with its evaluation and model card.

    If training was stopped, the same command resumes it after the last complete epoch.
    """
    start(log_level)
    with importing():
        from pipeline.config.training import TrainingConfig
        from pipeline.training.plan import plan_lines
        from pipeline.training.recipe import load_recipe
        from pipeline.training.train import plan
        from pipeline.training.train import train as fit

    with guarded():
        recipe = load_recipe(config, TrainingConfig).reading(samples).with_members(members)
        if dry_run:
            show(*plan_lines(plan(recipe), output), *study_lines(study))
            return
        _forget(output, restart)
        recipe, checkpoints = choose_size(recipe, study, output)
        _train(recipe, output, fit, checkpoints)


@click.command()
@click.argument("network", type=PATH)
@click.argument("config")
@samples_option
@output_option
@networks_option
@members_option
@restart_option
@dry_run_option
@log_level_option
def finetune(
    network: Path,
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    networks: tuple[Path, ...],
    members: int | None,
    restart: bool,
    dry_run: bool,
    log_level: str,
) -> None:
    """Train NETWORK further as CONFIG says: all its layers, its last layers, or a new head.

    NETWORK is any network file that ocpipe reads, such as an OC-SMART file.
    """
    start(log_level)
    with importing():
        from pipeline.config.training import FinetuneConfig
        from pipeline.training.finetune import finetune as fit
        from pipeline.training.finetune import plan, with_inputs_of
        from pipeline.training.plan import plan_lines
        from pipeline.training.recipe import load_recipe

    with guarded():
        recipe = load_recipe(config, FinetuneConfig).reading(samples).with_members(members)
        start_network = _single(network, networks)
        if dry_run:
            show(*plan_lines(plan(start_network, recipe), output))
            return
        _forget(output, restart)
        fit_it = functools.partial(fit, start_network)
        _train(with_inputs_of(start_network, recipe), output, fit_it, output / "checkpoints")


@click.command()
@click.argument("network_files", metavar="NETWORK...", nargs=-1, required=True, type=PATH)
@click.option(
    "-c",
    "--config",
    required=True,
    help="Training configuration (file or shipped name) with samples, splits and baselines.",
)
@samples_option
@click.option("-o", "--output", type=PATH, default=None, help="Folder for the report.")
@click.option(
    "--part", type=click.Choice(PARTS), default="test", help="Which part of the samples is used."
)
@networks_option
@log_level_option
def evaluate(
    network_files: tuple[Path, ...],
    config: str,
    samples: tuple[Path, ...],
    output: Path | None,
    part: str,
    networks: tuple[Path, ...],
    log_level: str,
) -> None:
    """Evaluate NETWORK and published algorithms on the samples of a training configuration.

    Further NETWORKs are compared with the first one on the same rows.
    """
    start(log_level)
    with importing():
        from pipeline.training.evaluate import evaluate_networks

    with guarded():
        found = [_network(file, networks) for file in network_files]
        show(*evaluate_networks(found, config, part, output, samples).split("\n"))


@click.command()
@click.argument("network", type=PATH)
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    help="File to write: .h5 (OC-SMART's layout), .keras (with a .yaml beside it) or .onnx.",
)
@click.option(
    "--beyond-ocsmart",
    is_flag=True,
    help="Allow .h5 for networks that OC-SMART's own program cannot run, such as ReLU networks.",
)
@networks_option
@log_level_option
def export(
    network: Path, output: Path, beyond_ocsmart: bool, networks: tuple[Path, ...], log_level: str
) -> None:
    """Save NETWORK in another format; the network gives the same numbers in all formats."""
    start(log_level)
    with importing():
        from pipeline.networks.saving import check_savable, save_network

    with guarded():
        found = _single(network, networks)
        check_savable(output, found, for_ocsmart_only=not beyond_ocsmart)
        for file in save_network(output, found):
            show(file)


def _train(
    recipe: "Kind", output: Path, fit: "Callable[..., TrainingResult]", checkpoints: Path
) -> None:
    """Train one network, or all networks of an ensemble, and write the results.

    The arguments of ``fit`` are a recipe, a listener, a folder for checkpoints, and samples.
    """
    from pipeline.training.ensemble import train_ensemble
    from pipeline.training.results import write_results
    from pipeline.training.samples.preparation import prepare

    def train_one(
        own: "Kind", prepared: "PreparedSamples | None", checkpoints: Path | None
    ) -> "TrainingResult":
        with listening(own.name, output, own.fit.tensorboard) as listener:
            return fit(own, listener, checkpoints, prepared)

    if recipe.ensemble is None:
        results = write_results(output, recipe, train_one(recipe, None, checkpoints))
    else:
        prepared = prepare(recipe.samples, recipe.splits)
        trained = train_ensemble(recipe, recipe.ensemble, prepared, train_one, checkpoints)
        results = write_results(output, recipe, trained)
    show(*results.files, output / "card.html", "", *results.lines)


def _network(file: Path, folders: tuple[Path, ...]) -> "Network | Ensemble":
    from pipeline.networks import find_network, load_retrieval

    return load_retrieval(file if file.is_file() else find_network(str(file), "", folders))


def _single(file: Path, folders: tuple[Path, ...]) -> "Network":
    """Load a single network.

    Raises:
        NetworkError: the file is an ensemble of several networks.
    """
    from pipeline.networks import Network

    found = _network(file, folders)
    if not isinstance(found, Network):
        raise NetworkError(
            f"{file.name} is an ensemble of {len(found.members)} networks, expected a single one. "
            f"Give one of these members: {', '.join(m.file_name for m in found.members)}."
        )
    return found


def _forget(output: Path, restart: bool) -> None:
    """If ``restart`` is true, remove the checkpoints of an earlier call."""
    from pipeline.training.folder import forget

    if restart:
        forget(output / "checkpoints")
