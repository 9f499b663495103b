"""Files that hold arrays under names: safetensors, npz of NumPy, and HDF5 of any layout.

Such a file says nothing about the network. A YAML names the arrays of each layer.
"""

import contextlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DAMAGE, NetworkError
from pipeline.files.archive import open_archive, read_arrays
from pipeline.files.hdf5 import has_hdf5_signature, open_hdf5
from pipeline.files.limits import NETWORK_BYTES, NETWORK_NUMBERS
from pipeline.files.regular import open_regular
from pipeline.networks.reading.hdf5_arrays import Hdf5Arrays
from pipeline.networks.reading.safetensors_file import SafetensorsFile, is_safetensors
from pipeline.networks.variable import Array

# So many arrays are listed in messages.
_MOST_LISTED = 20


class NamedArrays:
    """The arrays of an open file, by name."""

    def __init__(
        self,
        file_name: str,
        shapes: Mapping[str, tuple[int, ...]],
        read: Callable[[str], npt.NDArray[Any]],
    ) -> None:
        self._file_name, self._read, self._taken = file_name, read, 0
        self.shapes = dict(shapes)
        """Name -> shape."""

    def matrix(self, name: str) -> Array:
        """Return a float64 array with two dimensions.

        Raises:
            NetworkError: the file has no such array, or the array is no matrix of finite numbers.
        """
        array = self._numbers(name)
        if array.ndim != 2:
            raise NetworkError(
                f"{self._file_name}: {name} has the shape {array.shape}, expected two dimensions: "
                "a kernel has one number for each input and unit."
            )
        return array

    def vector(self, name: str) -> Array:
        """Return a float64 array with one dimension; (n, 1) and (1, n) are accepted, too.

        Raises:
            NetworkError: as for :meth:`matrix`.
        """
        array = self._numbers(name)
        if array.ndim == 0 or max(array.shape) != array.size:
            raise NetworkError(
                f"{self._file_name}: {name} has the shape {array.shape}, expected one dimension: a "
                "bias has one number for each unit."
            )
        return array.reshape(-1)

    def listed(self) -> str:
        """Return the names and shapes of the arrays as text."""
        shown = [f"{name[:60]} {shape}" for name, shape in self.shapes.items()][:_MOST_LISTED]
        more = len(self.shapes) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "") or "no arrays"

    def _numbers(self, name: str) -> Array:
        if name not in self.shapes:
            raise NetworkError(
                f"{self._file_name} has no array {name[:60]!r}. It has {self.listed()}. Correct "
                "the name in the YAML."
            )
        array = self._read(name)
        if array.dtype.kind not in "iuf":
            raise NetworkError(
                f"{self._file_name}: {name} has the type {array.dtype}, expected numbers."
            )
        self._taken += array.size
        NETWORK_NUMBERS.check(self._taken, f"{self._file_name} up to {name[:60]}", NetworkError)
        numbers = array.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise NetworkError(f"{self._file_name}: {name} has numbers that are not finite.")
        return numbers


def is_npz(path: Path) -> bool:
    """Return whether a file is a zip archive of arrays of NumPy."""
    try:
        with open_archive(path, NetworkError) as archive:
            names = archive.namelist()
    except (*DAMAGE, NetworkError, zipfile.BadZipFile):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def has_named_arrays(path: Path) -> bool:
    """Return whether arrays can be read from a file by name."""
    return is_safetensors(path) or is_npz(path) or has_hdf5_signature(path, NetworkError)


@contextlib.contextmanager
def open_named_arrays(path: Path) -> Iterator[NamedArrays]:
    """Open a file for which :func:`has_named_arrays` is true.

    Raises:
        NetworkError: the file is damaged.
    """
    if is_safetensors(path):
        with open_regular(path, NetworkError) as file:
            stored = SafetensorsFile(file, path.name)
            yield NamedArrays(path.name, stored.shapes(), stored.array)
    elif is_npz(path):
        arrays = _arrays_of_npz(path)
        yield NamedArrays(path.name, {n: a.shape for n, a in arrays.items()}, arrays.__getitem__)
    else:
        with open_hdf5(path, NetworkError) as hdf5:
            found = Hdf5Arrays(hdf5)
            yield NamedArrays(path.name, found.shapes(), found.array)


def _arrays_of_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        return read_arrays(path, NETWORK_BYTES, NetworkError)
    except (*DAMAGE, zipfile.BadZipFile, zlib.error, EOFError) as error:
        if "allow_pickle" in str(error):
            raise NetworkError(
                f"{path.name} has an array of Python objects, which is a pickle. ocpipe never "
                "opens a pickle, because it may run code. Save arrays of numbers."
            ) from None
        raise NetworkError(
            f"{path.name}: not arrays as numpy.savez saves them ({type(error).__name__}: {error}). "
            "The file is damaged; fetch it again."
        ) from error
