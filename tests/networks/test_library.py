"""Finding a network file by path or by name."""

import os
from pathlib import Path

import pytest

from pipeline.errors import NetworkError
from pipeline.networks.reading.library import ENVIRONMENT_VARIABLE, find_network, network_folders

pytestmark = pytest.mark.quick


def touched(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in a folder of its own, with no network folder set."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    return folder


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (None, []),
        ("", []),
        ("/a", ["/a"]),
        (f"/a{os.pathsep}/b c", ["/a", "/b c"]),
        (f"{os.pathsep}/a{os.pathsep}{os.pathsep}/b{os.pathsep}", ["/a", "/b"]),
    ],
)
def test_folders_of_the_environment_come_last(monkeypatch, listed, expected):
    """What the command line names is searched first; empty parts mean nothing."""
    if listed is not None:
        monkeypatch.setenv(ENVIRONMENT_VARIABLE, listed)
    assert network_folders(()) == tuple(Path(folder) for folder in expected)
    first = (Path("first"), Path("a"))
    assert network_folders(first) == (*first, *network_folders(()))


@pytest.mark.parametrize(
    ("file", "sensor", "expected"),
    [
        ("{sensor}_aphNN.h5", "SGLI", "SGLI_aphNN.h5"),
        ("{sensor}_Lrc_rrsNN.h5", "MODIS-Aqua", "MODIS-Aqua_Lrc_rrsNN.h5"),
        ("{sensor}_{sensor}.h5", "S2A", "S2A_S2A.h5"),
        ("plain.h5", "SGLI", "plain.h5"),
        ("plain.h5", "", "plain.h5"),
    ],
)
def test_the_sensor_is_filled_in(tmp_path, file, sensor, expected):
    """One configuration serves every sensor."""
    path = touched(tmp_path / "networks" / expected)
    assert path == find_network(file, sensor, (path.parent,))


@pytest.mark.parametrize("stored", ["SGLI_aphNN.H5", "sgli_aphnn.h5", "SGLI_APHNN.h5"])
def test_letter_case_of_the_name_does_not_matter(tmp_path, stored):
    """One of OC-SMART's own files ends in .H5."""
    path = touched(tmp_path / "networks" / stored)
    assert path == find_network("{sensor}_aphNN.h5", "SGLI", (path.parent,))


def test_the_exact_name_beats_another_letter_case(tmp_path):
    """Both may be there."""
    touched(tmp_path / "NET.H5")
    exact = touched(tmp_path / "net.h5")
    touched(tmp_path / "Net.h5")
    assert exact == find_network("net.h5", "SGLI", (tmp_path,))


def test_the_first_folder_that_has_it_wins(tmp_path):
    """Folders that lack it, do not exist, or are files are passed over."""
    first, second = (touched(tmp_path / folder / "net.h5") for folder in ("first", "second"))
    empty, missing = tmp_path / "empty", tmp_path / "missing"
    empty.mkdir()
    assert first == find_network("net.h5", "", (missing, empty, first.parent, second.parent))
    assert second == find_network("net.h5", "", (first, second.parent, first.parent))


@pytest.mark.parametrize("form", [str, os.path.relpath])
def test_a_path_is_a_path(tmp_path, form):
    """Absolute, or relative to the folder one is in; no folder is searched."""
    path = touched(tmp_path / "my networks" / "net.h5")
    other = touched(tmp_path / "networks" / "net.h5")
    for folders in ((), (other.parent,)):
        assert path.samefile(find_network(form(path), "SGLI", folders))


def test_a_path_below_a_network_folder(tmp_path):
    """``ocsmart/{sensor}_aphNN.h5`` is looked up in every folder."""
    path = touched(tmp_path / "networks" / "ocsmart" / "SGLI_aphNN.h5")
    assert path == find_network("ocsmart/{sensor}_aphNN.h5", "SGLI", (tmp_path / "networks",))


def test_a_folder_is_no_network(tmp_path):
    """One that is called like the file, in whatever letter case."""
    for name in ("net.h5", "NET.H5"):
        (tmp_path / "networks" / name).mkdir(parents=True)
    path = touched(tmp_path / "more" / "net.h5")
    assert path == find_network("net.h5", "", (tmp_path / "networks", path.parent))


def test_no_network_says_where_it_was_looked_for(tmp_path):
    """The name with the sensor filled in, every folder, and the ways out."""
    folders = (tmp_path / "one", tmp_path / "two")
    with pytest.raises(NetworkError) as caught:
        find_network("{sensor}_aphNN.h5", "OLI2", folders)
    message = str(caught.value)
    assert "no network OLI2_aphNN.h5 for sensor OLI2" in message
    for part in (*map(str, folders), "--networks", ENVIRONMENT_VARIABLE, "--products"):
        assert part in message


def test_no_folder_given_is_said():
    """The usual first mistake."""
    with pytest.raises(NetworkError, match="no folder"):
        find_network("net.h5", "SGLI", ())


@pytest.mark.parametrize("folders", [(), (Path(),)])
def test_an_unknown_sensor_cannot_be_filled_in(folders):
    """The scene names none that is known: say so, and do not look for ``_aphNN.h5``."""
    touched(Path("_aphNN.h5"))
    with pytest.raises(NetworkError, match=r"sensor is unknown. Set science.sensor"):
        find_network("{sensor}_aphNN.h5", "", folders)
