"""Disturbs a batch at every operation on the system, one at a time, with every error that fits.

cd tests && PYTHONPATH=batch ../.venv/bin/python -m machine_faults [--share 1/4] [--seed N]
"""

import argparse
import errno
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from machine_faults.batch_case import batch_case
from machine_faults.injection import ERRORS, NAMES

Point = tuple[int, int, bool]


def main() -> int:
    """Print every fault after which something is wrong, then the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try one of so many faults")
    parser.add_argument("--kinds", default="".join(ERRORS), help="letters of kinds of operations")
    parser.add_argument("--for-ever", action="store_true", help="later ones of the kind fail too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", type=int, nargs="*", help="numbers of operations")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    begun, bad, tried = time.monotonic(), 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="machine-faults-") as folder:
        with batch_case(Path(folder)) as case:
            seen = case.undisturbed()
            counted = {NAMES[k]: n for k, n in Counter(seen.kinds).items()}
            print(f"{len(seen.kinds)} operations: {counted}", flush=True)
            points = [
                (at, number, given.for_ever)
                for at, kind in enumerate(seen.kinds, 1)
                if kind in given.kinds and (not given.at or at in given.at)
                for number in ERRORS[kind]
            ]
            random.Random(given.seed).shuffle(points)
            for at, number, for_ever in points[:: given.every]:
                what, wrong = case.disturbed(at, number, for_ever=for_ever)
                key = what.partition(" ")[2].partition(" ")[0] or what
                tried[f"{key} {errno.errorcode[number]}"] += 1
                if given.verbose:
                    print(what, flush=True)
                if wrong:
                    bad += 1
                    print(f"BAD {what}", *wrong, sep="\n    ", flush=True)
    print(f"{sum(tried.values())} faults, {bad} bad, {time.monotonic() - begun:.0f} s")
    for name, count in sorted(tried.items()):
        print(f"    {name}: {count}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
