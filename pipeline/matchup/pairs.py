"""Pairs of a point and a scene: one that gives a match-up, and why others do not."""

from dataclasses import dataclass

from pipeline.matchup.coverage import Coverage
from pipeline.matchup.criteria import Judgement
from pipeline.matchup.reasons import Reason


@dataclass(frozen=True)
class SceneFacts:
    """What is told of a scene beside every pair."""

    name: str
    sensor: str
    brdf_correction: str
    coverage: Coverage


@dataclass(frozen=True)
class Pair:
    """A point in a scene, or near to it."""

    point: int
    """Its place in the table, from 0."""
    scene: SceneFacts
    line: int
    pixel: int
    """Of the nearest pixel."""
    distance_km: float
    hours: float
    """Time of the point minus that of the scene's middle; NaN where the scene says none."""


@dataclass(frozen=True)
class Match:
    """A pair with a good window."""

    pair: Pair
    judgement: Judgement


@dataclass(frozen=True)
class Rejection:
    """A pair that is not used; without a scene where the point is at fault."""

    point: int
    pair: Pair | None
    reasons: tuple[Reason, ...]
