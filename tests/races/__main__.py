"""Replace scenes at every moment, and at random moments by another process; say what came of it."""

import argparse
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from batches import run, scenes_by_name

from races import MOMENTS, WAYS, Bench, Trial, replace, settled


def main() -> int:
    """Return 1 if a product named other bytes than it was made from."""
    parser = argparse.ArgumentParser(prog="python -m races", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="replacements at exact moments")
    parser.add_argument("--random", type=int, default=30, help="batches beside a second process")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench.of(Path(folder))
        wrong = _exact(bench, options.count) + _random(bench, options.random, options.seed)
    return wrong > 0


def _exact(bench: Bench, count: int) -> int:
    """Replace scenes at all moments in turn."""
    wrong: Counter[str] = Counter()
    for number in range(count):
        moment = MOMENTS[number // len(WAYS) % len(MOMENTS)]
        way = WAYS[number % len(WAYS)]
        start = (bench.first, bench.second)[number // (len(WAYS) * len(MOMENTS)) % 2]
        trial = Trial(bench, bench.folder / f"exact-{number}", start)
        for text in settled(trial, moment, way):
            wrong[f"{' '.join(moment)}, {way}: {text}"] += 1
    _say(f"{count} replacements at {len(MOMENTS)} moments in {len(WAYS)} ways")
    for text, times in wrong.items():
        _say(f"WRONG {times} times: {text}")
    return wrong.total()


def _random(bench: Bench, count: int, seed: int) -> int:
    """Call the command beside a process that replaces the scene at random moments."""
    states: Counter[str] = Counter()
    replaced = wrong = 0
    for number in range(count):
        trial = Trial(bench, bench.folder / f"random-{number}", bench.first)
        queue: multiprocessing.Queue[int] = multiprocessing.Queue()
        other = multiprocessing.Process(target=_keep_replacing, args=(trial, seed + number, queue))
        other.start()
        run("batch", bench.config, trial.scene, "-o", trial.output)
        other.terminate()
        other.join()
        while not queue.empty():
            replaced += queue.get()
        (row,) = scenes_by_name(trial.output).values()
        states[row["state"]] += 1
        is_true = trial.is_true()
        ended = run("batch", bench.config, trial.scene, "-o", trial.output)
        if not (is_true and trial.is_right() and ended.code == 0):
            wrong += 1
            _say(f"WRONG batch {number}: true {is_true}, right {trial.is_right()}")
    found = ", ".join(f"{n} {state}" for state, n in states.items())
    _say(
        f"{count} batches beside {replaced} replacements at random moments: {found} after the call"
    )
    return wrong


def _keep_replacing(trial: Trial, seed: int, queue: "multiprocessing.Queue[int]") -> None:
    drawn = random.Random(seed)  # noqa: S311 - no secret
    pause = drawn.choice((0.02, 0.2, 1.0))
    others = (trial.bench.second, trial.bench.first)
    for number in range(1000):
        time.sleep(drawn.random() * pause)
        # By renaming, so that what is left is one of the scenes. Each has a time of its own, for a
        # scene may also be replaced after the ledger has entered it as done.
        replace(trial.scene, others[number % 2], "rename", 10**18 + number + 1)
        queue.put(1)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
