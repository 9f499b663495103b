"""Fifty hostile files of each kind; ``python -m hostile`` tries five hundred of each."""

import pytest

from hostile.bases import BASES
from hostile.mutations import MUTATIONS
from hostile.trial import KINDS, Mutant, Trials, mutants

AT_LEAST = 50
# Files that once ended as they must not, and what was wrong.
FOUND = {
    "network_keras beside_is_elsewhere 12": "a description outside of the folder was read",
    "network_h5 zero_run 55": "the HDF5 library looped for ever in a heap of zeros",
    "ensemble text_repeated 29": "a name that is too long for the system: a traceback",
    "product huge_storage_chunk 48": "flags without meanings: a traceback",
    "table_parquet flip_bit 1264": "pyarrow ended the process over the metadata of a column",
    "table_parquet set_words 1321": "names of the schema and of the columns differ: a traceback",
    "table_netcdf huge_storage_chunk 1175": "the netCDF library crashed over a chunk of 1 GB",
    "table_netcdf huge_storage_chunk 1224": "the netCDF library crashed over a lost dimension",
    "product sane_packing 1208": "flags that are scaled: a traceback",
    "product retype 1394": "a complex share: a traceback",
    "product retype 1443": "a compound longitude: a traceback",
    "product odd_values 1495": "latitudes beyond all numbers: a traceback",
    "ledger set_words 1130": "a statement that is not UTF-8: a traceback",
    "network_onnx onnx_numbers 1049": "an infinite number in place of a size: a traceback",
    "table_parquet flip_start 31": "text that is not UTF-8: a traceback",
}


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """One server of commands for all files that a process of the tests tries."""
    with Trials(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files(trials, kind):
    """Nothing outside is opened, nothing is over 1 GB or 20 s, and there is no traceback."""
    verdicts = [trials.run(mutant) for mutant in mutants(kind, AT_LEAST, 0)]
    wrong = [str(verdict) for verdict in verdicts if verdict.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("found", FOUND)
def test_a_case_that_was_found(trials, found):
    """Ends as it should."""
    kind, mutation, seed = found.split()
    verdict = trials.run(Mutant(kind, mutation, int(seed)))
    assert not verdict.wrong, f"{FOUND[found]}\n{verdict}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_read(trials, kind, tmp_path):
    """So that refusing everything would not do."""
    path = trials.whole(kind, tmp_path)
    command = "status" if kind == "ledger" else "inspect"
    ending = trials.ended(command, path)
    assert not ending.faults
    assert ending.code == 0, ending.output


@pytest.mark.quick
def test_every_kind_is_tried():
    """The tables keep up with each other."""
    assert set(BASES) == set(MUTATIONS)
