"""Tables with times as people write them, matched with one scene; and what cannot be read."""

import numpy as np
import pytest
from click.testing import CliRunner
from obpg_miniature import counts_of, write_obpg_l2
from table_files import AERONET, ERDDAP, PANGAEA, seabass

from pipeline.cli import main
from pipeline.config.matchup import PointsConfig, load_matchup_config
from pipeline.errors import ConfigError
from pipeline.matchup.find import find_matchups
from pipeline.matchup.points import read_points
from pipeline.tables import read_table

# The miniature is of 2020-01-02, 03:04:05 to 03:09:05, at 10 N 20 E.
PLACE = "10.1,20.1"
ROW, CELLS = "lat,lon,time", f"\n{PLACE},2020-01-02T03:00"
NOON_FORMAT = {"date": "date", "time": "time", "format": "%Y%m%d %H%M"}


def of_miniature(text):
    """A table of Lake Winnipeg in 2011, moved to the place and day of the miniature."""
    moved = text.replace("20110910", "20200102").replace("2011-09-10", "2020-01-02")
    moved = moved.replace("10:09:2011", "02:01:2020").replace("T19:0", "T03:0")
    moved = moved.replace("19:00:30", "03:00:30").replace("2011,253,19", "2020,2,3")
    moved = moved.replace(",19,0,30", ",3,0,30")
    for old, new in (("49.93", "10.1"), ("-96.94", "20.1"), ("49.92", "10.2"), ("-96.93", "20.2")):
        moved = moved.replace(old, new)
    return moved


DATE_HOUR = "date,hour,minute,second,lat,lon,CHL"
DAY_OF_YEAR = "year,sdy,hour,minute,second,lat,lon,CHL"
TABLES = {
    "header_time.sb": (seabass("wavelength,Rrs", "nm,1/sr", "412,0.004", "443,0.0045"), {}),
    "date_and_hour.sb": (
        seabass(DATE_HOUR, "yyyymmdd,hh,mn,ss,a,a,mg/m^3", "20110910,19,0,30,49.93,-96.94,1.0"),
        {},
    ),
    "day_of_year.sb": (
        seabass(DAY_OF_YEAR, "yyyy,ddd,hh,mn,ss,a,a,mg/m^3", "2011,253,19,0,30,49.93,-96.94,1.0"),
        {},
    ),
    "parts_and_time.sb": (
        seabass(
            *("year,month,day,time,lat,lon,CHL", "yyyy,mo,dd,hh:mm:ss,a,a,mg/m^3"),
            "2020,1,2,03:00:30,10.1,20.1,1.0",
        ),
        {},
    ),
    "day_and_time.sb": (
        seabass(
            *("year,sdy,time,lat,lon,CHL", "yyyy,ddd,hh:mm:ss,a,a,mg/m^3"),
            "2020,2,03:00:30,10.1,20.1,1.0",
        ),
        {},
    ),
    "day_before_month.csv": ("lat,lon,date (yyyyddmm),time\n10.1,20.1,20200201,03:00\n", {}),
    "day_before_month_2.csv": ("lat,lon,date [yyyy-dd-mm],time\n10.1,20.1,2020-02-01,3:00\n", {}),
    "parts_and_hhmm.csv": ("lat,lon,year,month,day,time (hhmm)\n10.1,20.1,2020,1,2,0300\n", {}),
    "zone_by_name.csv": ("lat,lon,date,time\n10.1,20.1,2020-01-02,03:00 UTC\n", {}),
    "spreadsheet.csv": ("lat,lon,date,time\n10.1,20.1,2020-01-02,1899-12-30 03:00:00\n", {}),
    "day_before.csv": ("lat,lon,date,time\n10.1,20.1,2020-01-01,2020-01-02T03:00Z\n", {}),
    "zone_of_units.csv": (
        "lat,lon,time [hours since 2020-01-01 22:00 -5:00]\n10.1,20.1,0\n",
        {},
    ),
    "older_aeronet.txt": (AERONET.replace("dd-mm-yyyy", "dd-mm-yy"), {}),
    "offset.csv": ("lat,lon,date,time\n10.1,20.1,2020-01-01,22:00:00-05:00\n", {}),
    "day_first.csv": (
        "lat,lon,datetime\n10.1,20.1,2/1/2020 03:00\n",
        {"instant": "datetime", "format": "%d/%m/%Y %H:%M"},
    ),
    "serial.csv": (
        "lat,lon,datetime\n10.1,20.1,43832.125\n",
        {"instant": "datetime", "format": "days since 1899-12-30"},
    ),
    "serial_units.csv": ("lat,lon,time [days since 2020-01-01]\n10.1,20.1,1.125\n", {}),
    "hhmm.csv": ("lat,lon,date,time\n10.1,20.1,20200102,0300\n", NOON_FORMAT),
    "hhmm_units.csv": ("lat,lon,date,time (hhmm)\n10.1,20.1,20200102,0300\n", {}),
    "columns.csv": (
        "lat,lon,tag,stunde\n10.1,20.1,20200102,3\n",
        {"date": "tag", "hour": "stunde"},
    ),
    "pangaea.tab": (PANGAEA, {}),
    "erddap.csv": (ERDDAP, {}),
    "aeronet.txt": (AERONET, {}),
}


def scene(folder):
    counts = {nm: counts_of(np.full((40, 40), rrs)) for nm, rrs in ((412, 0.006), (555, 0.002))}
    return write_obpg_l2(folder / "scene.nc", counts)


@pytest.mark.parametrize("name", TABLES)
def test_a_point_finds_its_scene(tmp_path, name):
    """Three or four minutes before the scene, in whatever way the time is written."""
    text, time = TABLES[name]
    path = tmp_path / name
    path.write_text(of_miniature(text), encoding="utf-8")
    points = read_points(path, PointsConfig.model_validate({"time": time}))
    found = find_matchups(points, [scene(tmp_path)], load_matchup_config())
    pair = found.rows[0].matches[0].pair
    assert (pair.line, pair.pixel) == (10, 10)
    assert -0.12 < pair.hours < -0.1


@pytest.mark.parametrize(
    ("header", "cells", "words"),
    [
        ("lat,lon,datetime", f"{PLACE},9/10/2011 19:00", "found '9/10/2011 19:00' in column 'date"),
        ("lat,lon,datetime", f"{PLACE},40796.7917", "found '40796.7917' in column 'datetime'"),
        ("lat,lon,date,time", f"{PLACE},20110910,1900", "found '20110910 1900' in columns"),
        ("lat,lon,datetime", f"{PLACE},2011-09-10", "dates without a time of day"),
        ("lat,lon,datetime", f"{PLACE},", "no values in column 'datetime'"),
        ("lat,lon,date,hour", f"{PLACE},soon,3", "found 'soon/3'"),
        ("lat,lon,year,sdy,hour", f"{PLACE},2011,366,3", "found '2011/366/3'"),
        ("lat,lon,year,month,day,hour", f"{PLACE},11,9,10,3", "found '11/9/10/3'"),
        ("lat,lon,year,month,day,time", f"{PLACE},2011,9,10,1900", "points.units, .* .time: hhmm"),
        ("lat,lon,date,time", f"{PLACE},2011-09,19:00", "found '2011-09 19:00'"),
        ("lat,lon,date,hour", f"{PLACE},2011,19", "found '2011/19'"),
    ],
)
def test_no_point_with_a_time_is_an_error(tmp_path, header, cells, words):
    """The message quotes the text, and the exit code is not 0."""
    path = tmp_path / "points.csv"
    path.write_text(f"{header}\n{cells}\n")
    with pytest.raises(ConfigError, match=f"no point has a time: .*{words}"):
        read_points(path, PointsConfig())
    output = tmp_path / "m.csv"
    done = CliRunner().invoke(main, ["matchup", str(path), str(scene(tmp_path)), "-o", str(output)])
    assert done.exit_code == 2
    assert not output.exists()


@pytest.mark.parametrize("units", ["local", "LT", "CDT", "UTC-5", "+0200", "CEST"])
def test_units_that_name_another_zone_are_refused(tmp_path, units):
    """Else the times would be hours wrong; who knows better says so."""
    path = tmp_path / "points.csv"
    path.write_text(f"lat,lon,date,time [{units}]\n{PLACE},2020-01-02,03:00\n")
    with pytest.raises(ConfigError, match="expected UTC"):
        read_points(path, PointsConfig())
    assert read_points(path, PointsConfig(units={"time": "UTC"})).timed.all()


def test_stated_units_may_state_the_format(tmp_path):
    """``points.units`` count before times are read."""
    path = tmp_path / "points.csv"
    path.write_text(f"lat,lon,datetime\n{PLACE},43832.125\n{PLACE},-999\n")
    points = read_points(path, PointsConfig(units={"datetime": "days since 1899-12-30"}))
    assert str(points.times[0]) == "2020-01-02T03:00:00.000000"
    assert np.isnat(points.times[1])
    assert "such as '-999' (line 3)" in points.table.told[-1]


def test_some_points_without_a_time_are_told(tmp_path):
    """The others are matched."""
    path = tmp_path / "points.csv"
    path.write_text(f"lat,lon,time\n{PLACE},soon\n{PLACE},2020-01-02T03:00\n{PLACE},\n")
    points = read_points(path, PointsConfig())
    assert points.timed.tolist() == [False, True, False]
    assert "1 of 3 points are not used" in points.table.told[-1]
    assert "'soon' (line 2)" in points.table.told[-1]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ({"date": "a", "format": "%Y"}, "expected instant"),
        ({"date": "a", "hour": "b", "format": "%Y"}, "'format' cannot be used with hour"),
        ({"instant": "a", "format": "%H:%M"}, "has no year"),
        ({"instant": "a", "format": "day first"}, "is not a format of times"),
        ({"year": "a", "day_of_year": "b"}, "year, day_of_year and hour"),
    ],
)
def test_columns_that_are_no_time_are_refused(time, words):
    """Before any file is read."""
    with pytest.raises(ConfigError, match=words):
        load_matchup_config({"points": {"time": time}})


def test_several_station_files(tmp_path):
    """A folder, a pattern or a list of tables; each row says its file."""
    folder = tmp_path / "stations"
    folder.mkdir()
    for station, units, chl in (("1", "mg/m^3", 1.5), ("2", "ug/l", 2.5)):
        text = seabass("CHL", units, str(chl)).replace("/station=7", f"/station={station}")
        (folder / f"s{station}.sb").write_text(of_miniature(text))
    (folder / "s3.csv").write_text("lat,lon,date,time\n10.3,20.3,20200102,03:00\n")
    (tmp_path / "list.txt").write_text(f"\ufeff{folder}/s1.sb\n# one less\n{folder}/s2.sb\n")
    for said, count in ((folder, 3), (f"{folder}/*.sb", 2), (f"@{tmp_path}/list.txt", 2)):
        points = read_points(said, PointsConfig())
        assert len(points) == count
        assert points.timed.all()
    output = tmp_path / "m.csv"
    arguments = ["matchup", f"{folder}/*.sb", str(scene(tmp_path)), "-o", str(output)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    table = read_table(output)
    assert table.labels("points_file").tolist() == ["s1.sb", "s2.sb"]
    assert table.numbers("CHL").tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no such file"),
        (
            {"a.csv": f"{ROW},c [m]{CELLS},3\n", "b.csv": f"{ROW},c [kg]{CELLS},2\n"},
            "'c' has units 'kg'",
        ),
        ({"a.csv": ROW + CELLS, "b.csv": ROW + CELLS}, "a.csv, b.csv have the same content"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, files, words):
    """Units that cannot be converted, and a file that is there twice."""
    folder = tmp_path / "stations"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_points(folder, PointsConfig())


def test_names_with_a_slash_are_written_to_netcdf(tmp_path):
    """A slash would begin a group there."""
    path, output = tmp_path / "a.txt", tmp_path / "m.nc"
    path.write_text(of_miniature(AERONET))
    done = CliRunner().invoke(main, ["matchup", str(path), str(scene(tmp_path)), "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert read_table(output).numbers("Lwn_f_Q_412").tolist() == [0.61]


def test_missing_values_of_the_command_line(tmp_path):
    """``--missing`` is the short way out of an error about -999."""
    path, output = tmp_path / "a.csv", tmp_path / "m.csv"
    path.write_text(f"lat,lon,time,chl\n{PLACE},2020-01-02T03:00,-999\n")
    arguments = ["matchup", str(path), str(scene(tmp_path)), "-o", str(output)]
    assert "'chl' has -999" in CliRunner().invoke(main, arguments).output
    done = CliRunner().invoke(main, [*arguments, "--missing", "-999"])
    assert done.exit_code == 0, done.output
    assert np.isnan(read_table(output).numbers("chl")).all()


def test_station_files_with_columns_of_their_own(tmp_path):
    """Each file is read by its own names, units and ways to write a time."""
    folder = tmp_path / "stations"
    folder.mkdir()
    head = "year,month,day,time,lat,lon,CHL", "yyyy,mo,dd,hh:mm:ss,a,a,ug/l"
    tables = {
        "a.sb": seabass("CHL", "mg/m^3", "1").replace("20110910", "20200102"),
        "b.sb": seabass(*head, "2020,1,2,03:00:30,10.1,20.1,2"),
        "c.csv": "latitude,longitude,datetime,CHL\n10.1,20.1,2020-01-02T03:00Z,3\n",
        "d.csv": "LAT,LON,time [days since 2020-01-01],CHL\n10.1,20.1,1.125,4\n",
        "e.csv": "lat,lon,time [days since 2020-01-02],date,CHL\n10.1,20.1,0.125,never,5\n",
    }
    for name, text in tables.items():
        (folder / name).write_text(text)
    points = read_points(folder, PointsConfig())
    assert points.timed.all()
    assert points.placed.all()
    assert points.carried["CHL"].tolist() == [1, 2, 3, 4, 5]
    assert points.carried["date"].tolist() == ["", "", "", "", "never"]
    assert {str(time)[:13] for time in points.times[1:]} == {"2020-01-02T03"}
    (folder / "f.csv").write_text("lat,lon,CHL\n10.1,20.1,6\n")
    with pytest.raises(ConfigError, match=r"f\.csv: no columns with the time"):
        read_points(folder, PointsConfig())
    assert len(read_points(f"{folder}/[a-e]*", PointsConfig(units={"date": "1"}))) == 5
    with pytest.raises(ConfigError, match=r"points\.units: no column 'depth'"):
        read_points(f"{folder}/[a-e]*", PointsConfig(units={"depth": "m"}))
