"""Tables of measured figures, and the machine they were measured on."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = [
    "numpy",
    "xarray",
    "dask",
    "netCDF4",
    "h5py",
    "h5netcdf",
    "isal",
    "onnxruntime",
    "tensorflow",
    "keras",
    "torch",
]


@dataclass
class Table:
    """One comparison: what was done, columns, rows, and what it shows."""

    title: str
    about: str
    columns: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """One row; it is printed at once, for a bench takes minutes."""
        self.rows.append(cells)
        print("  ", " | ".join(_text(cell) for cell in cells), flush=True)

    def note(self, text: str) -> None:
        """What the rows show."""
        self.notes.append(text)
        print("   =>", text, flush=True)

    def markdown(self) -> str:
        """The table with its title."""
        lines = [f"## {self.title}", "", self.about, ""]
        lines.append(f"| {' | '.join(self.columns)} |")
        lines.append(f"|{'|'.join(' --- ' for _ in self.columns)}|")
        lines += [f"| {' | '.join(_text(cell) for cell in row)} |" for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes), ""]
        return "\n".join(lines)


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"
    return str(cell)


def median(values: Iterable[float]) -> float:
    """Of repeated runs."""
    return statistics.median(values)


def machine() -> str:
    """Processor, cores, memory and versions, as a list for the report."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = [f"{name} {version}" for name in LIBRARIES if (version := _version(name))]
    cores = len(os.sched_getaffinity(0))
    return "\n".join(
        (
            f"- {model}, {cores} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}",
            f"- Python {platform.python_version()}, {', '.join(versions)}",
            f"- measured on {datetime.now(UTC):%Y-%m-%d}",
        )
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
