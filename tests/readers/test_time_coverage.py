"""When a scene was taken: its attributes, or its time variable with or without bounds."""

import netCDF4
import pytest

from pipeline.errors import SceneError
from pipeline.matchup.scene_coverage import SceneCoverage
from pipeline.readers import open_scene

MAY = {"time_coverage_start": "200505010000Z", "time_coverage_end": "200505312359Z"}
SINCE = "seconds since 1970-01-01"
A_TIME = 1325415600.0  # 2012-01-01T11:00Z


def composite(path, attributes=None, **time):
    """A small mapped file in OC-CCI's layout; ``time`` is a CF variable with these attributes."""
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"title": "ESA CCI Ocean Colour Product", **(attributes or {})})
        for name, values in (("lat", [35, 34.9, 34.8]), ("lon", [30, 30.1, 30.2])):
            file.createDimension(name, 3)
            file.createVariable(name, "f4", (name,))[:] = values
        file.createDimension("time", 1)
        file.createVariable("Rrs_443", "f4", ("time", "lat", "lon"))[:] = 0.004
        file["Rrs_443"].units = "sr-1"
        if time:
            variable = file.createVariable("time", "f8", ("time",))
            variable[:] = time.pop("value")
            bounds = time.pop("bounds_are", None)
            variable.setncatts(time)
            if bounds is not None:
                file.createDimension("nv", 2)
                file.createVariable("time_bnds", "f8", ("time", "nv"))[:] = [bounds]
    return path


def coverage(path, *options):
    with open_scene(path, *options) as scene:
        found = SceneCoverage.of(scene.attrs)
    return tuple(None if t is None else str(t)[:16] for t in (found.start, found.end))


@pytest.mark.parametrize(
    ("attributes", "time", "start", "end"),
    [
        (MAY, {}, "2005-05-01T00:00", "2005-05-31T23:59"),
        ({"time_coverage_start": "2005-05-01", "time_coverage_end": "2005-05-31"}, {},
         "2005-05-01T00:00", "2005-06-01T00:00"),
        ({"time_coverage_start": "20050501"}, {}, "2005-05-01T00:00", "2005-05-02T00:00"),
        ({"time_coverage_start": "200505010000Z", "time_coverage_duration": "P1M"}, {},
         "2005-05-01T00:00", "2005-06-01T00:00"),
        ({}, {"value": A_TIME, "units": SINCE}, "2012-01-01T11:00", "2012-01-01T11:00"),
        ({}, {"value": 15340.5, "units": "days since 1970-01-01", "standard_name": "time",
              "bounds": "time_bnds", "bounds_are": [15340, 15371]},
         "2012-01-01T00:00", "2012-02-01T00:00"),
        (MAY, {"value": 12904.0, "units": "days since 1970-01-01"},
         "2005-05-01T00:00", "2005-05-31T23:59"),
        ({"time_coverage_start": "19970901", "time_coverage_end": "19981231"},
         {"value": A_TIME, "units": SINCE}, "2012-01-01T11:00", "2012-01-01T11:00"),
        ({}, {"value": -1.0, "units": SINCE, "missing_value": -1.0}, None, None),
        ({}, {"value": float("nan"), "units": SINCE}, None, None),
        ({}, {"value": 9.969209968386869e36, "units": SINCE}, None, None),
        ({}, {"value": 7.0, "units": "hours since 2012-01-01", "scale_factor": 0.5,
              "add_offset": 7.5}, "2012-01-01T11:00", "2012-01-01T11:00"),
        ({}, {"value": 0.0, "units": "hours since 2012-01-01 06:00 -5:00"},
         "2012-01-01T11:00", "2012-01-01T11:00"),
    ],
)  # fmt: skip
def test_the_coverage_of_a_composite(tmp_path, attributes, time, start, end):
    """Bounds of the time count most, then attributes; a date covers its whole day."""
    path = composite(tmp_path / "month.nc", attributes, **time)
    assert coverage(path) == (start, end)


@pytest.mark.parametrize(
    ("attributes", "time", "words"),
    [
        (MAY | {"time_coverage_end": "31 May 05"}, {}, "time_coverage_end of the scene is '31 May"),
        (MAY | {"time_coverage_end": "200405312359Z"}, {}, "ends .* before it starts"),
        ({}, {"value": 5.0, "units": "days since 2000-01-01", "calendar": "360_day"}, "360_day"),
        ({}, {"value": 5.0, "units": "months since 2000-01-01"}, "months since"),
        ({}, {"value": 5.0, "units": "hours since 2012-01-01 06:00 EST"}, "zone 'EST'"),
    ],
)
def test_a_time_that_cannot_be_read_is_quoted(tmp_path, attributes, time, words):
    """An unreadable end never becomes the start."""
    path = composite(tmp_path / "month.nc", attributes, **time)
    with pytest.raises(SceneError, match=words):
        coverage(path)


def test_the_format_of_a_time_can_be_stated(tmp_path):
    """In the mapping, as the message says."""
    from pipeline.config.science import ReaderChoice

    path = composite(tmp_path / "month.nc", MAY | {"time_coverage_end": "31 May 05"})
    end = {"attribute": "time_coverage_end", "format": "%d %b %y"}
    options = {"preset": "occci_l3", "mapping": {"time_coverage_end": end}}
    choice = ReaderChoice(format="cf_netcdf", options=options)
    assert coverage(path, choice) == ("2005-05-01T00:00", "2005-06-01T00:00")


def test_times_in_iso_8601_stay_as_they_are(tmp_path):
    """Products repeat the text of the file."""
    path = composite(tmp_path / "month.nc", {"time_coverage_start": "2005-05-01 00:00"})
    with open_scene(path) as scene:
        assert scene.attrs["time_coverage_start"] == "2005-05-01 00:00"
