"""Match all points with one scene, which is opened once."""

import contextlib
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config.matchup import MatchupConfig
from pipeline.errors import SceneError
from pipeline.masks.undecided import UndecidedPixels
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
from pipeline.matchup.scene_coverage import SceneCoverage
from pipeline.matchup.window import WindowReader
from pipeline.readers import open_scene
from pipeline.readers.damage import failed_to_read
from pipeline.scene.scene import PRODUCT_OF
from pipeline.tables.table import Array
from pipeline.times.arrays import Times

log = logging.getLogger(__name__)


def match_scene(
    path: Path, points: Points, config: MatchupConfig
) -> tuple[list[Match], list[Rejection]]:
    """Return the good windows of a scene, and the rejected pairs.

    Geolocation is read only if a point is near in time and may be within the bounds of the scene;
    bands are read only around the nearest pixels.

    Raises:
        SceneError: the scene cannot be read, or lacks what the configuration requests.
        ConfigError: a reader or a mask is unknown.
    """
    matches: list[Match] = []
    rejections: list[Rejection] = []
    with contextlib.closing(open_scene(path, config.reader)) as scene, _errors_name(path):
        facts = SceneFacts(
            name=path.name,
            sensor=str(scene.attrs["sensor"]),
            brdf_correction=str(scene.attrs["brdf_correction"]),
            coverage=SceneCoverage.of(scene.attrs),
            results=_results(scene),
        )
        # Line by line, so that each chunk is read once for all points in it.
        pairs = sorted(_pairs(scene, facts, points, config), key=lambda p: (p.line, p.pixel))
        reader = WindowReader.of(scene, config) if pairs else None
        undecided = UndecidedPixels()
        for pair in pairs:
            limit = config.distance_max_km or pixel_diagonal_km(scene, pair.line, pair.pixel)
            is_outside = not pair.distance_km <= limit
            if is_outside and pair.distance_km > config.considered.km:
                continue
            reasons = [Reason(OUTSIDE_SCENE, pair.distance_km, limit)] if is_outside else []
            reasons += _time_reasons(pair, config)
            if not reasons and reader is not None:
                found = _judged(pair, reader, config, undecided)
                if isinstance(found, Match):
                    matches.append(found)
                    continue
                reasons = found
            rejections.append(Rejection(pair.point, pair, tuple(reasons)))
        for text in undecided.warnings(reader.rules if reader is not None else ()):
            log.warning("%s: %s", path.name, text)
    return matches, rejections


def _results(scene: xr.Dataset) -> dict[str, tuple[str, str]]:
    """Return units and long name of each result if the scene is a product; otherwise nothing."""
    if PRODUCT_OF not in scene.attrs:
        return {}
    described = {str(name): layer.attrs for name, layer in scene.data_vars.items()}
    return {
        name: (str(attributes.get("units", "")), str(attributes.get("long_name", name)))
        for name, attributes in described.items()
    }


@contextlib.contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Add the name of the scene to every error that occurs in this context."""
    try:
        yield
    except SceneError as error:
        text = str(error)
        named = text if text.startswith(path.name) else f"{path.name}: {text}"
        raise type(error)(named) from error
    except OSError as error:  # the only other error that readers raise for damaged data
        failure = failed_to_read(error)
        raise type(failure)(f"{path.name}: {failure}") from error


def hours_after(times: Times, coverage: SceneCoverage) -> Array:
    """Return how many hours each time is after the middle time of a scene; NaN where unknown."""
    if coverage.middle is None:
        return np.full(times.shape, np.nan)
    return np.asarray((times - coverage.middle) / np.timedelta64(1, "h"))


def _pairs(
    scene: xr.Dataset, facts: SceneFacts, points: Points, config: MatchupConfig
) -> Iterator[Pair]:
    """Yield a pair for each point that may be near the scene, both in time and in place.

    Each pair contains the pixel nearest to its point.
    """
    hours = hours_after(points.times, facts.coverage)
    near = points.placed & points.timed
    near &= np.isnan(hours) | (np.abs(hours) <= max(config.considered.hours, config.hours))
    margin_km = max(config.considered.km, config.distance_max_km or 0)
    near &= facts.coverage.may_hold(points.latitude, points.longitude, margin_km)
    chosen = np.flatnonzero(near)
    if not chosen.size:
        return
    nearest = nearest_pixels(scene, points.latitude[chosen], points.longitude[chosen])
    if (nearest.line < 0).all():
        raise SceneError(
            "no pixel of the scene has a position (a valid latitude and longitude). "
            "Use another file of this scene."
        )
    for place, point in enumerate(chosen):
        yield Pair(
            point=int(point),
            scene=facts,
            line=int(nearest.line[place]),
            pixel=int(nearest.pixel[place]),
            distance_km=float(nearest.distance_km[place]),
            hours=float(hours[point]),
        )


def _time_reasons(pair: Pair, config: MatchupConfig) -> list[Reason]:
    """Return the reasons to reject a pair because of the times of its point and its scene."""
    if math.isnan(pair.hours):
        return [Reason(SCENE_WITHOUT_TIME)]
    reasons = []
    if pair.scene.coverage.hours > 2 * config.hours:
        reasons.append(Reason(SCENE_TAKES_TOO_LONG, pair.scene.coverage.hours, 2 * config.hours))
    if abs(pair.hours) > config.hours:
        reasons.append(Reason(OUTSIDE_TIME, abs(pair.hours), config.hours))
    return reasons


def _judged(
    pair: Pair, reader: WindowReader, config: MatchupConfig, undecided: UndecidedPixels
) -> Match | list[Reason]:
    """Return a match if the window of a pair is good, else the reasons to reject the pair.

    The pixels of the window on which masks are undecided are added to ``undecided``.
    """
    window = reader.read(pair.line, pair.pixel, config.window)
    if window is None:
        lines, pixels = reader.scene.sizes["y"], reader.scene.sizes["x"]
        to_edges = (pair.line, pair.pixel, lines - 1 - pair.line, pixels - 1 - pair.pixel)
        return [Reason(BEYOND_EDGE, min(to_edges), config.window // 2)]
    unknown = {n: int((window.has_data & mask).sum()) for n, mask in window.undecided.items()}
    undecided.add(int(window.has_data.sum()), unknown)
    judgement = judge(window, reader.uniform, config)
    return list(judgement.reasons) or Match(pair, judgement)
