"""Names that lead elsewhere: round in a circle, nowhere, or to another file."""

import os
from pathlib import Path
from random import Random

import h5py
import numpy as np

from fuzz.mutations.hdf5 import BAND, changing, chosen, groups, replaced
from fuzz.outside import Outside


def soft_cycle(path: Path, draw: Random, _: Outside) -> str:
    """A variable that is a link to itself, or to one that leads back."""
    with changing(path) as file:
        name = chosen(file, draw)
        del file[name]
        other = draw.choice((name, f"{name}_2"))
        file[name] = h5py.SoftLink(f"/{other}")
        if other != name:
            file[other] = h5py.SoftLink(f"/{name}")
    return f"{name} -> {other} -> {name}"


def soft_dangling(path: Path, draw: Random, _: Outside) -> str:
    """A variable or a new name that leads to nothing."""
    with changing(path) as file:
        name = chosen(file, draw)
        if draw.random() < 0.5:
            name = f"{name}_too"
        else:
            del file[name]
        file[name] = h5py.SoftLink("/nowhere/to/be/found")
    return f"{name} -> nowhere"


def soft_inside(path: Path, draw: Random, _: Outside) -> str:
    """A variable by another name, and a link to it: as good as before."""
    with changing(path) as file:
        name = chosen(file, draw)
        file.move(name, "kept_elsewhere")
        file[name] = h5py.SoftLink("/kept_elsewhere")
    return f"{name} -> kept_elsewhere"


def hard_loop(path: Path, draw: Random, _: Outside) -> str:
    """A group that holds itself, or what holds it."""
    with changing(path) as file:
        inside = draw.choice(["/", *groups(file)])
        to = draw.choice(["/", inside])
        file[inside][draw.choice(("a_loop", "z_loop"))] = file[to]
    return f"{inside} holds {to}"


def soft_loop(path: Path, draw: Random, _: Outside) -> str:
    """A link within a group to what holds it, or a group by two names."""
    with changing(path) as file:
        inside = draw.choice(["/", *groups(file)])
        name = draw.choice(("a_loop", "z_loop"))
        file[inside][name] = h5py.SoftLink(draw.choice(("/", f"/{inside.strip('/')}")))
    return f"{name} in {inside}"


def deep(path: Path, draw: Random, _: Outside) -> str:
    """Groups within groups, very many."""
    depth = draw.choice((10, 100, 2000))
    with changing(path) as file:
        group = file
        for _level in range(depth):
            group = group.create_group("g")
    return f"{depth} groups within each other"


def external_link(path: Path, draw: Random, outside: Outside) -> str:
    """A variable that is in another file."""
    canary = outside.hdf5(path)
    with changing(path) as file:
        name = chosen(file, draw)
        del file[name]
        file[name] = h5py.ExternalLink(_address(canary, path, draw), f"/{name}")
    return f"{name} -> {canary.name}"


def external_group(path: Path, draw: Random, outside: Outside) -> str:
    """A group that is in another file; in a file without groups a name beside the variables."""
    canary = outside.hdf5(path)
    with changing(path) as file:
        names = groups(file)
        name = draw.choice(names) if names else "more"
        if names:
            del file[name]
        file[name] = h5py.ExternalLink(_address(canary, path, draw), f"/{name}" if names else "/")
    return f"{name} -> {canary.name}"


def external_storage(path: Path, draw: Random, outside: Outside) -> str:
    """A variable whose numbers are the bytes of another file."""
    with changing(path) as file:
        name = chosen(file, draw)
        shape, dtype = file[name].shape, file[name].dtype
        if dtype.kind not in "iuf" or not shape:
            return "nothing: no numbers"
        size = int(np.prod(shape))
        raw = outside.raw(dtype, size)
        place = [(_address(raw, path, draw), 0, size * dtype.itemsize)]
        replaced(file, name, lambda: file.create_dataset(name, shape, dtype, external=place))
    return f"{name} is in {raw.name}"


def virtual(path: Path, draw: Random, outside: Outside) -> str:
    """A variable that is put together from another file."""
    canary = outside.hdf5(path)
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        shape, dtype = file[name].shape, file[name].dtype
        if not shape:
            return "nothing: no array"
        layout = h5py.VirtualLayout(shape, dtype)
        layout[...] = h5py.VirtualSource(_address(canary, path, draw), f"/{name}", shape)
        replaced(file, name, lambda: file.create_virtual_dataset(name, layout))
    return f"{name} from {canary.name}"


def _address(canary: Path, path: Path, draw: Random) -> str:
    """Absolute, or as seen from the file."""
    return str(canary) if draw.random() < 0.5 else os.path.relpath(canary, path.parent)
