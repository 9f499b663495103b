"""``ocpipe simulate``: files of every format, ranges on the terminal, errors in words."""

import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.simulate import simulate
from pipeline.errors import ConfigError, OutputError
from pipeline.facts.sensors import sensors
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples, writer_for


def run(*arguments):
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


@pytest.mark.quick
def test_netcdf_of_a_sensor(tmp_path):
    """Bands of the sensor by its name in any case; units, long names and the recipe in the file."""
    output = tmp_path / "water.nc"
    result = run("--sensor", "sgli", "-n", 300, "-o", output, "--seed", 7)
    assert result.exit_code == 0, result.output
    with netCDF4.Dataset(output) as file:
        rrs = [name for name in file.variables if name.startswith("Rrs_")]
        assert [f"Rrs_{nm}" for nm in (380, 412, 443, 490, 530, 565, 672)] == rrs
        assert file.dimensions["sample"].size == 300
        assert file["aph_443"].units == "m-1"
        assert file["Rrs_443"].long_name == "remote sensing reflectance at 443 nm"
        assert file.seed == 7
        assert "Bricaud et al. 1998" in file.references
        assert "Lee et al. 2011 (sun 30 degrees from the zenith, nadir view)" in file.references
        assert file.source.startswith("bio-optical forward model of ocpipe ")


def test_what_it_says(tmp_path):
    """The command names the file and the range of each kind of column."""
    output = tmp_path / "water.csv"
    result = run("--bands", "412,443,555", "-n", 100, "-o", output)
    lines = result.output.splitlines()
    assert lines[0] == f"{output}: 100 samples, 18 columns"
    assert [line.split()[0] for line in lines[1:]] == ["Rrs", "aph", "adg", "bbp", "chlor_a"]
    assert "sr-1" in lines[1]


def test_csv(tmp_path):
    """Units and the recipe are comments; the numbers are those of the table to seven digits."""
    table = simulate_samples(50, (412.0, 443.0))
    write_samples(tmp_path / "water.csv", table)
    text = (tmp_path / "water.csv").read_text(encoding="utf-8").splitlines()
    comments = [line for line in text if line.startswith("#")]
    assert any("Rrs_412 [sr-1]" in line for line in comments)
    assert "# seed: 1" in comments
    header, *rows = text[len(comments) :]
    assert header.split(",") == list(table.columns)
    numbers = np.array([row.split(",") for row in rows], dtype=np.float64)
    expected = np.stack(list(table.columns.values()), axis=1)
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)


@pytest.mark.parametrize("ending", ["nc", "csv"])
def test_equal_calls_are_equal_bytes(tmp_path, ending):
    """The same call writes the same bytes."""
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for output in (first, second):
        assert run("--sensor", "MODIS-Aqua", "-n", 200, "-o", output).exit_code == 0
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_arrow(tmp_path, ending):
    """Parquet and Feather hold the same numbers, with units in the metadata of each column."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import feather, parquet

    table = simulate_samples(50, (412.0, 443.0))
    path = tmp_path / f"water.{ending}"
    write_samples(path, table)
    read = parquet.read_table(path) if ending == "parquet" else feather.read_table(path)
    assert read.column_names == list(table.columns)
    assert read.schema.field("aph_443").metadata[b"units"] == b"m-1"
    np.testing.assert_array_equal(read["Rrs_443"].to_numpy(), table.columns["Rrs_443"])


def test_arrow_without_pyarrow(tmp_path, monkeypatch):
    """Without pyarrow the message says what to install, before anything is simulated."""
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for part in ("parquet", "feather"):
        monkeypatch.setitem(sys.modules, f"pyarrow.{part}", None)
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        writer_for(tmp_path / "water.parquet")


@pytest.mark.parametrize("sensor", sorted(sensors()))
def test_every_sensor(tmp_path, sensor):
    """Each shipped sensor's Rrs bands can be simulated."""
    output = tmp_path / "water.nc"
    assert run("--sensor", sensor, "-n", 20, "-o", output).exit_code == 0
    with netCDF4.Dataset(output) as file:
        rrs = [name for name in file.variables if name.startswith("Rrs_")]
    assert len(rrs) == len(sensors()[sensor].rrs_bands_nm)


def test_noise_and_outputs(tmp_path):
    """Noise may be a factor or none, and outputs a choice."""
    output = tmp_path / "water.nc"
    arguments = ("--bands", "443", "-n", 20, "-o", output, "--outputs", "aph")
    for noise in ("none", "0.5", "on"):
        assert run(*arguments, "--noise", noise).exit_code == 0
        with netCDF4.Dataset(output) as file:
            assert file.noise == {"none": 0.0, "0.5": 0.5, "on": 1.0}[noise]
            assert "adg_443" not in file.variables


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sensor", "foo"], "unknown sensor 'foo'; known are EPIC"),
        ([], "give --sensor (one of EPIC"),
        (["--bands", "412;443"], "expected wavelengths in nm"),
        (["--bands", "300"], "at 300 nm"),
        (["--sensor", "SGLI", "--noise", "loud"], "expected on, none, or a number"),
        (["--sensor", "SGLI", "--noise", "99"], "usual noise, from 0 to 10"),
        (["--sensor", "SGLI", "--outputs", "kd"], "unknown outputs kd"),
    ],
)
def test_wrong_use(tmp_path, caplog, arguments, words):
    """A mistake of the call ends with code 2, says what to do, and writes nothing."""
    result = run(*arguments, "-o", tmp_path / "water.nc")
    assert result.exit_code == 2
    assert words in caplog.text + result.output
    assert list(tmp_path.iterdir()) == []


def test_unknown_ending(tmp_path):
    """The ending of the output decides its format, so an unknown one is refused."""
    with pytest.raises(ConfigError, match=r"found the ending '.xlsx', expected one of .nc, .csv"):
        writer_for(tmp_path / "water.xlsx")


def test_folder_that_is_not_there(tmp_path):
    """A folder that does not exist is told, and ends with code 1 on the command line."""
    output = tmp_path / "no" / "water.csv"
    with pytest.raises(OutputError, match="Check that the folder exists"):
        write_samples(output, simulate_samples(5, (443.0,)))
    assert run("--bands", "443", "-n", 5, "-o", output).exit_code == 1
