"""Damaged and hostile files of every format through a warm child: see the package.

A file that fails is tried again by the command that its failure ends with.
"""

import random
from pathlib import Path

import h5py
import numpy as np
import pytest
from miniatures.cases import CASES

from fuzz.bases import NAMES, Base
from fuzz.found import FOUND
from fuzz.mutations import MUTATIONS, bytewise, objects
from fuzz.mutations.checksum import lookup3
from fuzz.mutations.chunks import end_of_header
from fuzz.outside import Outside, Watch, is_canary
from fuzz.trial import READERS, Mutant, Trials, mutants

AT_LEAST = 50
TRIED = [
    mutant
    for reader in READERS
    for mutant in mutants(reader, max(AT_LEAST, len(MUTATIONS[reader])), first_seed=0)
]


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """One warm child for all files that a process of the tests tries."""
    with Trials(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.id)
def test_a_damaged_file(trials, mutant):
    """A product equal to what an independent library reads, or a clear error; nothing else."""
    verdict = trials.run(mutant)
    assert not verdict.wrong, f"\n{verdict}"


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.mutant.id)
def test_a_case_that_was_found(trials, found):
    """Ends as it should, and is still what it was."""
    verdict = trials.run(found.mutant)
    assert not verdict.wrong, f"\n{verdict}"
    assert verdict.outcome.kind == found.ends, f"{found.was}\n{verdict}"
    assert found.did in (None, verdict.did)


@pytest.mark.parametrize("seed", [0, 1], ids=["plain", "masked"])
@pytest.mark.parametrize("base", NAMES)
def test_a_whole_file(trials, base, seed):
    """Is a product, so that refusing everything would not do."""
    reader = Base(base, Path()).reader
    verdict = trials.run(Mutant(reader, base, "whole", seed))
    assert not verdict.wrong, f"\n{verdict}"
    assert verdict.outcome.kind == "done", f"\n{verdict}"


# What the trials rest on


@pytest.mark.quick
def test_every_reader_and_every_mutation_is_tried():
    """The tables keep up with each other."""
    assert set(READERS) == {case.reader for case in CASES.values()}
    for reader in READERS:
        mutations = {mutant.mutation for mutant in TRIED if mutant.reader == reader}
        assert mutations == set(MUTATIONS[reader])


def outside_of(folder):
    for name in ("outside", "allowed"):
        (folder / name).mkdir()
    return Outside(folder / "outside", folder / "allowed")


def test_a_canary_that_is_opened_is_noticed(tmp_path):
    """By its own name, and only once."""
    outside = outside_of(tmp_path)
    canary = outside.raw(np.dtype("f4"), 8)
    watch = Watch(outside.folder)
    assert watch.seen() == set()
    assert is_canary(np.fromfile(canary, "f4"))
    assert watch.seen() == {canary}
    assert watch.seen() == set()
    watch.close()


@pytest.mark.parametrize("name", ["pace_oci", "sgli", "polymer"])
def test_a_canary_has_numbers_that_the_file_has_not(tmp_path, name):
    """In every variable that may be read in place of the file's."""
    outside = outside_of(tmp_path)
    path = Base(name, tmp_path).path
    compared = 0
    with h5py.File(path) as file, h5py.File(outside.hdf5(path)) as canary:
        for variable in objects.datasets(file):
            if file[variable].dtype.kind in "iuf" and file[variable].dtype.itemsize > 1:
                assert not is_canary(file[variable][...]), variable
                assert is_canary(canary[variable][...]), variable
                compared += 1
    assert compared > 3


@pytest.mark.quick
def test_the_checksum_is_that_of_the_library(tmp_path):
    """Of the headers that the netCDF library wrote."""
    stored = Base("pace_oci", tmp_path).path.read_bytes()
    start = stored.index(b"OHDR")
    end = end_of_header(stored, start)
    assert lookup3(stored[start:end]) == int.from_bytes(stored[end : end + 4], "little")


@pytest.mark.parametrize("mutation", [bytewise.flip_anywhere, objects.retype])
def test_a_mutation_is_the_same_again(tmp_path, mutation):
    """So that a seed is enough to repeat a failure."""
    outside, made = outside_of(tmp_path), []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        path = Base("sgli", folder).path
        mutation(path, random.Random("a seed"), outside)  # noqa: S311 - to be repeated
        made.append(path.read_bytes())
    assert made[0] == made[1]
