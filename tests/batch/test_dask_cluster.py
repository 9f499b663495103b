"""A Dask cluster of separate processes: the same products, and nothing large travels."""

import time

import pytest
from batches import (
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
from clusters import Cluster
from faults import KNOWS_FAULTS, Gate

SCENES = 14
# After four scenes.
GATES = ("S003g.nc", "S003h.nc")
# Of a scene: task, result, and what scheduler and workers tell each other meanwhile (bytes).
MOST_BYTES = 60_000


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
