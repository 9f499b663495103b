"""Work in forks of a process: results in order, whatever crashes."""

import logging
import os
import signal
import sys
import time

import pytest

from pipeline.machine.forks import Died, in_forks

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order(workers):
    """From several processes, none of which is this one."""
    found = list(in_forks(lambda number: (number, os.getpid()), 7, workers))
    assert [number for number, _ in found] == list(range(7))
    pids = {pid for _, pid in found}
    assert len(pids) == workers
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL),
        (lambda: os._exit(7), 7),
        (lambda: sys.exit(71), 71),
    ],
)
def test_a_crash_loses_one_result(end, status):
    """A new fork does the rest."""
    found = list(in_forks(lambda number: end() if number == 2 else number, 7, 2))
    assert found[2] == Died(status)
    assert [each for each in found if not isinstance(each, Died)] == [0, 1, 3, 4, 5, 6]


def test_large_results_wait_until_they_are_taken():
    """A pipe holds only a part of them."""
    found = in_forks(lambda number: bytes([number]) * 1_000_000, 6, 2)
    assert [(len(each), each[0]) for each in found] == [(1_000_000, n) for n in range(6)]


def test_forks_end_with_their_user():
    """Whoever takes no more results leaves no process behind."""
    results = in_forks(lambda number: (time.sleep(60 * (number > 1)), os.getpid())[1], 4, 2)
    pids = [next(results), next(results)]
    results.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_messages_of_a_fork_reach_stderr(capfd, monkeypatch):
    """Through the handlers of this process."""
    handler = logging.StreamHandler(sys.stderr)
    log = logging.getLogger("pipeline.test_forks")
    monkeypatch.setattr(log, "propagate", False)  # handlers of other tests
    log.addHandler(handler)
    list(in_forks(lambda number: log.warning("message %d", number), 2, 2))
    log.removeHandler(handler)
    assert sorted(capfd.readouterr().err.split("\n")) == ["", "message 0", "message 1"]
