"""Files and names with which a library would do more than it is asked for."""

import os
import re
import struct
import zipfile
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
from hostile.bounded import Bounded

from pipeline.errors import SceneError
from pipeline.files.contents import sha256_of
from pipeline.files.hdf5 import open_hdf5
from pipeline.files.identity import holding
from pipeline.files.netcdf import open_in_xarray, open_netcdf
from pipeline.files.raster import open_lazy_raster, open_raster


@pytest.fixture(scope="module")
def bounded():
    """One server for all commands of this module."""
    with Bounded() as made:
        yield made


def netcdf(path: Path, value: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 3)
        file.createVariable("v", "f8", ("y",))[:] = value
    return path


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_a_folder_named_tilde_is_no_home(tmp_path, monkeypatch, engine):
    """The checked file is the file that is read."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    netcdf(tmp_path / "home" / "f.nc", 2)
    netcdf(tmp_path / "~" / "f.nc", 1)
    with open_in_xarray(Path("~/f.nc"), SceneError, engine=engine) as data:
        assert (data.v == 1).all()


@pytest.mark.parametrize("name", ["GTIFF_DIR:1:other.tif", "GTIFF_RAW:other.tif"])
def test_the_name_of_a_raster_is_no_instruction(tmp_path, monkeypatch, name):
    """GDAL has prefixes that name another file."""
    monkeypatch.chdir(tmp_path)
    for number, each in enumerate((name, "other.tif"), start=1):
        with rasterio.open(
            tmp_path / each, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8"
        ) as file:
            file.write(np.full((1, 4, 4), number, "uint8"))
    with open_raster(Path(name), SceneError) as file:
        assert (file.read() == 1).all()
    assert (open_lazy_raster(Path(name), SceneError) == 1).all()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_an_archive_inflates_before_its_size_is_known(bounded, tmp_path, method):
    """Of all methods, zipfile bounds only deflate as it inflates: 900 bytes took 1.2 GB."""
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("config.json", b" " * 1_000_000)
        archive.writestr("metadata.json", b"{}")
        archive.writestr("model.weights.h5", b"")
    ending = bounded.run("inspect", path)
    assert ending.code in (1, 2), ending.output
    assert not ending.faults, ending.output
    assert "expected deflate" in ending.output


@pytest.mark.parametrize("kind", ["classic", "HDF5", "wide text"])
def test_a_coordinate_of_any_size_is_not_read(tmp_path, kind):
    """Xarray reads coordinates when it opens a file."""
    path = tmp_path / "f.nc"
    if kind == "classic":
        with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
            file.set_fill_off()
            file.createDimension("lat", 100_000_000)
            file.createVariable("lat", "f8", ("lat",))
    else:
        size, dtype = (100_000_000, "f8") if kind == "HDF5" else (500, "S1000000")
        with h5py.File(path, "w") as file:
            made = file.create_dataset("lat", (size,), dtype, chunks=(min(size, 1000),))
            made.make_scale("lat")
    with pytest.raises(SceneError, match="OCPIPE_MOST_COORDINATE_BYTES"):
        open_in_xarray(path, SceneError, engine="netcdf4" if kind == "classic" else "h5netcdf")


def test_an_axis_refers_to_dimensions_without_end(tmp_path):
    """Each reference takes a third of a millisecond to follow."""
    path = netcdf(tmp_path / "f.nc", 1)
    with h5py.File(path, "a") as file:
        kind = h5py.vlen_dtype(h5py.ref_dtype)
        references = np.empty(1, dtype=kind)
        references[0] = np.array([file["y"].ref] * 5_000, dtype=h5py.ref_dtype)
        del file["v"].attrs["DIMENSION_LIST"]
        file["v"].attrs.create("DIMENSION_LIST", references, dtype=kind)
    with (
        pytest.raises(SceneError, match="dimension that the file lacks"),
        open_netcdf(path, SceneError),
    ):
        pass


def test_many_attributes_share_one_text(tmp_path):
    """A small file asks for one gigabyte of texts when it is opened."""
    path, long, short, number = tmp_path / "f.h5", 2_000_003, 1_237, 100
    with h5py.File(path, "w") as file:
        file.attrs["first"] = "x" * long
        for each in range(number):
            file.attrs[f"a{each}"] = "y" * short
    content = path.read_bytes()
    (shared,) = re.findall(
        re.escape(struct.pack("<I", long)) + rb".{5}\x00{3}.{2}\x00\x00", content, re.DOTALL
    )
    patched, count = re.subn(
        re.escape(struct.pack("<I", short)) + rb".{5}\x00{3}.{2}\x00\x00",
        lambda _: shared,
        content,
        flags=re.DOTALL,
    )
    assert count == number
    path.write_bytes(patched)
    with pytest.raises(SceneError, match="bytes of attributes"), open_hdf5(path, SceneError):
        pass


def test_soft_links_are_counted(tmp_path):
    """Each is looked at, so a hundred thousand took twenty seconds."""
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros(3)
        for number in range(5_100):
            file[f"link{number}"] = h5py.SoftLink("/numbers")
    with pytest.raises(SceneError, match="more than 5,000 names of objects"):
        open_hdf5(path, SceneError)


def test_the_hash_of_a_folder_knows_names_as_bytes(tmp_path):
    """The same one that a held folder has."""
    folder = tmp_path / "scene.SEN3"
    folder.mkdir()
    for name in (b"mesur\xe9.nc", b"a.nc"):
        (folder / os.fsdecode(name)).write_bytes(name)
    with holding(folder) as held:
        assert sha256_of(folder) == held.sha256()
