"""What is read by storage chunks is what h5py reads, whatever the filters, types and layouts."""

import itertools
import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline
from pipeline.readers import stored as stored_module
from pipeline.readers.chunk_cache import ChunkCache
from pipeline.readers.hdf5_chunks import Hdf5Chunks
from pipeline.readers.opening import chunked, open_undecoded
from pipeline.readers.stored import InOnePiece, Stored

SHAPE, CHUNK = (11, 13), (4, 5)
CORNERS = list(itertools.product(range(0, 11, 4), range(0, 13, 5)))

# Storage -> whether its chunks are decompressed here; the library reads the others.
FILTERS = {
    "shuffle and deflate": ({"shuffle": True, "compression": "gzip"}, True),
    "deflate at level 9": ({"compression": "gzip", "compression_opts": 9}, True),
    "deflate at level 0": ({"compression": "gzip", "compression_opts": 0}, True),
    # At an edge nothing says whether the library left the filter out, so it has to read that.
    "shuffle": ({"shuffle": True}, False),
    "no filter": ({}, True),
    "lzf": ({"compression": "lzf"}, False),
    "shuffle and lzf": ({"shuffle": True, "compression": "lzf"}, False),
    "checksum": ({"shuffle": True, "compression": "gzip", "fletcher32": True}, False),
}
TYPES = ["u1", "i1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u8", ">i8", "<f4", ">f4", "<f8",
         ">f8", "<f2"]  # fmt: skip


def numbers_of(dtype, shape=SHAPE, seed=0):
    """Any bits at all; of floats all but NaN, which equals nothing."""
    drawn = np.random.default_rng(seed)
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    numbers = np.frombuffer(drawn.bytes(size), dtype).reshape(shape).copy()
    if numbers.dtype.kind == "f":
        numbers[np.isnan(numbers)] = 0.5
    return numbers


def stored_of(dataset, dims=("y", "x"), axes=None):
    """A variable of an open file, as a reader makes it."""
    chunks = Hdf5Chunks(dataset) if dataset.chunks else InOnePiece(dataset.name, dataset)
    return Stored(dims, {}, chunks.dtype, chunks, ChunkCache(), axes or tuple(range(len(dims))))


def assert_reads(stored, expected, *regions):
    """The whole, the given regions and some others, with the stored type."""
    whole = tuple(slice(0, size) for size in expected.shape)
    ends = tuple(slice(size - 1, size) for size in expected.shape)
    inner = tuple(slice(min(1, size), max(size - 2, 1)) for size in expected.shape)
    nothing = tuple(slice(0, 0) for _ in expected.shape)
    for region in (whole, ends, inner, nothing, *regions):
        found = stored.read(region)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected[region])
    np.testing.assert_array_equal(stored.values, expected)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "stored.h5", "w") as opened:
        yield opened


def refuse_the_library(monkeypatch):
    """From now on h5py's own reading of numbers fails."""

    def refuse(self, key, new_dtype=None):
        raise AssertionError(f"{self.name} was read by the library")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", refuse)


# Filters and types


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_and_type(file, monkeypatch, name, dtype):
    """Every bit as h5py reads it; the usual filters without the library."""
    options, is_direct = FILTERS[name]
    numbers = numbers_of(dtype)
    dataset = file.create_dataset("v", data=numbers, chunks=CHUNK, **options)
    assert dataset[...].tobytes() == numbers.tobytes()
    stored = stored_of(dataset)
    # Noise may deflate to the length of the chunk, which at an edge leaves in doubt what it is.
    sizes = {dataset.id.get_chunk_info(i).size for i in range(dataset.id.get_num_chunks())}
    if is_direct and ("no filter" in name or dataset.dtype.itemsize * np.prod(CHUNK) not in sizes):
        refuse_the_library(monkeypatch)
    assert_reads(stored, numbers, (slice(3, 9), slice(4, 11)))


def test_filters_that_change_numbers_are_the_librarys(file):
    """What scaleoffset leaves is what the library says it is."""
    dataset = file.create_dataset("v", SHAPE, "<i4", chunks=CHUNK, scaleoffset=0)
    dataset[...] = np.arange(143).reshape(SHAPE) * 3 - 77
    assert_reads(stored_of(dataset), dataset[...])
    dataset = file.create_dataset("f", SHAPE, "<f4", chunks=CHUNK, scaleoffset=2)
    dataset[...] = np.linspace(-1, 1, 143).reshape(SHAPE)
    assert_reads(stored_of(dataset), dataset[...])


def test_filters_may_come_twice(file):
    """A stream deflated twice is inflated twice."""
    dataset = _with_filters(file, lambda p: (p.set_shuffle(), p.set_deflate(4), p.set_deflate(1)))
    assert_reads(stored_of(dataset), dataset[...])


def _with_filters(file, choose, dtype="<i4"):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(CHUNK)
    choose(properties)
    space = h5py.h5s.create_simple(SHAPE)
    made = h5py.h5d.create(file.id, b"v", h5py.h5t.py_create(np.dtype(dtype)), space, properties)
    dataset = h5py.Dataset(made)
    dataset[...] = numbers_of(dtype)
    return dataset


@pytest.mark.parametrize("shape", [(1, 1), (4, 5), (3, 2), (5, 6), (12, 15), (1, 40), (40, 1)])
@pytest.mark.parametrize("maximum", [None, (None, None)], ids=["fixed", "unlimited"])
def test_edges(file, shape, maximum):
    """Chunks that the array fills, overlaps by one, or is smaller than."""
    numbers = numbers_of("<i2", shape)
    chunk = CHUNK if maximum else tuple(min(s, c) for s, c in zip(shape, CHUNK, strict=True))
    options = {"chunks": chunk, "maxshape": maximum, "shuffle": True, "compression": "gzip"}
    assert_reads(stored_of(file.create_dataset("v", data=numbers, **options)), numbers)


@settings(max_examples=80)
@given(data=st.data())
def test_any_region_of_any_chunks(tmp_path_factory, data):
    """Of any array with any chunks, when few of them fit into memory together."""
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    chunk = data.draw(st.tuples(*(st.integers(1, size) for size in shape)))
    region = tuple(
        slice(*sorted(data.draw(st.tuples(st.integers(0, size), st.integers(0, size)))))
        for size in shape
    )
    numbers = numbers_of("<i2", shape)
    with h5py.File(tmp_path_factory.mktemp("any") / "v.h5", "w") as opened:
        dataset = opened.create_dataset("v", data=numbers, chunks=chunk, compression="gzip")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(stored_module, "AT_ONCE", data.draw(st.integers(1, 400)))
            found = stored_of(dataset).read(region)
    np.testing.assert_array_equal(found, numbers[region])


# Chunks that are not there, or not as the others


@pytest.mark.parametrize("fill", [None, 0, -32767])
@pytest.mark.parametrize("options", [{}, {"shuffle": True, "compression": "gzip"}], ids=str)
def test_chunks_that_were_never_written_are_fill(file, fill, options):
    """Some of them, or all."""
    dataset = file.create_dataset("v", SHAPE, "<i2", chunks=CHUNK, fillvalue=fill, **options)
    assert_reads(stored_of(dataset), np.full(SHAPE, fill or 0, "<i2"))
    dataset[4:8, 5:10] = 7
    dataset[10, 12] = 8
    assert_reads(stored_of(dataset), dataset[...])
    assert (dataset[...] == (fill or 0)).sum() > 50


@pytest.mark.parametrize("left_out", [0b00, 0b01, 0b10, 0b11])
@pytest.mark.parametrize("dtype", ["<i2", ">f4", "<f8", "u1"])
def test_filters_that_were_left_out_of_a_chunk(file, left_out, dtype):
    """HDF5 leaves out a filter that does not help, and says so in the chunk's mask."""
    numbers = numbers_of(dtype)
    options = {"chunks": CHUNK, "shuffle": True, "compression": "gzip"}
    dataset = file.create_dataset("v", data=numbers, **options)
    for corner in CORNERS[::2]:
        whole = np.zeros(CHUNK, dtype)
        part = numbers[corner[0] : corner[0] + 4, corner[1] : corner[1] + 5]
        whole[: part.shape[0], : part.shape[1]] = part
        data = whole.tobytes()
        if not left_out & 1:
            data = whole.view(np.uint8).reshape(20, -1).T.tobytes()
        if not left_out & 2:
            data = zlib.compress(data)
        dataset.id.write_direct_chunk(corner, data, filter_mask=left_out)
    np.testing.assert_array_equal(dataset[...], numbers)
    assert_reads(stored_of(dataset), numbers)


def test_storage_without_chunks(file):
    """Contiguous and compact storage, in pieces of which the size does not matter."""
    numbers = numbers_of(">i4", (700, 530))
    assert_reads(
        stored_of(file.create_dataset("contiguous", data=numbers)),
        numbers,
        (slice(500, 520), slice(510, 520)),
    )
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(SHAPE)
    made = h5py.h5d.create(file.id, b"compact", h5py.h5t.STD_I16BE, space, properties)
    compact = h5py.Dataset(made)
    compact[...] = numbers_of("<i2")
    assert_reads(stored_of(compact), compact[...])


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_nothing_is_stored(file, shape):
    """An array without lines or pixels has no values."""
    dataset = file.create_dataset("v", shape, "<f4", chunks=(2, 2), maxshape=(None, None))
    stored = stored_of(dataset)
    assert stored.values.shape == stored.read((slice(0, shape[0]), slice(0, shape[1]))).shape
    assert stored.values.shape == shape


def test_numbers_that_are_no_image(file):
    """Wavelengths, a scalar."""
    wavelengths = file.create_dataset("w", data=np.arange(9.0), chunks=(4,), compression="gzip")
    assert stored_of(wavelengths, ("band",)).values.tolist() == list(range(9))
    scalar = file.create_dataset("s", data=np.int16(-3))
    assert stored_of(scalar, ()).values[()] == -3


# Cubes


@pytest.mark.parametrize("order", list(itertools.permutations(("band", "y", "x"))), ids="-".join)
@pytest.mark.parametrize("band_chunk", [1, 3, 7])
def test_a_cube_in_any_order_of_its_axes(file, order, band_chunk):
    """Read as (bands, lines, pixels), with bands in any order, twice or not at all."""
    sizes = {"band": 7, "y": 11, "x": 13}
    chunk = tuple({"band": band_chunk, "y": 4, "x": 5}[dim] for dim in order)
    numbers = numbers_of(">i2", tuple(sizes[dim] for dim in order))
    dataset = file.create_dataset("v", data=numbers, chunks=chunk, shuffle=True, compression="gzip")
    cube = stored_of(dataset, order).on("band", "y", "x")
    expected = numbers.transpose([order.index(dim) for dim in ("band", "y", "x")])
    assert cube.sizes == sizes
    part = slice(3, 10), slice(2, 13)
    bands = ([6, 0], [2], [3, 4, 5], [5, 4, 3], [1, 1, 6, 1], list(range(7)), [])
    chosen = [(np.array(places, dtype=np.intp), *part) for places in bands]
    assert_reads(cube, expected, (slice(2, 5), *part), *chosen)


def test_a_cube_is_stored_by_its_chunks_along_the_bands(file):
    """Bands that share chunks count once, others not."""
    dataset = file.create_dataset("v", (11, 13, 7), "<i2", chunks=(4, 5, 3), compression="gzip")
    cube = stored_of(dataset, ("y", "x", "band")).on("band", "y", "x")
    names = {band: [c.name for c in cube.storage((band,))] for band in range(7)}
    assert all(len(found) == 1 for found in names.values())
    assert names[0] == names[2] != names[3] == names[5] != names[6]
    (chunks,) = cube.storage((0, 2))
    assert (chunks.lines, chunks.pixels, chunks.nbytes) == (4, 5, 4 * 5 * 3 * 2)
    assert len(list(cube.storage(range(7)))) == 3


@pytest.mark.parametrize("place", [0, 1])
def test_a_dimension_of_one_is_left_out(file, place):
    """A time of one step before the lines, or a depth behind them."""
    shape = [11, 13]
    shape.insert(2 * place, 1)
    numbers = numbers_of("<f4", tuple(shape))
    dataset = file.create_dataset("v", data=numbers, chunks=True, compression="gzip")
    dims = ["y", "x"]
    dims.insert(2 * place, "time")
    plane = numbers.reshape(SHAPE)
    assert_reads(stored_of(dataset, tuple(dims)).on("y", "x"), plane)
    assert_reads(stored_of(dataset, tuple(dims)).on("x", "y"), plane.T)


@pytest.mark.parametrize("together", [1, 2, 5])
def test_one_band_of_an_array_that_has_no_chunks(together):
    """Each layer of an image with several bands together, as rasters have it."""
    numbers = numbers_of("<u2", (5, 11, 13))
    pieces = InOnePiece("raster", numbers, (together, 4, 13))
    cache = ChunkCache()
    for band in range(5):
        at = (band, 0, 0)
        layer = Stored(("y", "x"), {}, numbers.dtype, pieces, cache, (1, 2), at)
        for region in ((slice(0, 11), slice(0, 13)), (slice(3, 9), slice(12, 13))):
            np.testing.assert_array_equal(layer.read(region), numbers[band][region])
    assert cache.nbytes == numbers.nbytes


# netCDF files


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_variables_of_a_netcdf_file(tmp_path, kind):
    """Chunked and in one piece, of a group and of none, with their attributes."""
    numbers = numbers_of("i2", (11, 13))
    path = tmp_path / "v.nc"
    with netCDF4.Dataset(path, "w", format=kind) as made:
        place = made.createGroup("data") if kind == "NETCDF4" else made
        for dim, size in zip(("y", "x"), SHAPE, strict=True):
            made.createDimension(dim, size)
        options = {"zlib": True, "chunksizes": CHUNK} if kind == "NETCDF4" else {}
        for name, more in (("plain", {}), ("packed", options)):
            variable = place.createVariable(name, "i2", ("y", "x"), fill_value=-1, **more)
            variable.set_auto_maskandscale(False)
            variable[:] = numbers
            variable.scale_factor = 0.5
    is_group = kind == "NETCDF4"
    engine = "h5netcdf" if is_group else "netcdf4"
    with open_undecoded(path, "data" if is_group else None, engine) as opened:
        for name in ("plain", "packed"):
            stored = chunked(opened[name])
            assert stored.sizes == {"y": 11, "x": 13}
            assert stored.attrs["scale_factor"] == 0.5
            np.testing.assert_array_equal(stored.values, numbers)
            np.testing.assert_array_equal(
                stored.read((slice(2, 9), slice(3, 13))), numbers[2:9, 3:13]
            )


# Damage


@pytest.fixture
def one_chunk(file):
    """A chunk that fills its array, with what is stored of it."""
    smooth = (np.arange(600, dtype="<i4").reshape(20, 30) // 7) ** 2
    options = {"chunks": (20, 30), "shuffle": True, "compression": "gzip"}
    dataset = file.create_dataset("v", data=smooth, **options)
    return dataset, smooth, dataset.id.read_direct_chunk((0, 0))[1]


def test_flipped_bits_never_give_other_numbers(one_chunk):
    """Each bit of a chunk: an error, or a bit that does not matter."""
    dataset, numbers, data = one_chunk
    failed = 0
    for bit in range(0, 8 * len(data), 3):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << (bit % 8)
        dataset.id.write_direct_chunk((0, 0), bytes(damaged))
        try:
            found = Hdf5Chunks(dataset).load((0, 0))
        except OSError:
            failed += 1
        else:
            np.testing.assert_array_equal(found, numbers)
    assert failed > 8 * len(data) // 3 - 8


def test_a_chunk_that_ends_early_is_an_error(one_chunk):
    """Cut anywhere, to nothing, or followed by zeros where the rest was."""
    dataset, _, data = one_chunk
    for length in range(len(data)):
        for damaged in (data[:length], data[:length].ljust(len(data), b"\0")):
            if damaged in (b"", data):
                continue  # HDF5 stores no chunk of nothing
            dataset.id.write_direct_chunk((0, 0), damaged)
            with pytest.raises(OSError, match=r"/v: the chunk at \(0, 0\)"):
                Hdf5Chunks(dataset).load((0, 0))


@pytest.mark.parametrize("more", [-20, -4, 4, 4000])
@pytest.mark.parametrize("name", ["shuffle and deflate", "deflate at level 9", "shuffle"])
def test_a_chunk_of_another_length_is_an_error(file, name, more):
    """Sound bytes, but too few or too many numbers."""
    options = FILTERS[name][0]
    dataset = file.create_dataset("v", data=numbers_of("<i4"), chunks=CHUNK, **options)
    data = bytes(4 * 20 + more)
    deflated = zlib.compress(data) if "compression" in options else data
    dataset.id.write_direct_chunk((4, 5), deflated)
    with pytest.raises(OSError, match=r"/v: the chunk at \(4, 5\)"):
        Hdf5Chunks(dataset).load((4, 5))


@settings(max_examples=300)
@given(data=st.binary(min_size=1, max_size=200), header=st.booleans())
def test_any_bytes_at_all_are_an_error(tmp_path_factory, data, header):
    """Noise, also behind the first bytes of a stream, is never a chunk and never a crash."""
    path = tmp_path_factory.mktemp("noise") / "v.h5"
    with h5py.File(path, "w") as opened:
        options = {"chunks": (64, 64), "shuffle": True, "compression": "gzip"}
        dataset = opened.create_dataset("v", (64, 64), "<f4", **options)
        dataset.id.write_direct_chunk((0, 0), b"\x78\x9c" * header + data)
        with pytest.raises(OSError, match="chunk at"):
            Hdf5Chunks(dataset).load((0, 0))


def test_damage_is_not_kept(one_chunk):
    """A region that failed fails again; one of other chunks does not."""
    dataset, numbers, data = one_chunk
    stored = stored_of(dataset)
    whole = slice(0, 20), slice(0, 30)
    dataset.id.write_direct_chunk((0, 0), data[:-1])
    for _ in range(2):
        with pytest.raises(OSError, match="chunk at"):
            stored.read(whole)
    dataset.id.write_direct_chunk((0, 0), data)
    np.testing.assert_array_equal(stored.read(whole), numbers)


# Threads

STRESS = """
import sys, threading
import h5py, numpy as np
from pipeline.readers.chunk_cache import ChunkCache
from pipeline.readers.hdf5_chunks import Hdf5Chunks
from pipeline.readers.stored import Stored
from pipeline.writers.chunks import deflated
from pipeline.writers.netcdf import write_direct_chunk

source, target = h5py.File(sys.argv[1]), h5py.File(sys.argv[2], "w")
failures = []

def copy(number):
    try:
        names = sorted(source)
        chunks = [Hdf5Chunks(source[name]) for name in names]
        for turn in range(4):
            for name, each in zip(names, chunks):
                stored = Stored(("y", "x"), {}, each.dtype, each, ChunkCache(), (0, 1))
                for y in range(number % 2 * 64, 512, 128):
                    values = stored.read((slice(y, y + 64), slice(0, 512)))
                    if number < 2 and turn == 3:
                        for x in range(0, 512, 128):
                            part = np.ascontiguousarray(values[:, x : x + 128])
                            write_direct_chunk(target[name], (y, x), deflated(part, 4))
                    elif number == 3:
                        source[name].attrs["units"], source[name].shape, source[name][y, :8]
    except BaseException as error:
        failures.append(repr(error))

for name, dataset in source.items():
    options = {"chunks": (64, 128), "shuffle": True, "compression": "gzip"}
    target.create_dataset(name, dataset.shape, dataset.dtype, **options)
threads = [threading.Thread(target=copy, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
target.close()
print(failures or "copied")
"""


def test_four_threads_that_read_and_write_directly(tmp_path):
    """No crash of the library, no other numbers, while other threads use h5py as usual."""
    arrays = {f"v{n}": numbers_of("<f4", (512, 512), seed=n) for n in range(3)}
    with h5py.File(tmp_path / "source.h5", "w") as made:
        for name, numbers in arrays.items():
            options = {"chunks": (96, 80), "shuffle": True, "compression": "gzip"}
            dataset = made.create_dataset(name, data=numbers, compression_opts=1, **options)
            dataset.attrs["units"] = "sr-1"
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", STRESS, "source.h5", "target.h5"],
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "copied"), ran.stderr
    with h5py.File(tmp_path / "target.h5") as copied:
        for name, numbers in arrays.items():
            np.testing.assert_array_equal(copied[name][...], numbers)


def _environment():
    """This one, with the package that is tested here first on the path."""
    folder = str(Path(pipeline.__file__).parent.parent)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
