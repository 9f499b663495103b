"""The exit code of a batch tells a scheduler what to do; docs/batch.md names each of them."""

import errno
import re
from pathlib import Path

import pytest

from pipeline.batch.ledger import SceneCounts
from pipeline.batch.loop import BatchSummary
from pipeline.cli.batch import _exit_code
from pipeline.errors import OutputError

pytestmark = pytest.mark.quick

DOCS = Path(__file__).parents[2] / "docs" / "batch.md"


def summary(end=lambda _: None, **how):
    made = BatchSummary(**how)
    end(made)
    return made


@pytest.mark.parametrize(
    ("ended", "all_failures", "new_failures"),
    [
        (summary(counts=SceneCounts(done=2)), 0, 0),
        (summary(counts=SceneCounts(done=2), changed=1), 0, 0),
        (summary(counts=SceneCounts(done=1, failed=1)), 1, 0),
        (summary(counts=SceneCounts(done=1, failed=1), failed=1), 1, 1),
        (summary(counts=SceneCounts(done=1), nothing=["x"]), 1, 1),
        (summary(counts=SceneCounts(failed=2), failed=2, missing=2), 66, 66),
        (summary(counts=SceneCounts(failed=2), failed=2, missing=2, changed=1), 1, 1),
        (summary(counts=SceneCounts(failed=2), failed=2, missing=1), 1, 1),
        (summary(lambda s: s.lose("x"), counts=SceneCounts(failed=1)), 69, 69),
        (summary(lambda s: s.refuse("x"), counts=SceneCounts(failed=1)), 71, 71),
        (summary(lambda s: s.end_early(OutputError("x")), interrupted=True), 73, 73),
        (summary(interrupted=True, counts=SceneCounts(failed=1), failed=1), 75, 75),
    ],
)
def test_each_end_has_its_code(ended, all_failures, new_failures):
    """Failures of earlier calls count only if they are asked for."""
    assert _exit_code(ended, new_failures_only=False) == all_failures
    assert _exit_code(ended, new_failures_only=True) == new_failures


def test_the_first_reason_stays():
    """What follows from it is not the cause; a machine that refuses files is no lost disk."""
    ended = summary(lambda s: s.lose("cluster"))
    ended.end_early(OutputError("disk"))
    assert (ended.problem, _exit_code(ended, new_failures_only=False)) == ("cluster", 69)
    error = OutputError("x: cannot be written")
    error.__cause__ = OSError(errno.EMFILE, "Too many open files")
    refused = summary(lambda s: s.end_early(error))
    assert _exit_code(refused, new_failures_only=False) == 71


def test_the_documentation_names_each_code():
    """And no other one."""
    table = re.findall(r"^\| (\d+) \|", DOCS.read_text(), re.MULTILINE)
    assert [int(code) for code in table] == [0, 1, 2, 66, 69, 71, 73, 75]
