"""Layers that are read piece by piece give what numpy gives, whatever part is asked for."""

import copy

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.scene.lazy import (
    Computed,
    Generated,
    StackedBands,
    StoredChunks,
    in_memory,
    lazy,
    lazy_array_of,
    strips,
)

CUBE = np.arange(4 * 7 * 9, dtype=np.int32).reshape(4, 7, 9)
DIMS = ("band", "y", "x")


class Strict:
    """An array that refuses what no source may be asked for, and tells what it was asked for."""

    def __init__(self, values, name="strict"):
        self.values, self.name, self.asked = values, name, []

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)

    def read(self, region):
        assert len(region) == self.values.ndim
        self.asked.append(region)
        for part, size in zip(region[-2:], self.shape[-2:], strict=True):
            assert isinstance(part, slice)
            assert part.step in (None, 1)
            assert 0 <= part.start <= part.stop <= size
        for part, size in zip(region[:-2], self.shape[:-2], strict=True):
            if not isinstance(part, slice):
                assert part.dtype == np.intp
                assert ((part >= 0) & (part < size)).all()
        return self.values[region]

    def storage(self, _bands):
        return iter([StoredChunks(self.name, 3, 4, 48)])


def of_place(lines, pixels):
    """The second band of the cube, as if computed from where a pixel is."""
    line, pixel = np.mgrid[lines, pixels]
    return CUBE[1][line, pixel]


SOURCES = {
    "strict": lambda: Strict(CUBE),
    "in memory": lambda: in_memory(CUBE),
    "bands": lambda: StackedBands(tuple(Strict(plane) for plane in CUBE)),
    "computed": lambda: Computed(np.add, (Strict(CUBE - 5), in_memory(CUBE * 0 + 5)), CUBE.dtype),
    "plane": lambda: Strict(CUBE[1]),
    "made": lambda: Generated(of_place, CUBE.shape[1:], CUBE.dtype),
}


def pair(name):
    """A lazy array and the same in memory."""
    source = SOURCES[name]()
    dims = DIMS[-len(source.shape) :]
    return lazy(source, dims), xr.DataArray(CUBE if len(dims) == 3 else CUBE[1], dims=dims)


def _is_known_to_xarray(part, size):
    """A slice backwards over nothing fails in xarray itself, for every lazy array."""
    return (part.step or 1) > 0 or len(range(*part.indices(size))) > 0


def _one_index(size):
    position = st.integers(-size, size - 1)
    end = st.none() | st.integers(-size - 2, size + 2)
    step = st.none() | st.integers(-3, 3).filter(bool)
    return st.one_of(
        position,
        st.builds(slice, end, end, step).filter(lambda part: _is_known_to_xarray(part, size)),
        st.lists(position, max_size=6).map(lambda chosen: np.array(chosen, dtype=np.intp)),
        st.lists(st.booleans(), min_size=size, max_size=size).map(np.array),
    )


def _indices(names=DIMS):
    sizes = dict(zip(DIMS, CUBE.shape, strict=True))
    return st.fixed_dictionaries({}, optional={n: _one_index(sizes[n]) for n in names})


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=40)
@given(indices=_indices())
def test_any_part_is_what_numpy_gives(name, indices):
    """Positions, slices with steps, arrays of places, masks, on every axis and together."""
    array, expected = pair(name)
    indices = {dim: index for dim, index in indices.items() if dim in array.dims}
    found = array.isel(indices)
    assert found.dtype == expected.dtype
    xr.testing.assert_equal(found, expected.isel(indices))


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=40)
@given(outer=_indices(), inner=_indices(), data=st.data())
def test_a_part_of_a_part(name, outer, inner, data):
    """What is left of one selection is selected from again before anything is read."""
    array, expected = pair(name)
    array, expected = (
        whole.isel({dim: i for dim, i in outer.items() if dim in whole.dims and np.ndim(i) != 0})
        for whole in (array, expected)
    )
    again = {dim: data.draw(_one_index(size)) for dim, size in array.sizes.items() if size}
    again = {dim: index for dim, index in again.items() if dim in inner}
    xr.testing.assert_equal(array.isel(again), expected.isel(again))


@pytest.mark.parametrize("name", ["strict", "bands", "plane"])
@settings(max_examples=40)
@given(
    places=st.lists(st.tuples(st.integers(-7, 6), st.integers(-9, 8)), max_size=5),
    back=st.booleans(),
)
def test_single_points(name, places, back):
    """Pointwise places, as a match-up asks for them."""
    lines, pixels = np.array(places, dtype=np.intp).reshape(-1, 2).T
    step = slice(None, None, -1) if back else slice(None)
    indices = {"y": xr.DataArray(lines, dims="at"), "x": xr.DataArray(pixels, dims="at")}
    array, expected = pair(name)
    if "band" in array.dims:
        array, expected = array.isel(band=step), expected.isel(band=step)
    xr.testing.assert_equal(array.isel(indices), expected.isel(indices))


BACKWARDS_OVER_NOTHING = {"band": slice(1, 3, -1), "y": slice(2, 5, -1), "x": slice(0, 5, -2)}


@example(indices=BACKWARDS_OVER_NOTHING)
@given(indices=_indices())
def test_numpy_indices_of_the_backend_itself(indices):
    """Negative positions and steps are resolved without xarray's help, too."""
    array, _ = pair("strict")
    key = tuple(indices.get(dim, slice(None)) for dim in DIMS)
    key = tuple(np.flatnonzero(i) if np.asarray(i).dtype.kind == "b" else i for i in key)
    places = [
        np.arange(n)[i if np.ndim(i) else slice(i, i + 1 or None) if isinstance(i, int) else i]
        for i, n in zip(key, CUBE.shape, strict=True)
    ]
    expected = CUBE[np.ix_(*places)].reshape(
        [p.size for p, i in zip(places, key, strict=True) if not isinstance(i, int)]
    )
    np.testing.assert_array_equal(array.encoding["lazy_array"]._read(key), expected)


def test_only_what_is_around_a_part_is_read():
    """Bands that are left out and lines beyond are never asked for."""
    layers = [Strict(plane) for plane in CUBE]
    array = lazy(StackedBands(tuple(layers)), DIMS)
    found = array.isel(band=[3, 1], y=slice(2, 6, 3), x=-1).values
    np.testing.assert_array_equal(found, CUBE[[3, 1], 2:6:3, -1])
    assert [len(layer.asked) for layer in layers] == [0, 1, 0, 1]
    assert layers[1].asked == [(slice(2, 6), slice(8, 9))]


@pytest.mark.parametrize("name", SOURCES)
def test_copies_and_dask_arrays_have_the_same_values(name):
    """A deep copy reads the same source; chunks of any size give the same numbers."""
    array, expected = pair(name)
    copied = array.copy(deep=True)
    assert lazy_array_of(copied) is lazy_array_of(array)
    assert copy.deepcopy(array.to_dataset(name="a")).a.equals(expected)
    for sizes in ({}, {"y": 3, "x": 2}, {"y": 7, "x": 1}):
        chunked = array.chunk(sizes)
        assert chunked.chunks is not None
        xr.testing.assert_equal(chunked.compute(), expected)


def test_equal_arrays_of_different_sources_are_different_to_dask():
    """Names of tasks come from the source: two sources must not be taken for one."""
    first = lazy(in_memory(CUBE), DIMS).chunk({})
    second = lazy(in_memory(CUBE + 1), DIMS).chunk({})
    assert first.data.name != second.data.name
    np.testing.assert_array_equal((second - first).values, np.ones_like(CUBE))


def test_a_part_knows_its_source():
    """A window of a layer is still of that layer; what is computed from it is not."""
    array, _ = pair("strict")
    assert lazy_array_of(array) is not None
    assert lazy_array_of(array.isel(y=slice(2, 4))) is lazy_array_of(array)
    assert lazy_array_of(array + 1) is None
    assert lazy_array_of(xr.DataArray(CUBE)) is None


def test_chunks_of_storage_are_those_of_the_layers():
    """Of the chosen bands, of all that is computed from; nothing for what is in no file."""
    layers = [Strict(plane, f"layer {number}") for number, plane in enumerate(CUBE)]
    assert [c.name for c in StackedBands(tuple(layers)).storage((2, 0))] == ["layer 2", "layer 0"]
    computed = Computed(np.add, (layers[0], in_memory(CUBE[0]), layers[3]), CUBE.dtype)
    assert [c.name for c in computed.storage((0,))] == ["layer 0", "layer 3"]
    assert list(Generated(of_place, CUBE.shape[1:], CUBE.dtype).storage((0,))) == []


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_arrays_without_lines_or_pixels(shape):
    """Nothing is as good as something."""
    values = np.ones(shape, np.float32)
    array = lazy(Strict(values), ("y", "x"))
    np.testing.assert_array_equal(array.values, values)
    np.testing.assert_array_equal(array.isel(x=[]).values, values[:, :0])
    np.testing.assert_array_equal(array.chunk({}).values, values)


@settings(max_examples=40)
@given(
    lines=st.integers(0, 12),
    pixels=st.integers(0, 5),
    bands=st.integers(1, 3),
    numbers=st.integers(1, 80),
)
def test_strips_are_all_lines_once_and_in_memory(lines, pixels, bands, numbers):
    """In their order, with no more numbers together than asked for unless one line has more."""
    cube = np.arange(bands * lines * pixels).reshape(bands, lines, pixels)
    plane = np.arange(lines * pixels).reshape(lines, pixels)
    dataset = xr.Dataset({"a": lazy(Strict(cube), DIMS), "b": lazy(Strict(plane), ("y", "x"))})
    found = list(strips(dataset, numbers))
    assert [line for part, _ in found for line in range(part.start, part.stop)] == [*range(lines)]
    for part, loaded in found:
        assert all(isinstance(v.variable._data, np.ndarray) for v in loaded.values())
        np.testing.assert_array_equal(loaded.a.values, cube[:, part])
        np.testing.assert_array_equal(loaded.b.values, plane[part])
        in_memory = sum(v.size for v in loaded.values())
        assert in_memory <= max(numbers, (bands + 1) * pixels)
