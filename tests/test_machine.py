"""Cores and memory are those of the job or the container, not of the machine it is on."""

import pytest

from pipeline.machine import resources

pytestmark = pytest.mark.quick

GB = 1_000_000_000


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Control groups as files, and the one that this process is in."""

    def make(own: str, **files: str) -> None:
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        (tmp_path / "own").write_text(own)

    (tmp_path / "cgroup").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable:   32000000 kB\n")
    monkeypatch.setattr(resources, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(resources, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(resources, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    return make


def test_without_groups_it_is_the_machine(groups):
    """What is available of it."""
    groups("")
    assert resources.available_memory() == 32_768_000_000
    assert resources.available_cores() == 16


@pytest.mark.parametrize("limited", ["", "slurm/", "slurm/job_7/"])
def test_any_group_above_may_be_the_narrowest(groups, limited):
    """Version 2: a limit of memory less what is used of it, and a share of processor time."""
    groups(
        "0::/slurm/job_7/step_0\n",
        **{
            "slurm/job_7/step_0/memory.max": "max",
            "slurm/job_7/step_0/cpu.max": "max 100000",
            f"{limited}memory.max": str(8 * GB),
            f"{limited}memory.current": str(3 * GB),
            f"{limited}memory.stat": f"anon 5\ninactive_file {GB}\nactive_file 7",
            f"{limited}cpu.max": "450000 100000",
        },
    )
    assert resources.available_memory() == 6 * GB
    assert resources.available_cores() == 4


def test_groups_of_version_1(groups):
    """Each controller in a folder of its own; a huge number is no limit."""
    groups(
        "7:memory:/slurm/job_7\n5:cpu,cpuacct:/slurm/job_7\n1:name=systemd:/x\n",
        **{
            "memory/memory.limit_in_bytes": str(2**63 - 4096),
            "memory/slurm/job_7/memory.limit_in_bytes": str(4 * GB),
            "memory/slurm/job_7/memory.usage_in_bytes": str(GB),
            "cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us": "200000",
            "cpu,cpuacct/slurm/job_7/cpu.cfs_period_us": "100000",
        },
    )
    assert resources.available_memory() == 3 * GB
    assert resources.available_cores() == 2


def test_a_group_of_others_does_not_count(groups):
    """Only those that this process is in."""
    groups("0::/mine\n", **{"theirs/memory.max": "1000", "mine/memory.max": "max"})
    assert resources.available_memory() == 32_768_000_000


def test_this_machine_says_something_sensible():
    """With the real files."""
    assert resources.available_cores() >= 1
    assert resources.available_memory() > 0
