"""What tests of whole runs share: a configuration, the numbers of a product, counted reads."""

import itertools
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
from small_network import write_network

import pipeline
from pipeline.config import load_config
from pipeline.process import plan_scene
from pipeline.readers import hdf5_chunks


def run_settings(
    folder: Path,
    network: Path,
    *,
    chunk: tuple[int, int] = (512, 512),
    threads: int = 1,
    tolerance: float = 5,
    **science: Any,
) -> dict[str, Any]:
    """A configuration with one network, whatever sensor it is of; masks and others as given."""
    chosen = [{"name": "iop", "file": str(network), "allow_other_sensor": True}]
    return {
        "name": "test",
        "science": {
            "networks": chosen,
            "bands": {"tolerance_nm": tolerance},
            "output": {"chunk": list(chunk)},
            "engine": "numpy",
            **science,
        },
        "execution": {"output": str(folder / "out"), "threads": threads},
    }


def network_for(folder: Path, bands: tuple[float, ...], name: str = "net.h5") -> Path:
    """A small network on these bands, for values of the miniatures."""
    return write_network(folder / name, bands=tuple(bands))


def product_of(scene: Path, settings: dict[str, Any]) -> Path:
    """The product's path."""
    return pipeline.process_scene(scene, settings)


def numbers(path: Path) -> dict[str, np.ndarray]:
    """Every variable at the root of a product, as stored."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return {name: variable[...] for name, variable in file.variables.items()}


def window_of(path: Path) -> tuple[int, int, int, int]:
    """First line, stop line, first pixel, stop pixel as a product records them."""
    with netCDF4.Dataset(path) as file:
        said = file["processing_control/inputs/scene"]
        line, pixel = int(said.first_line), int(said.first_pixel)
        return line, line + int(said.lines), pixel, pixel + int(said.pixels)


def planned_window(scene: Path, settings: dict[str, Any]) -> tuple[int, int, int, int]:
    """The same, as a plan has it."""
    slices = plan_scene(scene, load_config(settings)).extent.slices
    lines, pixels = slices["y"], slices["x"]
    return lines.start, lines.stop, pixels.start, pixels.stop


def flag_bit(path: Path, variable: str, name: str) -> np.ndarray:
    """True where a product's flag variable has the bit of a name, with shape (y, x)."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        flags = file[variable]
        masks = dict(zip(flags.flag_meanings.split(), np.atleast_1d(flags.flag_masks), strict=True))
        return (flags[...] & masks[name]) != 0


class Reads:
    """How often each storage chunk (or element, of what is stored in one piece) was read."""

    def __init__(self) -> None:
        self.keys: dict[str, list[Any]] = defaultdict(list)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.chunks: dict[str, tuple[int, ...] | None] = {}
        self._lock = threading.Lock()

    def add(self, dataset: h5py.Dataset, key: Any) -> None:
        with self._lock:
            name = f"{Path(dataset.file.filename).name}:{dataset.name}"
            self.keys[name].append(key)
            self.shapes[name], self.chunks[name] = dataset.shape, dataset.chunks

    def names(self) -> set[str]:
        """Base names of the variables of two or more dimensions that were read."""
        found = (name for name, shape in self.shapes.items() if len(shape) > 1)
        return {name.rpartition("/")[2] for name in found}

    def of(self, variable: str) -> Counter[tuple[int, ...]]:
        """Reads of each storage chunk, by its position among the chunks."""
        (name,) = [name for name in self.keys if name.endswith(f"/{variable}")]
        shape, chunk = self.shapes[name], self.chunks[name]
        assert chunk is not None
        counted: Counter[tuple[int, ...]] = Counter()
        for key in self.keys[name]:
            spans = [
                range(part.start // size, -(-part.stop // size))
                for part, size in zip(_slices(key, shape), chunk, strict=True)
                if part.stop > part.start
            ]
            counted.update(itertools.product(*spans) if len(spans) == len(shape) else [])
        return counted

    def elements(self, variable: str) -> np.ndarray:
        """Reads of each element."""
        (name,) = [name for name in self.keys if name.endswith(f"/{variable}")]
        counted = np.zeros(self.shapes[name], int)
        for key in self.keys[name]:
            counted[_slices(key, self.shapes[name])] += 1
        return counted


def _slices(key: Any, shape: tuple[int, ...]) -> tuple[slice, ...]:
    given = key if isinstance(key, tuple) else (key,)
    if Ellipsis in given:
        at = given.index(Ellipsis)
        missing = len(shape) - len(given) + 1
        given = (*given[:at], *[slice(None)] * missing, *given[at + 1 :])
    given = (*given, *[slice(None)] * (len(shape) - len(given)))
    plain = []
    for part, size in zip(given, shape, strict=True):
        if isinstance(part, slice):
            assert part.step in (None, 1), key
            start, stop, _ = part.indices(size)
            plain.append(slice(start, max(start, stop)))
        elif isinstance(part, (int, np.integer)):
            plain.append(slice(int(part), int(part) + 1))
        else:
            chosen = np.flatnonzero(part) if np.asarray(part).dtype == bool else np.asarray(part)
            plain.append(slice(int(chosen.min()), int(chosen.max()) + 1))
    return tuple(plain)


@contextmanager
def counted_reads(scene: Path, monkeypatch: Any):
    """Count what is read of the HDF5 file (or the files of a folder): regions and direct chunks."""
    reads, original = Reads(), h5py.Dataset.__getitem__

    def counted(self: h5py.Dataset, args: Any, new_dtype: Any = None) -> Any:
        path = Path(self.file.filename)
        if scene == path or scene in path.parents:
            reads.add(self, args)
        return original(self, args, new_dtype)

    direct = hdf5_chunks.read_direct_chunk

    def counted_chunk(dataset: h5py.Dataset, offsets: tuple[int, ...]) -> Any:
        path = Path(dataset.file.filename)
        if scene == path or scene in path.parents:
            spans = zip(offsets, dataset.chunks, dataset.shape, strict=True)
            reads.add(dataset, tuple(slice(o, min(o + size, end)) for o, size, end in spans))
        return direct(dataset, offsets)

    with monkeypatch.context() as patched:
        patched.setattr(h5py.Dataset, "__getitem__", counted)
        patched.setattr(hdf5_chunks, "read_direct_chunk", counted_chunk)
        yield reads
