"""Reads arrays of weights from an open HDF5 file, by their paths in the file."""

import itertools
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from pipeline.errors import NetworkError
from pipeline.files.hdf5 import read_numbers
from pipeline.files.limits import NETWORK_NUMBERS
from pipeline.networks.variable import Array

# A file of a network has a few arrays in a few groups; a search goes no further.
_MOST_ARRAYS, _DEEPEST = 10_000, 20


class Hdf5Arrays:
    """Finds weights in an open file by path; refuses links, which may lead out of the file."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._read = 0

    def has(self, name: str) -> bool:
        """Return whether the root group has a member with this name."""
        return name in self._file

    def group(self, path: str) -> Any:
        """Return the group at a path."""
        found = self._walk(path)
        if not isinstance(found, h5py.Group):
            raise _missing(path)
        return found

    def kind(self, path: str) -> str:
        """Return NumPy's letter for the kind of numbers at a path, such as f or i."""
        return str(self._dataset(path).dtype.kind)

    def array(self, path: str) -> Array:
        """Return one float64 array; refuse too many numbers and numbers that are not finite."""
        dataset = self._dataset(path)
        if dataset.dtype.kind not in "iuf":
            raise NetworkError(
                f"weights {path} have type {dataset.dtype}, expected integers or floats. Save the "
                "model again."
            )
        self._read += dataset.size
        what = f"the model up to weights {path}"
        NETWORK_NUMBERS.check(self._read, what, NetworkError)
        array = read_numbers(dataset, f"weights {path}", NETWORK_NUMBERS, NetworkError)
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise NetworkError(
                f"weights {path} have values that are not finite. Train the network again."
            )
        return array

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array by its path; links are left out."""
        return dict(itertools.islice(self._shapes(self._file, "", _DEEPEST), _MOST_ARRAYS))

    def _shapes(
        self, group: h5py.Group, prefix: str, depth: int
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        for name in group if depth else ():
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            child = group[name]
            if isinstance(child, h5py.Group):
                yield from self._shapes(child, f"{prefix}{name}/", depth - 1)
            elif isinstance(child, h5py.Dataset) and child.shape is not None:
                yield f"{prefix}{name}", child.shape

    def _dataset(self, path: str) -> h5py.Dataset:
        found = self._walk(path)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise _missing(path)
        return found

    def _walk(self, path: str) -> Any:
        node: Any = self._file
        for part in filter(None, path.split("/")):
            if not isinstance(node, h5py.Group) or part not in node:
                return None
            if not isinstance(node.get(part, getlink=True), h5py.HardLink):
                raise NetworkError(
                    f"weights {path} are a link, expected numbers stored in the file itself. Save "
                    "the model again."
                )
            node = node[part]
        return node


def _missing(path: str) -> NetworkError:
    return NetworkError(f"weights {path} are missing. The file is incomplete; fetch it again.")
