"""The command ``ocpipe run``, which processes scenes one after the other."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import PATH, POSITIVE, configured, log_level_option, option, run_options
from pipeline.cli.refusals import exit_if_refused
from pipeline.cli.session import failure, importing, start, wrong_use
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from pipeline.config import RunConfig

log = logging.getLogger("pipeline")


@click.command()
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True, type=PATH)
@click.option("-c", "--config", required=True, help="Configuration (file or shipped name).")
@run_options
@option(
    "--threads",
    "Number of blocks that are computed at the same time.",
    "execution.threads, else one per core",
    POSITIVE,
)
@option(
    "--memory-limit",
    "Memory that a scene may take in addition to the program, such as 512MB or 2GiB. It limits how "
    "many threads run, and how many pixels are computed at the same time.",
    "execution.memory_limit, else half of the free memory",
    metavar="SIZE",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@log_level_option
def run(
    scenes: tuple[Path, ...], config: str, dry_run: bool, log_level: str, **options: Any
) -> None:
    """Apply the networks of CONFIG to each SCENE and write one product per scene.

    If a scene fails, the others are still processed, and the exit code is 1.
    """
    start(log_level)
    with importing():
        import pipeline.process  # noqa: F401 - imported here so that later imports cost nothing
        from pipeline.machine.resources import keep_freed_memory
        from pipeline.product.delivery import check_distinct, check_is_folder
    keep_freed_memory()
    try:
        settings = configured(config, **options)
        check_is_folder(settings.execution.output)
        check_distinct(scenes, settings)
        failed = [scene for scene in scenes if not _run_one(scene, settings, dry_run)]
    except ConfigError as error:  # also one that shows only once a scene is open
        exit_if_refused(error)
        wrong_use(error)
    if len(scenes) > 1:
        log.info("%d of %d scenes done", len(scenes) - len(failed), len(scenes))
    sys.exit(1 if failed else 0)


def _run_one(scene: Path, settings: "RunConfig", dry_run: bool) -> bool:
    """Process a scene or print its plan. If this fails, report the failure and return False."""
    from pipeline.cli.terminal import block_progress, show
    from pipeline.process import plan_scene, process_scene
    from pipeline.run.plan_text import plan_lines

    try:
        if dry_run:
            show(*plan_lines(plan_scene(scene, settings)))
            return True
        with block_progress(scene.name) as progress:
            product = process_scene(scene, settings, progress)
        show(product)
    except ConfigError:
        raise
    except PipelineError as error:
        exit_if_refused(error)
        failure(error)
        return False
    except (
        Exception
    ) as error:  # a bug in this program: show it in full and go on with the other scenes
        exit_if_refused(error)
        log.exception("%s: unexpected failure; please report it with this traceback", scene)
        return False
    return True
