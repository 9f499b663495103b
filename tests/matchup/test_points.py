"""Points: where and when they are, from tables of every layout."""

import numpy as np
import pytest

from pipeline.config.matchup import PointsConfig
from pipeline.errors import ConfigError
from pipeline.matchup.points import read_points

NOON = np.datetime64("2011-09-10T12:30:15", "us")


@pytest.mark.parametrize(
    ("header", "cells", "config"),
    [
        ("lat,lon,datetime", "50,-97,2011-09-10T12:30:15Z", {}),
        ("lat,lon,time", "50,-97,2011-09-10T14:30:15+02:00", {}),
        ("Latitude,Longitude,date,time", "50,-97,20110910,12:30:15", {}),
        ("lat,lon,date,time", "50,-97,2011-09-10,12:30:15Z", {}),
        ("lat,lon,year,month,day,hour,minute,second", "50,-97,2011,9,10,12,30,15", {}),
        ("lat,lon,year,month,day,hour", "50,-97,2011,9,10,12.504166666666666", None),
        (
            "breite,laenge,wann",
            "50,-97,20110910T123015",
            {"latitude": "breite", "longitude": "laenge", "time": {"instant": "wann"}},
        ),
    ],
)
def test_times_in_many_spellings(tmp_path, header, cells, config):
    """One column, date and time, or parts; by their usual names or by those of a configuration."""
    path = tmp_path / "points.csv"
    path.write_text(f"{header},chl\n{cells},0.3\n")
    points = read_points(path, PointsConfig.model_validate(config or {}))
    assert points.times.tolist() == [NOON.tolist()]
    assert (points.latitude[0], points.longitude[0]) == (50, -97)
    assert list(points.carried) == ["chl"]


def test_seabass(tmp_path):
    """Date and time are columns, the cruise stands in the header, units are kept."""
    path = tmp_path / "points.sb"
    path.write_text(
        "/begin_header\n/cruise=blue\n/missing=-999\n/delimiter=comma\n"
        "/fields=date,time,lat,lon,chl\n/units=yyyymmdd,hh:mm:ss,degrees,degrees,mg/m^3\n"
        "/end_header\n20110910,12:30:15,50,-97,0.3\n20110910,-999,50,-97,0.4\n"
    )
    points = read_points(path, PointsConfig())
    assert points.times[0] == NOON
    assert points.timed.tolist() == [True, False]
    assert points.carried["cruise"].tolist() == ["blue", "blue"]
    assert points.table.units["chl"] == "mg/m^3"


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("lat,lon,datetime", "50,-97,2011-09-10"),
        ("lat,lon,datetime", "50,-97,20110910"),
        ("lat,lon,datetime", "50,-97,soon"),
        ("lat,lon,date,time", "50,-97,20110910,25:00"),
        ("lat,lon,year,month,day,hour", "50,-97,2011,9,10,-999"),
        ("lat,lon,year,month,day,hour,minute", "50,-97,2011,9,10,12,77"),
        ("lat,lon,year,month,day,hour", "50,-97,2011,2,30,12"),
        ("lat,lon,year,month,day,hour", "50,-97,2011,9,10.5,12"),
    ],
)
def test_a_date_alone_is_no_time(tmp_path, header, cells):
    """An hour, a minute or a day that does not exist is no time either; it is quoted."""
    path = tmp_path / "points.csv"
    path.write_text(f"{header}\n{cells}\n")
    with pytest.raises(ConfigError, match=r"no point has a time: (found|no values)"):
        read_points(path, PointsConfig(missing=(-999,)))


@pytest.mark.parametrize(
    ("place", "placed"),
    [("50,-97", True), ("90,360", True), ("91,0", False), ("0,-181", False), ("0,", False)],
)
def test_places(tmp_path, place, placed):
    """On the globe, longitudes from -180 or from 0."""
    path = tmp_path / "points.csv"
    path.write_text(f"lat,lon,time\n{place},2011-09-10T12:00\n")
    assert read_points(path, PointsConfig()).placed.tolist() == [placed]


@pytest.mark.parametrize(
    ("header", "config", "words"),
    [
        ("lat,x,time", {}, ("no column longitude or lon", "points.longitude")),
        ("lat,lon,when", {}, ("no columns with the time", "points.time")),
        ("lat,lon,time", {"latitude": "north"}, ("points.latitude", "'north'")),
        ("lat,lon,time", {"time": {"instant": "day"}}, ("points.time", "day")),
        ("lat,lon,time", {"units": {"chl": "m"}}, ("points.units", "chl")),
    ],
)
def test_what_is_missing_is_said(tmp_path, header, config, words):
    """With the columns there are, and where another name can be given."""
    path = tmp_path / "points.csv"
    path.write_text(f"{header}\n50,-97,2011-09-10T12:00\n")
    with pytest.raises(ConfigError) as error:
        read_points(path, PointsConfig.model_validate(config))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "units", ["degrees_west", "deg W", "\N{DEGREE SIGN}S", "radians", "degrees minutes"]
)
def test_positions_in_other_units_are_refused(tmp_path, units):
    """A longitude to the west would be a place on the other side of Greenwich."""
    path = tmp_path / "points.csv"
    path.write_text(f"lat,lon [{units}],time\n49.9,96.9,2011-09-10T19:00\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected degrees to the east"):
        read_points(path, PointsConfig())
    assert read_points(path, PointsConfig(units={"lon": "degrees_east"})).placed.all()


def test_messages_of_tables_name_both_sections(tmp_path):
    """A table of points is configured under ``points``, not under ``samples``."""
    path = tmp_path / "points.csv"
    path.write_text("lat,lon,time\n49.9,-96.9,2011-09-10T19:00,1\n")
    with pytest.raises(ConfigError, match=r"samples.delimiter \(.*points.delimiter"):
        read_points(path, PointsConfig())
