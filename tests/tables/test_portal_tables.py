"""Tables as portals and people write them: PANGAEA, ERDDAP, AERONET-OC, SeaBASS, commented CSV."""

import gzip

import numpy as np
import pytest
from table_files import AERONET, COMMENTED, ERDDAP, PANGAEA, seabass

from pipeline.errors import ConfigError
from pipeline.tables import read_table, recognise
from pipeline.tables.names import split_units


def written(folder, text, name="table.txt", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.quick
def test_pangaea(tmp_path):
    """The comment block is no table; units are in brackets, a method may follow."""
    path = written(tmp_path, PANGAEA, "table.tab")
    assert recognise(path) == "pangaea"
    table = read_table(path)
    assert list(table.columns)[-3:] == ["Rrs_412", "Chl a", "TSM"]
    assert dict(table.units) == {"Rrs_412": "1/sr", "Chl a": "µg/l", "TSM": "mg/l"}
    assert table.numbers("Chl a").tolist() == [0.6, 0.7]
    assert table.labels("TSM").tolist() == ["", '"a']
    assert table.rows.tolist() == [7, 8]
    assert "Attribution 4.0" in table.licence


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("RRS [1/sr] (at 443nm)", "RRS_443"),
        ("RRS [1/sr] (at 349.01nm)", "RRS_349.01"),
        ("APH [1/sr] (at 412 nm, filter pad)", "APH_412"),
        ("RRS [1/sr] (at +-6nm of OLCI-S3A band 3)", "RRS"),
        ("RRS [1/sr] (at 10 m)", "RRS"),
    ],
)
def test_pangaea_writes_wavelengths_after_at(title, name):
    """A wavelength is part of the name; a band of a sensor and a depth are none."""
    assert split_units(title) == (name, "1/sr")


def test_pangaea_without_an_end_of_the_comment(tmp_path):
    """A file that was cut off is not read as something else."""
    with pytest.raises(ConfigError, match=r"no line \*/ after /\*"):
        read_table(written(tmp_path, PANGAEA.replace("*/", "")))


def test_erddap(tmp_path):
    """The row of units is no row of values."""
    table = read_table(written(tmp_path, ERDDAP))
    assert table.units["chlorophyll"] == "mg m-3"
    np.testing.assert_array_equal(table.numbers("chlorophyll"), [1.25, np.nan])
    assert table.labels("station").tolist() == ["a", "b"]
    assert table.told == ("line 2 is read as the units of the columns",)


@pytest.mark.parametrize(
    "text", ["a,b\nx,y\nu,v\n", "a,b\nx,1\ny,2\n", "a,b\n,\n1,2\n", "a,b\nx,y\n"]
)
def test_a_row_of_values_is_no_row_of_units(tmp_path, text):
    """If no column is numbers below the row, or the row has a value, it is a row of values."""
    assert len(read_table(written(tmp_path, text))) == text.count("\n") - 1


@pytest.mark.parametrize(
    ("text", "units"),
    [
        (
            "time,lat,Rrs_443,psal,qc\nUTC,degrees_north,1,1e-3,\n2011-09-10T19Z,49.9,0.1,35,a\n",
            {"time": "UTC", "lat": "degrees_north", "Rrs_443": "1", "psal": "1e-3"},
        ),
        (
            "lat,chl,flag\n(deg),[mg/m3],1\n49.9,1.5,0\n",
            {"lat": "deg", "chl": "mg/m3", "flag": "1"},
        ),
        ("chl,turbidity\nmg m-3,NTU\n1.5,2\n", {"chl": "mg m-3", "turbidity": "NTU"}),
    ],
)
def test_rows_of_units(tmp_path, text, units):
    """ERDDAP writes 1 for a number without units; others put units in brackets."""
    table = read_table(written(tmp_path, text))
    assert dict(table.units) == units
    assert len(table) == 1


@pytest.mark.parametrize(
    "row", ["NaN,NaN", "<0.05,NA", "bdl,", "n.d.,n.d.", "below detection,", "1,bdl"]
)
def test_a_row_without_values_is_no_row_of_units(tmp_path, row):
    """It was a sample; its words must not become units."""
    table = read_table(written(tmp_path, f"chl,tsm\n{row}\n1.5,2\n2.5,3\n"))
    assert (len(table), dict(table.units)) == (3, {})


def test_aeronet(tmp_path):
    """Some lines stand above the header, dates begin with the day, and rows end with a comma."""
    path = written(tmp_path, AERONET)
    assert recognise(path) == "aeronet"
    table = read_table(path)
    assert table.numbers("Lwn_f/Q_412").tolist() == [0.61, 0.62]
    assert table.units["Lwn_f/Q_443"] == "mW cm-2 sr-1 um-1"
    np.testing.assert_array_equal(table.numbers("Lwn_f/Q_443"), [0.7, np.nan])
    np.testing.assert_array_equal(table.numbers("Lw_412"), [0.5, np.nan])


@pytest.mark.parametrize(
    "comments",
    [
        "#/missing=-999\n#/units=none,degrees,degrees,1/sr,mg/m^3\n",
        "# missing_value: -999.0, -9999\n# units: Rrs_443 [1/sr], chl [mg/m^3]\n",
        "# Missing values are -999\n# units = none, degrees, degrees, 1/sr, mg/m^3\n",
        "# Missing data are reported as -999\n# units: Rrs_443 [1/sr], chl [mg/m^3]\n",
        "# nodata: -999 (not measured)\n# units: Rrs_443 [1/sr], chl [mg/m^3]\n",
        "# _FillValue = -999\n#units: -, degrees, degrees, 1/sr, mg/m^3\n",
    ],
)
def test_comments_state_missing_values_and_units(tmp_path, comments):
    """In the words of SeaBASS, of netCDF, or in plain ones."""
    table = read_table(written(tmp_path, comments + COMMENTED.split("mg/m^3\n")[1]))
    np.testing.assert_array_equal(table.numbers("Rrs_443"), [0.004, np.nan])
    assert (table.units["Rrs_443"], table.units["chl"]) == ("1/sr", "mg/m^3")
    assert "station" not in table.units


@pytest.mark.parametrize(
    "comment",
    ["# no data: on 1 September", "# missing are 1 station and 2 casts", "# missing: 1 of 9"],
)
def test_a_number_in_a_sentence_is_no_missing_value(tmp_path, comment):
    """Else the chlorophyll of 1 would be lost."""
    table = read_table(written(tmp_path, f"{comment}\nid,chl\na,1\nb,2\n"))
    assert table.numbers("chl").tolist() == [1, 2]


@pytest.mark.parametrize(
    "text", ["Title\nid,chl\na,1\n", "My own cruise\nid\tchl\na\t1\n", "Cruise 7\nid;chl\na;1\n"]
)
def test_a_title_above_the_header_is_no_header(tmp_path, text):
    """A table with one column called Title would say nothing of it."""
    with pytest.raises(ConfigError, match="without the delimiter of the lines below"):
        read_table(written(tmp_path, text))
    assert len(read_table(written(tmp_path, "lat note\n1 a,b\n2 c,d\n"))) == 2


def test_rows_that_are_comments_are_told(tmp_path):
    """A station called #1 looks like a comment; a comment in words does not look like a row."""
    text = "station,lat,chl\n#1,49.93,1\n# see, the, report\n2,49.94,2\n#3,49.95,3\n"
    table = read_table(written(tmp_path, text))
    assert table.numbers("chl").tolist() == [2]
    assert table.told == ("lines 2, 5 could be rows, but begin with #: not used",)


def test_units_for_other_columns_are_refused(tmp_path):
    """A comment with one unit too few would shift all units by a column."""
    with pytest.raises(ConfigError, match="has 4 entries, expected 5"):
        read_table(written(tmp_path, COMMENTED.replace("none,", "")))


@pytest.mark.parametrize(
    ("title", "name", "units"),
    [
        ("Rrs_443 [1/sr]", "Rrs_443", "1/sr"),
        ("chl (mg/m^3)", "chl", "mg/m^3"),
        ("Chl a [µg/l] (HPLC)", "Chl a", "µg/l"),
        ("Lwn[0443nm]", "Lwn_443", ""),
        ("Lwn [443 nm] (mW cm-2)", "Lwn_443", "mW cm-2"),
        ("Rrs(555.5)", "Rrs_555.5", ""),
        ("Date(dd-mm-yyyy)", "Date", "dd-mm-yyyy"),
    ],
)
def test_titles_hold_names_units_and_wavelengths(tmp_path, title, name, units):
    """A number in brackets is a wavelength; of two brackets, the first holds the units."""
    table = read_table(written(tmp_path, f"id;{title}\n1;2\n"))
    assert list(table.columns) == ["id", name]
    assert table.units.get(name, "") == units


@pytest.mark.parametrize(
    "text",
    [
        "a,2011-09-10T19:00,1\nb,2\n",
        "a,49.93\nb,2\n",
        "a,-97\nb,2\n",
        "1,2\n3,4\n",
        "0.1,0.2\n1,2\n",
    ],
)
def test_a_missing_header_is_not_invented(tmp_path, text):
    """The first row of values does not become the names of the columns."""
    with pytest.raises(ConfigError, match="the header is missing: the first line is"):
        read_table(written(tmp_path, text))


def test_wavelengths_may_be_names(tmp_path):
    """Many spectra have a header of wavelengths."""
    assert list(read_table(written(tmp_path, "id,412,442.5\na,1,2\n")).columns)[1:] == [
        "412",
        "442.5",
    ]


def test_names_that_repeat(tmp_path):
    """Titles with other brackets are the names; equal titles get the number of their column."""
    text = "chl [mg/m3] (HPLC),chl [mg/m3] (fluor),a,b,a\n1,2,3,4,5\n"
    table = read_table(written(tmp_path, text))
    assert list(table.columns) == [
        *("chl [mg/m3] (HPLC)", "chl [mg/m3] (fluor)", "a (column 3)", "b", "a (column 5)"),
    ]
    assert set(table.repeated) == {"chl", "a"}


@pytest.mark.parametrize(
    ("above", "name"),
    [("! made by hand\n", "a.sb"), ("# a\n\n! b\n", "a.txt"), ("\ufeff", "b.sb")],
)
def test_comments_before_the_header_of_seabass(tmp_path, above, name):
    """The file is still SeaBASS."""
    text = seabass("CHL,a", "mg/m^3,none", "1.5,-9999", above=above)
    path = written(tmp_path, text, name)
    assert recognise(path) == "seabass"
    assert read_table(path).numbers("CHL").tolist() == [1.5]


@pytest.mark.parametrize(
    ("fields", "end", "time"),
    [
        ("CHL", "19:00:30", ["19:00:30.000Z"]),
        ("CHL", "19:20:30", ["19:10:30.000Z"]),
        ("CHL", "23:20:30", None),
        ("hour", "19:00:30", None),
    ],
)
def test_the_times_of_a_seabass_header(tmp_path, fields, end, time):
    """They hold for all rows if the rows have none and the station took an hour at most."""
    table = read_table(written(tmp_path, seabass(fields, "none", "7", end=end)))
    assert (table.labels("time").tolist() if "time" in table.columns else None) == time
    assert table.numbers("date").tolist() == [20110910] if time is None else True


def test_old_encodings_and_gzip(tmp_path):
    """A micro sign in Latin-1, and a compressed file."""
    assert read_table(written(tmp_path, PANGAEA, encoding="latin-1")).units["Chl a"] == "µg/l"
    (tmp_path / "a.gz").write_bytes(gzip.compress(AERONET.encode()))
    assert recognise(tmp_path / "a.gz") == "aeronet"
