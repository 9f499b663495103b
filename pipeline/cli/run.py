"""The command ``ocpipe run``, which processes scenes without a ledger."""

import logging
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.many import FILES, Result, json_option, run_on_each, workers_option
from pipeline.cli.options import POSITIVE, configured, log_level_option, option, run_options
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config import RunConfig

log = logging.getLogger("pipeline")


@click.command()
@click.argument("scenes", metavar=FILES, nargs=-1, required=True)
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
@workers_option("1; several workers share cores and memory")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@json_option
@log_level_option
def run(
    scenes: tuple[str, ...],
    config: str,
    workers: int | None,
    dry_run: bool,
    as_json: bool,
    log_level: str,
    **options: Any,
) -> None:
    """Apply the networks of CONFIG to each scene and write one product per scene.

    Give scenes as files, folders (searched to any depth) or patterns in quotes. @FILE is a list
    with one file, folder or pattern per line, and - reads such a list from standard input. If a
    scene fails, the others are still processed, and the exit code is 1.
    """
    start(log_level)
    with importing():
        import pipeline.process  # noqa: F401 - imported here so that later imports cost nothing
        from pipeline.batch.sources import paths_of_scenes
        from pipeline.machine.resources import keep_freed_memory
        from pipeline.product.delivery import check_distinct, check_is_folder
    keep_freed_memory()
    with exit_on_error(ConfigError):
        settings = configured(config, **options)
        check_is_folder(settings.execution.output)
        paths = [
            Path(path) for path in paths_of_scenes(scenes, settings.execution.output, settings.name)
        ]
        if not paths:
            raise ConfigError(f"{' '.join(scenes)}: no scene was found. Correct the paths.")
        check_distinct(paths, settings)
    at_once = min(workers or 1, len(paths))
    settings = _shared_by(at_once, settings)

    def work(scene: Path) -> Generator[str, None, Result]:
        return _run_one(scene, settings, dry_run, shows_progress=at_once == 1)

    # Some ConfigErrors are found only when a scene is open.
    results = run_on_each(paths, work, at_once, as_json, wrong_ends=True)
    done = sum(result.passed for result in results)
    if len(paths) > 1:
        log.info("%d of %d scenes done", done, len(paths))
    sys.exit(0 if done == len(paths) else 1)


def _shared_by(workers: int, settings: "RunConfig") -> "RunConfig":
    """Share cores and memory among several workers; configured values apply to each scene."""
    if workers == 1:
        return settings
    from pipeline.machine.resources import available_cores, default_limit

    execution = settings.execution
    return settings.executing(
        threads=execution.threads or max(1, available_cores() // workers),
        memory_limit=execution.memory_limit or default_limit() // workers,
    )


def _run_one(
    scene: Path, settings: "RunConfig", dry_run: bool, shows_progress: bool
) -> Generator[str, None, Result]:
    """Process a scene, and yield the path of its product; or yield the lines of its plan."""
    from pipeline.cli.terminal import block_progress
    from pipeline.process import plan_scene, process_scene
    from pipeline.run.plan_text import plan_lines

    if dry_run:
        lines = list(plan_lines(plan_scene(scene, settings)))
        yield from lines
        return Result(True, {"plan": lines})
    with block_progress(scene.name) as progress:
        product = process_scene(scene, settings, progress if shows_progress else None)
    yield str(product)
    return Result(True, {"product": str(product)})
