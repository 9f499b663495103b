"""HDF5 files as other programs may write them: byte order, odd types, chunks of odd length."""

import subprocess
import sys

import h5py
import numpy as np
import obpg_miniature
import pytest
from obpg_miniature import DIMS, LAND, counts_of, write_obpg_l2
from small_network import BANDS, write_network
from small_runs import numbers, product_of, run_settings

from pipeline.readers.decoding import Decoder
from pipeline.readers.hdf5_chunks import Hdf5Chunks


def _big_endian(group, name, stored, fill, attributes, chunk, dims=DIMS):
    variable = group.createVariable(
        name,
        stored.dtype.newbyteorder(">"),
        dims,
        fill_value=fill,
        zlib=True,
        chunksizes=chunk,
        endian="big",
    )
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[:] = stored


@pytest.mark.filterwarnings("ignore:endian-ness")
def test_big_endian_flags_mask_and_are_copied(tmp_path, monkeypatch):
    """The product has the numbers, in its own byte order, and the mask its pixels."""
    monkeypatch.setattr(obpg_miniature, "_variable", _big_endian)
    flags = np.array([[0, LAND, 4, 0]])
    counts = {nm: counts_of(np.full((1, 4), 0.004)) for nm in BANDS}
    scene = write_obpg_l2(tmp_path / "s.nc", counts, flags=flags)
    network = write_network(tmp_path / "n.h5")
    made = numbers(product_of(scene, run_settings(tmp_path, network, masks={"flags": ["LAND"]})))
    assert made["l2_flags"].tolist() == flags.tolist()
    assert made["quality_flags"].tolist() == [[0, 256, 0, 0]]


@pytest.mark.parametrize("dtype", [">i2", ">i4"])
def test_big_endian_unsigned(dtype):
    """_Unsigned numbers keep their byte order while their sign is dropped."""
    stored = np.array([-2, 5], dtype)
    found = Decoder.from_attributes({"_Unsigned": "true"}, stored.dtype).values(stored)
    assert found.tolist() == [float(np.float32(2 ** (8 * stored.itemsize) - 2)), 5.0]


def made(path, filters, stored_type=h5py.h5t.STD_I32LE):
    """A dataset of one chunk whose filters a function sets."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((4, 5))
    filters(properties)
    file, space = h5py.File(path, "w"), h5py.h5s.create_simple((4, 5))
    dataset = h5py.Dataset(h5py.h5d.create(file.id, b"v", stored_type, space, properties))
    dataset[...] = -np.arange(20).reshape(4, 5)
    return dataset


def test_deflate_before_shuffle(tmp_path):
    """An order nobody uses, which leaves bytes over that are not shuffled."""
    dataset = made(tmp_path / "v.h5", lambda p: (p.set_deflate(4), p.set_shuffle()))
    np.testing.assert_array_equal(Hdf5Chunks(dataset).load((0, 0)), dataset[...])


def test_numbers_of_reduced_precision(tmp_path):
    """Twelve bits of sixteen: the library converts them."""
    twelve = h5py.h5t.STD_I16LE.copy()
    twelve.set_precision(12)
    dataset = made(tmp_path / "v.h5", lambda p: p.set_deflate(4), twelve)
    np.testing.assert_array_equal(Hdf5Chunks(dataset).load((0, 0)), dataset[...])


@pytest.mark.parametrize("more", [1, 3])
def test_a_shuffled_chunk_that_is_too_long(tmp_path, more):
    """Even by less than a number."""
    dataset = made(tmp_path / "v.h5", lambda p: p.set_shuffle())
    dataset.id.write_direct_chunk((0, 0), bytes(80 + more))
    with pytest.raises(OSError, match="expected 80"):
        Hdf5Chunks(dataset).load((0, 0))


LOAD = """
import h5py
from pipeline.readers.hdf5_chunks import Hdf5Chunks
with h5py.File("v.h5") as file:
    try:
        Hdf5Chunks(file["v"]).load((0, 0))
    except OSError:
        print("refused")
"""


@pytest.mark.parametrize("more", [-20, 4, 400_000])
def test_a_plain_chunk_of_another_length(tmp_path, more):
    """In a process of its own, for the library would write beyond its memory."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        numbers = np.arange(40, dtype="i4").reshape(4, 10)
        dataset = file.create_dataset("v", data=numbers, chunks=(4, 5))
        dataset.id.write_direct_chunk((0, 0), bytes(80 + more))
    ran = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "refused")
