"""The command ``ocpipe``: parse, load the configuration, one library call, exit code.

Exit codes: 0 done, 1 a scene failed, 2 wrong use or configuration, 128 + n stopped by signal n.
Nothing heavy is imported before a command needs it.
"""

import atexit
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pipeline.errors import ConfigError, PipelineError
from pipeline.version import __version__

if TYPE_CHECKING:
    from pipeline.config import RunConfig

log = logging.getLogger("pipeline")


LEVELS = ("debug", "info", "warning", "error")
CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
EXISTING = click.Path(path_type=Path)


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    """Numbers with a separator between them."""

    def __init__(self, name: str, separator: str, count: int, number: type) -> None:
        self.name = name
        self._separator, self._count, self._number = separator, count, number

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The numbers of a text; numbers as they are."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._number(part) for part in value.split(self._separator))
        except ValueError:
            numbers = ()
        if len(numbers) != self._count:
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return numbers


_BBOX = _Numbers("west,south,east,north in degrees", ",", 4, float)
_SPAN = _Numbers("first:end in whole numbers", ":", 2, int)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="ocpipe")
def main() -> None:
    """Whole ocean-colour scenes through neural networks, with products that say how they were made.

    Exit codes: 0 done, 1 a scene failed, 2 wrong use or configuration, 128 + n stopped by signal n.
    """


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    """While the libraries of a command are imported; once, before its work.

    The collector would go through everything again and again meanwhile, and once more at the end:
    together a third of a second, for objects that stay to the end anyway.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)


def _log_level(command: Any) -> Any:
    return click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        default="info",
        help="Least serious messages shown.",
    )(command)


@main.command()
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True, type=EXISTING)
@click.option("-c", "--config", required=True, help="Configuration file, or name of a shipped one.")
@click.option(
    "-o",
    "--output",
    type=EXISTING,
    default=None,
    show_default="execution.output, else .",
    help="Folder for the products.",
)
@click.option(
    "--networks",
    multiple=True,
    type=EXISTING,
    metavar="DIR",
    show_default="none",
    help="Folder to look networks up in; repeatable. OCPIPE_NETWORKS is searched next.",
)
@click.option(
    "--products",
    default=None,
    metavar="NAME,NAME",
    show_default="all",
    help="Which networks of the configuration to run.",
)
@click.option(
    "--engine",
    default=None,
    show_default="science.engine, else auto",
    help="What runs the networks: auto, numpy (float64 reference), onnxruntime or tensorflow.",
)
@click.option(
    "--bbox",
    type=_BBOX,
    default=None,
    metavar="W,S,E,N",
    show_default="the whole scene",
    help="Only the lines and pixels around this box (degrees; W > E crosses the antimeridian).",
)
@click.option(
    "--lines",
    type=_SPAN,
    default=None,
    metavar="FIRST:END",
    show_default="all",
    help="Only these lines, counted from 0.",
)
@click.option(
    "--pixels",
    type=_SPAN,
    default=None,
    metavar="FIRST:END",
    show_default="all",
    help="Only these pixels of a line, counted from 0.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    show_default="execution.threads, else one per core",
    help="Blocks computed at a time.",
)
@click.option(
    "--memory-limit",
    default=None,
    metavar="SIZE",
    show_default="execution.memory_limit, else half of what is left",
    help="Memory (512MB, 2GiB) beside the program itself; decides threads and pixels at once.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@_log_level
def run(
    scenes: tuple[Path, ...], config: str, dry_run: bool, log_level: str, **options: Any
) -> None:
    """Apply the networks of CONFIG to each SCENE and write one product each.

    A scene that fails costs the others nothing; the exit code is 1 then.
    """
    _start_logging(log_level)
    with _importing():
        import pipeline.process  # noqa: F401 - what follows imports it again, for nothing
        from pipeline.memory import keep_freed_memory
    keep_freed_memory()
    try:
        settings = _configured(config, **options)
        _check_distinct(scenes, settings)
    except ConfigError as error:
        _wrong_use(error)
    try:
        failed = [scene for scene in scenes if not _run_one(scene, settings, dry_run)]
    except KeyboardInterrupt:
        _stopped(signal.SIGINT)
    except ConfigError as error:  # found only with a scene at hand, and wrong for all of them
        _wrong_use(error)
    if len(scenes) > 1:
        log.info("%d of %d scenes done", len(scenes) - len(failed), len(scenes))
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("file", type=EXISTING)
@click.option(
    "-c",
    "--config",
    default=None,
    show_default="none",
    help="Configuration whose science.reader opens a scene that does not say enough by itself.",
)
@_log_level
def inspect(file: Path, config: str | None, log_level: str) -> None:
    """Say what FILE is: a scene, a network, or a product of ocpipe."""
    _start_logging(log_level)
    with _importing():
        from pipeline.config import ReaderChoice, load_config
        from pipeline.inspection import inspect_file

    try:
        reader = load_config(config).science.reader if config else ReaderChoice()
        for line in inspect_file(file, reader):
            click.echo(line)
    except ConfigError as error:
        _wrong_use(error)
    except PipelineError as error:
        _failure(error)
        sys.exit(1)


@main.command()
@click.argument("product", type=EXISTING)
@click.option(
    "--scene",
    "scenes",
    multiple=True,
    type=EXISTING,
    metavar="PATH",
    show_default="beside the product, and .",
    help="The input, or a folder to look for it in; repeatable.",
)
@click.option(
    "--networks",
    multiple=True,
    type=EXISTING,
    metavar="DIR",
    show_default="none",
    help="Folder to look networks up in; repeatable. OCPIPE_NETWORKS is searched next.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=1000,
    metavar="N",
    help="How many pixels are computed again, by the float64 reference.",
)
@click.option("--all", "everything", is_flag=True, help="Compute every pixel again.")
@click.option("--seed", type=int, default=0, metavar="N", help="Of the choice of pixels.")
@_log_level
def verify(
    product: Path,
    scenes: tuple[Path, ...],
    networks: tuple[Path, ...],
    sample: int,
    everything: bool,
    seed: int,
    log_level: str,
) -> None:
    """Check that PRODUCT is what it says: hashes, checksums, attributes, and pixels computed again.

    The exit code is 1 where anything differs or cannot be found.
    """
    _start_logging(log_level)
    with _importing():
        from pipeline.verify import verify_product

    passed = True
    try:
        for finding in verify_product(
            product,
            scenes=scenes,
            network_dirs=networks,
            sample=None if everything else sample,
            seed=seed,
        ):
            passed &= finding.passed
            click.echo(f"{'ok' if finding.passed else 'FAILED':<7}{finding.what:<12}{finding.text}")
    except PipelineError as error:
        _failure(error)
        sys.exit(1)
    click.echo(f"{product.name}: {'verified' if passed else 'NOT verified'}")
    sys.exit(0 if passed else 1)


@main.command("check-config")
@click.argument("config")
@_log_level
def check(config: str, log_level: str) -> None:
    """Check a configuration and print it with all defaults filled in.

    Bands, flags and networks are checked with a scene: ocpipe run --dry-run.
    """
    _start_logging(log_level)
    with _importing():
        from pipeline.config import as_yaml, load_config
        from pipeline.plan import check_config

    try:
        loaded = load_config(config)
        check_config(loaded)
        click.echo(as_yaml(loaded), nl=False)
    except ConfigError as error:
        _wrong_use(error)


@main.command()
@click.argument("product", type=EXISTING)
@click.option(
    "-o",
    "--output",
    type=EXISTING,
    default=None,
    show_default="PRODUCT with .png",
    help="The picture.",
)
@click.option(
    "--variables",
    default=None,
    metavar="NAME,NAME",
    show_default="of each quantity the one nearest 443 nm",
    help="What to draw.",
)
@_log_level
def quicklook(product: Path, output: Path | None, variables: str | None, log_level: str) -> None:
    """Draw a picture (PNG) of a PRODUCT of ocpipe."""
    _start_logging(log_level)
    with _importing():
        from pipeline.writers.quicklook import draw_quicklook

    try:
        picture = draw_quicklook(product, output or product.with_suffix(".png"), _names(variables))
    except PipelineError as error:
        _failure(error)
        sys.exit(1)
    click.echo(picture)


def _names(listed: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())


def _configured(config: str, **options: Any) -> "RunConfig":
    from pipeline.config import load_config

    settings = load_config(config).executing(
        output=options["output"],
        network_dirs=options["networks"] or None,
        threads=options["threads"],
        memory_limit=options["memory_limit"],
    )
    settings = settings.with_window(
        bbox=options["bbox"], lines=options["lines"], pixels=options["pixels"]
    )
    if options["engine"]:
        settings = settings.with_engine(options["engine"])
    if options["products"] is not None:
        settings = settings.selecting(_names(options["products"]))
    return settings


def _check_distinct(scenes: tuple[Path, ...], settings: "RunConfig") -> None:
    if len(scenes) > 1:
        from pipeline.delivery import check_distinct

        check_distinct(scenes, settings)


def _run_one(scene: Path, settings: "RunConfig", dry_run: bool) -> bool:
    """Whether the scene succeeded; a failure is reported and costs nothing else."""
    from pipeline.process import plan_scene, process_scene
    from pipeline.terminal import block_progress

    try:
        if dry_run:
            click.echo("\n".join(plan_scene(scene, settings).lines()))
            return True
        with block_progress(scene.name) as progress:
            product = process_scene(scene, settings, _unless_stopped(progress))
        click.echo(product)
    except ConfigError:
        raise
    except PipelineError as error:
        _failure(error)
        return False
    except Exception:  # a defect of this program: shown in full, and the other scenes go on
        log.exception("%s: unexpected failure; please report it with what follows", scene)
        return False
    return True


def _start_logging(level: str) -> None:
    from pipeline.terminal import start_logging

    start_logging(level)
    # So that a scheduler's SIGTERM, too, leaves no half-written file.
    signal.signal(signal.SIGTERM, lambda number, _: _stopped(number))


_signals: list[int] = []


def _stopped(number: int) -> NoReturn:
    """End on a signal with the exit code a shell expects; another one does not disturb that."""
    _signals.append(number)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.warning("stopped by %s; no half-written product is left", signal.Signals(number).name)
    sys.exit(128 + number)


def _unless_stopped(progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Ends the run at the next block where a signal came while nobody listened.

    Python drops an exception that a signal handler raises inside a finalizer.
    """

    def checked(done: int, total: int) -> None:
        if _signals:
            sys.exit(128 + _signals[0])
        progress(done, total)

    return checked


def _failure(error: PipelineError) -> None:
    log.error("%s: %s", type(error).__name__, error)


def _wrong_use(error: PipelineError) -> NoReturn:
    _failure(error)
    sys.exit(2)
