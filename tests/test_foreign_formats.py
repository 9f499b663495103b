"""Formats that are recognised to be refused well: what the file is, and the way out."""

import pickle
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.errors import ConfigError, NetworkError, UnknownFormatError
from pipeline.facts.foreign_formats import foreign_format
from pipeline.inspection import inspect_file
from pipeline.networks import load_network
from pipeline.readers import open_scene
from pipeline.tables import read_table

pytestmark = pytest.mark.quick

SEN3 = "S3A_OL_2_WFR____20240627T095839.SEN3"


def zipped(path: Path, *members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "x")


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "x")


def binned(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("level-3_binned_data")


def folder_with(path: Path, member: str) -> None:
    path.mkdir()
    (path / member).write_bytes(b"x")


# Name of the file -> how it is made, words about what it is, words of the way out.
FOREIGN = {
    "a.dim": (
        lambda p: p.write_text('<?xml version="1.0"?>\n<Dimap_Document name="a.dim">'),
        "BEAM-DIMAP",
        "NetCDF4-CF",
    ),
    "a.data": (lambda p: folder_with(p, "rrs_1.hdr"), "BEAM-DIMAP", "a.dim"),
    f"{SEN3}.zip": (lambda p: zipped(p, f"{SEN3}/xfdumanifest.xml"), "Sentinel-3", "unzip"),
    f"{SEN3}.tar": (tarred, "a tar archive", "tar -xf"),
    "empty.tar": (lambda p: p.write_bytes(bytes(10240)), "a tar archive", "tar -xf"),
    "a.nc.gz": (lambda p: p.write_bytes(b"\x1f\x8b\x08nonsense"), "a gzip file", "gunzip"),
    "a.tar.gz": (lambda p: p.write_bytes(b"\x1f\x8b\x08x"), "compressed tar", "tar -xf"),
    "a.nc.bz2": (lambda p: p.write_bytes(b"BZh91AY"), "a bzip2 file", "bunzip2"),
    "l3b.nc": (binned, "Level-3 binned", "L3m"),
    "a.hdf": (lambda p: p.write_bytes(b"\x0e\x03\x13\x01"), "HDF4", "netCDF"),
    "login.nc": (lambda p: p.write_text("\n<!DOCTYPE html>\n<html>"), "web page", "Log in"),
    "denied.nc": (
        lambda p: p.write_text('<?xml version="1.0"?>\n<Error><Code>AccessDenied'),
        "error message of a server",
        "fetch the file again",
    ),
    "json.nc": (
        lambda p: p.write_text('{"error": "invalid_token"}'),
        "error message of a server",
        "fetch the file again",
    ),
    "dap.nc": (lambda p: p.write_text("Error {\n code = 404;"), "of a server", "fetch the file"),
    "S1A.SAFE": (lambda p: folder_with(p, "manifest.safe"), "a Sentinel product", "ACOLITE"),
    "LC08": (lambda p: folder_with(p, "LC08_L1TP_MTL.txt"), "Landsat", "C2RCC"),
    "a.vrt": (lambda p: p.write_text("<VRTDataset>"), "VRT", "gdal_translate"),
    "a.rds": (lambda p: p.write_bytes(b"\x1f\x8b\x08x"), "an R data file", "write.csv"),
    "a.sav": (lambda p: p.write_bytes(b"SR\x00\x04"), "IDL", "CSV"),
    "a.shp": (lambda p: p.write_bytes(b"\x00\x00\x27\x0a"), "shapefile", "ogr2ogr"),
    "lfs.nc": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1"), "LFS", "pull"),
    "a.zarr": (lambda p: folder_with(p, ".zgroup"), "Zarr", "to_netcdf"),
    "around": (lambda p: folder_with(p, SEN3), "around a Sentinel-3", SEN3),
    "a.N1": (lambda p: p.write_text('PRODUCT="MER_FRS_1P"'), "Envisat", "C2RCC"),
    "a.cdl": (lambda p: p.write_text("netcdf a {\ndimensions:"), "CDL", "ncgen"),
    "a.pkl": (lambda p: p.write_bytes(pickle.dumps({"w": np.ones(3)})), "a pickle", "never opens"),
    "old": (lambda p: p.write_bytes(pickle.dumps([1], 2)), "a pickle", "never opens"),
    "a.pt": (lambda p: zipped(p, "a/data.pkl"), "PyTorch", "docs/networks_from.md"),
    "a.xlsx": (lambda p: zipped(p, "xl/workbook.xml"), "Excel", "CSV"),
    "a.mat": (lambda p: p.write_text("MATLAB 5.0 MAT-file"), "MATLAB", "writetable"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_a_file_is_and_the_way_out(tmp_path, name):
    """As a scene, with inspect and as a network: what it is, what to do, and no talk of damage."""
    make, what, way_out = FOREIGN[name]
    path = tmp_path / name
    make(path)
    foreign = foreign_format(path, ["level-3_binned_data"] if name == "l3b.nc" else ())
    assert foreign is not None
    assert what in foreign.what
    assert way_out in foreign.way_out
    for look in (open_scene, lambda p: list(inspect_file(p))):
        with pytest.raises(UnknownFormatError) as caught:
            look(path)
        assert what in str(caught.value)
        assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.pkl", "a.pt", "a.xlsx"])
def test_a_network_of_another_format(tmp_path, name):
    """The message is about this file, and does not only list what ocpipe reads."""
    make, what, way_out = FOREIGN[name]
    make(tmp_path / name)
    with pytest.raises(NetworkError) as caught:
        load_network(tmp_path / name)
    assert what in str(caught.value)
    assert way_out in str(caught.value)


@pytest.mark.parametrize("name", ["a.pkl", "a.xlsx", "a.mat", "login.nc", "a.dim"])
def test_a_table_of_another_format(tmp_path, name):
    """As for scenes."""
    make, what, way_out = FOREIGN[name]
    make(tmp_path / name)
    with pytest.raises(ConfigError) as caught:
        read_table(tmp_path / name)
    assert what in str(caught.value)
    assert way_out in str(caught.value)


def test_the_formats_that_ocpipe_reads_are_not_foreign(sample_scene, sample_networks, tmp_path):
    """Scenes, networks and tables."""
    table = tmp_path / "a.csv"
    table.write_text("lat,lon\n1,2\n")
    model = tmp_path / "a.keras"
    zipped(model, "config.json", "metadata.json")
    for path in (sample_scene, *sample_networks.iterdir(), table, model):
        assert foreign_format(path) is None, path


# Tables, which inspect shows


def test_inspect_shows_a_table(tmp_path):
    """Columns, units, rows, places and times."""
    path = tmp_path / "points.csv"
    path.write_text(
        "station,lat,lon,datetime,chl [mg m-3]\n"
        "a,49.93,-96.94,2011-09-10T19:00:00Z,1.25\nb,50.5,-97,2011-09-11T19:00:00Z,\n"
    )
    lines = list(inspect_file(path))
    assert lines[0] == "table        points.csv"
    assert "rows         2" in lines
    (chl,) = [line.split() for line in lines if line.split()[:1] == ["chl"]]
    assert chl == ["chl", "mg", "m-3", "1", "1.25", "..", "1.25"]
    assert any(line.startswith("places       2 of 2 rows, latitude 49.9300") for line in lines)
    assert "times        2 of 2 rows, 2011-09-10T19:00:00Z .. 2011-09-11T19:00:00Z" in lines


def test_inspect_shows_a_table_without_places(tmp_path):
    """The columns are shown all the same, and what is missing is said."""
    path = tmp_path / "samples.csv"
    path.write_text("Rrs_443,aph_443\n0.004,0.05\n")
    lines = list(inspect_file(path))
    assert any("Rrs_443" in line and "0.004 .. 0.004" in line for line in lines)
    assert any(line.startswith("places       not known: ") for line in lines)


def test_inspect_shows_no_table_of_bins(tmp_path):
    """The bins of a Level-3 file look like the rows of a table, but it has no places."""
    path = tmp_path / "l3b.nc"
    with h5py.File(path, "w") as file:
        file["level-3_binned_data/BinList"] = np.arange(3)
    with pytest.raises(UnknownFormatError, match="Level-3 binned"):
        list(inspect_file(path))


def test_inspect_of_a_broken_table(tmp_path):
    """The error is that of the table, not that it is no scene."""
    path = tmp_path / "points.csv"
    path.write_text("lat,lon\n1,2\n1,2,3\n")
    with pytest.raises(ConfigError, match="3 cells"):
        list(inspect_file(path))
