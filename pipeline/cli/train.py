"""Commands that make and judge networks: ``train``, ``finetune``, ``evaluate``, ``export``."""

import contextlib
import functools
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.cli.options import EXISTING, log_level_option, networks_option
from pipeline.cli.session import failure, importing, start, stopped, wrong_use
from pipeline.cli.study import choose_size, study_option
from pipeline.errors import ConfigError, NetworkError, PipelineError

if TYPE_CHECKING:
    from pipeline.config.training import Recipe
    from pipeline.networks import Ensemble, Network
    from pipeline.training.fitting import Epoch
    from pipeline.training.fitting.tensorboard import TensorBoardLog
    from pipeline.training.samples.preparation import PreparedSamples
    from pipeline.training.train import TrainingResult

Kind = TypeVar("Kind", bound="Recipe")
log = logging.getLogger("pipeline")

output_option = click.option(
    "-o", "--output", type=EXISTING, required=True, help="Folder for the network and its reports."
)
restart_option = click.option(
    "--restart", is_flag=True, help="Begin anew where there are checkpoints of an earlier call."
)
samples_option = click.option(
    "--samples",
    multiple=True,
    type=EXISTING,
    metavar="FILE",
    show_default="samples.files",
    help="Table of samples; repeatable.",
)
members_option = click.option(
    "--members",
    type=int,
    metavar="N",
    help="Train so many networks, which are run as one that states its uncertainty.",
)
PARTS = ("test", "validation", "train", "all")


@click.command()
@click.argument("config")
@samples_option
@output_option
@study_option
@members_option
@restart_option
@log_level_option
def train(
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    study: tuple[str, ...],
    members: int | None,
    restart: bool,
    log_level: str,
) -> None:
    """Train a network as CONFIG says, and save it with its evaluation and model card.

    Stopped and called again, it goes on after the last whole epoch.
    """
    start(log_level)
    with importing():
        from pipeline.config.training import TrainingConfig
        from pipeline.training.recipe import load_recipe
        from pipeline.training.train import train as fit

    def work() -> None:
        recipe = load_recipe(config, TrainingConfig).reading(samples).with_members(members)
        _begin(output, restart)
        recipe, checkpoints = choose_size(recipe, study, output, _listening)
        _train(recipe, output, fit, checkpoints)

    _guarded(work)


@click.command()
@click.argument("network", type=EXISTING)
@click.argument("config")
@samples_option
@output_option
@networks_option
@members_option
@restart_option
@log_level_option
def finetune(
    network: Path,
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    networks: tuple[Path, ...],
    members: int | None,
    restart: bool,
    log_level: str,
) -> None:
    """Let NETWORK go on learning as CONFIG says: all of it, its last layers, or a new head.

    NETWORK is any file that ocpipe reads, an OC-SMART file above all.
    """
    start(log_level)
    with importing():
        from pipeline.config.training import FinetuneConfig
        from pipeline.training.finetune import finetune as fit
        from pipeline.training.finetune import with_inputs_of
        from pipeline.training.recipe import load_recipe

    def work() -> None:
        recipe = load_recipe(config, FinetuneConfig).reading(samples).with_members(members)
        beginning = _single(network, networks)
        _begin(output, restart)
        fit_it = functools.partial(fit, beginning)
        _train(with_inputs_of(beginning, recipe), output, fit_it, output / "checkpoints")

    _guarded(work)


@click.command()
@click.argument("network_files", metavar="NETWORK...", nargs=-1, required=True, type=EXISTING)
@click.option(
    "-c",
    "--config",
    required=True,
    help="Training configuration, or name of a shipped one: its samples, splits and baselines.",
)
@samples_option
@click.option("-o", "--output", type=EXISTING, default=None, help="Folder for the report.")
@click.option("--part", type=click.Choice(PARTS), default="test", help="Which samples.")
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
    """Judge NETWORKs on the samples of a training configuration, beside published algorithms.

    The first one is judged; the others are compared with it on the same rows.
    """
    start(log_level)
    with importing():
        from pipeline.training.evaluate import evaluate_networks

    def work() -> None:
        found = [_network(file, networks) for file in network_files]
        click.echo(evaluate_networks(found, config, part, output, samples))

    _guarded(work)


@click.command()
@click.argument("network", type=EXISTING)
@click.option(
    "-o",
    "--output",
    type=EXISTING,
    required=True,
    help="The file: .h5 (OC-SMART's layout), .keras (with a .yaml beside it) or .onnx.",
)
@click.option(
    "--beyond-ocsmart",
    is_flag=True,
    help="Save in OC-SMART's layout also what its program cannot run, such as ReLU.",
)
@networks_option
@log_level_option
def export(
    network: Path, output: Path, beyond_ocsmart: bool, networks: tuple[Path, ...], log_level: str
) -> None:
    """Save NETWORK in another format; all formats give the same numbers."""
    start(log_level)
    with importing():
        from pipeline.networks.saving import check_savable, save_network

    def work() -> None:
        found = _single(network, networks)
        check_savable(output, found, for_ocsmart_only=not beyond_ocsmart)
        for file in save_network(output, found):
            click.echo(file)

    _guarded(work)


def _train(
    recipe: "Kind", output: Path, fit: "Callable[..., TrainingResult]", checkpoints: Path
) -> None:
    """Fit one network, or all of an ensemble, and write what came of it.

    ``fit`` takes the recipe, a listener, a folder for checkpoints and prepared samples.
    """
    from pipeline.training.ensemble import train_ensemble
    from pipeline.training.ensemble_results import write_ensemble_results
    from pipeline.training.results import write_results
    from pipeline.training.samples.preparation import prepare

    def one(
        own: "Kind", prepared: "PreparedSamples | None", checkpoints: Path | None
    ) -> "TrainingResult":
        with _listening(own.name, output, own.fit.tensorboard) as listener:
            return fit(own, listener, checkpoints, prepared)

    if recipe.ensemble is None:
        files = write_results(output, recipe, one(recipe, None, checkpoints))
    else:
        prepared = prepare(recipe.samples, recipe.splits)
        trained = train_ensemble(recipe, recipe.ensemble, prepared, one, checkpoints)
        files = write_ensemble_results(output, recipe, trained)
    _conclude(files, output)


def _network(file: Path, folders: tuple[Path, ...]) -> "Network | Ensemble":
    from pipeline.networks import find_network, load_retrieval

    return load_retrieval(file if file.is_file() else find_network(str(file), "", folders))


def _single(file: Path, folders: tuple[Path, ...]) -> "Network":
    """One network.

    Raises:
        NetworkError: it is an ensemble of several.
    """
    from pipeline.networks import Network

    found = _network(file, folders)
    if not isinstance(found, Network):
        raise NetworkError(
            f"{file.name} is an ensemble of {len(found.members)} networks, expected a single one. "
            f"Name one of its members: {', '.join(m.file_name for m in found.members)}."
        )
    return found


def _begin(output: Path, restart: bool) -> None:
    if restart and (output / "checkpoints").is_dir():
        import shutil

        shutil.rmtree(output / "checkpoints")


def _conclude(files: list[Path], output: Path) -> None:
    for file in files:
        click.echo(file)
    if (output / "card.html").is_file():
        click.echo(output / "card.html")


def _guarded(work: Callable[[], None]) -> None:
    """Exit code 2 for wrong use, 1 for what could not be done; no traceback for either."""
    try:
        work()
    except (ConfigError, NetworkError) as error:
        wrong_use(error)
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    except KeyboardInterrupt:
        stopped(signal.SIGINT)


@contextlib.contextmanager
def _listening(name: str, output: Path, tensorboard: bool) -> "Iterator[_Listener]":
    """Tells the terminal, and TensorBoard if wanted, of each epoch."""
    from pipeline.cli.terminal import epoch_progress

    with contextlib.ExitStack() as stack:
        board = None
        if tensorboard:
            from pipeline.training.fitting.tensorboard import TensorBoardLog

            board = stack.enter_context(contextlib.closing(TensorBoardLog(output / "tensorboard")))
        yield _Listener(stack.enter_context(epoch_progress(name)), board)


class _Listener:
    def __init__(
        self, tell: Callable[[int, int, str], None], board: "TensorBoardLog | None"
    ) -> None:
        self._tell, self._board = tell, board

    def epoch(self, epoch: "Epoch", epochs: int) -> None:
        """An epoch is done."""
        best = " (best)" if epoch.is_best else ""
        self._tell(
            epoch.number,
            epochs,
            f"loss {epoch.loss:.4g}, validation {epoch.validation_loss:.4g}{best}",
        )
        if self._board is not None:
            self._board.epoch(epoch)
