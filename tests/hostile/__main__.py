"""Try many hostile files, or one again: see the package."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from hostile.trial import KINDS, Mutant, Trials, mutants


def main() -> int:
    """Say how they ended; 1 if any ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m hostile", description=__doc__)
    parser.add_argument("again", nargs="*", help="kind, mutation and seed of one file")
    parser.add_argument("--count", type=int, default=500, help="files of each kind")
    parser.add_argument("--seed", type=int, default=1000, help="of the first file")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--verbose", action="store_true", help="show every file")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, Trials(Path(folder)) as trials:
        if options.again:
            verdict = trials.run(Mutant(*options.again[:2], int(options.again[2])))
            sys.stdout.write(f"{verdict}\n")
            return bool(verdict.wrong)
        for kind in options.kinds:
            codes: Counter[int] = Counter()
            slowest, most, bad = 0.0, 0, 0
            for mutant in mutants(kind, options.count, options.seed):
                verdict = trials.run(mutant)
                if verdict.wrong or options.verbose:
                    sys.stdout.write(f"{verdict}\n")
                bad += bool(verdict.wrong)
                for _, ending in verdict.endings:
                    codes[ending.code] += 1
                    slowest, most = max(slowest, ending.seconds), max(most, ending.peak_bytes)
            ends = ", ".join(f"{count} ended with {code}" for code, count in sorted(codes.items()))
            sys.stdout.write(
                f"{kind}: {ends}; slowest {slowest:.1f} s, most memory {most / 1e6:.0f} MB; "
                f"{bad} WRONG\n"
            )
            sys.stdout.flush()
            wrong += bad
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
