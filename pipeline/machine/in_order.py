"""Runs work in several threads and returns the results in order; only a few results wait.

Because of the order, chunks always lie at the same places in a product, and two runs write the
same bytes. The number of waiting results is limited, to save memory. Dask's schedulers have no such
limit: if they run the first of many blocks late, the results of all other blocks wait in memory for
it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead_of(threads: int) -> int:
    """Return the number of pieces of work that start before the first result is returned."""
    return threads + (threads > 1)


def in_order(work: Callable[[int], T], count: int, threads: int) -> Iterator[T]:
    """Yield the results of ``work(0)``, ``work(1)`` and so on, in this order.

    Work starts in the same order. At any time, at most ``ahead_of(threads)`` results are being
    computed or are waiting. If a piece of work fails, its exception is raised when its result is
    due. Work that has started is then finished, and no other work starts.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="block") as pool:
        begun: deque[Future[T]] = deque()
        try:
            for number in range(count):
                if len(begun) == ahead_of(threads):
                    yield begun.popleft().result()
                begun.append(pool.submit(work, number))
            while begun:
                yield begun.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
