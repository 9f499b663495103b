"""Asks a Dask cluster for its size, for the versions of its workers, and for their jobs."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from pipeline.batch.bounded import UnansweredError, bounded
from pipeline.version import __version__

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

# Longest wait for an answer to a request (seconds).
ANSWER = 3.0


class Census(threading.Thread):
    """Asks a cluster for its size, and for the jobs that its workers have.

    The batch itself never waits for a scheduler that does not answer.
    """

    # Time between two questions (seconds).
    LOOK_EVERY = 2.0

    def __init__(self, client: "Client", expect: Callable[[Collection[Any], int], None]) -> None:
        """Ask for the first time; call ``expect`` with a worker's keys and number of threads."""
        super().__init__(name="census", daemon=True)
        self._client = client
        self._expect = expect
        self.size = 0
        """Total number of threads of the workers that may get scenes."""
        self.accepted: list[str] = []
        """Addresses of these workers."""
        self.refused: dict[str, str] = {}
        """Address of each worker with another version of the program -> its version."""
        self._asked: set[str] = set()
        self._ended = threading.Event()
        self._answered = time.monotonic()
        with contextlib.suppress(Exception):
            bounded(self._ask, 2 * ANSWER)

    @property
    def silence(self) -> float:
        """Seconds since the scheduler last answered."""
        return time.monotonic() - self._answered

    @property
    def all_refused(self) -> str:
        """Why no worker may get scenes: all have another version. Empty if some may."""
        if not self.refused or self.accepted:
            return ""
        versions = ", ".join(sorted(set(self.refused.values())))
        return (
            f"all Dask workers have another version of ocpipe ({versions}, expected {__version__})."
            " Install the same version on all machines, start the workers again, and call again"
        )

    def run(self) -> None:
        """Ask until ``end`` is called."""
        while not self._ended.wait(self.LOOK_EVERY):
            with contextlib.suppress(Exception):  # the scheduler may come back
                self._ask()

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()

    def _ask(self) -> None:
        threads = self._client.nthreads()
        self._answered = time.monotonic()
        self._refuse_other_versions(set(threads) - self._asked)
        self.accepted = [worker for worker in threads if worker not in self.refused]
        self.size = sum(threads[worker] for worker in self.accepted)
        assigned = self._client.processing()
        self._answered = time.monotonic()
        for worker, keys in assigned.items():
            self._expect(keys, threads.get(worker, 0))

    def _refuse_other_versions(self, workers: Collection[str]) -> None:
        """Ask new workers for their version; a worker that does not answer is asked again later."""
        if not workers:
            return

        def version() -> str:
            # The function is sent as code, because another version may not have it.
            from pipeline.version import __version__

            return __version__

        try:
            answers = bounded(
                lambda: self._client.run(version, workers=list(workers), on_error="return"), ANSWER
            )
        except UnansweredError:
            return
        for worker, answer in answers.items():
            if not isinstance(answer, str | ImportError):
                continue  # the connection failed
            self._asked.add(worker)
            if answer == __version__:
                continue
            found = self.refused[worker] = str(answer)
            log.warning(
                "the Dask worker %s has another version of ocpipe (%s, expected %s), so it gets no "
                "scenes. Install version %s there, and start the worker again.",
                worker, found, __version__, __version__,
            )  # fmt: skip
