"""Work done by several threads and handed over in one order, with a bound on what waits.

The order decides where chunks lie in a product: with it, two runs give the same bytes. The bound is
what keeps memory small: Dask's schedulers reach the first block of many late, and until then all
others wait.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead_of(threads: int) -> int:
    """How many pieces of work are begun before the first of them is handed over."""
    return threads + (threads > 1)


def in_order(work: Callable[[int], T], count: int, threads: int) -> Iterator[T]:
    """The results of ``work(0)``, ``work(1)`` ... one after the other.

    Work is begun in the same order, and never more of it than ``ahead_of(threads)`` before its
    result is asked for. The first failure is raised here in its turn; what was begun by then is
    waited for, what was not is not begun.
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
