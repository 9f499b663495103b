"""Run the comparisons and write ``benchmarks/RESULTS.md``.

``make bench`` runs all of them, about 40 minutes on 2 cores. ``python benchmarks/run.py files``
measures some again (start, end_to_end, network, files, memory, batch, uncertainty, combined) and
replaces their tables.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator

import batch
import combined
import end_to_end
import files
import inputs
import memory
import network
import uncertainty
from report import Table, machine

RESULTS = inputs.HERE / "RESULTS.md"


def _network() -> Iterator[Table]:
    table, reached = network.throughput()
    yield table
    yield network.roofline(reached)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description="Measure ocpipe against other ways.")
    parser.add_argument("parts", nargs="*", help="which; all if none is named")
    parser.add_argument("--skip-untuned", action="store_true", help="leave out the slow script")
    parser.add_argument("--every-pixel", action="store_true", help="add the slowest script")
    parser.add_argument("--large", type=int, default=10000, help="side of the largest scene")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Table]]] = {
        "end_to_end": lambda: iter(
            end_to_end.scene_end_to_end(not options.skip_untuned, options.every_pixel)
        ),
        "network": _network,
        "files": lambda: (make() for make in (files.writing, files.reading)),
        "memory": lambda: (
            make() for make in (lambda: memory.against_size(options.large), memory.hyperspectral)
        ),
        "batch": lambda: (
            make() for make in (batch.scenes_at_once, batch.tiny_scenes, batch.ledgers)
        ),
        "uncertainty": lambda: (make() for make in (uncertainty.against_draws, uncertainty.cost)),
        "combined": lambda: (make() for make in (combined.blend,)),
        "start": lambda: (make() for make in (end_to_end.start_up,)),
    }
    unknown = set(options.parts) - set(parts)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; known are {', '.join(parts)}")
    if len(options.parts) != 1:
        # Each in a process of its own: what one part holds would count as memory of the commands
        # that another one starts.
        for name in options.parts or parts:
            given = [argument for argument in sys.argv[1:] if argument not in parts]
            subprocess.run([sys.executable, __file__, name, *given], check=True)
        return
    (name,) = options.parts
    print(f"{name}\n{machine()}", flush=True)
    for table in parts[name]():
        _write(table)


def _write(table: Table) -> None:
    """Put a table into the results, in the place of an older one of that title."""
    found = RESULTS.read_text() if RESULTS.exists() else ""
    _, *older = found.split("\n## ")
    tables = {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in older}
    tables[table.title] = table.markdown()
    about = "# Measured\n\nWritten by `make bench`; every table is from one run on one machine:\n"
    ordered = [tables[title] for title in sorted(tables)]
    RESULTS.write_text("\n".join((about, machine(), "", *ordered)))


if __name__ == "__main__":
    main()
