"""Run the comparisons and write ``benchmarks/RESULTS.md``.

``make bench`` runs all of them, about half an hour on 2 cores; ``python benchmarks/run.py files``
runs and prints some (end_to_end, network, files, memory, start) and writes nothing.
"""

import argparse
from collections.abc import Callable, Iterator

import end_to_end
import files
import inputs
import memory
import network
from report import Table, machine

RESULTS = inputs.HERE / "RESULTS.md"


def _network() -> Iterator[Table]:
    table, reached = network.throughput()
    yield table
    yield network.roofline(reached)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description="Measure ocpipe against other ways.")
    parser.add_argument("parts", nargs="*", help="which; all, and written down, if none is named")
    parser.add_argument("--skip-untuned", action="store_true", help="leave out the slowest script")
    parser.add_argument("--large", type=int, default=10000, help="side of the largest scene")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Table]]] = {
        "end_to_end": lambda: iter(end_to_end.scene_end_to_end(not options.skip_untuned)),
        "network": _network,
        "files": lambda: (make() for make in (files.writing, files.reading)),
        "memory": lambda: (
            make() for make in (lambda: memory.against_size(options.large), memory.hyperspectral)
        ),
        "start": lambda: (make() for make in (end_to_end.start_up,)),
    }
    unknown = set(options.parts) - set(parts)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; known are {', '.join(parts)}")
    print(machine(), flush=True)
    tables = []
    for name in options.parts or parts:
        print(f"\n{name}", flush=True)
        tables += [table.markdown() for table in parts[name]()]
    if not options.parts:
        about = "# Measured\n\nWritten by `make bench`; every table comes from one run.\n"
        RESULTS.write_text("\n".join((about, machine(), "", *tables)))
        print(f"\nwritten to {RESULTS.name}")


if __name__ == "__main__":
    main()
