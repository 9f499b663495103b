"""Match-ups row for row, with values, counts and reasons, against a selection by brute force."""

import datetime
import math
from pathlib import Path

import netCDF4
import numpy as np
import oracle_matchup
import pytest
from matchup_points import around, numbered, write_nomad
from miniatures.truth import image_of_coordinates
from obpg_miniature import CLDICE, LAND, counts_of, write_obpg_l2

from pipeline.config.matchup import load_matchup_config
from pipeline.matchup.find import find_matchups
from pipeline.matchup.output import matchup_table, rejection_table
from pipeline.matchup.points import read_points
from pipeline.tables import read_table
from pipeline.tables.writing import write_samples


def tables(folder: Path, points, paths, **changes):
    """Both tables as they are read from files."""
    config = load_matchup_config(None, changes)
    read = read_points(write_nomad(folder / "points.txt", points), config.points)
    found = find_matchups(read, paths, config)
    assert found.failed == 0
    write_samples(folder / "m.csv", matchup_table(found, read, config))
    write_samples(folder / "r.csv", rejection_table(found, read, config))
    return read_table(folder / "m.csv"), read_table(folder / "r.csv")


def compare(matches, rejected, expected, reasons):
    """Every row of both tables."""
    order = sorted(expected, key=lambda match: match["row"])
    assert [f"{m['row']}" for m in order] == matches.labels("point").tolist()
    assert [m["scene"] for m in order] == matches.labels("scene").tolist()
    for column, key in (
        ("line", "line"),
        ("pixel", "pixel"),
        ("valid_pixels", "valid"),
        ("counted_pixels", "counted"),
    ):
        assert [m[key] for m in order] == matches.numbers(column).tolist()
    for column, key, exactness in (
        ("distance", "distance", 1e-6),
        ("time_difference", "hours", 1e-6),
        ("variation", "variation", 1e-6),
    ):
        np.testing.assert_allclose(
            matches.numbers(column), [m[key] for m in order], rtol=exactness, atol=1e-7
        )
    labels = matches.labels("not_applied").tolist()
    assert [m["not_applied"] for m in order] == labels
    for name in order[0]["values"]:
        for place, ending in enumerate(("", "_std", "_n")):
            wanted = [m["values"][name][place] for m in order]
            np.testing.assert_allclose(
                matches.numbers(name + ending), wanted, rtol=1e-6, atol=1e-12, err_msg=name + ending
            )
    for name in ("solar_zenith", "sensor_zenith"):
        wanted = [m["angles"][name] for m in order]
        np.testing.assert_allclose(matches.numbers(name), wanted, rtol=1e-6)
    rows = zip(
        rejected.labels("point"),
        rejected.labels("scene"),
        rejected.labels("reason"),
        rejected.numbers("found"),
        rejected.numbers("limit"),
        strict=True,
    )
    got = sorted(rows, key=lambda row: (int(row[0]), row[1], row[2]))
    wanted = sorted(reasons, key=lambda row: (row[0], row[1], row[2]))
    assert [(str(w[0]), w[1], w[2]) for w in wanted] == [row[:3] for row in got]
    for place in (3, 4):
        np.testing.assert_allclose(
            [row[place] for row in got], [w[place] for w in wanted], rtol=1e-6, atol=1e-9
        )


def as_read(points):
    """-999 is missing in NOMAD's layout."""
    return [(r, *(math.nan if x == -999 else x for x in place), t) for r, *place, t in points]


def counted(reasons):
    names = [reason[2] for reason in reasons]
    return {name: names.count(name) for name in sorted(set(names))}


@pytest.fixture(scope="module")
def lake_points(modis_scene):
    """Points in and around the real scene; some on its lakes, where windows are good."""
    scene = oracle_matchup.Scene(modis_scene)
    points = around(scene.latitude, scene.longitude, scene.middle, 130, seed=3)
    good = ~scene.raised(oracle_matchup.NASA["masks"])
    for nm in (412, 443, 469, 488, 531, 547, 555):
        good &= np.isfinite(scene.bands[nm])
    draw = np.random.default_rng(4)
    for line, pixel in draw.choice(np.argwhere(good), 90, replace=False):
        time = scene.middle + datetime.timedelta(seconds=int(draw.uniform(-11500, 11500)))
        aside = draw.normal(scale=0.003, size=2)
        points.append(
            (
                round(float(scene.latitude[line, pixel] + aside[0]), 6),
                round(float(scene.longitude[line, pixel] + aside[1]), 6),
                time.replace(microsecond=0),
            )
        )
    far = scene.middle + datetime.timedelta(hours=30)
    points += [
        (-999.0, -97.0, scene.middle.replace(microsecond=0)),
        (52.0, -97.0, None),
        (52.0, -97.0, far.replace(microsecond=0)),
        (10.0, 20.0, scene.middle.replace(microsecond=0)),
        (-999.0, -999.0, None),
    ]
    return numbered(points)


def test_the_real_scene(modis_scene, lake_points, tmp_path):
    """225 points on land, lakes, at edges, outside, too early and too late."""
    expected, reasons = oracle_matchup.select(as_read(lake_points), [modis_scene])
    assert len(lake_points) == 225
    assert len(expected) == 40
    assert counted(reasons) == {
        "no_position": 2,
        "no_time": 2,
        "outside_scene": 4,
        "outside_time_window": 29,
        "too_few_valid_pixels": 75,
        "variation_too_high": 49,
        "window_beyond_edge": 25,
    }
    matches, rejected = tables(tmp_path, lake_points, [modis_scene])
    compare(matches, rejected, expected, reasons)


# A series of miniatures

START = datetime.datetime(2020, 7, 1, 2, 30, tzinfo=datetime.UTC)
SHAPE = (64, 52)
# Reasons that are there whatever the protocol.
EVERYWHERE = {
    *("no_position", "outside_scene", "outside_time_window", "scene_without_time"),
    *("sensor_zenith_too_high", "solar_zenith_too_high", "too_few_valid_pixels"),
    *("variation_too_high", "window_beyond_edge"),
}


def miniature(folder, name, after_hours, *, seed, minutes=5.0, **navigation):
    """A scene with clouds, land, low sun and sidelong views in parts, and water of all evenness."""
    truth = image_of_coordinates(*SHAPE, [443], **navigation)
    draw = np.random.default_rng(seed)
    line, pixel = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    uneven = 0.02 + 0.3 * (pixel / SHAPE[1]) ** 2
    shared = 1 + uneven * draw.standard_normal(SHAPE)
    counts = {}
    for nm, typical in ((412, 0.006), (443, 0.005), (490, 0.004), (555, 0.002), (667, 0.0004)):
        rrs = typical * shared * (1 + 0.03 * draw.standard_normal(SHAPE))
        stored = np.clip(counts_of(rrs), -30000, 25000)
        stored[draw.random(SHAPE) < 0.02] = -32767
        stored[draw.random(SHAPE) < 0.01] = 26001  # beyond the valid range
        counts[nm] = stored
    clouds = (line // 7 + pixel // 9) % 4 == 0
    land = (line > 50) & (pixel < 20)
    path = write_obpg_l2(
        folder / name,
        counts,
        flags=CLDICE * clouds + LAND * land,
        latitude=truth.latitude,
        longitude=truth.longitude,
        extra={
            "solz": 60 + 0.3 * line,
            "senz": 20 + 0.9 * pixel,
            "aot_869": 0.1 * (1 + 0.05 * draw.standard_normal(SHAPE)),
        },
        chunk=(16, 20),
    )
    with netCDF4.Dataset(path, "a") as file:
        for ending, moment in (("start", 0.0), ("end", minutes)):
            said = START + datetime.timedelta(hours=after_hours, minutes=moment)
            file.setncattr(f"time_coverage_{ending}", f"{said:%Y-%m-%dT%H:%M:%S}.000Z")
    return path


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Three days over one place, twice on one of them; the antimeridian; holes; no time."""
    folder = tmp_path_factory.mktemp("series")
    made = [
        miniature(folder, "day1.nc", 0, seed=1),
        miniature(folder, "day1_later.nc", 1.6, seed=2, center=(34.7, 139.25), descending=False),
        miniature(folder, "day2.nc", 23.5, seed=3),
        miniature(folder, "day3_antimeridian.nc", 48, seed=4, antimeridian=True),
        miniature(folder, "day3_pole.nc", 48.5, seed=5, pole=True),
        miniature(folder, "holes.nc", 72, seed=6, center=(-20.0, 10.0)),
        miniature(folder, "composite.nc", 90, seed=7, center=(-20.0, 10.0), minutes=600),
        miniature(folder, "timeless.nc", 0, seed=8, center=(0.0, 0.0)),
    ]
    with netCDF4.Dataset(made[5], "a") as file:
        for name in ("latitude", "longitude"):
            variable = file["navigation_data"][name]
            variable.set_auto_mask(False)
            values = variable[:]
            values[20:34, 10:30] = -999
            values[40] = -999
            variable[:] = values
    with netCDF4.Dataset(made[7], "a") as file:
        for ending in ("start", "end"):
            file.delncattr(f"time_coverage_{ending}")
    return made


@pytest.fixture(scope="module")
def series_points(series):
    points = []
    for number, path in enumerate(series):
        scene = oracle_matchup.Scene(path)
        middle = scene.middle or START
        points += around(scene.latitude, scene.longitude, middle, 45, seed=10 + number, hours=3.5)
    # Two in one pixel, one on the antimeridian as longitude 180 and from 0 to 360.
    points += [points[3], (34.6, 180.0, START + datetime.timedelta(hours=48))]
    points += [(34.6, 180.004, START + datetime.timedelta(hours=48)), (95.0, 0.0, START)]
    return numbered(points)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        (
            {"window": 3, "hours": 1.0, "valid": {"more_than": True}, "scenes": "all"},
            {"window": 3, "hours": 1.0, "more_than": True, "keep_all": True},
        ),
        ({"hours": 6.0, "scenes": "all"}, {"hours": 6.0, "keep_all": True}),
    ],
    ids=["nasa", "strict", "all"],
)
def test_the_series(series, series_points, tmp_path, changes, rules):
    """Days, passes, the antimeridian, a pole, holes, land, clouds, low sun, sidelong views."""
    expected, reasons = oracle_matchup.select(series_points, series, **rules)
    assert len(expected) > 30
    assert set(counted(reasons)) >= EVERYWHERE
    matches, rejected = tables(tmp_path, series_points, series, **changes)
    compare(matches, rejected, expected, reasons)
