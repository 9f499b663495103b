"""The whole files that are made hostile: networks, products, tables and ledgers."""

import gzip
import io
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pyarrow as pa
import yaml
from miniatures.cases import CASES
from pyarrow import feather, parquet
from small_network import write_network

import pipeline

NUMBERS = np.linspace(-1, 1, 15).reshape(5, 3)
ROWS = "station,lat,lon,time,chl\nA,10.5,20.25,2024-01-02T03:04:05,0.5\nB,11,21,2024-01-03,0.7\n"


def network_h5(folder: Path) -> Path:
    """OC-SMART's layout."""
    return write_network(folder / "network.h5")


def network_legacy(folder: Path) -> Path:
    """Keras' old format, and its description."""
    path = folder / "network.h5"
    model = {
        "class_name": "Sequential",
        "config": {"name": "m", "layers": _layers()},
    }
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["keras_version"] = "2.15.0"
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/kernel:0"] = NUMBERS.T[:3, :2]
        group["dense/bias:0"] = np.zeros(2)
    return _described(path)


def network_keras(folder: Path) -> Path:
    """Keras' zip, and its description."""
    path, weights = folder / "network.keras", io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = NUMBERS.T[:3, :2]
        file["layers/dense/vars/1"] = np.zeros(2)
        file["layers/dense"].attrs["name"] = "dense"
    model = {"class_name": "Sequential", "config": {"name": "m", "layers": _layers()}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("model.weights.h5", weights.getvalue())
    return _described(path)


def _layers() -> list[dict[str, Any]]:
    shape = {"batch_shape": [None, 3], "name": "input_1"}
    dense = {"name": "dense", "units": 2, "activation": "tanh", "use_bias": True}
    return [
        {"class_name": "InputLayer", "config": shape},
        {"class_name": "Dense", "config": dense},
    ]


def _variables(quantity: str, bands: tuple[int, ...], units: str) -> list[dict[str, Any]]:
    common = {"units": units, "transform": "none", "scaling": "none"}
    return [{"quantity": quantity, "wavelength_nm": nm, **common} for nm in bands]


def _description(**more: Any) -> str:
    described = {
        "schema": 1,
        "name": "m",
        "sensors": ["MODIS-Aqua"],
        "inputs": _variables("Rrs", (412, 443, 488), "sr-1"),
        "outputs": _variables("aph", (412, 443), "m-1"),
        **more,
    }
    return yaml.safe_dump(described, sort_keys=False)


def _described(path: Path) -> Path:
    path.with_suffix(".yaml").write_text(_description(weights=path.name))
    return path


def network_text(folder: Path) -> Path:
    """A YAML that names CSV tables."""
    path = folder / "network.yaml"
    (folder / "kernel.csv").write_text("0.1,0.2\n0.3,0.4\n0.5,0.6\n")
    (folder / "bias.csv").write_text("0.1,0.2\n")
    layer = {"kernel": "kernel.csv", "bias": "bias.csv", "activation": "tanh"}
    path.write_text(_description(layers=[layer]))
    return path


def network_onnx(folder: Path) -> Path:
    """A chain of operators of all kinds, and its description."""
    import onnx
    from onnx import TensorProto, helper

    path = folder / "network.onnx"
    bands = ("a", "b", "c")
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 1]) for n in bands]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
    kernel = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], NUMBERS[:3, :2].ravel())
    more = [
        onnx.numpy_helper.from_array(np.array(values, kind), name)
        for name, values, kind in (
            ("m", [0.01] * 3, "f4"), ("s", 0.02, "f4"), ("v", NUMBERS[:2, :2], "f4"),
            ("z", [0.1, 0.2], "f4"), ("shape", [-1, 2], "i8"),
        )
    ]  # fmt: skip
    nodes = [
        helper.make_node("Concat", bands, ["x"], axis=1),
        helper.make_node("Sub", ["x", "m"], ["x1"]),
        helper.make_node("Div", ["x1", "s"], ["x2"]),
        helper.make_node("MatMul", ["x2", "w"], ["x3"]),
        helper.make_node("LeakyRelu", ["x3"], ["x4"], alpha=0.1),
        helper.make_node("Gemm", ["x4", "v", "z"], ["x5"], transB=1),
        helper.make_node(
            "Scaler", ["x5"], ["x6"], domain="ai.onnx.ml", offset=[0.0, 0.1], scale=[1.0, 2.0]
        ),
        helper.make_node("Reshape", ["x6", "shape"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, [output], [kernel, *more])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return _described(path)


def ensemble(folder: Path) -> Path:
    """A YAML that names networks."""
    for seed in (1, 2):
        write_network(folder / f"member{seed}.h5", seed=seed)
    path = folder / "network.yaml"
    members = {"schema": 1, "name": "both", "members": ["member1.h5", "member2.h5"]}
    path.write_text(yaml.safe_dump(members))
    return path


def product(folder: Path) -> Path:
    """A product, beside its scene and its network."""
    case = CASES["obpg_modis"] if "obpg_modis" in CASES else next(iter(CASES.values()))
    written = case.written(folder)
    bands = tuple(case.named_as.get(nm, nm) for nm in case.bands[:3])
    sensors = (case.sensor or "MODIS-Aqua",)
    write_network(folder / "net.h5", bands=bands, sensors=sensors)
    config = {
        "name": "test",
        "science": {
            "reader": case.choice.model_dump(),
            "networks": [{"name": "net", "file": "net.h5", "allow_other_sensor": True}],
            "engine": "numpy",
            "output": {"chunk": [8, 8]},
        },
        "execution": {"output": str(folder), "network_dirs": [str(folder)]},
    }
    made = pipeline.process_scene(written.path, config)
    return made.rename(folder / "product.nc")


def table_csv(folder: Path) -> Path:
    path = folder / "table.csv"
    path.write_text(ROWS)
    return path


def table_gzip(folder: Path) -> Path:
    path = folder / "table.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode()))
    return path


def table_seabass(folder: Path) -> Path:
    path = folder / "table.sb"
    head = "/begin_header\n/fields=station,lat,lon,chl\n/units=none,degrees,degrees,mg/m^3\n"
    path.write_text(f"{head}/missing=-999\n/delimiter=comma\n/end_header\nA,1,2,3\nB,4,5,-999\n")
    return path


def table_nomad(folder: Path) -> Path:
    path = folder / "table.csv"
    path.write_text(f"! lat ~ latitude (degrees)\n{ROWS}")
    return path


def table_pangaea(folder: Path) -> Path:
    path = folder / "table.tab"
    path.write_text("/* about\n*/\nEvent\tLatitude\tLongitude\tChl a [ug/l]\nA\t1\t2\t3\n")
    return path


def table_aeronet(folder: Path) -> Path:
    path = folder / "table.csv"
    path.write_text("AERONET\nDate(dd-mm-yyyy),Time(hh:mm:ss),Lwn[412nm]\n01:02:2024,10:00:00,1\n")
    return path


def _arrow() -> Any:
    columns = {"station": ["A", "B", "C"], "lat": [1.0, 2.0, None], "chl": [0.1, 0.2, 0.3]}
    return pa.table(columns)


def table_parquet(folder: Path) -> Path:
    parquet.write_table(_arrow(), folder / "table.parquet")
    return folder / "table.parquet"


def table_feather(folder: Path) -> Path:
    feather.write_feather(_arrow(), str(folder / "table.feather"), compression="zstd")
    return folder / "table.feather"


def table_netcdf(folder: Path) -> Path:
    return _netcdf(folder / "table.nc", "NETCDF4")


def table_classic(folder: Path) -> Path:
    return _netcdf(folder / "table.nc", "NETCDF3_64BIT_OFFSET")


def _netcdf(path: Path, kind: Any) -> Path:
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.createDimension("sample", 6)
        for number, name in enumerate(("lat", "lon", "chl")):
            options = {"chunksizes": (3,), "zlib": True} if kind == "NETCDF4" else {}
            variable = file.createVariable(name, "f8", ("sample",), **options)
            variable.units = "degrees" if number < 2 else "mg m-3"
            variable[:] = np.arange(6) + number
    return path


def ledger(folder: Path) -> Path:
    """As the first batch of an output folder makes it."""
    from pipeline.batch.ledger import Ledger

    path = folder / "ledger.sqlite"
    with Ledger.open(path, folder):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


BASES: dict[str, Callable[[Path], Path]] = {
    each.__name__: each
    for each in (
        network_h5, network_legacy, network_keras, network_text, network_onnx, ensemble, product,
        table_csv, table_gzip, table_seabass, table_nomad, table_pangaea, table_aeronet,
        table_parquet, table_feather, table_netcdf, table_classic, ledger,
    )
}  # fmt: skip
"""By kind."""


class Bases:
    """Makes each whole file once, and copies of its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Path] = {}

    def copied(self, kind: str, to: Path) -> Path:
        """A copy of the file, and of what lies beside it, in an empty folder."""
        if kind not in self._made:
            folder = self._folder / kind
            folder.mkdir(parents=True)
            self._made[kind] = BASES[kind](folder)
        path = self._made[kind]
        shutil.copytree(path.parent, to, dirs_exist_ok=True)
        return to / path.name
