"""Disturbs a batch at every operation on the system, one at a time, with every error that fits."""

import argparse
import errno
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from machine_faults.batch_case import Case, batch_case
from machine_faults.injection import ERRORS, NAMES


def main() -> int:
    """Write every fault after which something is wrong, then the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try one of this many faults")
    parser.add_argument("--kinds", default="".join(ERRORS), help="letters of kinds of operations")
    parser.add_argument("--for-ever", action="store_true", help="later ones of the kind fail too")
    parser.add_argument("--cold", action="store_true", help="start commands as a shell does")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="machine-faults-") as folder,
        batch_case(Path(folder), is_cold=given.cold) as case,
    ):
        return 1 if _campaign(case, given) else 0


def _campaign(case: Case, given: argparse.Namespace) -> int:
    begun, bad, tried, codes = time.monotonic(), 0, Counter[str](), Counter[str]()
    counts = case.undisturbed().counts
    _tell(f"operations: { {NAMES[kind]: count for kind, count in counts.items()} }")
    points = [
        (kind, at, number)
        for kind in given.kinds
        for at in range(1, counts[kind] + 1)
        for number in ERRORS[kind]
    ]
    random.Random(given.seed).shuffle(points)  # noqa: S311 - no secrets
    for kind, at, number in points[:: given.every]:
        what, wrong = case.disturbed(kind, at, number, for_ever=given.for_ever)
        tried[f"{NAMES[kind]} {errno.errorcode[number]}"] += 1
        codes[what.rpartition(" -> ")[2]] += 1
        bad += bool(wrong)
        _tell(f"BAD {what}" if wrong else what, *wrong)
    _tell(f"{tried.total()} of {len(points)} faults, {bad} bad, {time.monotonic() - begun:.0f} s")
    _tell(f"exit codes: {dict(codes)}", *(f"{name}: {n}" for name, n in sorted(tried.items())))
    return bad


def _tell(*lines: str) -> None:
    sys.stdout.write("\n    ".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
