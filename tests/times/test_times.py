"""Times as files write them: the usual ways, stated formats, serial numbers and durations."""

import datetime

import numpy as np
import pytest

from pipeline.times.arrays import parse_clocks, parse_times
from pipeline.times.durations import after_duration
from pipeline.times.formats import check_format, formats_in_units, parse_stated
from pipeline.times.serial import utc_of
from pipeline.times.text import Resolution, parse_clock, parse_time

SEVEN = datetime.datetime(2011, 9, 10, 19, 0, 30)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2011-09-10T19:00:30Z", SEVEN),
        ("2011-09-10 19:00:30", SEVEN),
        ("2011-09-10 19:00:30 UTC", SEVEN),
        ("2011-09-10T19:00:30.1234567Z", SEVEN.replace(microsecond=123456)),
        ("2011-09-10T19:00:30,5", SEVEN.replace(microsecond=500000)),
        ("2011-09-10T14:00:30-05:00", SEVEN),
        ("2011-09-11T00:30:30+0530", SEVEN),
        ("20110910T190030Z", SEVEN),
        ("20110910190030", SEVEN),
        ("201109101900Z", SEVEN.replace(second=0)),
        ("2011091019", SEVEN.replace(minute=0, second=0)),
        ("2011-253T19:00:30", SEVEN),
        ("2011/9/10 19:00:30", SEVEN),
        ("2011-09-09T24:00:00", datetime.datetime(2011, 9, 10)),
    ],
)
def test_usual_ways_to_write_a_time(text, expected):
    """A time without a zone is in UTC."""
    found = parse_time(text)
    assert found is not None
    assert (found.utc, found.resolution) == (expected, Resolution.CLOCK)


@pytest.mark.parametrize(
    "text",
    [
        *("9/10/2011 19:00", "10.09.2011", "40796.79", "1315681230", "1315681230000", "2011.69"),
        *("2011253", "200509", "2011-02-30", "2011-09-10T25:00", "2011-09-10T19:00:60", "soon"),
        *("2011-09-10T19:00 EST", "2011-09-10T19:00+25:00", "11-09-10", "", "2011-366"),
        "24-APR-2021",
    ],
)
def test_all_other_texts_are_no_times(text):
    """A text that may mean two times, or a number since an unknown reference, is not guessed."""
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2004", (2004, 1, 1), (2005, 1, 1)),
        ("2004-02", (2004, 2, 1), (2004, 3, 1)),
        ("2004-12-31", (2004, 12, 31), (2005, 1, 1)),
        ("20041231", (2004, 12, 31), (2005, 1, 1)),
    ],
)
def test_a_date_ends_with_its_day(text, start, end):
    """A day, a month or a year without a time of day covers all of it."""
    found = parse_time(text)
    assert found is not None
    assert (found.utc, found.end) == (datetime.datetime(*start), datetime.datetime(*end))


@pytest.mark.parametrize(
    ("text", "hours"),
    [("19:00", 19), ("9:30", 9.5), ("14:00:00-05:00", 19), ("19:00[GMT]", 19), ("01:00+02:00", -1)],
)
def test_times_of_day_have_zones(text, hours):
    """A time of day may be on another day in UTC."""
    assert parse_clock(text) == datetime.timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("9/10/2011 19:00:30", "%m/%d/%Y %H:%M:%S", SEVEN),
        ("10.9.2011  19:00:30", "%d.%m.%Y %H:%M:%S", SEVEN),
        ("24-APR-2021 10:25:49.024000", "%d-%b-%Y %H:%M:%S.%f", (2021, 4, 24, 10, 25, 49, 24000)),
        ("40796.7917", "days since 1899-12-30", SEVEN.replace(second=2, microsecond=880000)),
        ("1315681230", "seconds since 1970-01-01", SEVEN),
        ("9/10/2011 7:00:30 PM", "%m/%d/%Y %I:%M:%S %p", SEVEN),
        ("2011-09-10 19:00:30 GMT", "%Y-%m-%d %H:%M:%S %Z", SEVEN),
        ("0", "days since 2011-09-10 14:00:30 -5:00", SEVEN),
        ("0", "days since 2011-09-10T14:00:30.0-5", SEVEN),
        ("20110910 30", "%Y%m%d %H%M", None),
        ("2011111", "%Y%m%d", None),
        ("10/9/2011", "%m-%d-%Y", None),
        ("many", "days since 1899-12-30", None),
    ],
)
def test_stated_formats(text, form, expected):
    """A format reads what it says, nothing else; digits without a separator must all be there."""
    found = parse_stated(text, check_format(form))
    expected = datetime.datetime(*expected) if isinstance(expected, tuple) else expected
    assert (None if found is None else found.utc) == expected


@pytest.mark.parametrize(
    "form",
    [
        *("%Q", "day first", "days since yesterday", "moons since 2000-1-1"),
        *("%H:%M", "%d/%m %H:%M", "%Y-%m-%d %H:%M %p", "%Y-%m-%d %I:%M"),
        *("days since 1970-01-01 00:00 EST", "hours since 1970-01-01 GMT-5"),
    ],
)
def test_what_is_no_format_is_refused(form):
    """The message quotes it."""
    with pytest.raises(ValueError, match=form.replace("%", ".")):
        check_format(form)


@pytest.mark.parametrize(
    ("units", "forms"),
    [
        ("yymmdd", ("%y%m%d", "%Y%m%d", None)),
        ("dd-mm-yyyy", ("%d-%m-%Y", "%d:%m:%Y", "%d/%m/%Y", "%d.%m.%Y", None)),
        ("hh:mm:ss", ("%H:%M:%S", None)),
        ("hhmm", ("%H%M", None)),
        ("yyyymmdd", ("%Y%m%d", None)),
        ("days since 1970-01-01", ("days since 1970-01-01",)),
        ("UTC", (None,)),
        ("m", (None,)),
        ("mm", (None,)),
    ],
)
def test_units_may_state_a_format(units, forms):
    """Headers of tables do this: Date(dd-mm-yyyy)."""
    assert formats_in_units(units) == forms


def test_zeros_that_a_table_of_numbers_lost():
    """0030 is stored as 30, which strptime would read as 3:00."""
    assert parse_clocks(["30", "1900", "7"], ["%H%M"]).astype("timedelta64[m]").tolist() == [
        datetime.timedelta(minutes=minutes) for minutes in (30, 1140, 7)
    ]
    found = parse_times(["50910"], ["%y%m%d"]).utc
    assert found[0] == np.datetime64("2005-09-10")


def test_serial_numbers_are_real_times():
    """A number in another calendar is no time of a clock; days have no exact seconds."""
    assert utc_of(40796.791666666664, "days since 1899-12-30") == SEVEN.replace(second=0)
    assert utc_of(float("nan"), "days since 1899-12-30") is None
    for units, calendar in (
        ("days since 2000-01-01", "noleap"),
        ("months since 2000-01-01", "standard"),
    ):
        with pytest.raises(ValueError, match=r"calendar|units"):
            utc_of(1.0, units, calendar)
    with pytest.raises(ValueError, match="is not a time"):
        utc_of(9.96921e36, "days since 2000-01-01")


@pytest.mark.parametrize(
    ("text", "end"),
    [("P1M", (2004, 2, 29)), ("P8D", (2004, 2, 8)), ("PT5M", (2004, 1, 31, 0, 5)), ("month", None)],
)
def test_durations(text, end):
    """A month after 31 January is the last day of February."""
    expected = None if end is None else datetime.datetime(*end)
    assert after_duration(datetime.datetime(2004, 1, 31), text) == expected
