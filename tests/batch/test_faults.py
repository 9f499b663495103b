"""23 scenes of which 11 go wrong, each in another way: 12 products and 11 reasons."""

import csv
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from batches import (
    copies,
    leavings,
    products,
    quality_lines,
    run,
    run_cold,
    scenes_by_name,
    states,
    write_config,
)
from faults import PATH_TO_FAULTS, write_fault
from obpg_miniature import counts_of, write_obpg_l2
from small_network import BANDS

GOOD = 12
SHAPE = (150, 130)


def broken(folder: Path, good: Path) -> dict[str, tuple[str, str]]:
    """Eight files that are broken, each otherwise: kind of failure and a word of the reason."""
    content = good.read_bytes()
    (folder / "b1.nc").write_bytes(b"")
    (folder / "b2.nc").write_text("<html>404 not found</html>")
    (folder / "b3.nc").write_bytes(content[: len(content) // 2])
    (folder / "b4.nc").write_bytes(b"\x0e\x03\x13\x01" + bytes(5000))
    _without(good, folder / "b5.nc", "navigation_data/latitude")
    _without(good, folder / "b6.nc", "geophysical_data/Rrs_443")
    _with_damaged_chunk(good, folder / "b7.nc")
    counts = {nm: counts_of(np.full(SHAPE, 0.004)) for nm in BANDS}
    write_obpg_l2(folder / "b8.nc", counts, platform="Terra")
    return {
        "b1.nc": ("scene", "empty"),
        "b2.nc": ("scene", "web page"),
        "b3.nc": ("scene", "cut short"),
        "b4.nc": ("scene", "HDF4"),
        "b5.nc": ("scene", "latitude"),
        "b6.nc": ("scene", "443"),
        "b7.nc": ("scene", "damaged"),
        "b8.nc": ("network", "MODIS-Terra"),
    }


def _copy(good: Path, path: Path) -> h5py.File:
    path.write_bytes(good.read_bytes())
    return h5py.File(path, "r+")


def _without(good: Path, path: Path, name: str) -> None:
    with _copy(good, path) as file:
        del file[name]


def _with_damaged_chunk(good: Path, path: Path) -> None:
    with _copy(good, path) as file:
        file["geophysical_data/Rrs_443"].id.write_direct_chunk((64, 64), b"no zlib stream")


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_what_goes_wrong_costs_itself_only(tmp_path, executor):
    """Broken files, a crash, a hang, and one that takes all memory; in bounded time."""
    copies(tmp_path / "in", GOOD, SHAPE)
    good = tmp_path / "in" / "S000.nc"
    expected = broken(tmp_path / "in", good)
    for name, fault, kind, words in (
        ("f1.nc", "segfault", "crash", "SIGSEGV"),
        ("f2.nc", "hang", "timeout", "not finished after"),
        ("f3.nc", "memory", "memory", "--memory-limit"),
    ):
        write_fault(tmp_path / "in" / name, fault, good, late=True)
        expected[name] = (kind, words)
    ended = run_cold(  # which ends, though a scene in it would not
        "batch", write_config(tmp_path), tmp_path / "in", "-o", tmp_path / "out",
        "--executor", executor, "--workers", 2, "--timeout", 20, "--memory-limit", "1GB",
        PYTHONPATH=PATH_TO_FAULTS,
    )  # fmt: skip
    assert ended.code == 1, ended.stderr
    assert set(products(tmp_path / "out")) == {f"S{n:03}.test.nc" for n in range(GOOD)}
    assert leavings(tmp_path / "out") == []
    assert states(tmp_path / "out") == {"done": GOOD, "failed": 11}
    with (tmp_path / "out" / "failures.csv").open(newline="") as file:
        told = {Path(row["scene"]).name: row for row in csv.DictReader(file)}
    assert {name: row["kind"] for name, row in told.items()} == {
        name: kind for name, (kind, _) in expected.items()
    }
    for name, (_, words) in expected.items():
        assert words in told[name]["reason"], told[name]
        assert name in told[name]["reason"], told[name]
    attempts = {name: int(row["attempts"]) for name, row in told.items()}
    assert attempts == {n: 2 if n.startswith("f") else 1 for n in expected}
    assert len(quality_lines(tmp_path / "out")) == GOOD
    assert len(re.findall(r"^\S+ \S+ error ", ended.stderr, re.MULTILINE)) == 11


def test_a_scene_that_goes_well_the_second_time(tmp_path):
    """A crash is tried again in the same call; the product is there, the exit code is 0."""
    good = copies(tmp_path / "scenes", 1, SHAPE)[0]
    (tmp_path / "in").mkdir()
    write_fault(tmp_path / "in" / "once.nc", "segfault", good, once=True, late=True)
    arguments = ("batch", write_config(tmp_path), tmp_path / "in", "-o", tmp_path / "out")
    ended = run(*arguments, PYTHONPATH=PATH_TO_FAULTS)
    assert ended.code == 0, ended.stderr
    assert "will be tried again" in ended.stderr
    assert scenes_by_name(tmp_path / "out")["once.nc"]["attempts"] == 2
    os.unlink(tmp_path / "in" / "once.nc.happened")  # noqa: PTH108
    once = run(*arguments, "--max-attempts", 1, "--retry-failed", PYTHONPATH=PATH_TO_FAULTS)
    assert "0 done" in once.stderr, "done is done"
