"""Match points with scenes; for every pair that is not used, keep the reasons."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.matchup import MatchupConfig
from pipeline.errors import ConfigError, SceneError, repeated
from pipeline.matchup.in_scene import match_scene
from pipeline.matchup.pairs import Match, Rejection
from pipeline.matchup.points import Points
from pipeline.matchup.reasons import NO_POSITION, NO_TIME, Reason
from pipeline.matchup.selection import MatchupRow, nearest_in_time, rows_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Matchups:
    """The match-ups of points and scenes, and the rejected pairs."""

    rows: list[MatchupRow]
    rejections: list[Rejection]
    """Rejections, sorted by point and then by scene."""
    scenes: int
    failed: int
    """Number of scenes that could not be read."""
    not_considered: int
    """Number of pairs that are not listed because point and scene are too far apart."""


def find_matchups(
    points: Points,
    scenes: Sequence[Path],
    config: MatchupConfig,
    report: Callable[[SceneError], None] = lambda _: None,
) -> Matchups:
    """Match all points with all scenes; each scene is opened once.

    Args:
        points: the points.
        scenes: files of the scenes.
        config: the criteria of a match-up.
        report: called with the error of each unreadable scene; all other scenes are used.

    Raises:
        ConfigError: a reader or a mask is unknown, or two scenes have the same name.
    """
    _refuse_same_names(scenes)
    rejections = _incomplete(points)
    complete = len(points) - len(rejections)
    matches: list[Match] = []
    failed = considered = 0
    for path in scenes:
        try:
            found, rejected = match_scene(path, points, config)
        except SceneError as error:
            report(error)
            failed += 1
            continue
        near = len(found) + len(rejected)
        if near:
            log.info("%s: %d points are near, %d windows are good", path.name, near, len(found))
        considered += near
        matches += found
        rejections += rejected
    if config.scenes == "nearest":
        matches, others = nearest_in_time(matches)
        rejections += others
    order = {path.name: place for place, path in enumerate(scenes)}
    rejections.sort(key=lambda r: (r.point, order[r.pair.scene.name] if r.pair else -1))
    return Matchups(
        rows=rows_of(matches, config.same_pixel),
        rejections=rejections,
        scenes=len(scenes),
        failed=failed,
        not_considered=complete * (len(scenes) - failed) - considered,
    )


def _refuse_same_names(scenes: Sequence[Path]) -> None:
    twice = repeated([path.name for path in scenes])
    if twice:
        raise ConfigError(
            f"scenes need different file names, but {twice} appears twice. List each "
            "scene once, or rename one of the files."
        )


def _incomplete(points: Points) -> list[Rejection]:
    """Return one rejection for each point without a position or a time."""
    found = []
    placed, timed = points.placed, points.timed
    for point in np.flatnonzero(~(placed & timed)):
        latitude, longitude = points.latitude[point], points.longitude[point]
        place = Reason(NO_POSITION, detail=f"latitude {latitude:g}, longitude {longitude:g}")
        time = Reason(NO_TIME, detail=str(points.time_text[point]))
        reasons = [place] * (not placed[point]) + [time] * (not timed[point])
        found.append(Rejection(int(point), None, tuple(reasons)))
    return found
