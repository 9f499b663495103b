"""``ocpipe matchup``: in-situ points x scenes -> tables to train and to judge with."""

import logging
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import EXISTING, log_level_option
from pipeline.cli.session import failure, importing, start, wrong_use
from pipeline.errors import ConfigError, PipelineError

log = logging.getLogger("pipeline")
BRDF = ("none", "f/Q", "unknown")


@click.command()
@click.argument("points_file", metavar="POINTS", type=EXISTING)
@click.argument("scenes", metavar="SCENE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=EXISTING,
    required=True,
    help="The table: .csv, .nc, .parquet or .feather.",
)
@click.option(
    "--rejected",
    type=EXISTING,
    default=None,
    show_default="OUTPUT with _rejected before its ending",
    help="The table of what was not used, with the reasons.",
)
@click.option(
    "-c",
    "--config",
    default=None,
    show_default="nasa",
    help="Configuration of match-ups, or name of a shipped protocol: nasa, eumetsat.",
)
@click.option("--preset", default=None, show_default="none", help="Protocol below CONFIG.")
@click.option(
    "--window",
    type=int,
    default=None,
    show_default="CONFIG's",
    help="Lines and pixels of a window.",
)
@click.option(
    "--hours",
    type=float,
    default=None,
    show_default="CONFIG's",
    help="Largest difference in time.",
)
@click.option(
    "--masks",
    default=None,
    show_default="CONFIG's",
    help="Preset of masks in place of CONFIG's, or none.",
)
@click.option(
    "--insitu-brdf",
    type=click.Choice(BRDF),
    default=None,
    show_default="CONFIG's",
    help="BRDF correction of the in-situ reflectances.",
)
@click.option(
    "--all-scenes", is_flag=True, help="Keep all good scenes of a point, not the nearest."
)
@click.option("--average", is_flag=True, help="One row of means for the points of one pixel.")
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
    """Match the in-situ POINTS of a table with SCENEs: what each point is seen as from space.

    POINTS is a table with latitude, longitude and time in any format that samples have. SCENEs are
    files, folders, patterns, or @lists of these. Every pair that is near and not used is listed
    with its reason.
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

    try:
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
    except ConfigError as error:
        wrong_use(error)
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    for told in (*points.table.told, *warnings_of(found, settings)):
        log.warning("%s", told)
    click.echo("\n".join(summary_lines(found, points, settings)))
    click.echo(output)
    click.echo(rejected)
    sys.exit(1 if found.failed else 0)


def _refuse_to_overwrite(points: Path, output: Path, rejected: Path) -> None:
    """Three files, not two."""
    places = [path.resolve() for path in (points, output, rejected)]
    if len(set(places)) < len(places):
        raise ConfigError(
            f"POINTS {points}, --output {output} and --rejected {rejected} must be different "
            "files. Give another name."
        )


def _changes(
    preset: str | None,
    window: int | None,
    hours: float | None,
    masks: str | None,
    insitu_brdf: str | None,
    all_scenes: bool,
    average: bool,
) -> dict[str, Any]:
    """What the options change in a configuration."""
    changes: dict[str, Any] = {"preset": preset, "window": window, "hours": hours}
    if masks is not None:
        changes["masks"] = {} if masks == "none" else {"preset": masks}
    if insitu_brdf is not None:
        changes["points"] = {"brdf_correction": insitu_brdf}
    if all_scenes:
        changes["scenes"] = "all"
    if average:
        changes["same_pixel"] = "average"
    return {key: value for key, value in changes.items() if value is not None}
