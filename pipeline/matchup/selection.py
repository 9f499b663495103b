"""Select the good windows to keep, and count or average points that share a pixel."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.matchup.pairs import Match, Rejection
from pipeline.matchup.reasons import NOT_NEAREST, Reason


@dataclass(frozen=True)
class MatchupRow:
    """A row of the table of match-ups."""

    matches: tuple[Match, ...]
    """One match; or, if points are averaged, the matches of all points in one pixel."""
    points_in_pixel: int
    """Number of points with a match-up in this pixel of this scene."""

    @property
    def points(self) -> list[int]:
        """Rows of the points in their table, counted from 0."""
        return [match.pair.point for match in self.matches]


def nearest_in_time(matches: Sequence[Match]) -> tuple[list[Match], list[Rejection]]:
    """For each point, return the match nearest in time and reject the other matches.

    Matches equally near in time are compared by distance. If the distances are equal too, the first
    match is kept.
    """
    by_point: dict[int, list[Match]] = defaultdict(list)
    for match in matches:
        by_point[match.pair.point].append(match)
    kept, others = [], []
    for rivals in by_point.values():
        best = min(rivals, key=lambda match: (abs(match.pair.hours), match.pair.distance_km))
        kept.append(best)
        for match in rivals:
            if match is not best:
                hours, least = abs(match.pair.hours), abs(best.pair.hours)
                reason = Reason(NOT_NEAREST, hours, least, best.pair.scene.name)
                others.append(Rejection(match.pair.point, match.pair, (reason,)))
    return kept, others


def rows_of(matches: Sequence[Match], same_pixel: Literal["keep", "average"]) -> list[MatchupRow]:
    """Return one row per match, or one per pixel if points are averaged; keep the points' order."""
    by_pixel: dict[tuple[str, int, int], list[Match]] = defaultdict(list)
    ordered = sorted(matches, key=lambda match: match.pair.point)
    for match in ordered:
        by_pixel[_pixel(match)].append(match)
    if same_pixel == "average":
        return [MatchupRow(tuple(together), len(together)) for together in by_pixel.values()]
    return [MatchupRow((match,), len(by_pixel[_pixel(match)])) for match in ordered]


def _pixel(match: Match) -> tuple[str, int, int]:
    return match.pair.scene.name, match.pair.line, match.pair.pixel
