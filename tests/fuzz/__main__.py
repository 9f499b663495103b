"""Try many damaged files, or one again: see the package."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from fuzz.trial import READERS, Mutant, Trials, Verdict, mutants
from pipeline.batch.kinds import CRASH, DONE
from pipeline.machine.resources import in_words

# Worth a look (seconds).
SLOW = 5.0


def main() -> int:
    """Say how they ended; 1 if any ended as it must not."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, Trials(Path(folder)) as trials:
        if options.again:
            verdict = trials.run(Mutant(*options.again[:3], int(options.again[3])))
            _say(verdict)
            return bool(verdict.wrong)
        wrong = 0
        for reader in options.readers:
            verdicts = []
            for mutant in mutants(reader, options.count, options.seed):
                verdict = trials.run(mutant)
                verdicts.append(verdict)
                odd = verdict.outcome.kind == CRASH or verdict.outcome.seconds > SLOW
                if verdict.wrong or odd or options.verbose:
                    _say(verdict)
            wrong += sum(bool(verdict.wrong) for verdict in verdicts)
            _say(_row(reader, verdicts))
    return wrong > 0


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("again", nargs="*", help="reader, base, mutation and seed of one file")
    parser.add_argument("--count", type=int, default=250, help="files of each reader")
    parser.add_argument("--seed", type=int, default=1000, help="of the first file")
    parser.add_argument("--readers", nargs="+", default=READERS, choices=READERS)
    parser.add_argument("--verbose", action="store_true", help="show every file")
    options = parser.parse_args()
    if options.again and len(options.again) != 4:
        parser.error("one file is a reader, a base, a mutation and a seed")
    return options


def _row(reader: str, verdicts: list[Verdict]) -> str:
    """How the files of a reader ended."""
    kinds = Counter(verdict.outcome.kind for verdict in verdicts)
    equal = sum(v.outcome.kind == DONE and not v.wrong for v in verdicts)
    refused = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()) if kind != DONE)
    slowest = max(verdict.outcome.seconds for verdict in verdicts)
    most = max(verdict.peak_bytes for verdict in verdicts)
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    return (
        f"{reader}: {len(verdicts)} files, {equal} products equal, refused {refused or 'none'}; "
        f"{kinds[CRASH]} crashes, slowest {slowest:.1f} s, most memory {in_words(most)}; "
        f"{wrong} WRONG"
    )


if __name__ == "__main__":
    sys.exit(main())
