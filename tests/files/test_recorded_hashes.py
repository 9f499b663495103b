"""Networks and tables that are replaced while they are read: a hash names what was used."""

import json
import shutil

import netCDF4
import numpy as np
import pandas as pd
import pytest
import yaml
from races import at, replace
from small_network import write_network
from table_files import AERONET, PANGAEA

from pipeline.errors import ConfigError, NetworkError
from pipeline.networks import load_network, load_retrieval
from pipeline.networks.saving import save_network
from pipeline.tables import read_table


def ocsmart(folder, seed):
    return write_network(folder / "net.h5", seed=seed)


def onnx_network(folder, seed):
    save_network(folder / "net.onnx", load_network(ocsmart(folder, seed)))
    return folder / "net.onnx"


def ensemble(folder, seed):
    for number in range(2):
        write_network(folder / f"{number}.h5", seed=10 * number + seed)
    path = folder / "iop.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "name": "iop", "members": ["0.h5", "1.h5"]}))
    return path


def csv_network(folder, seed):
    variable = {"units": "sr-1", "transform": "none", "scaling": "none", "range": (0, 1)}
    (folder / "w.csv").write_text(f"0.{seed}\n")
    (folder / "b.csv").write_text(f"0.{seed}\n")
    described = {
        "schema": 1,
        "name": "net",
        "sensors": ["MODIS-Aqua"],
        "layers": [{"kernel": "w.csv", "bias": "b.csv", "activation": "linear"}],
        "inputs": [variable | {"quantity": "Rrs", "wavelength_nm": 443}],
        "outputs": [variable | {"quantity": "aph", "wavelength_nm": 443, "units": "m-1"}],
    }
    path = folder / "net.yaml"
    path.write_text(json.dumps(described))
    return path


# The file that is replaced, and after which function.
NETWORKS = {
    "weights after their hash": (ocsmart, "net.h5", ("pipeline.networks.reading", "sha256_of")),
    "a table of weights": (
        csv_network,
        "w.csv",
        ("pipeline.networks.reading.described_yaml", "_parts"),
    ),
    "a description": (
        csv_network,
        "net.yaml",
        ("pipeline.networks.reading.described_yaml", "read_description"),
    ),
    "an ONNX file": (onnx_network, "net.onnx", ("pipeline.networks.reading", "read_onnx_graph")),
    "a member": (ensemble, "0.h5", ("pipeline.networks.reading.ensemble_file", "load_network")),
    "the list of members": (
        ensemble,
        "iop.yaml",
        ("pipeline.networks.reading.ensemble_file", "named_files"),
    ),
}


@pytest.mark.parametrize("way", ["rename", "in place"])
@pytest.mark.parametrize("case", NETWORKS)
def test_a_network_that_is_replaced_is_refused(tmp_path, case, way):
    """The next call reads it."""
    write, name, moment = NETWORKS[case]
    folders = [tmp_path / "a", tmp_path / "b"]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        path = write(folder, seed + 1)
    path, other = folders[0] / path.name, folders[1] / name
    with (
        at((*moment, "after"), lambda: replace(folders[0] / name, other, way)),
        pytest.raises(NetworkError, match=f"{name} was replaced or changed while it was read"),
    ):
        load_retrieval(path)
    again = load_retrieval(path)
    if write is ocsmart:
        assert again.sha256 == load_retrieval(other).sha256


def csv(path):
    path.write_text("time,lat,lon,chl\n2020-01-02T03:04:05Z,1,2,3\n")


def pangaea(path):
    path.write_text(PANGAEA)


def aeronet(path):
    path.write_text(AERONET)


def parquet(path):
    pd.DataFrame({"chl": [1.0, 2.0]}).to_parquet(path)


def feather(path):
    pd.DataFrame({"chl": [1.0, 2.0]}).to_feather(path)


def netcdf(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("sample", 2)
        file.createVariable("chl", "f8", ("sample",))[:] = np.ones(2)


@pytest.mark.parametrize("write", [csv, pangaea, aeronet, parquet, feather, netcdf])
def test_a_table_that_is_replaced_is_refused(tmp_path, write):
    """Its hash is in the record of a training."""
    path, other = tmp_path / "table", tmp_path / "other"
    write(path)
    shutil.copyfile(path, other)
    with (
        at(("pipeline.tables", "_read", "after"), lambda: replace(path, other, "rename")),
        pytest.raises(ConfigError, match="table was replaced or changed while it was read"),
    ):
        read_table(path)
    assert len(read_table(path))
