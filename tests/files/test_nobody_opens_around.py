"""Nobody outside of pipeline/files opens a file to read it: the code itself is looked through."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pipeline"

# Functions that open a file or an address, by the last names of the call.
OPENERS = {
    *("h5py.File", "h5netcdf.File", "netCDF4.Dataset", "netCDF4.MFDataset", "h5py.is_hdf5"),
    *("xr.open_dataset", "xr.open_dataarray", "xr.open_mfdataset", "xr.open_datatree"),
    *("xr.open_zarr", "xr.load_dataset", "xr.load_dataarray"),
    *("rioxarray.open_rasterio", "rasterio.open"),
    *("zipfile.ZipFile", "zipfile.is_zipfile", "tarfile.open", "shutil.unpack_archive"),
    *("gzip.open", "gzip.GzipFile", "bz2.open", "bz2.BZ2File", "lzma.open", "lzma.LZMAFile"),
    *("np.load", "np.loadtxt", "np.genfromtxt", "np.fromfile", "np.memmap", "np.fromregex"),
    *("sqlite3.connect", "mmap.mmap", "io.open", "io.FileIO", "codecs.open", "open", "os.open"),
    *("hashlib.file_digest", "pickle.load", "onnx.load", "fileinput.input", "linecache.getlines"),
    *("parquet.ParquetFile", "parquet.read_table", "parquet.read_metadata", "pq.read_table"),
    *("feather.read_table", "feather.read_feather", "ipc.open_file", "ipc.open_stream"),
    *("pa.memory_map", "pa.OSFile", "pa.input_stream", "csv.open_csv", "ds.dataset"),
    *("yaml.full_load", "yaml.unsafe_load"),
}
METHODS = {"read_text", "read_bytes"}
PANDAS = "read_"
# Objects with a method open that are no paths.
NO_PATHS = {"opener", "h5d"}

# What may open files itself, by which calls, and why: files that are written, of the kernel, or in
# the package.
ALLOWED = {
    "batch/child.py": ("?.read_text", "own status in /proc"),
    "batch/filesystem.py": ("MOUNTS.read_text", "mounts in /proc"),
    "batch/ledger/database.py": (
        "sqlite3.connect os.open",
        "a database in memory; a folder, to see whether the system opens more files",
    ),
    "batch/ledger/schema.py": ("sqlite3.connect", "a database in memory"),
    "batch/process_identity.py": ("?.read_text", "processes in /proc"),
    "batch/supervisor.py": ("?.read_text", "the memory of its child in /proc"),
    "evaluation/card.py": ("?.read_text", "the template in the package"),
    "facts/optical_tables.py": ("path.read_text", "a table in the package"),
    "facts/shipped.py": ("path.read_text", "the configuration in the package"),
    "machine/resources.py": (
        "?.read_text MEMINFO.read_text OWN_GROUPS.read_text path.read_text",
        "memory and cores in /proc and /sys",
    ),
    "networks/saving/ocsmart_h5.py": ("h5py.File", "a network that is written"),
    "product/delivery.py": ("open os.open", "written to see whether that is possible"),
    "stopping.py": ("os.open", "the null device, where messages go if there is no stderr"),
    "tables/writing.py": ("netCDF4.Dataset path.open", "tables that are written"),
    "training/fitting/checkpoints.py": ("partial.open", "checkpoints that are written"),
    "writers/netcdf.py": ("h5py.File netCDF4.Dataset os.open", "a product that is written"),
}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of nested attributes; other expressions are ``?``."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def names_of(tree: ast.AST) -> dict[str, str]:
    """Imported names -> the names by which OPENERS knows them."""
    found = {}
    short = {"numpy": "np", "xarray": "xr", "pyarrow": "pa", "pandas": "pd"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.asname:
                    found[each.asname] = short.get(each.name, each.name.rpartition(".")[2])
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            owner = short.get(node.module, node.module.rpartition(".")[2])
            for each in node.names:
                found[each.asname or each.name] = f"{owner}.{each.name}"
    return found


def openings(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each call, or passed-on function, that opens a file."""
    tree = ast.parse(source)
    names = names_of(tree)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    types = {
        id(part) for node in ast.walk(tree) for hint in _hints(node) for part in ast.walk(hint)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or id(node) in inner:
            continue
        raw = dotted(node)
        first, _, rest = raw.partition(".")
        name = f"{names.get(first, first)}{f'.{rest}' if rest else ''}"
        last_two, last = ".".join(name.split(".")[-2:]), name.rpartition(".")[2]
        is_opener = (name in OPENERS or last_two in OPENERS) and id(node) not in types
        is_method = "." in raw and last in METHODS
        is_path_open = id(node) in called and raw.endswith(".open") and _is_path(raw)
        is_pandas = name.startswith(("pd.", "pandas.")) and last.startswith(PANDAS)
        if is_opener or is_method or is_path_open or is_pandas:
            yield node.lineno, name


def _hints(node: ast.AST) -> Iterator[ast.expr]:
    """Annotations, and the types of ``isinstance``, which open nothing."""
    for field in ("annotation", "returns"):
        hint = getattr(node, field, None)
        if isinstance(hint, ast.expr):
            yield hint
    if isinstance(node, ast.Call) and dotted(node.func) == "isinstance":
        yield from node.args[1:]


def _is_path(name: str) -> bool:
    """Whether the object of ``object.open`` may be a path: not a class, a reader or a library."""
    owner = name.split(".")[-2]
    return owner == "?" or (
        owner.islower() and owner not in {"opener", "h5d", "h5a", "h5g", "cls", "webbrowser"}
    )


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] != "files")


def test_nobody_opens_a_file_around_the_room():
    """Except what ALLOWED names; an entry that is no longer needed would hide the next one."""
    found: dict[str, set[str]] = {}
    for path in modules():
        calls = {name for _, name in openings(path.read_text(encoding="utf-8"))}
        if calls:
            found[path.relative_to(PACKAGE).as_posix()] = calls
    assert found == {name: set(calls.split()) for name, (calls, _) in ALLOWED.items()}


@pytest.mark.quick
@pytest.mark.parametrize(
    "source",
    [
        "import h5py\nh5py.File(path, 'r')",
        "from h5py import File as F\nF(path)",
        "import netCDF4 as nc\nnc.Dataset(path)",
        "import xarray as xr\nxr.open_dataset(path)",
        "import numpy as np\nnp.load(path)",
        "import numpy as n\nn.memmap(path)",
        "open(path)",
        "map(open, paths)",
        "path.open('rb')",
        "(folder / 'a').open()",
        "Path('a').read_text()",
        "path.read_bytes()",
        "import os\nos.open(path, os.O_RDONLY)",
        "from zipfile import ZipFile\nZipFile(path)",
        "import gzip\ngzip.open(path)",
        "import sqlite3\nsqlite3.connect(path)",
        "import rasterio\nwith rasterio.open(path) as file: pass",
        "import pandas as pd\npd.read_csv(path)",
        "import pyarrow.parquet as pq\npq.read_table(path)",
        "from pyarrow import parquet\nparquet.ParquetFile(path)",
    ],
)
def test_an_opening_is_seen(source):
    """In each of the usual ways to write it."""
    assert list(openings(source))


@pytest.mark.quick
@pytest.mark.parametrize(
    "source",
    [
        "def f(file: h5py.File) -> netCDF4.Dataset: ...",
        "isinstance(file, h5py.File)",
        "Ledger.open(path)",
        "from pipeline.files.contents import read_text\nread_text(path)",
        "xr.Dataset(layers)",
    ],
)
def test_what_opens_nothing_is_not_seen(source):
    """Types, our own functions, and classes with a method open."""
    assert not list(openings(source))
