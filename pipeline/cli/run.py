"""``ocpipe run``: scenes, one after the other."""

import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import (
    EXISTING,
    engine_option,
    log_level_option,
    names,
    networks_option,
    output_option,
    products_option,
    window_options,
)
from pipeline.cli.session import failure, importing, start, stopped, unless_stopped, wrong_use
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from pipeline.config import RunConfig

log = logging.getLogger("pipeline")


@click.command()
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True, type=EXISTING)
@click.option("-c", "--config", required=True, help="Configuration file, or name of a shipped one.")
@output_option
@networks_option
@products_option
@engine_option
@window_options
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
@log_level_option
def run(
    scenes: tuple[Path, ...], config: str, dry_run: bool, log_level: str, **options: Any
) -> None:
    """Apply the networks of CONFIG to each SCENE and write one product each.

    A scene that fails costs the others nothing; the exit code is 1 then.
    """
    start(log_level)
    with importing():
        import pipeline.process  # noqa: F401 - what follows imports it again, for nothing
        from pipeline.machine.resources import keep_freed_memory
    keep_freed_memory()
    try:
        settings = configured(config, **options)
        _check_distinct(scenes, settings)
    except ConfigError as error:
        wrong_use(error)
    try:
        failed = [scene for scene in scenes if not _run_one(scene, settings, dry_run)]
    except KeyboardInterrupt:
        stopped(signal.SIGINT)
    except ConfigError as error:  # found only with a scene at hand, and wrong for all of them
        wrong_use(error)
    if len(scenes) > 1:
        log.info("%d of %d scenes done", len(scenes) - len(failed), len(scenes))
    sys.exit(1 if failed else 0)


def configured(config: str, **options: Any) -> "RunConfig":
    """The configuration, changed as the command line says."""
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
        settings = settings.selecting(names(options["products"]))
    return settings


def _check_distinct(scenes: tuple[Path, ...], settings: "RunConfig") -> None:
    if len(scenes) > 1:
        from pipeline.product.delivery import check_distinct

        check_distinct(scenes, settings)


def _run_one(scene: Path, settings: "RunConfig", dry_run: bool) -> bool:
    """Whether the scene succeeded; a failure is reported and costs nothing else."""
    from pipeline.cli.terminal import block_progress
    from pipeline.process import plan_scene, process_scene

    try:
        if dry_run:
            click.echo("\n".join(plan_scene(scene, settings).lines()))
            return True
        with block_progress(scene.name) as progress:
            product = process_scene(scene, settings, unless_stopped(progress))
        click.echo(product)
    except ConfigError:
        raise
    except PipelineError as error:
        failure(error)
        return False
    except Exception:  # a defect of this program: shown in full, and the other scenes go on
        log.exception("%s: unexpected failure; please report it with what follows", scene)
        return False
    return True
