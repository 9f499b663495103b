"""Commands that a server starts do what they do from a shell."""

import re
import signal
import subprocess

import pytest
from batches import copies, products, run, run_cold, start, wait_for, write_config
from faults import KNOWS_FAULTS, Gate, write_fault
from warm_commands import scenes


def told(text: str) -> str:
    """Without dates, durations and the memory that is free."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|[\d.]+ (s|GB)\b", "", text)


def test_a_batch_is_the_same(tmp_path):
    """Exit code, messages and products, also of a scene that goes wrong and of an own reader."""
    good = copies(tmp_path / "in", 2, (100, 90))[0]
    write_fault(tmp_path / "in" / "crash.nc", "segfault", good, late=True)
    write_fault(tmp_path / "in" / "once.nc", "kill", good, once=True, late=True)
    config, left = write_config(tmp_path), []
    for begin, output in ((run_cold, "cold"), (run, "warm")):
        (tmp_path / "in" / "once.nc.happened").unlink(missing_ok=True)
        arguments = ("batch", config, tmp_path / "in", "-o", tmp_path / output, "--workers", 1)
        left.append(begin(*arguments, **KNOWS_FAULTS))
    cold, warm = left
    assert cold.code == warm.code == 1
    assert told(cold.stdout) == told(warm.stdout)
    assert told(cold.stderr) == told(warm.stderr).replace("/warm/", "/cold/")
    assert len(products(tmp_path / "cold")) == 3
    assert products(tmp_path / "cold") == products(tmp_path / "warm")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_is_ended_by_signals(tmp_path, number):
    """And what it started ends with it."""
    good = copies(tmp_path / "in", 1, (100, 90))[0]
    gate = Gate(tmp_path / "in" / "S000g.nc", good)
    gate.close()
    output = tmp_path / "out"
    process = start("batch", write_config(tmp_path), tmp_path / "in", "-o", output, **KNOWS_FAULTS)
    wait_for(gate.is_reached)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    assert process.wait() == (75 if number == signal.SIGTERM else -number)
    gate.open()
    assert process.poll() == process.wait()
    assert not (output / "S000g.test.nc").exists()


def test_folder_environment_and_size_of_files(tmp_path, sample_scene):
    """As they were given."""
    (tmp_path / "no scene.nc").write_text("text")
    done = scenes.run("inspect", "no scene.nc", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no scene.nc" in done.stderr
    assert "no such file" not in done.stderr
    given = ("run", sample_scene, "-c", "demo")
    there = scenes.run(*given, cwd=tmp_path, env={"OCPIPE_NETWORKS": "/no/such/folder"})
    assert "/no/such/folder" in there.stderr
