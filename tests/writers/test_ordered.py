"""Chunks are committed in one order, whatever order threads finish them in."""

import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import permutations

import numpy as np
import pytest

from pipeline.writers.ordered import OrderedCommit


class Failure(Exception):  # noqa: N818
    """What a full disk would be."""


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_any_order_of_arrival_gives_one_order_of_commits(order):
    """All 24 orders of four chunks."""
    commit, done = OrderedCommit(), []
    for number in order:
        commit.submit(number, lambda number=number: done.append(number))
    assert done == [0, 1, 2, 3]
    assert commit.committed == 4


def test_a_commit_happens_as_early_as_it_can():
    """Nothing waits for the end: memory is freed as soon as the gap is filled."""
    commit, done = OrderedCommit(), []
    expected = {2: [], 0: [0], 4: [0], 1: [0, 1, 2], 3: [0, 1, 2, 3, 4]}
    for number, committed in expected.items():
        commit.submit(number, lambda number=number: done.append(number))
        assert done == committed
        assert commit.committed == len(committed)


def test_nothing_is_committed_after_a_gap():
    """A chunk that never comes is not skipped."""
    commit, done = OrderedCommit(), []
    for number in (0, 1, 3, 4, 5):
        commit.submit(number, lambda number=number: done.append(number))
    assert done == [0, 1]


def test_an_action_is_run_once():
    """The actions before it are counted while it runs: progress is read from there."""
    commit, counts = OrderedCommit(), []
    for number in (1, 2, 0):
        commit.submit(number, lambda: counts.append(commit.committed))
    assert counts == [0, 1, 2]


@pytest.fixture
def restless():
    """Threads take turns as often as they can, so that what is not locked goes wrong."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("seed", range(3))
def test_threads_commit_in_order_and_one_at_a_time(seed):
    """Eight threads, 3,000 shuffled chunks."""
    commit, done, inside = OrderedCommit(), [], []
    numbers = np.random.default_rng(seed).permutation(3000).tolist()

    def action(number):
        inside.append(number)
        if number % 500 == 0:
            time.sleep(0.001)
        assert inside == [number]
        inside.clear()
        done.append(number)

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commit.submit, n, lambda n=n: action(n)) for n in numbers]
    for future in futures:
        future.result()
    assert done == list(range(3000))


def failing_at(number, done):
    """An action for each chunk; that one raises."""

    def make(n):
        def action():
            if n == number:
                raise Failure(n)
            done.append(n)

        return action

    return make


@pytest.mark.parametrize("late", [False, True], ids=["at once", "when the gap is filled"])
def test_a_failure_reaches_the_caller(late):
    """Whoever makes the chunk's turn come gets the exception, be it another chunk's thread."""
    commit, done = OrderedCommit(), []
    action = failing_at(1, done)
    if late:
        commit.submit(1, action(1))
        with pytest.raises(Failure):
            commit.submit(0, action(0))
    else:
        commit.submit(0, action(0))
        with pytest.raises(Failure):
            commit.submit(1, action(1))
    assert done == [0]


def test_after_a_failure_nothing_is_committed_out_of_order():
    """A file with a hole would look complete."""
    commit, done = OrderedCommit(), []
    action = failing_at(2, done)
    commit.submit(4, action(4))
    commit.submit(0, action(0))
    commit.submit(1, action(1))
    with pytest.raises(Failure):
        commit.submit(2, action(2))
    for number in (3, 5, 6):
        commit.submit(number, action(number))
    assert done == [0, 1]
    assert commit.committed == 2


def test_a_failure_in_threads_comes_out_once_and_stops_the_rest():
    """The others neither hang nor write, and the lock is free again."""
    commit, done = OrderedCommit(), []
    action = failing_at(50, done)
    numbers = np.random.default_rng(1).permutation(100).tolist()
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commit.submit, n, action(n)) for n in numbers]
        failures = [error for future in futures if (error := future.exception(timeout=10))]
    assert [Failure] == [type(error) for error in failures]
    assert done == list(range(50))


def test_waiting_chunks_block_nobody():
    """A thread whose chunk comes early goes on to the next block."""
    commit, returned = OrderedCommit(), threading.Event()

    def early():
        for number in range(1, 50):
            commit.submit(number, lambda: None)
        returned.set()

    thread = threading.Thread(target=early, daemon=True)
    thread.start()
    assert returned.wait(timeout=10)
    thread.join()
    assert commit.committed == 0


def test_after_its_context_nothing_is_committed():
    """The file is closed then; a thread that is still busy does no harm."""
    done = []
    with OrderedCommit() as commit:
        for number in (0, 2):
            commit.submit(number, lambda number=number: done.append(number))
    commit.submit(1, lambda: done.append(1))
    assert done == [0]
    assert commit.committed == 1


def test_a_context_ends_after_the_running_action():
    """The file is never closed under a chunk that is being written."""
    running, events = threading.Event(), []

    def slow():
        running.set()
        time.sleep(0.05)
        events.append("written")

    with OrderedCommit() as commit:
        thread = threading.Thread(target=commit.submit, args=(0, slow))
        thread.start()
        assert running.wait(timeout=10)
    events.append("closed")
    thread.join()
    assert events == ["written", "closed"]


@pytest.mark.parametrize("kind", [Failure, KeyboardInterrupt])
def test_a_context_passes_failures_on(kind):
    """It swallows nothing, and lets nothing else be committed."""
    done = []
    with pytest.raises(kind), OrderedCommit() as commit:
        raise kind
    commit.submit(0, lambda: done.append(0))
    assert done == []


@pytest.mark.parametrize("late", [False, True], ids=["waiting", "too late"])
def test_what_is_never_committed_is_let_go(late):
    """Chunks are large: none is kept once nothing more is written."""
    chunk = np.zeros(3)
    remains = weakref.ref(chunk)
    action = partial(np.sum, chunk)
    with OrderedCommit() as commit:
        if not late:
            commit.submit(1, action)
    if late:
        commit.submit(1, action)
    del chunk, action
    assert remains() is None
    assert commit.committed == 0
