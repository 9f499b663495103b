"""A batch that is killed again and again ends as one that was not."""

import contextlib
import functools
import os
import random
import signal
import time

import pytest
from batches import (
    children,
    copies,
    leavings,
    products,
    quality_lines,
    run,
    run_cold,
    scenes_by_name,
    start,
    start_cold,
    states,
    wait_for,
    write_config,
)

SCENES, KILLS, LATE_KILLS = 40, 30, 10
SHAPE = (300, 350)
# A product with its first chunks is larger than the file with none (bytes).
FIRST_CHUNKS = 60_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes, a configuration, and the products of a batch that nothing disturbed."""
    made = tmp_path_factory.mktemp("killed")
    copies(made / "in", SCENES, SHAPE)
    config = write_config(made)
    undisturbed = run_cold("batch", config, made / "in", "-o", made / "undisturbed")
    assert undisturbed.code == 0, undisturbed.stderr
    return made


def largest_partial(output):
    """Bytes of the largest product in work."""
    sizes = [0]
    for path in output.glob(".*.partial"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes)


def has_products(output, count):
    """Whether so many are done."""
    return len(list(output.glob("*.nc"))) >= count


def kill_while_it_writes(process, output):
    """Freeze it where a product has its first chunks, look whether that is so, and kill it."""
    while process.poll() is None:
        wait_for(lambda: largest_partial(output) > FIRST_CHUNKS or process.poll() is not None)
        frozen = [process.pid, *children(process.pid)]
        for one in frozen:
            _signal(one, signal.SIGSTOP)
        if largest_partial(output) > FIRST_CHUNKS:
            process.send_signal(signal.SIGKILL)
            return
        for one in frozen:
            _signal(one, signal.SIGCONT)


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def test_killed_at_random_moments(folder):
    """30 times over 40 scenes, at least 10 between the first chunk and the rename of a product."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)  # noqa: T201 - shown where the test fails
    drawn = random.Random(seed)  # noqa: S311 - moments, no secrets
    late = set(drawn.sample(range(KILLS), 2 * LATE_KILLS))
    output, caught = folder / "killed", 0
    for kill in range(KILLS):
        # Some as a shell starts them: they are killed while they begin, too.
        begin = start_cold if kill % 6 == 5 else start
        process = begin("batch", folder / "test.yaml", folder / "in", "-o", output)
        if kill in late:
            kill_while_it_writes(process, output)
        else:
            wait_for(functools.partial(has_products, output, kill * SCENES // KILLS))
            time.sleep(drawn.uniform(0, 1.5))
            process.send_signal(signal.SIGKILL)
        process.communicate()
        caught += largest_partial(output) > FIRST_CHUNKS
    assert caught >= LATE_KILLS, f"seed {seed}: {caught} kills between first chunk and rename"
    last = run("batch", folder / "test.yaml", folder / "in", "-o", output)
    assert last.code == 0, f"seed {seed}: {last.stderr}"
    expected = products(folder / "undisturbed")
    assert len(expected) == SCENES
    assert products(output) == expected, f"seed {seed}"
    assert leavings(output) == []
    assert states(output) == {"done": SCENES}
    rows = scenes_by_name(output)
    assert {row["attempts"] for row in rows.values()} == {1}, "a killed attempt does not count"
    assert {line["product"] for line in quality_lines(output)} == set(expected)
    again = run("batch", folder / "test.yaml", folder / "in", "-o", output)
    assert "0 done, 0 skipped, 0 failed" in again.stderr
