"""Readable files that mean something else are read as they mean it, or refused: see fuzz.meaning.

A file that fails is read again by the command that its failure ends with.
"""

import pytest

from fuzz.meaning import MEANINGS, Readings, mutants
from fuzz.trial import Mutant

COUNT, SEEDS = 20, {"obpg_l2": 0, "sgli_l2": 100, "olci_wfr": 200, "geotiff": 300, "cf_netcdf": 400}
TRIED = [mutant for reader in MEANINGS for mutant in mutants(reader, COUNT, SEEDS[reader])]

# Read wrongly in 0.2.0.
FOUND = {
    "obpg_l2 obpg_control_points limit_in_units 1003": "limits in units taken for counts",
    "obpg_l2 obpg_olci limit_in_units 1027": "an upper limit in units that hid nothing",
    "obpg_l2 obpg_hico missing_in_units 1006": "a missing value in units ignored",
    "obpg_l2 obpg_hico of_another_type 1013": "text called damage",
    "obpg_l2 obpg_control_points missing_as_a_value 1029": "a fill value of the group ignored",
    "obpg_l2 obpg_hico units 1032": "any units of a longitude taken for degrees",
    "sgli_l2 sgli_undescribed missing_as_a_value 1005": "a fill value of the group ignored",
    "sgli_l2 sgli units 1020": "any units of a band taken for sr-1",
}


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    """The bases are written once."""
    return Readings(tmp_path_factory.mktemp("meaning"))


@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.id)
def test_a_file_that_means_something_else(readings, mutant):
    """The scene is that of an independent reading, or the file is refused by name."""
    reading = readings.read(mutant)
    assert not reading.wrong, f"\n{reading}"


@pytest.mark.parametrize("case", FOUND)
def test_a_file_that_was_read_wrongly(readings, case):
    """Kept with its seed."""
    reader, base, mutation, seed = case.split()
    reading = readings.read(Mutant(reader, base, mutation, int(seed)))
    assert not reading.wrong, f"{FOUND[case]}\n{reading}"


@pytest.mark.parametrize("reader", MEANINGS)
def test_most_files_are_read(readings, reader):
    """Refusing everything would not do."""
    some = list(mutants(reader, 6, SEEDS[reader]))
    refused = [mutant for mutant in some if readings.read(mutant).refusal]
    assert len(refused) <= len(some) / 2


def test_every_mutation_is_tried():
    """The suite tries each of them."""
    for reader, mutations in MEANINGS.items():
        assert {mutant.mutation for mutant in TRIED if mutant.reader == reader} == set(mutations)
