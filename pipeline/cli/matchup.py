"""The command ``ocpipe matchup``, which matches in-situ points with scenes."""

import logging
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import PATH, log_level_option, option
from pipeline.cli.session import exit_on_error, failure, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError

log = logging.getLogger("pipeline")
BRDF = click.Choice(("none", "f/Q", "unknown"))
CONFIGS = "CONFIG's"


@click.command()
@click.argument("points_file", metavar="POINTS", type=PATH)
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True)
@click.option(
    *("-o", "--output"),
    type=PATH,
    required=True,
    help="Table of match-ups: .csv, .nc, .parquet or .feather.",
)
@option(
    "--rejected",
    "Table of pairs that were not used, with the reasons.",
    "OUTPUT with _rejected before its suffix",
    PATH,
)
@option(
    "-c --config",
    "Match-up configuration, or name of a shipped protocol: nasa, eumetsat.",
    "nasa",
)
@option("--preset", "Protocol for everything that CONFIG does not set.", "none")
@option("--window", "Size of the window in lines and pixels.", CONFIGS, int)
@option("--hours", "Largest difference in time between point and scene.", CONFIGS, float)
@option("--masks", "Name of a preset of masks, or the word none to mask no pixels.", CONFIGS)
@click.option(
    "--missing",
    type=float,
    multiple=True,
    metavar="NUMBER",
    help="Number that means a missing value in POINTS, such as -999; may be given several times.",
)
@option("--insitu-brdf", "BRDF correction of the in-situ reflectances.", CONFIGS, BRDF)
@click.option(
    "--all-scenes",
    is_flag=True,
    help="Use all good scenes per point, not only the nearest in time.",
)
@click.option("--average", is_flag=True, help="Average all points that lie in the same pixel.")
@log_level_option
def matchup(
    points_file: Path,
    scenes: tuple[str, ...],
    output: Path,
    rejected: Path | None,
    config: str | None,
    log_level: str,
    **options: Any,
) -> None:
    """Match the in-situ POINTS of a table with satellite SCENEs.

    POINTS is a table with latitude, longitude and time, in any format for tables of samples. If
    there are several tables (for example one per station), POINTS is a folder, a pattern in quotes
    or an @list. Each SCENE is a file, a folder, a pattern, or an @list of these. A second table
    lists the unused pairs of a point and a nearby scene, with the reasons.
    """
    start(log_level)
    with importing():
        from pipeline.batch.sources import find_scenes
        from pipeline.config.matchup import load_matchup_config
        from pipeline.matchup.find import find_matchups
        from pipeline.matchup.output import matchup_table, rejection_table
        from pipeline.matchup.points import read_points
        from pipeline.matchup.summary import summary_lines, warnings_of
        from pipeline.tables.writing import write_samples, writer_for

    with exit_on_error(ConfigError):
        settings = load_matchup_config(config, _changes(**options))
        rejected = rejected or output.with_name(f"{output.stem}_rejected{output.suffix}")
        for path in (output, rejected):
            writer_for(path)
        _refuse_to_overwrite(points_file, output, rejected)
        points = read_points(points_file, settings.points)
        paths = [Path(found.path) for found in find_scenes(scenes, output.parent, "matchup")]
        if not paths:
            raise ConfigError(f"{' '.join(scenes)}: no scene found. Correct SCENE.")
        found = find_matchups(points, paths, settings, failure)
        write_samples(output, matchup_table(found, points, settings))
        write_samples(rejected, rejection_table(found, points, settings))
    for warning in (*points.table.told, *warnings_of(found, settings)):
        log.warning("%s", warning)
    show(*summary_lines(found, points, settings), output, rejected)
    sys.exit(1 if found.failed else 0)


def _refuse_to_overwrite(points: Path, output: Path, rejected: Path) -> None:
    if len({path.resolve() for path in (points, output, rejected)}) < 3:
        raise ConfigError(
            f"POINTS {points}, --output {output} and --rejected {rejected} must be different "
            "files. Choose another name."
        )


def _changes(
    masks: str | None,
    missing: tuple[float, ...],
    insitu_brdf: str | None,
    all_scenes: bool,
    average: bool,
    **values: Any,
) -> dict[str, Any]:
    """Return the settings that the options change; the keys of ``values`` are names of settings."""
    changes = {key: value for key, value in values.items() if value is not None}
    if masks is not None:
        changes["masks"] = {} if masks == "none" else {"preset": masks}
    of_points = {"brdf_correction": insitu_brdf, "missing": missing or None}
    if said := {key: value for key, value in of_points.items() if value is not None}:
        changes["points"] = said
    if all_scenes:
        changes["scenes"] = "all"
    if average:
        changes["same_pixel"] = "average"
    return changes
