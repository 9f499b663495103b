"""Points to match with scenes: a table in the layout of NOMAD, and the points for an oracle."""

import datetime
from pathlib import Path

import numpy as np

COMMENTS = """! NOMAD-like points, made for a test
! fields:
! chl    ~ chlorophyll a (mg m-3)
! ap     ~ particulate absorption (m-1)
"""
HEADER = "year,month,day,hour,minute,second,lat,lon,id,chl,ap443,Rrs_443,cruise"


def write_nomad(path: Path, points) -> Path:
    """Write points ``(row, latitude, longitude, time or None)``; without a time the hour lacks."""
    lines = []
    for row, latitude, longitude, time in points:
        date = time or datetime.datetime(2011, 9, 10)
        clock = f"{time:%H,%M},{time.second + time.microsecond / 1e6:g}" if time else "-999,00,00"
        lines.append(
            f"{date:%Y,%m,%d},{clock},{latitude!r},{longitude!r},{row},{0.5 + row / 100:g},"
            f"{row / 1000:g},{0.001 * row:g},cruise{row % 7}"
        )
    path.write_text(COMMENTS + HEADER + "\n" + "\n".join(lines) + "\n")
    return path


def first_row() -> int:
    """The line of the first point in the file."""
    return COMMENTS.count("\n") + 2


def around(latitude, longitude, middle, count, seed, hours=4.0):
    """Points at random in and around a swath and a time; rows as they stand in a file.

    Latitude and longitude are those of the swath's pixels. Half of the points are a little beside a
    pixel, some at its edges, some a few kilometres outside; times are within some hours.
    """
    draw = np.random.default_rng(seed)
    lines, pixels = latitude.shape
    points = []
    for number in range(count):
        line, pixel = int(draw.integers(lines)), int(draw.integers(pixels))
        if number % 5 == 0:
            line = int(draw.choice([0, 1, 2, lines - 3, lines - 2, lines - 1]))
        elif number % 5 == 1:
            pixel = int(draw.choice([0, 1, 2, pixels - 3, pixels - 2, pixels - 1]))
        spread = 0.004 if number % 3 else 0.03
        place = latitude[line, pixel], longitude[line, pixel]
        if not np.isfinite(place).all():
            continue
        seconds = int(draw.uniform(-hours, hours) * 3600)
        time = (middle + datetime.timedelta(seconds=seconds)).replace(microsecond=0)
        aside = draw.normal(scale=spread, size=2)
        turned = (float(place[1] + aside[1]) + 180) % 360 - 180
        points.append((round(float(place[0] + aside[0]), 6), round(turned, 6), time))
    return points


def numbered(points):
    """The points with the lines at which they will stand in a file."""
    return [(first_row() + place, *point) for place, point in enumerate(points)]
