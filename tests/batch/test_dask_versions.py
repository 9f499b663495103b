"""Workers of another version get no scenes."""

import pytest
from batches import copies, ended, products, run, start, states, wait_for, write_config
from clusters import Cluster

OTHER = "import pipeline.version\npipeline.version.__version__ = '0.2.0'\n"


@pytest.fixture
def folder(tmp_path):
    copies(tmp_path / "in", 4)
    write_config(tmp_path)
    (tmp_path / "other.py").write_text(OTHER)
    return tmp_path


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path, 0)
    yield made
    made.close()


def call(folder, cluster):
    return (
        "batch", folder / "test.yaml", folder / "in", "-o", folder / "out",
        "--scheduler", cluster.counter.address,
    )  # fmt: skip


def test_a_cluster_of_another_version_is_refused_when_it_connects(folder, cluster):
    """Both versions are named; no scene is touched."""
    cluster._worker("--preload", folder / "other.py")
    cluster.wait_for_workers(1)
    left = run(*call(folder, cluster))
    assert left.code == 2, left.stderr
    assert "all Dask workers have another version of ocpipe (0.2.0, expected" in left.stderr
    assert states(folder / "out") == {"pending": 4}


def test_a_worker_of_another_version_among_others_gets_no_scenes(folder, cluster):
    """Whether it is there first or comes later; the others do the work."""
    cluster._worker("--preload", folder / "other.py")
    cluster._worker()
    cluster.wait_for_workers(2)
    left = run(*call(folder, cluster))
    assert left.code == 0, left.stderr
    assert left.stderr.count("has another version of ocpipe (0.2.0, expected") == 1
    assert len(products(folder / "out")) == 4


def test_a_cluster_whose_workers_come_later_in_another_version(folder, cluster):
    """The batch does not wait for ever."""
    process = start(*call(folder, cluster))
    wait_for((folder / "out" / "ocpipe-ledger.sqlite").exists)
    cluster._worker("--preload", folder / "other.py")
    left = ended(process)
    assert left.code == 69
    assert "the batch ends early: all Dask workers have another version" in left.stderr
    assert states(folder / "out") == {"pending": 4}
