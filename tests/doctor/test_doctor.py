"""ocpipe doctor: what it finds on this machine, and on machines that lack something."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_network import write_network

from pipeline.cli import main
from pipeline.cli.doctor import ENGINES
from pipeline.doctor import engines, machine, places, versions
from pipeline.doctor.engines import check_engines
from pipeline.doctor.small_scene import CONFIG, NETWORK, SCENE, write_trial
from pipeline.networks.engines import ENGINES as KNOWN_ENGINES


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("OCPIPE_NETWORKS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(engines.__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examined(*arguments):
    """The checks by name, and the exit code."""
    done = CliRunner().invoke(main, ["doctor", "--engine", "numpy", "--json", *arguments])
    return {check["what"]: check for check in json.loads(done.stdout)}, done.exit_code


@pytest.mark.quick
def test_this_installation_is_well(folder):
    """Nothing is left in the folder that was measured."""
    write_network(folder / "net.h5")
    found, code = examined("--networks", str(folder), "-o", str(folder))
    assert code == 0
    assert {check["status"] for check in found.values()} <= {"ok", "warning"}
    assert found["engine numpy"]["status"] == "ok"
    assert "1 networks for MODIS-Aqua" in found["networks"]["text"]
    assert "numpy" in found["libraries"]["text"]
    assert [path.name for path in folder.iterdir()] == ["net.h5"]


@pytest.mark.tensorflow
def test_every_engine_makes_a_product_that_passes_all_checks():
    """The engines that the command names are all that there are."""
    assert set(ENGINES) == set(KNOWN_ENGINES)
    assert [check.status for check in check_engines(ENGINES)] == ["ok"] * 3


def test_a_table_for_people(folder):
    """Each line begins with ok, warning or failed."""
    done = CliRunner().invoke(main, ["doctor", "--engine", "numpy"])
    assert done.exit_code == 0, done.output
    assert {line.split()[0] for line in done.stdout.splitlines()} <= {"ok", "warning"}


def test_the_trial_is_a_run_of_its_own(folder):
    """The scene, the network and the configuration are good for the commands, too."""
    write_trial(folder)
    call = ["run", SCENE, "-c", CONFIG, "--networks", ".", "--dry-run"]
    done = CliRunner().invoke(main, call)
    assert done.exit_code == 0, done.output
    assert NETWORK in done.output


def test_a_missing_library_fails(monkeypatch):
    monkeypatch.setattr(versions, "needed_libraries", lambda: ["numpy", "no_such_library"])
    *_, missing = versions.check_versions()
    assert missing.status == "failed"
    assert missing.text.startswith("no_such_library not found")


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(machine, "available_memory", lambda: 300_000_000)
    assert machine.check_memory().status == "warning"


@pytest.mark.parametrize(("count", "status"), [(0, "warning"), (1, "ok")])
def test_a_gpu_that_tensorflow_does_not_use(monkeypatch, count, status):
    monkeypatch.setattr(machine, "is_gpu_visible", lambda: True)
    monkeypatch.setattr(machine, "_gpus_of_tensorflow", lambda: count)
    assert machine.check_gpu().status == status


def test_folders_of_networks(folder, monkeypatch):
    """An empty folder and a broken network are warnings; a missing folder fails."""
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    network = write_network(folder / "broken" / "net.h5")
    network.write_bytes(network.read_bytes()[:2000])
    paths = [folder / name for name in ("empty", "broken", "missing")]
    checks = list(places.check_network_folders(paths))
    assert [check.status for check in checks] == ["warning", "warning", "failed"]
    assert "1 cannot be read" in checks[1].text
    monkeypatch.setenv("OCPIPE_NETWORKS", str(folder / "other"))
    assert [check.status for check in places.check_network_folders([])] == ["failed"]


def test_a_folder_that_cannot_be_written(folder, monkeypatch):
    """A full disk and a read-only one fail; a missing folder is made by a run."""
    assert [check.status for check in places.check_output(folder / "none")] == ["warning"]

    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(places.tempfile, "TemporaryFile", refuse)
    *_, disk = places.check_output(folder)
    assert disk.status == "failed"
    assert "Read-only file system" in disk.text
    assert places.check_temporary().status == "failed"


def test_an_engine_that_crashes(monkeypatch):
    """The doctor survives, and names the signal."""
    monkeypatch.setattr(engines, "_OCPIPE", "import os; os.kill(os.getpid(), 4)")
    (check,) = check_engines(["numpy"])
    assert check.status == "failed"
    assert "SIGILL" in check.text


def test_an_engine_that_fails_or_hangs(monkeypatch):
    """The last line of the messages is quoted."""
    monkeypatch.setattr(engines, "_OCPIPE", "import sys; sys.exit('no such device')")
    assert [check.text for check in check_engines(["numpy"])] == [
        "a small scene ends with exit code 1: no such device"
    ]

    def wait(*_, **__):
        raise subprocess.TimeoutExpired("ocpipe", 300)

    monkeypatch.setattr(engines.subprocess, "run", wait)
    assert "not done after" in next(iter(check_engines(["numpy"]))).text


def test_an_engine_with_wrong_numbers(monkeypatch):
    """A product that verify refuses is a failure."""
    from pipeline.verify.finding import Finding

    monkeypatch.setattr(
        engines, "verify_product", lambda *_, **__: [Finding("pixels", False, "3 of 1000 differ")]
    )
    (check,) = check_engines(["numpy"])
    assert check.text == "its product is wrong: pixels, 3 of 1000 differ"


def test_a_failure_gives_exit_code_1(folder, monkeypatch):
    monkeypatch.setattr(engines, "_OCPIPE", "import sys; sys.exit(3)")
    assert examined()[1] == 1
