"""Pairs of a point and a scene: those with a good window, and those that are rejected."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.matchup.criteria import Judgement
from pipeline.matchup.reasons import Reason
from pipeline.matchup.scene_coverage import SceneCoverage


@dataclass(frozen=True)
class SceneFacts:
    """Facts about a scene, which are repeated in every row about this scene."""

    name: str
    sensor: str
    brdf_correction: str
    coverage: SceneCoverage
    results: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Units and long name of each result, if the scene is a product."""


@dataclass(frozen=True)
class Pair:
    """A point in a scene or near it."""

    point: int
    """Row of the point in its table, from 0."""
    scene: SceneFacts
    line: int
    """Line of the nearest pixel."""
    pixel: int
    """Column of the nearest pixel."""
    distance_km: float
    hours: float
    """Time of the point minus the scene's middle time; NaN if the scene states no time."""


@dataclass(frozen=True)
class Match:
    """A pair with a good window."""

    pair: Pair
    judgement: Judgement


@dataclass(frozen=True)
class Rejection:
    """A pair that is not used, or a point without position or time."""

    point: int
    pair: Pair | None
    """The rejected pair; None if the point lacks a position or a time."""
    reasons: tuple[Reason, ...]
