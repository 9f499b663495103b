"""A network in the current folder is used only where the configuration says so."""

import shutil

import pytest

from pipeline.errors import ConfigError, NetworkError
from pipeline.networks.reading.library import check_folders, find_network


def test_a_bare_name_is_not_taken_from_the_current_folder(sample_networks, tmp_path, monkeypatch):
    """What happens to lie there must not replace the network of the named folder."""
    shutil.copy(sample_networks / "demo_iops.h5", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NetworkError, match="no network"):
        find_network("demo_iops.h5", "", ())
    found = find_network("demo_iops.h5", "", (sample_networks,))
    assert found == sample_networks / "demo_iops.h5"


def test_a_path_to_the_current_folder_is_a_path(sample_networks, tmp_path, monkeypatch):
    """With ./ in front the file of the current folder is meant, whatever the folders hold."""
    shutil.copy(sample_networks / "demo_iops.h5", tmp_path)
    monkeypatch.chdir(tmp_path)
    found = find_network("./demo_iops.h5", "", (sample_networks,))
    assert found.resolve() == tmp_path / "demo_iops.h5"


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    """A slip in --networks must not let another folder answer."""
    with pytest.raises(ConfigError, match="no such folder"):
        check_folders((tmp_path / "netwroks",))
