"""All points against one scene, which is opened once."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config.matchup import MatchupConfig
from pipeline.errors import SceneError
from pipeline.matchup.coverage import Coverage
from pipeline.matchup.criteria import judge
from pipeline.matchup.nearest import nearest_pixels, pixel_diagonal_km
from pipeline.matchup.pairs import Match, Pair, Rejection, SceneFacts
from pipeline.matchup.points import Points
from pipeline.matchup.reasons import (
    BEYOND_EDGE,
    OUTSIDE_SCENE,
    OUTSIDE_TIME,
    SCENE_TAKES_TOO_LONG,
    SCENE_WITHOUT_TIME,
    Reason,
)
from pipeline.matchup.window import Layers
from pipeline.readers import open_scene
from pipeline.tables.table import Array


@dataclass(frozen=True)
class SceneResult:
    """What became of the points near a scene."""

    matches: list[Match] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def match_scene(path: Path, points: Points, config: MatchupConfig) -> SceneResult:
    """Good windows of a scene, and pairs that were considered and not used.

    Geolocation is read only where a point is near in time and may be in the scene by its bounds;
    bands only around the pixels that are found.

    Raises:
        SceneError: the scene cannot be read, or lacks what the configuration asks for.
        ConfigError: a reader or a mask is not known.
    """
    with contextlib.closing(open_scene(path, config.reader)) as scene, _named(path):
        facts = SceneFacts(
            name=path.name,
            sensor=str(scene.attrs["sensor"]),
            brdf_correction=str(scene.attrs["brdf_correction"]),
            coverage=Coverage.of(scene.attrs),
        )
        result = SceneResult()
        # Line by line, so that chunks that are read once serve all points in them.
        pairs = sorted(_pairs(scene, facts, points, config), key=lambda p: (p.line, p.pixel))
        layers = Layers.of(scene, config) if pairs else None
        for pair in pairs:
            limit = config.distance_max_km or pixel_diagonal_km(scene, pair.line, pair.pixel)
            is_outside = not pair.distance_km <= limit
            if is_outside and pair.distance_km > config.considered.km:
                continue
            reasons = [Reason(OUTSIDE_SCENE, pair.distance_km, limit)] if is_outside else []
            reasons += _time_reasons(pair, config)
            if not reasons and layers is not None:
                found = _window(pair, layers, config)
                if isinstance(found, Match):
                    result.matches.append(found)
                    continue
                reasons = found
            result.rejections.append(Rejection(pair.point, pair, tuple(reasons)))
        return result


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """What goes wrong with a scene, with its name."""
    try:
        yield
    except SceneError as error:
        said = str(error)
        raise SceneError(said if said.startswith(path.name) else f"{path.name}: {said}") from error
    except OSError as error:  # readers raise nothing else of a damaged piece
        raise SceneError(
            f"{path.name}: cannot be read ({error}). The file is damaged; fetch it again."
        ) from error


def hours_after(times: npt.NDArray[np.datetime64], coverage: Coverage) -> Array:
    """By how many hours points are later than the middle of a scene; NaN where that is unknown."""
    if coverage.middle is None:
        return np.full(times.shape, np.nan)
    return np.asarray((times - coverage.middle) / np.timedelta64(1, "h"))


def _pairs(
    scene: xr.Dataset, facts: SceneFacts, points: Points, config: MatchupConfig
) -> Iterator[Pair]:
    """The points that are near in time and may be near in place, with their nearest pixels."""
    hours = hours_after(points.times, facts.coverage)
    near = points.placed & points.timed
    near &= np.isnan(hours) | (np.abs(hours) <= max(config.considered.hours, config.hours))
    margin_km = max(config.considered.km, config.distance_max_km or 0)
    near &= facts.coverage.may_hold(points.latitude, points.longitude, margin_km)
    chosen = np.flatnonzero(near)
    if not chosen.size:
        return
    nearest = nearest_pixels(scene, points.latitude[chosen], points.longitude[chosen])
    for place, point in enumerate(chosen):
        if nearest.line[place] >= 0:
            yield Pair(
                point=int(point),
                scene=facts,
                line=int(nearest.line[place]),
                pixel=int(nearest.pixel[place]),
                distance_km=float(nearest.distance_km[place]),
                hours=float(hours[point]),
            )


def _time_reasons(pair: Pair, config: MatchupConfig) -> list[Reason]:
    """What the time says against a pair."""
    if math.isnan(pair.hours):
        return [Reason(SCENE_WITHOUT_TIME)]
    reasons = []
    if pair.scene.coverage.hours > 2 * config.hours:
        reasons.append(Reason(SCENE_TAKES_TOO_LONG, pair.scene.coverage.hours, 2 * config.hours))
    if abs(pair.hours) > config.hours:
        reasons.append(Reason(OUTSIDE_TIME, abs(pair.hours), config.hours))
    return reasons


def _window(pair: Pair, layers: Layers, config: MatchupConfig) -> Match | list[Reason]:
    window = layers.read(pair.line, pair.pixel, config.window)
    if window is None:
        lines, pixels = layers.scene.sizes["y"], layers.scene.sizes["x"]
        ways = (pair.line, pair.pixel, lines - 1 - pair.line, pixels - 1 - pair.pixel)
        return [Reason(BEYOND_EDGE, min(ways), config.window // 2)]
    judgement = judge(window, layers, config)
    return list(judgement.reasons) or Match(pair, judgement)
