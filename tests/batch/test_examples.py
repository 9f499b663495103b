"""The shipped examples under a shell, as cron, systemd and Slurm run them."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from batches import copies, environment, products, run, states, write_config
from warm_commands import OCPIPE

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def folder(tmp_path):
    """Two scenes, and stand-ins for the commands of Slurm."""
    copies(tmp_path / "in", 2)
    write_config(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ocpipe").symlink_to(OCPIPE)
    write_command(tmp_path / "bin" / "srun", 'shift 2\nexec "$@"')
    write_command(tmp_path / "bin" / "scontrol", "exit 1")
    return tmp_path


def write_command(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def settings(folder, **more):
    """What an operator edits in the examples."""
    return environment(
        PATH=f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
        CONFIG=str(folder / "test.yaml"), SCENES=str(folder / "in"), NETWORKS=str(folder),
        OUT=str(folder / "out"), LOG=str(folder / "log"), LOCK=str(folder / "lock"),
        SLURM_CPUS_PER_TASK="1", SLURM_ARRAY_TASK_ID="1", SLURM_ARRAY_TASK_MAX="1", **more,
    )  # fmt: skip


def cron(folder):
    """Run the command of the crontab; return what cron would mail."""
    (line,) = re.findall(r"^\*/10.*", (EXAMPLES / "cron/ocpipe.cron").read_text(), re.MULTILINE)
    command = line.split(maxsplit=6)[6]
    done = subprocess.run(
        ["sh", "-c", command], env=settings(folder), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def first_call(folder):
    """Make the ledger, as the examples say."""
    made = run("batch", folder / "test.yaml", folder / "in", "-o", folder / "out", "--limit", 1)
    assert made.code == 0, made.stderr


def test_cron(folder):
    """It mails nothing but what somebody must do; a disk that is missing costs no archive."""
    assert "exit code 73" in cron(folder)
    assert not (folder / "out").exists()
    first_call(folder)
    assert cron(folder) == ""
    assert states(folder / "out") == {"done": 2}
    (folder / "out").rename(folder / "elsewhere")
    (folder / "out").mkdir()
    assert "exit code 73" in cron(folder)
    assert list((folder / "out").iterdir()) == []
    (folder / "out").rmdir()
    (folder / "elsewhere").rename(folder / "out")
    assert cron(folder) == ""
    (folder / "in").rename(folder / "away")
    assert "exit code 66" in cron(folder)
    (folder / "in").mkdir()
    assert "exit code 66" in cron(folder)
    (folder / "in").rmdir()
    (folder / "away").rename(folder / "in")
    assert cron(folder) == ""
    assert "2 of 2 done" in (folder / "log").read_text().splitlines()[-1]


def test_systemd(folder):
    """The command of the service, with its variables."""
    text = (EXAMPLES / "systemd/ocpipe.service").read_text()
    (command,) = re.findall(r"^ExecStart=\S+ (.*)", text, re.MULTILINE)
    given = settings(folder)
    arguments = [given.get(word[2:-1], word) for word in shlex.split(command)]
    assert run(*arguments).code == 73
    first_call(folder)
    assert run(*arguments).code == 0
    assert states(folder / "out") == {"done": 2}


@pytest.mark.parametrize("script", ["batch", "array"])
@pytest.mark.parametrize("place", ["beside the products", "on a disk of the node"])
def test_slurm(folder, script, place):
    """The first job makes the folder and the ledger; later ones need them."""
    local = str(folder / "local") if place == "on a disk of the node" else ""
    (folder / "local").mkdir()

    def submit(code, **more):
        done = subprocess.run(
            ["bash", EXAMPLES / f"slurm/{script}.sbatch"],
            env=settings(folder, LOCAL=local, **more), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr

    submit(73)
    assert not (folder / "out").exists()
    submit(0, FIRST="1")
    made = products(folder / "out")
    assert len(made) == 2
    (folder / "in" / "bad.nc").write_text("no scene")
    submit(1)
    (folder / "in").rename(folder / "away")
    submit(66)
    (folder / "away").rename(folder / "in")
    submit(1)
    assert products(folder / "out") == made
    (folder / "out").rename(folder / "elsewhere")
    submit(73)
    assert list((folder / "local").iterdir()) == []


def test_every_example_has_a_guard():
    """A new one that calls a batch must have one as well."""
    for path in EXAMPLES.rglob("*"):
        if (
            path.is_file()
            and re.search(r"\bbatch\b", path.read_text())
            and "timer" not in path.name
        ):
            assert re.search("--ledger-must-exist|exit 73", path.read_text()), path
