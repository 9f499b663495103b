"""A Dask cluster of separate processes on this machine."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from batches import PATIENCE, wait_for
from faults import KNOWS_FAULTS

DASK = Path(sys.executable).parent / "dask"


class Counting:
    """Passes connections on to an address and counts the bytes, in a thread of its own."""

    def __init__(self, address: str) -> None:
        self._host, port = address.removeprefix("tcp://").split(":")
        self._port = int(port)
        self.nbytes = 0
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        assert self._ready.wait(PATIENCE)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await server.serve_forever()

    async def _connect(self, reader, writer) -> None:
        with contextlib.suppress(OSError):  # the scheduler has ended
            there, back = await asyncio.open_connection(self._host, self._port)
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader, writer) -> None:
        while data := await reader.read(65536):
            self.nbytes += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


class Cluster:
    """A scheduler and workers, each a process of its own; all reach it through the counter."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder, self._processes = folder, []
        file = folder / "scheduler.json"
        address = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.scheduler = self._begin("scheduler", *address, "--scheduler-file", file)
        address = wait_for(lambda: _address_in(file))
        self.counter = Counting(address)
        self.workers = [self._worker() for _ in range(workers)]

    def wait_for_workers(self, count: int) -> None:
        """Until the scheduler knows so many workers."""
        from distributed import Client

        with Client(self.counter.address) as client:
            client.wait_for_workers(count, timeout=PATIENCE)

    def _worker(self, *more: object) -> subprocess.Popen[bytes]:
        # Without a nanny, which would start a lost worker again.
        return self._begin("worker", self.counter.address, "--nthreads", "1", "--no-nanny",
                           "--no-dashboard", "--host", "127.0.0.1",
                           "--memory-limit", "1GB", *more)  # fmt: skip

    def _begin(self, *arguments: object) -> subprocess.Popen[bytes]:
        with (self._folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(DASK), *map(str, arguments)],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=os.environ | KNOWS_FAULTS,
            )
        self._processes.append(process)
        return process

    def kill_first_worker(self) -> None:
        self.workers[0].send_signal(signal.SIGKILL)
        self.workers[0].wait()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _address_in(file: Path) -> str:
    """The address that the scheduler wrote; empty until it has written all of it."""
    try:
        return json.loads(file.read_text())["address"]
    except (FileNotFoundError, json.JSONDecodeError):
        return ""
