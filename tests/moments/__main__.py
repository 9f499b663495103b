"""Send each signal at many moments of each command, and say how they ended."""

import argparse
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from moments.trial import COMMANDS, Commands, trial

SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


def main() -> int:
    """Print a line per command and signal; 1 if any ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m moments", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="moments of each")
    parser.add_argument("--until", type=float, default=3.0, help="last moment (seconds)")
    parser.add_argument("--commands", nargs="+", default=COMMANDS, choices=COMMANDS)
    parser.add_argument("--again", action="store_true", help="send each signal twice")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        commands = Commands(Path(folder))
        for command in options.commands:
            for name, number in SIGNALS.items():
                ended = []
                for step in range(options.count):
                    moment = options.until * step / max(options.count - 1, 1)
                    with tempfile.TemporaryDirectory() as output:
                        one = trial(
                            commands, command, number, moment, Path(output) / "out", options.again
                        )
                    ended.append(one)
                    if one.wrong:
                        _say(one)
                codes = Counter(one.code for one in ended if not one.is_before)
                before = sum(one.is_before for one in ended)
                longest = max(one.seconds for one in ended)
                bad = sum(bool(one.wrong) for one in ended)
                wrong += bad
                _say(
                    f"{command:<6}{name:<8}{len(ended)} moments: codes {dict(codes)}, {before} "
                    f"while Python started, longest {longest:.2f} s, {bad} wrong"
                )
    return wrong > 0


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
