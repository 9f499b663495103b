"""What a file says of itself is cut at a documented length, before it is copied many times."""

import subprocess
import sys

import h5py
import netCDF4
import numpy as np
import pytest
from batches import write_config, write_scene

from pipeline.batch.job import Job
from pipeline.config import load_config
from pipeline.files import long_attributes
from pipeline.files.long_attributes import LONGEST_OF_ALL, cut_attribute, cut_attributes
from pipeline.files.longest import LONGEST_ATTRIBUTE, cut, cut_message
from pipeline.process import process_scene
from pipeline.verify import verify_product

MARK = "characters left out]"
# Times its length may an attribute take while the HDF5 library reads it.
READING = 6.5


def long_values(size):
    """Texts and numbers as files store them."""
    return {
        "text": "h" * size,
        "bytes": np.bytes_(b"h" * size),
        "texts": np.array(["x" * 1000] * (size // 1000), h5py.string_dtype()),
        "numbers": np.arange(size, dtype="i4"),
    }


def test_short_values_stay_as_they_are():
    """The same objects, so products of ordinary files keep their bytes."""
    for value in (
        "text", b"bytes", np.bytes_(b"x"), 7, np.float32(1), np.arange(5), ["a", "b"], None, True,
        h5py.Empty("f4"), np.array([b"a", b"bc"]), "x" * LONGEST_ATTRIBUTE,
    ):  # fmt: skip
        assert cut_attribute(value) is value
    assert cut_message("short") == "short"


@pytest.mark.parametrize("what", long_values(2))
def test_long_values_are_cut_with_a_mark(what):
    """That says how much is left out."""
    value = long_values(LONGEST_ATTRIBUTE + 5000)[what]
    found = cut_attribute(value)
    assert isinstance(found, str)
    assert len(found) <= LONGEST_ATTRIBUTE
    assert found.endswith("left out]")
    assert cut_attribute(found) is found
    assert cut("x" * 120, 60) == "xxxxxxxxxx [... 110 characters left out]"


def test_many_long_values_share_a_length():
    """So that all together stay within a limit."""
    found = cut_attributes({f"a{number}": "x" * LONGEST_ATTRIBUTE for number in range(40)})
    assert sum(map(len, found.values())) <= LONGEST_OF_ALL
    assert all(value.endswith(MARK) for value in found.values())


def in_folder(folder):
    """A configuration whose products lie beside the scene."""
    return load_config(write_config(folder, execution={"output": str(folder)}))


@pytest.fixture
def shorter(monkeypatch):
    """A limit that small files exceed."""
    monkeypatch.setattr(long_attributes, "LONGEST_ATTRIBUTE", 1000)
    monkeypatch.setattr(cut, "__defaults__", (1000,))
    monkeypatch.setattr(cut_attribute, "__defaults__", (1000,))


@pytest.mark.parametrize("name", ["history", "title", "anything", "instrument_notes"])
def test_a_product_says_what_is_left_out(tmp_path, shorter, name):
    """Wherever it copies the attribute, and verify knows it."""
    scene = write_scene(tmp_path / "scene.nc")
    with h5py.File(scene, "r+") as file:
        file.attrs[name] = "z" * 5000
    product = process_scene(scene, in_folder(tmp_path))
    with netCDF4.Dataset(product) as file:
        copied = file["processing_control/inputs/scene"].getncattr(f"source_{name}")
        everywhere = [copied] + ([file.history] if name == "history" else [])
    for text in everywhere:
        assert text.count("z") == 950
        assert text.endswith("[... 4050 characters left out]")
    findings = verify_product(product, scenes=[scene], sample=10)
    assert [finding for finding in findings if not finding.passed] == []


def test_a_long_attribute_of_a_variable_is_cut(tmp_path, shorter):
    """Flags with a cut list of meanings are refused, because a cut name is no name."""
    scene = write_scene(tmp_path / "scene.nc")
    with h5py.File(scene, "r+") as file:
        flags = file["geophysical_data/l2_flags"].attrs
        flags["flag_meanings"] = "x" * 5000 + " " + str(flags["flag_meanings"])
    with pytest.raises(Exception, match="flag_m") as caught:
        process_scene(scene, in_folder(tmp_path))
    assert len(str(caught.value)) < 1000


def test_reasons_and_messages_of_a_scene_are_cut(monkeypatch, tmp_path):
    """Before they go through a pipe into the ledger, the log and tables."""
    from pipeline.batch import child
    from pipeline.errors import SceneError

    def fail(*_):
        for number in range(child.MOST_MESSAGES + 10):
            child.logging.getLogger("pipeline").warning("%d %s", number, "m" * 100_000)
        raise SceneError("r" * 1_000_000)

    monkeypatch.setattr(child, "_done", fail)
    outcome = child.do(Job(str(tmp_path / "a.nc"), {}, "l", 0), lambda _: None)
    assert outcome.reason.endswith(MARK)
    assert len(outcome.reason) < 5000
    assert len(outcome.messages) == child.MOST_MESSAGES
    assert max(len(text) for _, text in outcome.messages) < 5000


PROGRAM = """
import resource, sys
from pipeline.process import process_scene
from pipeline.config import load_config
config = load_config(sys.argv[1])
for scene in sys.argv[2:]:
    process_scene(scene, config)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_a_long_history_takes_no_more_than_its_reading(tmp_path):
    """At a limit of 300 MB; copies of it once took twice as much."""
    size = 50_000_000
    short, long = write_scene(tmp_path / "short.nc"), write_scene(tmp_path / "long.nc")
    with h5py.File(long, "r+", libver="latest") as file:
        file.attrs["history"] = "h" * size
    config = write_config(tmp_path, execution={"output": str(tmp_path), "memory_limit": "300MB"})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(config), str(short), str(long)],
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = map(int, done.stdout.split())
    assert after - before < READING * size
