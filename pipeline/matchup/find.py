"""Points x scenes -> match-ups, and what was not used."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.matchup import MatchupConfig
from pipeline.errors import ConfigError, SceneError
from pipeline.matchup.in_scene import match_scene
from pipeline.matchup.pairs import Match, Rejection
from pipeline.matchup.points import Points
from pipeline.matchup.reasons import NO_POSITION, NO_TIME, Reason
from pipeline.matchup.selection import Row, nearest_in_time, rows_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Matchups:
    """What came of points and scenes."""

    rows: list[Row]
    rejections: list[Rejection]
    """In the order of the points; those of a point in the order of the scenes."""
    scenes: int
    failed: int
    """Scenes that could not be read."""
    not_considered: int
    """Pairs too far apart to be listed."""


def find_matchups(
    points: Points,
    scenes: Sequence[Path],
    config: MatchupConfig,
    tell: Callable[[SceneError], None] = lambda _: None,
) -> Matchups:
    """Match all points with all scenes; each is opened once.

    Args:
        points: the points.
        scenes: the scenes.
        config: what makes a match-up.
        tell: told of a scene that cannot be read; the others go on.

    Raises:
        ConfigError: a reader or a mask is not known, or two scenes have one name.
    """
    _refuse_twice(scenes)
    rejections = _incomplete(points)
    complete = len(points) - len(rejections)
    matches: list[Match] = []
    failed = considered = 0
    for path in scenes:
        try:
            result = match_scene(path, points, config)
        except SceneError as error:
            tell(error)
            failed += 1
            continue
        found = len(result.matches) + len(result.rejections)
        if found:
            log.info("%s: %d points near, %d good windows", path.name, found, len(result.matches))
        considered += found
        matches += result.matches
        rejections += result.rejections
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


def _refuse_twice(scenes: Sequence[Path]) -> None:
    names = [path.name for path in scenes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"scenes are told apart by their names, and {', '.join(twice)} is there twice. Name "
            "each once, or rename one."
        )


def _incomplete(points: Points) -> list[Rejection]:
    """Points that say no position or no time, each once, whatever scenes there are."""
    found = []
    placed, timed = points.placed, points.timed
    for point in np.flatnonzero(~(placed & timed)):
        latitude, longitude = points.latitude[point], points.longitude[point]
        place = Reason(NO_POSITION, detail=f"latitude {latitude:g}, longitude {longitude:g}")
        time = Reason(NO_TIME, detail=str(points.time_said[point]))
        reasons = [place] * (not placed[point]) + [time] * (not timed[point])
        found.append(Rejection(int(point), None, tuple(reasons)))
    return found
