"""A Dask cluster of separate processes: the same products, and nothing large travels."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from batches import (
    PATIENCE,
    copies,
    end,
    ended,
    leavings,
    products,
    quality_lines,
    run,
    run_cold,
    start,
    states,
    wait_for,
    write_config,
)
from faults import KNOWS_FAULTS, Gate

SCENES = 14
# After four scenes.
GATES = ("S003g.nc", "S003h.nc")
DASK = Path(sys.executable).parent / "dask"
# Of a scene: task, result, and what scheduler and workers tell each other meanwhile (bytes).
MOST_BYTES = 60_000


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
        self._begin("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                    "--scheduler-file", file)  # fmt: skip
        address = wait_for(lambda: file.exists() and json.loads(file.read_text())["address"])
        self.counter = Counting(address)
        self.workers = [self._worker() for _ in range(workers)]

    def _worker(self) -> subprocess.Popen[bytes]:
        # Without a nanny, which would start a lost worker again.
        return self._begin("worker", self.counter.address, "--nthreads", "1", "--no-nanny",
                           "--no-dashboard", "--host", "127.0.0.1",
                           "--memory-limit", "1GB")  # fmt: skip

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes, and the products of local processes."""
    made = tmp_path_factory.mktemp("dask")
    good = copies(made / "in", SCENES - len(GATES), (400, 500))[0]
    for name in GATES:
        Gate(made / "in" / name, good)
    local = run_cold("batch", write_config(made), made / "in", "-o", made / "local", **KNOWS_FAULTS)
    assert local.code == 0, local.stderr
    return made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"), 2)
    yield made
    made.close()


@pytest.fixture
def gates(folder):
    """Closed: both workers come to one, in the middle of a product, and wait."""
    made = [Gate(folder / "in" / name, folder / "in" / "S000.nc") for name in GATES]
    for gate in made:
        gate.close()
    yield made
    for gate in made:
        gate.open()


def call(folder, cluster, output):
    return (
        "batch", folder / "test.yaml", folder / "in", "-o", output,
        "--scheduler", cluster.counter.address,
    )  # fmt: skip


def test_a_cluster_makes_the_same_products(folder, cluster, tmp_path):
    """Byte for byte; and through the scheduler go neither arrays nor models."""
    before = cluster.counter.nbytes
    left = run(*call(folder, cluster, tmp_path / "out"), SOURCE_DATE_EPOCH="1700000000")
    assert left.code == 0, left.stderr
    assert products(tmp_path / "out") == products(folder / "local")
    assert states(tmp_path / "out") == {"done": SCENES}
    travelled = cluster.counter.nbytes - before
    made = sum(map(len, products(tmp_path / "out").values()))
    print(travelled / SCENES, "bytes a scene, products of", made / SCENES)  # noqa: T201
    assert travelled < SCENES * MOST_BYTES < made / 4


def test_a_worker_that_is_killed_costs_nothing(folder, cluster, gates, tmp_path):
    """While both write; its scene is done by the other, its child dies, nothing is left."""
    output = tmp_path / "out"
    process = start(*call(folder, cluster, output))
    wait_for(lambda: all(gate.is_reached() for gate in gates))
    assert len(leavings(output)) == 2
    cluster.kill_first_worker()
    for gate in gates:
        gate.open()
    left = ended(process)
    assert left.code == 0, left.stderr
    assert products(tmp_path / "out") == products(folder / "local")
    assert len({line["scene"] for line in quality_lines(tmp_path / "out")}) == SCENES
    assert leavings(tmp_path / "out") == []
    cluster.workers[0] = cluster._worker()


def test_a_batch_on_a_cluster_that_is_stopped(folder, cluster, gates, tmp_path):
    """The workers' children end with it, so that nothing is written behind its back."""
    process = start(*call(folder, cluster, tmp_path / "out"))
    wait_for(lambda: all(gate.is_reached() for gate in gates))
    left = end(process)
    assert left.code == 75, left.stderr
    found = states(tmp_path / "out")
    assert found["running"] == found["failed"] == 0
    assert found["done"] == len(products(tmp_path / "out"))
    assert leavings(tmp_path / "out") == []
    for gate in gates:
        gate.open()
    again = run(*call(folder, cluster, tmp_path / "out"))
    assert again.code == 0, again.stderr
    assert products(tmp_path / "out") == products(folder / "local")


def test_workers_that_come_later_are_waited_for(folder, tmp_path):
    """As those of a job scheduler do."""
    cluster = Cluster(tmp_path, 0)
    try:
        process = start(*call(folder, cluster, tmp_path / "out"), "--limit", "3")
        wait_for((tmp_path / "out" / "ocpipe-ledger.sqlite").exists)
        time.sleep(2)
        assert process.poll() is None
        cluster._worker()
        left = ended(process)
    finally:
        cluster.close()
    assert left.code == 0, left.stderr
    assert "waiting: the cluster has no workers yet" in left.stderr
    assert states(tmp_path / "out") == {"done": 3, "pending": SCENES - 3}


def test_no_scheduler_there(folder, tmp_path):
    """Is wrong use, said in words, and nothing is done."""
    arguments = ("batch", folder / "test.yaml", folder / "in", "-o", tmp_path / "out")
    left = run(*arguments, "--scheduler", "tcp://127.0.0.1:9")
    assert left.code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in left.stderr
    assert states(tmp_path / "out") == {"pending": SCENES}
