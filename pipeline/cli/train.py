"""Commands that make and judge networks: ``train``, ``finetune``, ``evaluate``, ``export``."""

import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import EXISTING, log_level_option, networks_option
from pipeline.cli.session import failure, importing, start, stopped, wrong_use
from pipeline.cli.study import choose_size, study_option
from pipeline.errors import ConfigError, NetworkError, PipelineError

if TYPE_CHECKING:
    from pipeline.networks import Network
    from pipeline.training.fitting import Epoch
    from pipeline.training.fitting.tensorboard import Board

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
PARTS = ("test", "validation", "train", "all")


@click.command()
@click.argument("config")
@samples_option
@output_option
@study_option
@restart_option
@log_level_option
def train(
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    study: tuple[str, ...],
    restart: bool,
    log_level: str,
) -> None:
    """Train a network as CONFIG says, and save it with its evaluation and model card.

    Stopped and called again, it goes on after the last whole epoch.
    """
    start(log_level)
    with importing():
        from pipeline.config.training import TrainingConfig, load_recipe
        from pipeline.training.results import write_results
        from pipeline.training.train import train as fit

    def work() -> None:
        recipe = load_recipe(config, TrainingConfig).reading(samples)
        _begin(output, restart)
        recipe, checkpoints = choose_size(recipe, study, output, _listening)
        with _listening(recipe.name, output, recipe.fit.tensorboard) as listener:
            trained = fit(recipe, listener, checkpoints)
        _conclude(write_results(output, recipe, trained), output)

    _guarded(work)


@click.command()
@click.argument("network", type=EXISTING)
@click.argument("config")
@samples_option
@output_option
@networks_option
@restart_option
@log_level_option
def finetune(
    network: Path,
    config: str,
    samples: tuple[Path, ...],
    output: Path,
    networks: tuple[Path, ...],
    restart: bool,
    log_level: str,
) -> None:
    """Let NETWORK go on learning as CONFIG says: all of it, its last layers, or a new head.

    NETWORK is any file that ocpipe reads, an OC-SMART file above all.
    """
    start(log_level)
    with importing():
        from pipeline.config.training import FinetuneConfig, load_recipe
        from pipeline.training.finetune import finetune as fit
        from pipeline.training.results import write_results

    def work() -> None:
        recipe = load_recipe(config, FinetuneConfig).reading(samples)
        beginning = _network(network, networks)
        _begin(output, restart)
        with _listening(recipe.name, output, recipe.fit.tensorboard) as listener:
            trained = fit(beginning, recipe, listener, output / "checkpoints")
        _conclude(write_results(output, recipe, trained), output)

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
        found = _network(network, networks)
        check_savable(output, found, for_ocsmart_only=not beyond_ocsmart)
        for file in save_network(output, found):
            click.echo(file)

    _guarded(work)


def _network(file: Path, folders: tuple[Path, ...]) -> "Network":
    from pipeline.networks import find_network, load_network

    return load_network(file if file.is_file() else find_network(str(file), "", folders))


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
    from pipeline.terminal import epoch_progress

    with contextlib.ExitStack() as stack:
        board = None
        if tensorboard:
            from pipeline.training.fitting.tensorboard import Board

            board = stack.enter_context(contextlib.closing(Board(output / "tensorboard")))
        yield _Listener(stack.enter_context(epoch_progress(name)), board)


class _Listener:
    def __init__(self, tell: Callable[[int, int, str], None], board: "Board | None") -> None:
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
