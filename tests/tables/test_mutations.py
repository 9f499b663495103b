"""Tables whose meaning was moved are read with the right values, or refused; never with others."""

import pytest
from table_mutations.trial import FORMATS, try_one

COUNT = 20
# Mutants that were once read with other values, and what was wrong.
FOUND = [
    ("csv", 37),  # Rrs_443 beside Rrs_443 [1/sr]: the title without brackets was taken
    ("csv", 46),
    ("pangaea", 6),
    ("pangaea", 46),
    ("seabass", 30),  # days since 1970 in the column time were added to the date of the header
]


@pytest.mark.parametrize("name", FORMATS)
def test_mutants(tmp_path, name):
    """No silent difference; and refusing everything would not do."""
    verdicts = [try_one(name, seed, tmp_path) for seed in range(COUNT)]
    assert not [verdict for verdict in verdicts if verdict.wrong]
    assert sum(not verdict.refused for verdict in verdicts) >= COUNT // 4


@pytest.mark.parametrize(("name", "seed"), FOUND)
def test_mutants_that_were_found(tmp_path, name, seed):
    """They are not read with other values again."""
    assert not try_one(name, seed, tmp_path).wrong
