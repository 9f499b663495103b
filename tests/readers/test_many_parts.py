"""Files with very many parts: the work does not grow with the square of their number."""

import time

import h5py
import numpy as np
import pytest
from obpg_miniature import counts_of, write_obpg_l2
from small_network import BANDS

from pipeline.errors import SceneError, repeated
from pipeline.files import counts
from pipeline.readers import hdf5_chunks, open_scene
from pipeline.readers.flag_bits import MOST_FLAGS, description_of_bits
from pipeline.readers.hdf5_chunks import Hdf5Chunks
from pipeline.tables.names import header_of

# Far more than the work needs on a busy machine, far less than the square of it (CPU seconds).
ENOUGH = 20


@pytest.fixture
def scene(tmp_path):
    return write_obpg_l2(
        tmp_path / "s.nc", {nm: counts_of(np.full((6, 8), 0.004)) for nm in BANDS}, chunk=(1, 1)
    )


@pytest.mark.parametrize("side", [4, 16])
def test_all_places_of_chunks_are_found_in_one_walk(tmp_path, monkeypatch, side):
    """However many there are; what was never written is filled."""
    numbers = np.arange(side * side, dtype="i2").reshape(side, side)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        whole = file.create_dataset("whole", data=numbers, chunks=(1, 1), compression="gzip")
        part = file.create_dataset("part", (side, side), "i2", chunks=(1, 1), fillvalue=-1)
        part[0, 1:3] = 5
        walks = []
        monkeypatch.setattr(Hdf5Chunks, "_check_count", lambda self: walks.append(self.name))
        for dataset in (whole, part):
            chunks = Hdf5Chunks(dataset)
            places = np.ndindex(side, side)
            found = np.array([chunks.load(place)[0, 0] for place in places]).reshape(side, side)
            np.testing.assert_array_equal(found, dataset[...])
    assert walks == ["/whole", "/part"]


def test_more_chunks_than_any_scene_has_are_refused(scene, monkeypatch):
    """With both numbers, and with what to do."""
    monkeypatch.setattr(hdf5_chunks, "MOST_CHUNKS", 47)
    with (
        open_scene(scene) as opened,
        pytest.raises(SceneError, match=r"48 chunks of shape \(1, 1\), expected at most 47.*-c"),
    ):
        opened["Rrs"].load()


@pytest.mark.parametrize("place", ["/", "geophysical_data", "geophysical_data/Rrs_443"])
def test_more_attributes_than_any_scene_has_are_refused(scene, monkeypatch, place):
    """Of the file, a group or a variable."""
    monkeypatch.setattr(counts, "MOST_ATTRIBUTES", 100)
    with h5py.File(scene, "a") as file:
        for number in range(101):
            file[place].attrs[f"a{number}"] = number
    with pytest.raises(SceneError, match=r"has 1\d\d attributes, expected at most 100"):
        open_scene(scene)


def test_more_variables_than_any_scene_has_are_refused(scene, monkeypatch):
    """Libraries take milliseconds for each."""
    monkeypatch.setattr(counts, "MOST_OBJECTS", 100)
    open_scene(scene).close()
    with h5py.File(scene, "a") as file:
        for number in range(100):
            file["geophysical_data"].create_group(f"g{number}")
    with pytest.raises(SceneError, match="has more than 100 groups and variables"):
        open_scene(scene)


def test_more_names_of_flags_than_bits_are_refused():
    """With both numbers."""
    count = 100_000
    attributes = {
        "flag_masks": np.ones(count, "i4"),
        "flag_meanings": " ".join(f"F{number}" for number in range(count)),
    }
    with pytest.raises(SceneError, match=f"has 100,000 names, expected at most {MOST_FLAGS:,}"):
        description_of_bits("flags", np.dtype("i4"), attributes)


@pytest.mark.parametrize("is_equal", [False, True])
def test_names_of_columns_are_counted_once(is_equal, monkeypatch):
    """Forty thousand of them, all different or each twice."""
    monkeypatch.setenv("OCPIPE_MOST_TABLE_COLUMNS", "40000")
    begun, count = time.process_time(), 40_000
    titles = [f"c{number // 2 if is_equal else number}" for number in range(count)]
    header = header_of("table", titles)
    assert len(set(header.names)) == count
    assert len(header.repeated) == (count // 2 if is_equal else 0)
    assert bool(repeated(titles)) == is_equal
    assert time.process_time() - begun < ENOUGH
