"""Try many mutants of tables, or one again: ``python -m table_mutations netcdf 17``."""

import argparse
import sys
import tempfile
from pathlib import Path

from table_mutations.trial import FORMATS, try_one


def main() -> int:
    """Say how they ended; 1 if any was read with other values."""
    parser = argparse.ArgumentParser(prog="python -m table_mutations", description=__doc__)
    parser.add_argument("again", nargs="*", help="format and seed of one mutant")
    parser.add_argument("--count", type=int, default=200, help="mutants of each format")
    parser.add_argument("--verbose", action="store_true", help="show every refusal")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        if options.again:
            verdict = try_one(options.again[0], int(options.again[1]), Path(folder))
            sys.stdout.write(f"{verdict}\n")
            return bool(verdict.wrong)
        for name in FORMATS:
            verdicts = [try_one(name, seed, Path(folder)) for seed in range(options.count)]
            for verdict in verdicts:
                if verdict.wrong or (options.verbose and verdict.refused):
                    sys.stdout.write(f"{verdict}\n")
            bad = sum(bool(verdict.wrong) for verdict in verdicts)
            refused = sum(bool(verdict.refused) for verdict in verdicts)
            equal = len(verdicts) - bad - refused
            sys.stdout.write(f"{name}: {equal} equal, {refused} refused, {bad} WRONG\n")
            wrong += bad
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
