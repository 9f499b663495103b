"""Match-ups and rejections as tables, with what each column means and how they were made."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.config.matchup import MatchupConfig
from pipeline.facts.quantities import Quantity, quantities
from pipeline.matchup.find import Matchups
from pipeline.matchup.nearest import unit_vectors
from pipeline.matchup.pairs import Pair
from pipeline.matchup.points import Points
from pipeline.matchup.selection import Row
from pipeline.matchup.statistics import Statistic
from pipeline.matchup.window import ZENITHS
from pipeline.tables.table import Column
from pipeline.tables.writing import SampleTable
from pipeline.version import __version__

INSITU = "insitu_"
"""In front of a column of the points whose name is that of a column from the scenes."""
BETWEEN = " | "
"""Between different texts of points that are averaged."""
_BAND = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True, eq=False)
class Made:
    """A column with what it means."""

    values: Column
    units: str
    long_name: str


def matchup_table(found: Matchups, points: Points, config: MatchupConfig) -> SampleTable:
    """A row for each match-up: the scene's values first, then the columns of the points."""
    columns = _facts(found.rows, points, config) | _scene_values(found.rows, config.quantity)
    clashing = re.compile(rf"{re.escape(config.quantity)}_?\d.*")
    for name, values in points.carried.items():
        clash = name in columns or clashing.fullmatch(name) is not None
        columns[INSITU + name if clash else name] = Made(
            _of_points(values, found.rows), points.table.units.get(name, ""), f"in situ: {name}"
        )
    return _table(columns, "match-ups of in-situ points and scenes", points, config)


def rejection_table(found: Matchups, points: Points, config: MatchupConfig) -> SampleTable:
    """A row for each reason against a pair that was considered and not used."""
    listed = [(r, reason) for r in found.rejections for reason in r.reasons]
    rejected = [rejection for rejection, _ in listed]
    reasons = [reason for _, reason in listed]
    at = [rejection.point for rejection in rejected]
    columns = {
        "point": Made(_texts(_row_of(points, (p,)) for p in at), "", "row of the table of points"),
        "latitude": Made(points.latitude[at], "degrees_north", "latitude of the point"),
        "longitude": Made(points.longitude[at], "degrees_east", "longitude of the point"),
        "time": Made(_times(points.times[at]), "", "time of the point, UTC"),
        **_pair_columns([rejection.pair for rejection in rejected]),
        "reason": Made(_texts(reason.name for reason in reasons), "", "why it was not used"),
        "found": Made(_singles(reason.found for reason in reasons), "", "number that decided"),
        "limit": Made(_singles(reason.limit for reason in reasons), "", "what it had to keep"),
        "detail": Made(_texts(reason.detail for reason in reasons), "", "more about the reason"),
    }
    return _table(columns, "pairs of point and scene that gave no match-up", points, config)


def _table(
    columns: Mapping[str, Made], title: str, points: Points, config: MatchupConfig
) -> SampleTable:
    attributes = {
        "title": title,
        "source": f"ocpipe {__version__}",
        "points": points.table.name,
        "points_sha256": points.table.sha256,
        "configuration": json.dumps(config.model_dump(mode="json"), separators=(",", ":")),
    }
    if points.table.licence:
        attributes["license"] = " ".join(points.table.licence.split())
    meanings = {name: Quantity(name, made.units, made.long_name) for name, made in columns.items()}
    return SampleTable({name: made.values for name, made in columns.items()}, meanings, attributes)


def _facts(rows: Sequence[Row], points: Points, config: MatchupConfig) -> dict[str, Made]:
    """What is true of a match-up as a whole."""
    first = [row.matches[0] for row in rows]
    judged = [match.judgement for match in first]
    placed = [_mean_place(points, _points_of(row)) for row in rows]
    times = [_mean_time(points.times[list(_points_of(row))]) for row in rows]
    angles = {
        name: Made(
            _singles(j.middle.get(name, np.nan) for j in judged),
            *("degree", quantities()[name].long_name),
        )
        for name in ZENITHS
    }
    return {
        "point": Made(
            _texts(_row_of(points, _points_of(row)) for row in rows), "", "row of the points' table"
        ),
        "latitude": Made(_numbers(p[0] for p in placed), "degrees_north", "latitude of the point"),
        "longitude": Made(_numbers(p[1] for p in placed), "degrees_east", "longitude of the point"),
        "time": Made(_times(np.array(times, dtype="datetime64[us]")), "", "time of the point, UTC"),
        **_pair_columns([_mean_pair(row) for row in rows]),
        "sensor": Made(_texts(m.pair.scene.sensor for m in first), "", "sensor of the scene"),
        "brdf_correction": Made(
            _texts(m.pair.scene.brdf_correction for m in first), "", "of the scene's reflectances"
        ),
        "insitu_brdf_correction": Made(
            _texts(config.points.brdf_correction for _ in rows), "", "of in-situ reflectances"
        ),
        "points_in_pixel": Made(
            _wholes(row.points_in_pixel for row in rows), "1", "points with this pixel"
        ),
        "window_pixels": Made(_wholes(config.window**2 for _ in rows), "1", "pixels of the window"),
        "counted_pixels": Made(_wholes(j.counted for j in judged), "1", "those that are no land"),
        "valid_pixels": Made(_wholes(j.valid for j in judged), "1", "valid pixels of the window"),
        "variation": Made(
            _singles(j.variation for j in judged),
            *("1", "coefficient of variation by which the window was judged"),
        ),
        **angles,
        "not_applied": Made(
            _texts(", ".join(j.not_applied) for j in judged),
            *("", "criteria for which the scene has nothing"),
        ),
    }


def _pair_columns(pairs: Sequence[Pair | None]) -> dict[str, Made]:
    """Where and when the scene was met; nothing where a point is at fault by itself."""

    def times() -> Iterator[np.datetime64]:
        for pair in pairs:
            middle = pair.scene.coverage.middle if pair else None
            yield np.datetime64("NaT") if middle is None else middle

    return {
        "scene": Made(_texts(p.scene.name if p else "" for p in pairs), "", "file of the scene"),
        "scene_time": Made(
            _times(np.array(list(times()), dtype="datetime64[us]")),
            *("", "middle of the scene's time coverage, UTC"),
        ),
        "time_difference": Made(
            _singles(p.hours if p else np.nan for p in pairs), "h", "point minus scene"
        ),
        "line": Made(_wholes(p.line if p else -1 for p in pairs), "1", "line of the pixel, from 0"),
        "pixel": Made(_wholes(p.pixel if p else -1 for p in pairs), "1", "pixel in it, from 0"),
        "distance": Made(
            _singles(p.distance_km if p else np.nan for p in pairs),
            *("km", "from the point to the middle of the pixel"),
        ),
    }


def _scene_values(rows: Sequence[Row], quantity: str) -> dict[str, Made]:
    """Value, standard deviation and number of pixels of each layer that any scene has."""
    found = [row.matches[0].judgement.statistics for row in rows]
    names = dict.fromkeys(name for statistics in found for name in statistics)
    nothing = Statistic(float("nan"), float("nan"), 0)
    columns: dict[str, Made] = {}
    for name in sorted(names, key=lambda name: _in_order(name, quantity)):
        values = [statistics.get(name, nothing) for statistics in found]
        units, long_name = _meaning(name, quantity)
        columns |= {
            name: Made(_singles(s.value for s in values), units, long_name),
            f"{name}_std": Made(
                _singles(s.deviation for s in values), units, f"standard deviation of {long_name}"
            ),
            f"{name}_n": Made(_wholes(s.count for s in values), "1", f"pixels in {name}"),
        }
    return columns


def _in_order(name: str, quantity: str) -> tuple[bool, float, str]:
    """Bands by their wavelengths, then the others."""
    match = _BAND.fullmatch(name)
    is_band = match is not None and match[1] == quantity
    return not is_band, float(match[2]) if match and is_band else 0.0, name


def _meaning(name: str, quantity: str) -> tuple[str, str]:
    match = _BAND.fullmatch(name)
    if match is not None and match[1] == quantity:
        known = quantities()[quantity]
        return known.units, f"{known.long_name} at {match[2]} nm, scene"
    known_units = quantities()[name].units if name in quantities() else ""
    return known_units, f"{name}, scene"


def _points_of(row: Row) -> tuple[int, ...]:
    return tuple(match.pair.point for match in row.matches)


def _row_of(points: Points, chosen: Sequence[int]) -> str:
    """``86``, or ``86 90`` of points that are averaged."""
    return " ".join(str(points.table.rows[point]) for point in chosen)


def _mean_place(points: Points, chosen: Sequence[int]) -> tuple[float, float]:
    """Latitude and longitude (degrees); of several points in the middle of them on the sphere."""
    at = list(chosen)
    if len(at) == 1:
        return float(points.latitude[at[0]]), float(points.longitude[at[0]])
    x, y, z = unit_vectors(points.latitude[at], points.longitude[at]).mean(axis=0)
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def _mean_time(times: Any) -> np.datetime64:
    return np.datetime64(times[0] + (times - times[0]).sum() // len(times))


def _mean_pair(row: Row) -> Pair:
    """The pair of a row; of several points with their mean distance and time."""
    pairs = [match.pair for match in row.matches]
    first = pairs[0]
    if len(pairs) == 1:
        return first
    distance = float(np.mean([pair.distance_km for pair in pairs]))
    hours = float(np.mean([pair.hours for pair in pairs]))
    return Pair(first.point, first.scene, first.line, first.pixel, distance, hours)


def _of_points(values: Column, rows: Sequence[Row]) -> Column:
    """A column of the points along the rows: numbers averaged, different texts side by side."""
    chosen = [values[list(_points_of(row))] for row in rows]
    if values.dtype.kind == "U":
        return _texts(BETWEEN.join(dict.fromkeys(text for text in c if text)) for c in chosen)
    known = (c[np.isfinite(c)] for c in chosen)
    return _numbers(c.mean() if c.size else np.nan for c in known)


def _texts(values: Any) -> Column:
    return np.array(list(values), dtype=np.str_)


def _numbers(values: Any) -> Column:
    return np.array(list(values), dtype=np.float64)


def _singles(values: Any) -> Column:
    return np.array(list(values), dtype=np.float32)


def _wholes(values: Any) -> Column:
    return np.array(list(values), dtype=np.int32)


def _times(times: Any) -> Column:
    """ISO 8601 in UTC to the second; "" where there is none."""
    return np.array(
        ["" if np.isnat(time) else f"{time.astype('datetime64[s]')}Z" for time in times],
        dtype=np.str_,
    )
