"""The commands ``ocpipe forget`` and ``ocpipe prune``, which remove scenes from ledgers."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import PATH, log_level_option, option
from pipeline.cli.session import exit_on_error, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError
from pipeline.machine.words import counted

if TYPE_CHECKING:
    from pipeline.batch.ledger.pruning import Kept

log = logging.getLogger("pipeline")

STATES = ("pending", "done", "skipped", "failed")


@click.command()
@click.argument("place", metavar="LEDGER | FOLDER", type=PATH)
@click.argument("scenes", metavar="[SCENES | FOLDERS | GLOBS]", nargs=-1)
@option("--config", "Only scenes of the configuration with this name.", "all", metavar="NAME")
@option("--state", "Only scenes in this state.", "all", click.Choice(STATES))
@option("--kind", "Only failures of this kind, such as missing or scene.", "all", metavar="KIND")
@click.option("--all", "everything", is_flag=True, help="Forget all scenes of the ledger.")
@click.option("--dry-run", is_flag=True, help="Only list the scenes.")
@log_level_option
def forget(
    place: Path,
    scenes: tuple[str, ...],
    config: str | None,
    state: str | None,
    kind: str | None,
    everything: bool,
    dry_run: bool,
    log_level: str,
) -> None:
    """Remove scenes from a LEDGER, or from all ledgers in a FOLDER; their products stay.

    If a batch finds a forgotten scene again, it is a new scene. Give at least one of SCENES,
    --config, --state, --kind or --all. A batch must not work with the ledger at the same time.
    """
    start(log_level)
    from pipeline.batch.retention import Forgotten
    from pipeline.batch.retention import forget as forget_scenes

    with exit_on_error(ConfigError):
        if not (scenes or config or state or kind or everything):
            raise ConfigError(
                "no scenes to forget were given. Give scenes, folders or patterns, or "
                "--config, --state, --kind or --all."
            )
        which = Forgotten(scenes, config, state, kind)
        found = forget_scenes(place, which, dry_run)
    show(*(f"{entry.path}  ({_state(entry)})" for entry in found))
    show(f"{counted(len(found), 'scene')} {'would be forgotten' if dry_run else 'forgotten'}")


@click.command()
@click.argument("place", metavar="LEDGER | FOLDER", type=PATH)
@click.option("--products", is_flag=True, help="Also remove products whose input was removed.")
@option(
    "--keep-days",
    "Keep entries that ended in the last DAYS days. Remove older quality lines that were put "
    "aside, and the entries of older calls.",
    "remove entries of removed scenes at once; keep all records",
    click.FloatRange(min=0),
    metavar="DAYS",
)
@option(
    "--removed-below removed",
    "Folder whose missing scenes were removed on purpose, so that it is not an unmounted disk; "
    "repeatable.",
    "none",
    PATH,
    metavar="FOLDER",
    multiple=True,
)
@option("-o --output", "Folder of the products.", "that of the ledger, or of its last call", PATH)
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@log_level_option
def prune(
    place: Path,
    products: bool,
    keep_days: float | None,
    removed: tuple[Path, ...],
    output: Path | None,
    dry_run: bool,
    log_level: str,
) -> None:
    """Remove entries of removed scenes from a LEDGER, or from all ledgers in a FOLDER.

    A finished scene keeps its entry and its product, unless --products is given. A scene is treated
    as removed only if its folder has other files, or if other scenes exist on the same disk. If a
    folder is empty or missing, its disk may not be mounted, so its scenes stay.
    """
    start(log_level)
    from pipeline.batch.retention import prune as prune_ledgers

    with exit_on_error(ConfigError):
        found = prune_ledgers(
            place,
            with_products=products,
            keep_days=keep_days,
            removed_below=removed,
            output=output,
            dry_run=dry_run,
        )
    show(*(f"entry    {entry.path}  ({_state(entry)})" for entry in found.entries))
    show(*(f"product  {entry.product}  (of {entry.path})" for entry in found.products))
    show(*(f"record   {path}" for path in found.records))
    for folder, count in found.unsure.items():
        log.warning(
            "%s missing below %s, which is empty or has no other scene. Perhaps a disk "
            "is not mounted, so they stay. If they were removed: --removed-below %s",
            counted(count, "scene is", "scenes are"), folder, folder,
        )  # fmt: skip
    counts = (
        f"{len(found.entries)} entries, {len(found.products)} products and "
        f"{len(found.records)} records"
    )
    show(f"{counts} {'would be removed' if dry_run else 'removed'}")


def _state(entry: "Kept") -> str:
    kind = f": {entry.kind}" if entry.kind else ""
    return f"{entry.run}, {entry.state}{kind}"
