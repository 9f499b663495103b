"""Tables of samples are the same whatever format they come in."""

import gzip
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.tables import read_table, recognise

CHL = np.array([0.5, np.nan, 2.0])
SEABASS = """/begin_header
/investigators=A_Person
/data_status=final
/missing=-9999
/delimiter=comma
/cruise=c7
/fields=station,chl,time
/units=none,mg/m^3,hh:mm:ss
/end_header
a,0.5,10:00:00
b,-9999,11:00:00
c,2.0,12:00:00
"""


def _csv(path: Path) -> None:
    path.write_text("# a comment\nstation,chl [mg/m^3]\na,0.5\nb,NA\nc,2.0\n")


def _gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress(b"station;chl (mg/m^3)\na;0.5\nb;\nc;2.0\n"))


def _seabass(path: Path) -> None:
    path.write_text(SEABASS)


def _parquet(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    field = pa.field("chl", pa.float64(), metadata={"units": "mg/m^3"})
    schema = pa.schema([pa.field("station", pa.string()), field])
    table = pa.table([["a", "b", "c"], [0.5, None, 2.0]], schema=schema)
    parquet.write_table(table, path)


def _feather(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import feather

    field = pa.field("chl", pa.float32(), metadata={"units": "mg/m^3"})
    schema = pa.schema([pa.field("station", pa.string()), field])
    feather.write_feather(pa.table([["a", "b", "c"], [0.5, None, 2.0]], schema=schema), path)


def _netcdf(path: Path) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("sample", 3)
        file.createVariable("station", str, ("sample",))[:] = np.array(["a", "b", "c"], object)
        chl = file.createVariable("chl", "f4", ("sample",), fill_value=-1.0)
        chl.units = "mg/m^3"
        chl[:] = np.ma.masked_invalid(CHL)


WRITERS = {
    "csv": _csv,
    "gzipped": _gzipped,
    "seabass": _seabass,
    "parquet": _parquet,
    "feather": _feather,
    "netcdf": _netcdf,
}


@pytest.mark.quick
@pytest.mark.parametrize("kind", WRITERS)
def test_formats_give_the_same_table(tmp_path: Path, kind: str) -> None:
    """Numbers, missing values, text and units are the same, and the format is recognised."""
    path = tmp_path / "a.table"
    WRITERS[kind](path)
    assert recognise(path) == ("csv" if kind == "gzipped" else kind)
    table = read_table(path)
    np.testing.assert_array_equal(CHL, table.numbers("chl"))
    assert table.labels("station").tolist() == ["a", "b", "c"]
    assert table.units["chl"] == "mg/m^3"
    assert len(table.sha256) == 64


def test_lines_of_text_are_those_of_the_file(tmp_path: Path) -> None:
    """Comments and headers count as lines, as in an editor."""
    _csv(tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv").rows.tolist() == [3, 4, 5]


def test_what_a_seabass_header_says_of_all_rows_is_a_column(tmp_path: Path) -> None:
    """The cruise of a SeaBASS file stands in its header."""
    _seabass(tmp_path / "a.sb")
    assert read_table(tmp_path / "a.sb").labels("cruise").tolist() == ["c7"] * 3


def test_rows_by_wavelength_become_spectra(tmp_path: Path) -> None:
    """One row per spectrum, with a column for each wavelength."""
    path = tmp_path / "a.csv"
    path.write_text("station,wavelength,Rrs\na,443,1\na,555,2\nb,443,3\n")
    table = read_table(path)
    assert table.labels("station").tolist() == ["a", "b"]
    np.testing.assert_array_equal(table.numbers("Rrs_443"), [1, 3])
    np.testing.assert_array_equal(table.numbers("Rrs_555"), [2, np.nan])


def test_times_finer_than_microseconds_are_cut_off(tmp_path: Path) -> None:
    """Nanoseconds, as pandas writes them, do not stop a table from being read."""
    import pyarrow as pa
    from pyarrow import feather

    instant = np.datetime64("2020-01-01T12:00:00.000000001", "ns")
    feather.write_feather(pa.table({"time": pa.array([instant])}), tmp_path / "a.feather")
    assert read_table(tmp_path / "a.feather").labels("time")[0].startswith("2020-01-01T12:00:00")


def test_a_feather_file_may_name_a_column_twice(tmp_path: Path) -> None:
    """Both columns get other names, so that nobody takes one for the other."""
    import pyarrow as pa
    from pyarrow import feather

    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"])
    feather.write_feather(table, tmp_path / "a.feather")
    read = read_table(tmp_path / "a.feather")
    assert {name: values.tolist() for name, values in read.columns.items()} == {
        "a (column 1)": [1],
        "a (column 2)": [2],
    }
    assert "2 columns are called 'a'" in read.told[0]


def test_views_of_strings_are_text(tmp_path: Path) -> None:
    """Polars writes its text so."""
    import pyarrow as pa
    from pyarrow import feather

    path = tmp_path / "t.feather"
    stations = pa.array(["a", None]).cast(pa.string_view())
    feather.write_feather(pa.table({"station": stations, "chl": [1.0, 2.0]}), path)
    assert read_table(path).labels("station").tolist() == ["a", ""]


def test_units_in_old_encodings_are_read(tmp_path: Path) -> None:
    """A micro sign in Latin-1 is one."""
    import pyarrow as pa
    from pyarrow import parquet

    field = pa.field("chl", pa.float64(), metadata={b"units": b"\xb5g l-1"})
    parquet.write_table(pa.table([[1.0]], schema=pa.schema([field])), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").units["chl"] == "µg l-1"


def test_licences_are_those_the_files_say(tmp_path: Path) -> None:
    """A comment, an attribute or the metadata of a schema may hold a licence."""
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "a.csv").write_text("# License: CC BY 4.0\na\n1\n")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.license = "CC BY 4.0"
        file.createDimension("sample", 1)
        file.createVariable("a", "f4", ("sample",))[:] = 1
    table = pa.table({"a": [1]}).replace_schema_metadata({"license": "CC BY 4.0"})
    parquet.write_table(table, tmp_path / "a.parquet")
    found = [read_table(tmp_path / f"a.{ending}").licence for ending in ("csv", "nc", "parquet")]
    assert found == ["CC BY 4.0"] * 3
    _csv(tmp_path / "b.csv")
    assert read_table(tmp_path / "b.csv").licence == ""


def test_netcdf_spectra_are_columns(tmp_path: Path) -> None:
    """``Rrs(sample, wavelength)`` is a column for each wavelength; times are ISO 8601."""
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("sample", 2)
        file.createDimension("wavelength", 2)
        wavelength = file.createVariable("wavelength", "f4", ("wavelength",))
        wavelength.units = "nm"
        wavelength[:] = [443, 555]
        rrs = file.createVariable("Rrs", "f8", ("sample", "wavelength"))
        rrs.units = "sr-1"
        rrs[:] = [[1, 2], [3, 4]]
        time = file.createVariable("time", "f8", ("sample",))
        time.units = "days since 2020-01-01"
        time[:] = [0, 1.5]
    table = read_table(path)
    np.testing.assert_array_equal(table.numbers("Rrs_555"), [2, 4])
    assert table.units["Rrs_443"] == "sr-1"
    assert table.labels("time").tolist() == ["2020-01-01T00:00:00", "2020-01-02T12:00:00"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a,b\n", "has a header but no rows"),
        (b"1,2\n3,4\n", "expected names of columns"),
        (b"a,b\n1,2,3\n", r"line 2: found 3 cells, expected 2"),
        (b"a\0b", "contains null bytes"),
        (b"\x1f\x8bnonsense", "damaged gzip"),
        (b"PAR1nonsense", "cannot be read"),
        (b"ARROW1nonsense", "cannot be read"),
        (b"\x89HDF\r\n\x1a\nnonsense", "cannot be read as netCDF"),
        (b"/begin_header\n/fields=a\n", "a.table"),
        (b"station,wavelength,Rrs\na,443,1\na,443,2\n", "a wavelength appears twice"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """What is no table is said with the file and what was found."""
    path = tmp_path / "a.table"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_table(path)
