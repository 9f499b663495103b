"""A small scene of even water, and a table of in-situ points in it."""

import datetime

import numpy as np
from obpg_miniature import CLDICE, counts_of, write_obpg_l2

SHAPE = (40, 40)
BANDS = {412: 0.006, 443: 0.005, 490: 0.004, 555: 0.002}
AT = datetime.datetime(2020, 1, 2, 3, 6, 35, tzinfo=datetime.UTC)  # the miniature's middle


def scene(folder, name="scene.nc", **changes):
    """Even water whose colour changes slowly from west to east; a cloud in a corner."""
    pixel = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][1]
    counts = {nm: counts_of(rrs * (1 + 0.01 * pixel)) for nm, rrs in BANDS.items()}
    clouds = np.zeros(SHAPE, int)
    clouds[30:, 30:] = CLDICE
    return write_obpg_l2(folder / name, counts, flags=clouds, **changes)


def place(line, pixel):
    return 10 + 0.01 * line, 20 + 0.01 * pixel


def table(folder, places, header="", cells=""):
    time = f"{AT:%Y-%m-%dT%H:%M:%SZ}"
    lines = [
        f"{latitude},{longitude},{time},c{number % 5},{0.1 * (number + 1):g}{cells}"
        for number, (latitude, longitude) in enumerate(places)
    ]
    path = folder / "points.csv"
    path.write_text(f"lat,lon,time,cruise,chlor_a [mg m-3]{header}\n" + "\n".join(lines) + "\n")
    return path
