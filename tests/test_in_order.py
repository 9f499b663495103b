"""Work in threads comes out in one order, with a bound on what waits, and stops when it should."""

import threading
from concurrent.futures import CancelledError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.machine.in_order import ahead_of, in_order

PATIENCE = 300  # seconds until a thread that never comes fails a test


class Work:
    """Counts what is begun and ended; what waits for a gate ends when the gate opens."""

    def __init__(self, gates=(), fails=()):
        self.begun, self.ended = [], []
        self.gates = {number: threading.Event() for number in gates}
        self.fails = frozenset(fails)
        self._changed = threading.Condition()

    def __call__(self, number):
        self._enter(self.begun, number)
        if number in self.gates:
            assert self.gates[number].wait(PATIENCE)
        self._enter(self.ended, number)
        if number in self.fails:
            raise ValueError(number)
        return number * number

    def _enter(self, numbers, number):
        with self._changed:
            numbers.append(number)
            self._changed.notify_all()

    def wait_for(self, condition):
        """Until the condition holds of what was begun and ended."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)


@given(count=st.integers(0, 30), threads=st.integers(1, 5))
def test_results_come_in_order_and_each_is_made_once(count, threads):
    """For any number of threads, and for more threads than work."""
    work = Work()
    assert list(in_order(work, count, threads)) == [number**2 for number in range(count)]
    assert sorted(work.begun) == list(range(count))


def test_a_later_result_waits_for_an_earlier_one():
    """The first is finished last and still comes first."""
    work = Work(gates=(0,))

    def open_late():
        work.wait_for(lambda: {1, 2} <= set(work.ended))
        work.gates[0].set()

    opener = threading.Thread(target=open_late)
    opener.start()
    found = list(in_order(work, 6, 3))
    opener.join(PATIENCE)
    assert found == [0, 1, 4, 9, 16, 25]
    assert work.ended.index(0) > work.ended.index(2)


@given(count=st.integers(1, 20), threads=st.integers(1, 4))
def test_no_more_is_begun_than_the_bound(count, threads):
    """At every hand-over no more than ``ahead_of`` beyond what has been handed over."""
    work = Work()
    for handed, _ in enumerate(in_order(work, count, threads)):
        assert max(work.begun) < handed + ahead_of(threads)
        assert len(work.begun) <= handed + ahead_of(threads)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_nothing_is_begun_before_the_first_is_asked_for(threads):
    """A generator that nobody asks does nothing; then all threads have work."""
    work = Work()
    results = in_order(work, 10, threads)
    assert work.begun == []
    assert next(results) == 0
    work.wait_for(lambda: len(work.ended) == ahead_of(threads))
    assert sorted(work.begun) == list(range(ahead_of(threads)))
    results.close()


@given(
    count=st.integers(1, 15),
    threads=st.integers(1, 4),
    fails=st.sets(st.integers(0, 14), min_size=1, max_size=4),
)
def test_the_first_failure_comes_in_its_turn(count, threads, fails):
    """All results before it, then it; of the work after the bound nothing is begun."""
    work, found = Work(fails=fails), []
    failing = sorted(fails & set(range(count)))
    results = in_order(work, count, threads)
    if failing:
        with pytest.raises(ValueError, match=rf"^{failing[0]}$"):
            found.extend(results)
        assert max(work.begun) < failing[0] + ahead_of(threads)
    else:
        found.extend(results)
    assert found == [number**2 for number in range(failing[0] if failing else count)]
    assert sorted(work.begun) == sorted(work.ended)


def test_a_failure_waits_for_what_was_begun_and_begins_nothing_else():
    """No thread still works on a scene when it is closed."""
    work = Work(gates=(1,), fails=(0,))
    results = in_order(work, 20, 2)

    def open_late():
        work.wait_for(lambda: 1 in work.begun and 0 in work.ended)
        work.gates[1].set()

    opener = threading.Thread(target=open_late)
    opener.start()
    with pytest.raises(ValueError, match="0"):
        next(results)
    opener.join(PATIENCE)
    assert 1 in work.ended
    assert sorted(work.begun) == sorted(work.ended)
    assert max(work.begun) < ahead_of(2)
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_closing_early_stops(threads):
    """What was begun ends, nothing else is begun, no thread is left."""
    work, before = Work(), threading.active_count()
    results = in_order(work, 1000, threads)
    assert [next(results), next(results)] == [0, 1]
    results.close()
    assert sorted(work.begun) == sorted(work.ended)
    assert max(work.begun) < 1 + ahead_of(threads)
    assert threading.active_count() == before


def test_whatever_is_raised_is_raised_here():
    """An interrupt or a cancelled computation is no result either."""
    for failure in (KeyboardInterrupt, CancelledError, StopIteration):

        def fail(_number, failure=failure):
            raise failure

        # A generator cannot pass on StopIteration itself.
        with pytest.raises((failure, RuntimeError)):
            list(in_order(fail, 3, 2))


def test_one_thread_does_not_work_ahead():
    """With several, one more is begun than there are threads, so that none waits for the writer."""
    assert [ahead_of(threads) for threads in (1, 2, 3, 8)] == [1, 3, 4, 9]
    work = Work()
    for number, _ in enumerate(in_order(work, 5, 1)):
        assert work.begun == list(range(number + 1))
