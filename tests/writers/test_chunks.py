"""The chunks of a product are plain HDF5: every library reads back what was computed."""

import zlib

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from pipeline.scene.quality import FlagTable
from pipeline.writers.chunks import FILL, ChunkEncoder, as_stored, deflated, encode_all
from pipeline.writers.netcdf import write_direct_chunk

LEVELS = (0, 1, 4, 6, 9)
TYPES = ("f4", "u1", "i2", "u4", "i4")
CHUNK = (16, 24)
FLAGS = FlagTable(("no_data", "masked_LAND"), (1, 256), np.dtype(np.uint32))


def numbers_of(dtype, shape, seed=0):
    """Any bits but NaN and infinities."""
    drawn = np.random.default_rng(seed)
    numbers = np.frombuffer(drawn.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype)
    numbers = numbers.reshape(shape).copy()
    if numbers.dtype.kind == "f":
        numbers[~np.isfinite(numbers)] = 0.5
    return numbers


def encoder(dtype="f4", chunk=CHUNK, padding=FILL, level=4, flags=None):
    return ChunkEncoder("v", np.dtype(dtype), chunk, padding, level, flags)


def written(path, numbers, level, padding=0, chunk=CHUNK):
    """The path of a file to which all chunks of an array were written as they are encoded."""
    options = {"shuffle": True, "compression": "gzip", "compression_opts": level} if level else {}
    encode = encoder(numbers.dtype, chunk, padding, level).encode
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("v", numbers.shape, numbers.dtype, chunks=chunk, **options)
        for y in range(0, numbers.shape[0], chunk[0]):
            for x in range(0, numbers.shape[1], chunk[1]):
                part = numbers[y : y + chunk[0], x : x + chunk[1]]
                write_direct_chunk(dataset, (y, x), encode(part).data)
    return path


def unpacked(data, dtype, shape, level):
    """A chunk as zlib and numpy understand it."""
    if level == 0:
        return np.frombuffer(data, dtype).reshape(shape)
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(np.dtype(dtype).itemsize, -1)
    return np.frombuffer(planes.T.tobytes(), dtype).reshape(shape)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_library_reads_back_what_was_written(tmp_path, dtype, level):
    """Any bits, whole chunks and edges of lines, of pixels and of both."""
    numbers = numbers_of(dtype, (37, 55))
    path = written(tmp_path / "v.nc", numbers, level)
    with h5py.File(path) as file:
        assert file["v"].compression == ("gzip" if level else None)
        np.testing.assert_array_equal(file["v"][...], numbers)
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        np.testing.assert_array_equal(file["v"][...], numbers)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", [(16, 24), (1, 1), (15, 24), (16, 1)])
def test_outside_an_edge_is_padding(level, shape):
    """The part of a chunk beyond the array holds the fill value, not what was in memory."""
    numbers = numbers_of("f4", shape)
    chunk = unpacked(encoder(level=level).encode(numbers).data, "f4", CHUNK, level)
    np.testing.assert_array_equal(chunk[: shape[0], : shape[1]], numbers)
    outside = np.ones(CHUNK, bool)
    outside[: shape[0], : shape[1]] = False
    assert (chunk[outside] == FILL).all()


def test_what_is_no_number_is_fill(tmp_path):
    """NaN of any sign and infinities; what is almost infinite is a number."""
    most = np.finfo(np.float32).max
    values = np.array([[np.nan, -np.nan, np.inf], [-np.inf, most, -most], [0, -0.0, 1e-45]], "f4")
    path = written(tmp_path / "v.nc", values, 4, FILL, (3, 3))
    with h5py.File(path) as file:
        found = file["v"][...]
    assert found.dtype == np.float32
    expected = np.array([[FILL] * 3, [FILL, most, -most], [0, -0.0, 1e-45]], "f4")
    assert found.tobytes() == expected.tobytes()


@given(st.lists(st.floats(width=32), min_size=1, max_size=40))
def test_values_are_not_changed_in_place(values):
    """The same array may go into another variable, and is counted as it was computed."""
    given_values = np.array([values], "f4")
    before = given_values.copy()
    stored = as_stored(given_values)
    np.testing.assert_array_equal(given_values, before)
    finite = np.isfinite(before)
    np.testing.assert_array_equal(stored[finite], before[finite])
    assert (stored[~finite] == FILL).all()


@pytest.mark.parametrize("dtype", ["u1", "u4", "i4"])
def test_integers_are_stored_as_they_are(dtype):
    """No integer means that there is nothing."""
    numbers = numbers_of(dtype, CHUNK)
    assert as_stored(numbers) is numbers


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", TYPES)
def test_arrays_that_are_a_view_of_others(dtype, level):
    """Columns, every second line and lines backwards are encoded as their values are."""
    numbers = numbers_of(dtype, (32, 48))
    for view in (numbers[::2, ::2], numbers[15::-1, 24:], numbers.T[:16, :24]):
        expected = encoder(dtype, level=level).encode(view.copy())
        found = encoder(dtype, level=level).encode(view)
        assert found.data == expected.data
        np.testing.assert_array_equal(unpacked(found.data, dtype, CHUNK, level), view)


@pytest.mark.parametrize("level", LEVELS)
def test_equal_numbers_give_equal_bytes(level):
    """Whatever was compressed before, and however the memory was used."""
    numbers = numbers_of("f4", (64, 64))
    first = deflated(numbers, level)
    for seed in range(5):
        deflated(numbers_of("f4", (32, 128), seed), level)
        assert deflated(numbers.copy(), level) == first


def test_where_the_compressor_lies_in_memory_does_not_show(monkeypatch):
    """ISA-L hashes an address when a long input starts; the bytes must not depend on it.

    Without the remedy about one address in a hundred gives other bytes for this chunk: a strip of
    values between empty pixels, as the edge of a swath leaves it.
    """
    drawn = np.random.default_rng(1)
    chunk = np.full((256, 1024), FILL, np.float32)
    for line in chunk:
        values = drawn.normal(size=drawn.integers(60, 90))
        line[400 : 400 + values.size] = 0.01 * np.exp(0.5 * values)
    real, kept = isal_zlib.compressobj, []

    def elsewhere(level):
        kept.append(real(level))  # takes the place that the last one left
        return real(level)

    monkeypatch.setattr(isal_zlib, "compressobj", elsewhere)
    numbers = chunk.view(np.uint8)
    assert len({deflated(numbers, 4) for _ in range(800)}) == 1
    assert len(kept) == 800


def smooth(noise):
    """A field as a scene has it: slow changes, with noise of so many parts."""
    line, pixel = np.mgrid[0:512, 0:512] / 512
    field = 0.01 * np.exp(np.sin(5 * line + 3 * pixel) + 0.3 * np.cos(17 * pixel))
    drawn = np.random.default_rng(3).normal(1, noise, field.shape)
    values = (field * drawn).astype(np.float32)
    values[100:160, 200:420] = np.nan
    return as_stored(values)


@pytest.mark.parametrize("noise", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("level", [1, 4, 6, 9])
def test_files_are_about_as_small_as_zlib_makes_them(level, noise):
    """At most a twentieth more than zlib at level 4, behind the same shuffle."""
    numbers = smooth(noise)
    planes = numbers.view(np.uint8).reshape(-1, 4).T.tobytes()
    assert len(deflated(numbers, level)) <= 1.05 * len(zlib.compress(planes, 4))


def test_flags_without_any_bit_take_next_to_nothing():
    """Most chunks of a flag variable are of one number."""
    for dtype in ("u1", "u4", "i4"):
        assert len(deflated(np.zeros((512, 512), dtype), 4)) < 0.01 * 512 * 512


def test_what_is_counted_is_what_is_inside():
    """Padding is no pixel, and NaN no value."""
    values = np.array([[0.5, np.nan], [np.inf, 0.25]], "f4")
    counts = encoder().encode(values).counts
    assert counts == encoder(chunk=(2, 2)).encode(values).counts
    quality = np.full((2, 3), 257, np.uint32)
    of_flags = encoder("u4", padding=0, flags=FLAGS).encode(quality).counts
    assert of_flags.flags.tolist() == [6, 6]


@settings(max_examples=30)
@given(names=st.permutations(["a", "b", "c"]))
def test_all_variables_of_a_block(names):
    """Each by its own encoder, in the order of the encoders; nothing of them stays in memory."""
    encoders = {name: encoder(chunk=(2, 2)) for name in "abc"}
    values = {name: np.full((2, 2), ord(name), "f4") for name in names}
    found = encode_all(encoders, values)
    assert list(found) == ["a", "b", "c"]
    assert values == {}
    for name, chunk in found.items():
        assert (unpacked(chunk.data, "f4", (2, 2), 4) == ord(name)).all()
