"""Files that lead to others, or are larger than they look: refused in words, in little memory."""

import gzip
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import yaml
from hostile.bases import product
from hostile.bounded import Bounded
from small_network import write_network

from pipeline.files.limits import LIMITS

SECRET = "7.77e7"  # noqa: S105 - numbers that no file but a canary holds


@pytest.fixture(scope="module")
def bounded():
    """One server for all commands of this module."""
    with Bounded() as made:
        yield made


def refused(bounded, *arguments, **options):
    """The output of a command that ends with an error in words."""
    ending = bounded.run(*arguments, **options)
    assert not ending.faults, f"{ending.faults}\n{ending.output}"
    assert ending.code in (1, 2), ending.output
    assert SECRET not in ending.output
    assert "77700000" not in ending.output
    return ending.output


def canary(folder: Path, shape=(5, 3)) -> Path:
    """An HDF5 file outside, with numbers of its own, and the same as raw bytes."""
    path = folder / "outside.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.full(shape, float(SECRET))
    (folder / "outside.raw").write_bytes(np.full(shape, float(SECRET)).tobytes())
    os.mkfifo(folder / "outside.fifo")
    return path


# Networks


def by_link(file, folder):
    file["Weights/Layer1"] = h5py.ExternalLink(str(folder / "outside.h5"), "/numbers")


def by_storage(file, folder):
    external = [(str(folder / "outside.raw"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("Weights/Layer1", (5, 3), "f8", external=external)


def by_virtual(file, folder):
    layout = h5py.VirtualLayout((5, 3), "f8")
    layout[...] = h5py.VirtualSource(str(folder / "outside.h5"), "numbers", (5, 3))
    file.create_virtual_dataset("Weights/Layer1", layout)


def by_fifo(file, folder):
    file["Weights/Layer1"] = h5py.ExternalLink(str(folder / "outside.fifo"), "/numbers")


def by_fifo_storage(file, folder):
    external = [(str(folder / "outside.fifo"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("Weights/Layer1", (5, 3), "f8", external=external)


def in_a_circle(file, _):
    file["Weights/Layer1"] = np.zeros((5, 3))
    file["Weights/again"] = file["/"]


@pytest.mark.parametrize(
    "attack", [by_link, by_storage, by_virtual, by_fifo, by_fifo_storage, in_a_circle]
)
def test_a_network_leads_to_no_other_file(bounded, tmp_path, attack):
    """The recorded hash covers one file, so the numbers of another are never read."""
    canary(tmp_path)
    path = write_network(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        del file["Weights/Layer1"]
        attack(file, tmp_path)
    found = refused(bounded, "inspect", path)
    assert "net.h5" in found


@pytest.mark.parametrize(
    ("name", "shape", "chunks"),
    [
        ("Weights/Layer1", (2**31, 2), None),
        ("Layers", (2**33,), (2**20,)),
        ("Norm_in", (2**31, 2), None),
        ("Wavelength", (2**33,), (2**28,)),
    ],
)
def test_a_network_claims_any_size(bounded, tmp_path, name, shape, chunks):
    """The size is compared before memory is allocated: numbers that are not written take none."""
    path = write_network(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        file.create_dataset(name, shape, "f8", chunks=chunks)
    found = refused(bounded, "inspect", path)
    assert name in found


def test_a_network_within_its_claims_has_a_huge_chunk(bounded, tmp_path):
    """A chunk is made as a whole, however few of its numbers are used."""
    path = write_network(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        del file["Weights/Layer1"]
        file.create_dataset(
            "Weights/Layer1", (5, 3), "f8", chunks=(5, 2**26), maxshape=(None, None)
        )
    assert "storage chunk" in refused(bounded, "inspect", path)


def keras_archive(path: Path, layers: list, weights: bytes | None = None) -> Path:
    """A model of layers without weights, unless given."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("layers")
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", content.getvalue() if weights is None else weights)
    described = {
        "schema": 1, "name": "m", "weights": path.name, "sensors": ["MODIS-Aqua"],
        "inputs": [], "outputs": [],
    }  # fmt: skip
    path.with_suffix(".yaml").write_text(yaml.safe_dump(described))
    return path


def layer(class_name: str, **config):
    return {"class_name": class_name, "config": {"name": class_name.lower(), **config}}


def test_a_keras_file_merges_to_gigabytes(bounded, tmp_path):
    """Each activation closes a layer of 8192 x 8192 numbers; forty of them were 20 GB."""
    layers = [layer("InputLayer", batch_shape=[None, 8192])]
    layers += [layer("Activation", activation="tanh")] * 40
    path = keras_archive(tmp_path / "wide.keras", layers)
    assert path.stat().st_size < 2000
    assert "linear layers merged" in refused(bounded, "inspect", path)


def test_a_keras_file_has_a_hundred_thousand_layers(bounded, tmp_path):
    """To number them took hours."""
    layers = [layer("InputLayer", batch_shape=[None, 1])]
    layers += [layer("Activation", activation="tanh")] * 100_000
    path = keras_archive(tmp_path / "deep.keras", layers)
    assert "expected at most 1,000" in refused(bounded, "inspect", path)


def test_a_keras_file_inflates_to_gigabytes(bounded, tmp_path):
    """Zeros deflate to a thousandth; what comes out is counted."""
    path = keras_archive(tmp_path / "zeros.keras", [], bytes(40 * 2**20))
    assert path.stat().st_size < 2**16
    found = refused(bounded, "inspect", path, OCPIPE_MOST_NETWORK_BYTES=str(30 * 2**20))
    assert "expected at most 31,457,280" in found
    lying = path.read_bytes().replace((40 * 2**20).to_bytes(4, "little"), bytes((9, 0, 0, 0)))
    path.write_bytes(lying)
    refused(bounded, "inspect", path, OCPIPE_MOST_NETWORK_BYTES=str(30 * 2**20))


def test_an_archive_has_thousands_of_members(bounded, tmp_path):
    """Names alone can fill the memory."""
    path = tmp_path / "many.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(12_000):
            archive.writestr(f"{number:0400d}", b"")
    assert "OCPIPE_MOST_MEMBERS" in refused(bounded, "inspect", path)


def ensemble(folder: Path, member: Path) -> Path:
    """An ensemble of a network beside it and of ``member``, which is a path from the folder."""
    folder.mkdir(exist_ok=True)
    write_network(folder / "a.h5", seed=1)
    described = {"schema": 1, "name": "both", "members": ["a.h5", str(member)]}
    (folder / "both.yaml").write_text(yaml.safe_dump(described))
    return folder / "both.yaml"


@pytest.mark.parametrize("way", ["file", "folder", "absolute", "above"])
def test_a_member_of_an_ensemble_lies_in_its_folder(bounded, tmp_path, way):
    """Also by a link: a YAML from somewhere must not open what lies elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    write_network(outside / "b.h5", seed=2)
    inside = tmp_path / "inside"
    inside.mkdir()
    if way == "file":
        (inside / "b.h5").symlink_to(outside / "b.h5")
    elif way == "folder":
        (inside / "sub").symlink_to(outside)
    member = {"file": "b.h5", "folder": "sub/b.h5", "absolute": outside / "b.h5"}
    path = ensemble(inside, Path(member.get(way, "../outside/b.h5")))
    assert "leads out of the folder" in refused(bounded, "inspect", path)


def test_a_member_may_be_a_link_within_the_folder(bounded, tmp_path):
    """Nothing leads out then."""
    folder = tmp_path / "net"
    folder.mkdir()
    write_network(folder / "stored.h5", seed=2)
    (folder / "b.h5").symlink_to("stored.h5")
    ending = bounded.run("inspect", ensemble(folder, Path("b.h5")))
    assert ending.code == 0, ending.output


@pytest.mark.parametrize("name", ["net.h5", "net.keras", "net.yaml", "t.csv", "t.parquet", "p.nc"])
@pytest.mark.parametrize("command", ["inspect", "verify", "quicklook"])
def test_a_named_pipe_is_not_waited_for(bounded, tmp_path, command, name):
    """Whatever its name and the command."""
    os.mkfifo(tmp_path / name)
    refused(bounded, command, tmp_path / name)


def test_a_description_is_a_bomb(bounded, tmp_path):
    """Many values, a number with base 60 that takes hours, and tags that do not fit their text."""
    for number, text in enumerate(
        (
            "schema: [" + "1," * 200_000 + "1]",
            "schema: 1" + ":1" * 100_000,
            "schema: 1" + ":1" * 50_000 + ".5",
            "schema: !!bool 17",
            "schema: !!timestamp never",
            "schema: !!int ''",
            "schema: " + "[" * 20_000,
        )
    ):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text + "\nmembers: [a.h5, b.h5]\n")
        refused(bounded, "inspect", path)
        refused(bounded, "check-config", path)


# Products


@pytest.fixture(scope="module")
def whole_product(tmp_path_factory):
    """A product, beside its scene and its network."""
    return product(tmp_path_factory.mktemp("product"))


def group_elsewhere(path, folder):
    shutil.copy(path, folder / "elsewhere.nc")
    with h5py.File(path, "a") as file:
        del file["processing_control/checksums"]
        place = "/processing_control/checksums"
        file[place] = h5py.ExternalLink(str(folder / "elsewhere.nc"), place)


def control_elsewhere(path, folder):
    shutil.copy(path, folder / "elsewhere.nc")
    with h5py.File(path, "a") as file:
        del file["processing_control"]
        place = "/processing_control"
        file[place] = h5py.ExternalLink(str(folder / "elsewhere.nc"), place)


def numbers_elsewhere(path, folder):
    canary(folder)
    with h5py.File(path, "a") as file:
        shape, dtype = file["quality_flags"].shape, file["quality_flags"].dtype
        del file["quality_flags"]
        external = [(str(folder / "outside.raw"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("quality_flags", shape, dtype, external=external)


def record_of_any_length(path, _):
    with h5py.File(path, "a") as file:
        file.create_dataset("processing_control/more", (2**33,), "f8", chunks=(2**20,))


@pytest.mark.parametrize(
    "attack", [group_elsewhere, control_elsewhere, numbers_elsewhere, record_of_any_length]
)
@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_a_product_leads_to_no_other_file(bounded, whole_product, tmp_path, attack, command):
    """It is checked before it is opened: verify said verified of groups in other files."""
    shutil.copytree(whole_product.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / whole_product.name
    attack(path, tmp_path)
    found = refused(bounded, command, path)
    assert ": verified" not in found


def test_a_whole_product_is_verified(bounded, whole_product):
    """So that the attacks are refused for what they are."""
    ending = bounded.run("verify", whole_product, "--networks", whole_product.parent)
    assert ending.code == 0, ending.output
    assert ": verified" in ending.output


# Tables


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


HEADER = b"station,chl\n"


def inflating(path: Path, start: bytes, part: bytes, times: int) -> Path:
    """A gzip file may have several members, of which each inflates to a part."""
    return written(path, gzip.compress(HEADER + start) + gzip.compress(part, 9) * times)


def gzip_bomb(folder):
    return inflating(folder / "t.csv.gz", b"", b"a,1\n" * 250_000, 300)


def one_long_cell(folder):
    return written(folder / "t.csv", HEADER + b"x" * 100_000 + b",1\n" + b"a,1\n" * 20_000)


def one_very_long_cell(folder):
    return written(folder / "t.csv", HEADER + b"x" * 2_000_000 + b",1\n" + b"a,1\n" * 2000)


def many_columns(folder):
    names = ",".join(f"c{number}" for number in range(60_000))
    return written(folder / "t.csv", f"{names}\n{','.join('1' * 60_000)}\n".encode())


def many_empty_lines(folder):
    return inflating(folder / "t.csv.gz", b"a,1\n", b"\n" * 1_000_000, 200)


def one_endless_line(folder):
    return inflating(folder / "t.csv.gz", b"a,", b"1," * 500_000, 200)


def wavelengths_that_all_differ(folder):
    rows = "".join(f"s{number},{400 + number / 100:.2f},1\n" for number in range(20_000))
    return written(folder / "t.csv", f"station,wavelength,Rrs\n{rows}".encode())


def arrow_of(columns):
    import pyarrow as pa

    return pa.table(columns)


def parquet_of_nulls(folder):
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetWriter(folder / "t.parquet", pa.schema([("chl", pa.null())])) as file:
        part = arrow_of({"chl": pa.nulls(2**26)})
        for _ in range(4):
            file.write_table(part, row_group_size=2**26)
    return folder / "t.parquet"


def parquet_of_one_text(folder):
    import pyarrow as pa
    from pyarrow import parquet

    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, "i4")), ["x" * 30_000])
    parquet.write_table(arrow_of({"station": texts}), folder / "t.parquet")
    return folder / "t.parquet"


def parquet_elsewhere(folder):
    from pyarrow import parquet

    parquet.write_table(arrow_of({"chl": [1.0]}), folder / "other.parquet")
    metadata = parquet.read_metadata(folder / "other.parquet")
    metadata.set_file_path("../../etc/passwd")
    metadata.write_metadata_file(folder / "t.parquet")
    return folder / "t.parquet"


def feather_of_nulls(folder):
    import pyarrow as pa

    table = arrow_of({"chl": pa.nulls(2**30)})
    with pa.ipc.new_file(str(folder / "t.feather"), table.schema) as file:
        file.write_table(table)
    return folder / "t.feather"


def feather_of_views(folder):
    """Two hundred thousand views of one text."""
    import pyarrow as pa

    text = pa.py_buffer(b"x" * 1_000_000)
    view = np.array([1_000_000, 0x78787878, 0, 0], "i4")
    views = pa.py_buffer(np.tile(view, 200_000).tobytes())
    array = pa.Array.from_buffers(pa.string_view(), 200_000, [None, views, text])
    table = arrow_of({"station": array})
    with pa.ipc.new_file(str(folder / "t.feather"), table.schema) as file:
        file.write_table(table)
    return folder / "t.feather"


def netcdf_of_any_length(folder):
    with netCDF4.Dataset(folder / "t.nc", "w") as file:
        file.createDimension("sample", 2**33)
        file.createVariable("chl", "f8", ("sample",), chunksizes=(2**20,))
    return folder / "t.nc"


def classic_of_any_length(folder):
    with netCDF4.Dataset(folder / "t.nc", "w", format="NETCDF3_64BIT_OFFSET") as file:
        file.set_fill_off()
        file.createDimension("sample", 2**28)
        file.createVariable("chl", "f8", ("sample",))
    return folder / "t.nc"


def netcdf_elsewhere(folder):
    canary(folder, (3,))
    with netCDF4.Dataset(folder / "t.nc", "w") as file:
        file.createDimension("sample", 3)
        file.createVariable("chl", "f8", ("sample",))[:] = 1
    with h5py.File(folder / "t.nc", "a") as file:
        file["more"] = h5py.ExternalLink(str(folder / "outside.h5"), "/")
    return folder / "t.nc"


def netcdf_of_one_text(folder):
    """A hundred thousand texts that share the bytes of one."""
    with h5py.File(folder / "t.nc", "w") as file:
        texts = file.create_dataset("station", (100_000,), h5py.string_dtype())
        texts.make_scale("station")
        texts[0] = "x" * 1_000_000
    content = bytearray((folder / "t.nc").read_bytes())
    # A text is its length, the address of a heap and its number in the heap: 16 bytes.
    with h5py.File(folder / "t.nc", "r") as file:
        start = file["station"].id.get_offset()
    content[start + 16 : start + 1_600_000] = content[start : start + 16] * 99_999
    return written(folder / "t.nc", bytes(content))


TABLES = (
    gzip_bomb, one_long_cell, one_very_long_cell, many_columns, many_empty_lines, one_endless_line,
    wavelengths_that_all_differ, parquet_of_nulls, parquet_of_one_text, parquet_elsewhere,
    feather_of_nulls, feather_of_views, netcdf_of_any_length, classic_of_any_length,
    netcdf_elsewhere, netcdf_of_one_text,
)  # fmt: skip


@pytest.mark.parametrize("attack", TABLES)
def test_a_table_is_larger_than_it_looks(bounded, tmp_path, attack):
    """An error in words, before memory is allocated."""
    found = refused(bounded, "inspect", attack(tmp_path))
    assert "t." in found


def test_a_limit_is_raised_by_its_variable(bounded, tmp_path):
    """The message names the variable; a wrong value and a wrong name are errors."""
    path = one_long_cell(tmp_path)
    assert "OCPIPE_MOST_CELL_CHARACTERS" in refused(bounded, "inspect", path)
    short = written(tmp_path / "s.csv", HEADER + b"x" * 50_000 + b",1\n")
    ending = bounded.run("inspect", short, OCPIPE_MOST_CELL_CHARACTERS="60000")
    assert ending.code == 0, ending.output
    for name, value in (("CELL_CHARACTERS", "many"), ("CELL_CHARACTERS", "0"), ("CELLS", "5")):
        ending = bounded.run("inspect", short, **{f"OCPIPE_MOST_{name}": value})
        assert ending.code in (1, 2)
        assert f"OCPIPE_MOST_{name}" in ending.output
        assert not ending.faults


def test_every_limit_is_documented():
    """With its variable, default and reason, in one table."""
    text = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    for limit in LIMITS:
        row = f"| `{limit.variable}` | {limit.default:,} | {limit.counted} | {limit.reason} |"
        assert row in text
    assert len(LIMITS) == text.count("| `OCPIPE_MOST_")
