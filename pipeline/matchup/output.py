"""Tables of match-ups and rejections, with the meaning of each column and the settings."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.config.matchup import MatchupConfig
from pipeline.facts.quantities import Quantity, quantities
from pipeline.matchup import band_shift
from pipeline.matchup.brdf import method
from pipeline.matchup.find import Matchups
from pipeline.matchup.nearest import unit_vectors
from pipeline.matchup.pairs import Pair
from pipeline.matchup.points import Points
from pipeline.matchup.selection import MatchupRow
from pipeline.matchup.statistics import NO_STATISTIC
from pipeline.matchup.window import ZENITHS
from pipeline.tables.table import Column
from pipeline.tables.writing import SampleTable
from pipeline.times.arrays import Times
from pipeline.version import __version__

INSITU = "insitu_"
"""Prefix for a column of the points if a column from the scenes has the same name."""
BETWEEN = " | "
"""Separator that joins the different texts of averaged points."""
_BAND = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True, eq=False)
class DescribedColumn:
    """The values of a column, with their units and their meaning."""

    values: Column
    units: str
    long_name: str


def matchup_table(found: Matchups, points: Points, config: MatchupConfig) -> SampleTable:
    """Return a table with a row per match-up: columns of the scene, then columns of the points."""
    columns = _facts(found.rows, points, config) | _scene_values(found.rows, config.quantity)
    clashing = re.compile(rf"{re.escape(config.quantity)}_?\d.*")
    for name, values in points.carried.items():
        clash = name in columns or clashing.fullmatch(name) is not None
        columns[INSITU + name if clash else name] = DescribedColumn(
            _of_points(values, found.rows), points.table.units.get(name, ""), f"in situ: {name}"
        )
    return _table(columns, "match-ups of in-situ points and scenes", points, config)


def rejection_table(found: Matchups, points: Points, config: MatchupConfig) -> SampleTable:
    """Return a table with a row for each reason why a pair or an incomplete point was not used."""
    listed = [(rejection, reason) for rejection in found.rejections for reason in rejection.reasons]
    reasons = [reason for _, reason in listed]
    at = [rejection.point for rejection, _ in listed]
    columns = {
        "point": _texts((_row_of(points, (p,)) for p in at), "row of the table of points"),
        **_place_and_time(points.latitude[at], points.longitude[at], points.times[at]),
        **_pair_columns([rejection.pair for rejection, _ in listed]),
        "reason": _texts((reason.name for reason in reasons), "why it was not used"),
        "found": _numbers((reason.found for reason in reasons), "", "number that decided"),
        "limit": _numbers((reason.limit for reason in reasons), "", "limit for the number found"),
        "detail": _texts((reason.detail for reason in reasons), "more about the reason"),
    }
    return _table(columns, "pairs of point and scene that gave no match-up", points, config)


def _table(
    columns: Mapping[str, DescribedColumn], title: str, points: Points, config: MatchupConfig
) -> SampleTable:
    attributes = {
        "title": title,
        "source": f"ocpipe {__version__}",
        "points": points.table.name,
        "points_sha256": points.table.sha256,
        "configuration": json.dumps(config.model_dump(mode="json"), separators=(",", ":")),
    }
    if config.points.brdf_normalisation is not None:
        attributes["insitu_brdf_normalisation"] = method(config.points.brdf_normalisation)
    if config.points.band_shift is not None:
        attributes["insitu_band_shift"] = band_shift.method(config.points.band_shift)
    if points.table.licence:
        attributes["license"] = " ".join(points.table.licence.split())
    meanings = {name: Quantity(name, c.units, c.long_name) for name, c in columns.items()}
    return SampleTable({name: c.values for name, c in columns.items()}, meanings, attributes)


def _facts(
    rows: Sequence[MatchupRow], points: Points, config: MatchupConfig
) -> dict[str, DescribedColumn]:
    """The columns about a match-up as a whole."""
    scenes = [row.matches[0].pair.scene for row in rows]
    judged = [row.matches[0].judgement for row in rows]
    places = np.array([_mean_place(points, row.points) for row in rows]).reshape(-1, 2)
    times = np.array([_mean_time(points.times[row.points]) for row in rows], "datetime64[us]")
    not_applied = (", ".join(j.not_applied) for j in judged)
    angles = {
        name: _numbers(
            (j.middle.get(name, np.nan) for j in judged), "degree", quantities()[name].long_name
        )
        for name in ZENITHS
    }
    return {
        "point": _texts((_row_of(points, row.points) for row in rows), "row of the points' table"),
        **_place_and_time(places[:, 0], places[:, 1], times),
        **_pair_columns([_mean_pair(row) for row in rows]),
        "sensor": _texts((scene.sensor for scene in scenes), "sensor of the scene"),
        "brdf_correction": _texts(
            (scene.brdf_correction for scene in scenes), "of the scene's reflectances"
        ),
        "insitu_brdf_correction": _texts(
            (config.points.resulting_correction for _ in rows), "of in-situ reflectances"
        ),
        "points_in_pixel": _counts((row.points_in_pixel for row in rows), "points with this pixel"),
        "window_pixels": _counts((config.window**2 for _ in rows), "pixels of the window"),
        "counted_pixels": _counts((j.counted for j in judged), "pixels that are not land"),
        "valid_pixels": _counts((j.valid for j in judged), "valid pixels of the window"),
        "variation": _numbers(
            (j.variation for j in judged),
            *("1", "coefficient of variation by which the window was judged"),
        ),
        **angles,
        "not_applied": _texts(
            not_applied, "criteria that were not applied, because the scene lacks the data"
        ),
    }


def _place_and_time(
    latitude: Column, longitude: Column, times: Times
) -> dict[str, DescribedColumn]:
    return {
        "latitude": DescribedColumn(latitude, "degrees_north", "latitude of the point"),
        "longitude": DescribedColumn(longitude, "degrees_east", "longitude of the point"),
        "time": _times(times, "time of the point, UTC"),
    }


def _pair_columns(pairs: Sequence[Pair | None]) -> dict[str, DescribedColumn]:
    """Return the columns about scene and pixel; where there is no pair, their cells are empty."""
    middles = [pair.scene.coverage.middle if pair else None for pair in pairs]
    times = np.array([np.datetime64("NaT") if m is None else m for m in middles], "datetime64[us]")
    hours = (p.hours if p else np.nan for p in pairs)
    distances = (p.distance_km if p else np.nan for p in pairs)
    return {
        "scene": _texts((p.scene.name if p else "" for p in pairs), "file of the scene"),
        "scene_time": _times(times, "middle of the scene's time coverage, UTC"),
        "time_difference": _numbers(hours, "h", "point minus scene"),
        "line": _counts((p.line if p else -1 for p in pairs), "line of the pixel, from 0"),
        "pixel": _counts((p.pixel if p else -1 for p in pairs), "pixel in it, from 0"),
        "distance": _numbers(distances, "km", "from the point to the middle of the pixel"),
    }


def _scene_values(rows: Sequence[MatchupRow], quantity: str) -> dict[str, DescribedColumn]:
    """Return columns for each layer: its value, its standard deviation and its number of pixels."""
    found = [row.matches[0].judgement.statistics for row in rows]
    results = {k: v for row in rows for k, v in row.matches[0].pair.scene.results.items()}
    names = {name for statistics in found for name in statistics}
    columns: dict[str, DescribedColumn] = {}
    for name in sorted(names, key=lambda name: _in_order(name, quantity)):
        values = [statistics.get(name, NO_STATISTIC) for statistics in found]
        units, long_name = results.get(name) or _meaning(name, quantity)
        deviation = f"standard deviation of {long_name}"
        columns[name] = _numbers((s.value for s in values), units, long_name)
        columns[f"{name}_std"] = _numbers((s.deviation for s in values), units, deviation)
        columns[f"{name}_n"] = _counts((s.count for s in values), f"pixels in {name}")
    return columns


def _in_order(name: str, quantity: str) -> tuple[bool, float, str]:
    """Sort key: bands by wavelength, then other layers by name."""
    match = _BAND.fullmatch(name)
    is_band = match is not None and match[1] == quantity
    return not is_band, float(match[2]) if match and is_band else 0.0, name


def _meaning(name: str, quantity: str) -> tuple[str, str]:
    """Units and long name of a layer."""
    match = _BAND.fullmatch(name)
    if match is not None and match[1] == quantity:
        known = quantities()[quantity]
        return known.units, f"{known.long_name} at {match[2]} nm, scene"
    return quantities()[name].units if name in quantities() else "", f"{name}, scene"


def _row_of(points: Points, chosen: Sequence[int]) -> str:
    """Return the row of a point as ``86``, or the rows of averaged points as ``86 90``."""
    return " ".join(str(points.table.rows[point]) for point in chosen)


def _mean_place(points: Points, at: list[int]) -> tuple[float, float]:
    """Return latitude and longitude (degrees) of a point, or of the centre of several points."""
    if len(at) == 1:
        return float(points.latitude[at[0]]), float(points.longitude[at[0]])
    x, y, z = unit_vectors(points.latitude[at], points.longitude[at]).mean(axis=0)
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def _mean_time(times: Any) -> np.datetime64:
    return np.datetime64(times[0] + (times - times[0]).sum() // len(times))


def _mean_pair(row: MatchupRow) -> Pair:
    """Return the pair of a row; for several pairs, return one pair with mean distance and hours."""
    pairs = [match.pair for match in row.matches]
    first = pairs[0]
    if len(pairs) == 1:
        return first
    distance = float(np.mean([pair.distance_km for pair in pairs]))
    hours = float(np.mean([pair.hours for pair in pairs]))
    return Pair(first.point, first.scene, first.line, first.pixel, distance, hours)


def _of_points(values: Column, rows: Sequence[MatchupRow]) -> Column:
    """Return one value per row: the mean of the points' numbers, or the points' texts, joined."""
    chosen = [values[row.points] for row in rows]
    if values.dtype.kind == "U":
        joined = [BETWEEN.join(dict.fromkeys(text for text in c if text)) for c in chosen]
        return np.array(joined, dtype=np.str_)
    known = (c[np.isfinite(c)] for c in chosen)
    return np.array([c.mean() if c.size else np.nan for c in known], dtype=np.float64)


def _texts(values: Iterable[str], long_name: str) -> DescribedColumn:
    return DescribedColumn(np.array(list(values), dtype=np.str_), "", long_name)


def _numbers(values: Iterable[float], units: str, long_name: str) -> DescribedColumn:
    return DescribedColumn(np.array(list(values), dtype=np.float32), units, long_name)


def _counts(values: Iterable[int], long_name: str) -> DescribedColumn:
    return DescribedColumn(np.array(list(values), dtype=np.int32), "1", long_name)


def _times(times: Times, long_name: str) -> DescribedColumn:
    """Return times as ISO 8601 in UTC, to the second; NaT becomes an empty text."""
    texts = ("" if np.isnat(time) else f"{time.astype('datetime64[s]')}Z" for time in times)
    return _texts(texts, long_name)
