"""Which of the good windows are kept, and how points in one pixel are told."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.matchup.pairs import Match, Rejection
from pipeline.matchup.reasons import NOT_NEAREST, Reason


@dataclass(frozen=True)
class Row:
    """A row of the table of match-ups."""

    matches: tuple[Match, ...]
    """One, or those of several points in one pixel that are averaged."""
    points_in_pixel: int
    """Points of the table that have their match-up in this pixel of this scene."""


def nearest_in_time(matches: Sequence[Match]) -> tuple[list[Match], list[Rejection]]:
    """Of each point the match that is nearest in time, and the others; of two as near the first.

    Then the one nearest in place, then the one of the scene that was named first.
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


def rows_of(matches: Sequence[Match], same_pixel: Literal["keep", "average"]) -> list[Row]:
    """A row for each match, or for each pixel, in the order of the points."""
    by_pixel: dict[tuple[str, int, int], list[Match]] = defaultdict(list)
    ordered = sorted(matches, key=lambda match: match.pair.point)
    for match in ordered:
        by_pixel[_pixel(match)].append(match)
    if same_pixel == "average":
        return [Row(tuple(together), len(together)) for together in by_pixel.values()]
    return [Row((match,), len(by_pixel[_pixel(match)])) for match in ordered]


def _pixel(match: Match) -> tuple[str, int, int]:
    return match.pair.scene.name, match.pair.line, match.pair.pixel
