"""What is done to a file; the same for the same seed."""

import contextlib
import gzip
import os
import sqlite3
import zipfile
from pathlib import Path
from random import Random

import h5py
import numpy as np
from fuzz.mutations import _BYTES, _HDF5, Mutation, classic
from fuzz.outside import Outside

from hostile.onnx_mutations import ONNX_MUTATIONS

FIFO = "canary.fifo"
ENDLESS = """DROP TABLE holder; CREATE VIEW holder AS WITH RECURSIVE c(x) AS
    (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x AS id FROM c"""
RUBBISH = """INSERT INTO holder (token, process, host, pid, output, slots, threads, started) VALUES
    (zeroblob(1000), x'ff', -1, 'pid', '', 'many', '', 'never')"""
HUGE = (2**24, 2**31, 2**33, 2**40, 2**62)


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None
    )
    return sorted(names)


def link_to_fifo(path: Path, draw: Random, outside: Outside) -> str:
    """A dataset, or its bytes, that is a named pipe."""
    fifo = str(outside.folder / FIFO)
    with h5py.File(path, "a") as file:
        name = draw.choice(_datasets(file))
        shape, dtype = file[name].shape, file[name].dtype
        del file[name]
        if draw.random() < 0.5 or dtype.kind not in "iuf":
            file[name] = h5py.ExternalLink(fifo, f"/{name}")
        else:
            place = [(fifo, 0, h5py.h5f.UNLIMITED)]
            file.create_dataset(name, shape or (1,), dtype, external=place)
    return f"{name} -> {FIFO}"


def huge_dataset(path: Path, draw: Random, _: Outside) -> str:
    """A dataset of the same number of dimensions that claims any size, written nowhere."""
    with h5py.File(path, "a") as file:
        name = draw.choice(_datasets(file))
        shape, dtype = list(file[name].shape or (1,)), file[name].dtype
        attributes = dict(file[name].attrs)
        del file[name]
        shape[draw.randrange(len(shape))] = draw.choice(HUGE[:4])
        chunks = tuple(min(size, draw.choice((1, 2**10, 2**20))) for size in shape)
        with contextlib.suppress(ValueError, TypeError):
            made = file.create_dataset(name, shape, dtype, chunks=draw.choice((None, chunks)))
            for key, value in attributes.items():
                if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                    made.attrs[key] = value
    return f"{name} claims {shape}"


def huge_storage_chunk(path: Path, draw: Random, _: Outside) -> str:
    """A dataset of the right size whose one chunk is huge."""
    with h5py.File(path, "a") as file:
        names = [name for name in _datasets(file) if file[name].shape]
        name = draw.choice(names)
        shape, dtype = file[name].shape, file[name].dtype
        del file[name]
        chunks = [max(1, size) for size in shape]
        chunks[-1] = draw.choice((2**24, 2**27, 2**28))
        with contextlib.suppress(ValueError, TypeError):
            most = (None,) * len(shape)
            file.create_dataset(name, shape, dtype, chunks=tuple(chunks), maxshape=most)
    return f"{name} in chunks {chunks}"


def is_a_fifo(path: Path, _: Random, outside: Outside) -> str:
    """The file itself, by a link."""
    path.unlink()
    path.symlink_to(outside.folder / FIFO)
    return "the file is a named pipe"


def beside_is_elsewhere(path: Path, draw: Random, outside: Outside) -> str:
    """A file that belongs to it is a link to a canary, or to a named pipe."""
    others = sorted(each for each in path.parent.iterdir() if each != path)
    if not others:
        return "nothing: nothing lies beside it"
    other = draw.choice(others)
    if other.is_dir():
        return "nothing: a folder"
    canary = outside.folder / f"canary_of_{other.name}"
    canary.write_bytes(other.read_bytes())
    other.unlink()
    # A product names no files, only hashes; its folder may hold links to the right ones.
    to = outside.folder / FIFO
    other.symlink_to(to if path.name == "product.nc" else draw.choice((canary, to)))
    return f"{other.name} -> {other.readlink().name}"


def text_value(path: Path, draw: Random, _: Outside) -> str:
    """A word of a text is something else."""
    words = path.read_text(errors="surrogateescape").split(" ")
    place = draw.randrange(len(words))
    words[place] = draw.choice(
        ("9" * 5000, "1e999", "-", "[" * 5000, "!!python/object:os.system", "*a", "&a [*a]", "\0",
         "nan", "../" * 50 + "etc/passwd", "/etc/passwd", "\x1b[31m", "'", "{a: b}", "1:1:1:1")
    )  # fmt: skip
    path.write_text(" ".join(words), errors="surrogateescape")
    return f"word {place} is {words[place][:20]!r}"


def text_repeated(path: Path, draw: Random, _: Outside) -> str:
    """A line very often, a very long line, or very many columns."""
    lines = path.read_bytes().split(b"\n")
    place = draw.randrange(len(lines))
    times = draw.choice((1000, 20_000, 300_000))
    mark = draw.choice((b"\n", b",", b"\t", b"", b'"', b" ", b"\r"))
    lines[place] = mark.join([lines[place][:20] or b"1"] * min(times, 60_000_000 // 20))
    path.write_bytes(b"\n".join(lines))
    return f"line {place} {times} times with {mark!r}"


def gzip_members(path: Path, draw: Random, _: Outside) -> str:
    """Many more members that inflate to a thousand times their size."""
    part = draw.choice((b"A,1,2,2024-01-01,3\n", b"\n", b",", b"x", b"\0", b'"'))
    member = gzip.compress(part * (1_000_000 // len(part)), 9)
    times = draw.choice((5, 50, 500, 5000))
    path.write_bytes(path.read_bytes() + member * times)
    return f"{times} MB of {part!r}"


def zip_members(path: Path, draw: Random, _: Outside) -> str:
    """Members that are larger, are more, or lead out."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = draw.choice(list(members))
    way = draw.choice(("zeros", "deep", "many", "out", "lying", "twice", "link"))
    if way == "zeros":
        members[name] = bytes(draw.choice((10**7, 5 * 10**7)))
    elif way == "deep":
        members[name] = draw.choice((b"[", b'{"a":', b'"')) * 200_000
    elif way == "many":
        members |= {f"{number:0200d}": b"" for number in range(draw.choice((10, 15_000)))}
    elif way == "out":
        members[draw.choice(("../../evil", "/tmp/evil", "a\\..\\b"))] = b"x"  # noqa: S108
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
            if way == "twice" and each == name:
                archive.writestr(each, content)
        if way == "link":
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "/etc/passwd")
    if way == "lying":
        content = bytearray(path.read_bytes())
        place = content.rfind(b"PK\1\2") + draw.choice((20, 24, 42))
        content[place : place + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\1\0\0\0"))
        path.write_bytes(bytes(content))
    return f"{name}: {way}"


def zip_config(path: Path, draw: Random, _: Outside) -> str:
    """A model that is deep, wide or of another class."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    wide = draw.choice((3, 100, 8192, 10**9))
    layer = draw.choice(
        (
            '{"class_name":"Activation","config":{"name":"a","activation":"tanh"}}',
            '{"class_name":"Rescaling","config":{"name":"r","scale":2.0}}',
            '{"class_name":"Lambda","config":{"name":"l","function":"os.system"}}',
            f'{{"class_name":"InputLayer","config":{{"name":"i","batch_shape":[null,{wide}]}}}}',
            '{"class_name":"Dropout","config":{"name":"d"}}',
        )
    )
    times = draw.choice((1, 40, 2000, 200_000))
    text = members["config.json"].decode()
    if draw.random() < 0.5:
        text = text.replace("[null, 3]", f"[null, {wide}]")
    text = text.replace('"layers": [', f'"layers": [{f"{layer}," * times}')
    members["config.json"] = text.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return f"{times} layers {layer[:40]}, {wide} wide"


def of_weights(mutation: Mutation) -> Mutation:
    """A mutation of the HDF5 file in a zip."""

    def mutate(path: Path, draw: Random, outside: Outside) -> str:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        inner = path.with_name("inner.h5")
        inner.write_bytes(members["model.weights.h5"])
        did = mutation(inner, draw, outside)
        members["model.weights.h5"] = inner.read_bytes()
        inner.unlink()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, content in members.items():
                archive.writestr(each, content)
        return f"in the archive: {did}"

    return mutate


def arrow_claims(path: Path, draw: Random, outside: Outside) -> str:
    """Columns that claim rows, share one text, or are very many."""
    import pyarrow as pa
    from pyarrow import feather, parquet

    del outside
    way = draw.choice(("nulls", "text", "columns", "lists", "ends", "zeros"))
    if way == "nulls":
        table = pa.table({"chl": pa.nulls(draw.choice((10**6, 2**26)))})
    elif way == "text":
        text = "x" * draw.choice((10_000, 30_000, 1_000_000))
        zeros = pa.array(np.zeros(draw.choice((1000, 200_000)), "i4"))
        table = pa.table({"station": pa.DictionaryArray.from_arrays(zeros, [text])})
    elif way == "columns":
        table = pa.table({f"c{number}": [1.0] for number in range(draw.choice((2000, 30_000)))})
    elif way == "lists":
        table = pa.table({"a": pa.array([[1.0] * 10**6]), "chl": [1.0]})
    elif way == "ends":
        ends = pa.RunEndEncodedArray.from_arrays(pa.array([2**30], pa.int32()), pa.array([1.0]))
        table = pa.table({"chl": ends})
    else:
        table = pa.table({"chl": np.zeros(3_000_000)})
    if path.suffix == ".parquet":
        with contextlib.suppress(pa.ArrowException):
            parquet.write_table(table, path, compression=draw.choice(("zstd", "gzip", "none")))
    else:
        with contextlib.suppress(pa.ArrowException), pa.ipc.new_file(str(path), table.schema) as f:
            f.write_table(table)
    del feather
    return way


def sqlite_schema(path: Path, draw: Random, outside: Outside) -> str:
    """Tables that are views, triggers that loop, values of other kinds."""
    statements = (
        "DROP TABLE scene; CREATE VIEW scene AS SELECT * FROM run",
        ENDLESS,
        "DROP TABLE scene",
        "PRAGMA user_version = 999",
        "PRAGMA user_version = 0",
        "CREATE TABLE more AS SELECT zeroblob(50000000) AS b",
        RUBBISH,
        f"CREATE VIRTUAL TABLE more USING csv(filename='{outside.folder}/canary.raw')",
        "CREATE TRIGGER t AFTER INSERT ON holder BEGIN SELECT load_extension('x'); END",
        "PRAGMA page_size = 512; VACUUM",
    )
    chosen = draw.choice(statements)
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(f"PRAGMA foreign_keys = OFF; {chosen};")
    return chosen


def sqlite_beside(path: Path, draw: Random, outside: Outside) -> str:
    """A log or journal beside it that is rubbish, a link or a named pipe."""
    beside = path.with_name(f"{path.name}{draw.choice(('-wal', '-shm', '-journal'))}")
    way = draw.choice(("rubbish", "fifo", "link", "folder"))
    if way == "rubbish":
        beside.write_bytes(draw.randbytes(5000))
    elif way == "fifo":
        os.mkfifo(beside)
    elif way == "link":
        beside.symlink_to(outside.folder / FIFO)
    else:
        beside.mkdir()
    return f"{beside.name}: {way}"


def _named(*functions: Mutation) -> dict[str, Mutation]:
    return {function.__name__: function for function in functions}


_OWN_HDF5 = _named(link_to_fifo, huge_dataset, huge_storage_chunk)
_BOTH = _named(is_a_fifo, beside_is_elsewhere)
# What they do needs a scene.
_OF_SCENES = ("huge_scene", "wavelengths", "dimensions", "flags")
_OF_HDF5 = {name: each for name, each in _HDF5.items() if name not in _OF_SCENES}
_WHOLE_HDF5 = _BYTES | _BOTH | _OF_HDF5 | _OWN_HDF5
_TEXT = _BYTES | _BOTH | _named(text_value, text_repeated)
_ONNX = _named(*ONNX_MUTATIONS)
_CLASSIC = _named(classic.classic_header, classic.classic_dimension)

MUTATIONS: dict[str, dict[str, Mutation]] = {
    "network_h5": _WHOLE_HDF5,
    "network_legacy": _WHOLE_HDF5,
    "network_keras": _BYTES | _BOTH | _named(zip_members, zip_config)
    | {f"weights_{n}": of_weights(m) for n, m in (_OF_HDF5 | _OWN_HDF5).items()},
    "network_text": _TEXT,
    "network_onnx": _BYTES | _BOTH | _ONNX,
    "ensemble": _TEXT,
    "product": _WHOLE_HDF5,
    "table_csv": _TEXT,
    "table_gzip": _BYTES | _BOTH | _named(gzip_members),
    "table_seabass": _TEXT,
    "table_nomad": _TEXT,
    "table_pangaea": _TEXT,
    "table_aeronet": _TEXT,
    "table_parquet": _BYTES | _BOTH | _named(arrow_claims),
    "table_feather": _BYTES | _BOTH | _named(arrow_claims),
    "table_netcdf": _WHOLE_HDF5,
    "table_classic": _BYTES | _BOTH | _CLASSIC,
    "ledger": _BYTES | _BOTH | _named(sqlite_schema, sqlite_beside),
}  # fmt: skip
"""By kind."""
