"""What mutations of HDF5 files share: which variable to take, how to put another in its place."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import h5py

# What a run reads of the miniatures. Others are taken too, but less often.
READ = re.compile(
    r"(.*/)?(Rrs(_\d+)?|NWLR_\d+|rrs_\d+|Rw\d+|rhos_\d+|l2_flags|QA_flag|c2rcc_flags|bitmask|WQSF|"
    r"lat(itude)?|lon(gitude)?|Latitude|Longitude|wavelength(_3d)?|cntl_pt_cols|Oa\d\d_reflectance)"
)
BAND = re.compile(r"(.*/)?(Rrs(_\d+)?|NWLR_\d+|rrs_\d+|Rw\d+|rhos_\d+|Oa\d\d_reflectance)")
FLAGS = re.compile(r"(.*/)?(l2_flags|QA_flag|c2rcc_flags|bitmask|WQSF)")
PLACE = re.compile(r"(.*/)?(lat(itude)?|lon(gitude)?)", re.IGNORECASE)
# Written by whoever joins dimensions to variables, not by copying.
OF_DIMENSIONS = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME")


@contextmanager
def changing(path: Path, **options: Any) -> Iterator[h5py.File]:
    """The file, to be changed."""
    with h5py.File(path, "a", **options) as file:
        yield file


def datasets(file: h5py.File) -> list[str]:
    """The names of all variables."""
    names: list[str] = []
    file.visititems(lambda name, found: names.append(name) if _is_dataset(found) else None)
    return sorted(names)


def groups(file: h5py.File) -> list[str]:
    """The names of all groups but the root."""
    names: list[str] = []
    file.visititems(lambda name, found: None if _is_dataset(found) else names.append(name))
    return sorted(names)


def chosen(file: h5py.File, draw: Random, of: re.Pattern[str] = READ) -> str:
    """A variable, most often one of those that a run reads."""
    names = datasets(file)
    wanted = [name for name in names if of.fullmatch(name)]
    every = draw.random() < 0.1 or not wanted
    return draw.choice(names if every else wanted)


def chunked(file: h5py.File, draw: Random, of: re.Pattern[str] = READ) -> str | None:
    """A variable that is stored in chunks, most often one of those that a run reads."""
    names = [name for name in datasets(file) if file[name].chunks is not None]
    wanted = [name for name in names if of.fullmatch(name)]
    return draw.choice(wanted or names) if names else None


def replaced(file: h5py.File, name: str, make: Callable[[], h5py.Dataset]) -> h5py.Dataset:
    """Another variable in the place of one, with its attributes and, as far as they fit, axes."""
    old = file[name]
    scales = [old.dims[axis][0] if len(old.dims[axis]) else None for axis in range(old.ndim)]
    kept = {key: _attribute(old, key) for key in old.attrs if key not in OF_DIMENSIONS}
    is_scale = old.is_scale
    file.move(name, "replaced")
    made = make()
    del file["replaced"]
    for key, (value, dtype) in kept.items():
        made.attrs.create(key, value, dtype=dtype)
    if is_scale and made.ndim:
        made.make_scale()
    for axis, scale in enumerate(scales[: made.ndim]):
        if scale is not None and scale.id.valid and scale.shape == (made.shape[axis],):
            made.dims[axis].attach_scale(scale)
    return made


def _attribute(owner: h5py.Dataset, key: str) -> tuple[Any, Any]:
    return owner.attrs[key], owner.attrs.get_id(key).dtype


def _is_dataset(found: Any) -> bool:
    return isinstance(found, h5py.Dataset)
