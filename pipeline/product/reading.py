"""Reads a product: its variables, its attributes and its record, as plain data."""

import contextlib
import datetime
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.config.naming import SUFFIX
from pipeline.errors import DAMAGE, DamagedError, SceneError, UnavailableError
from pipeline.files.access import why_absent, why_unreadable
from pipeline.files.hdf5 import has_hdf5_signature, open_hdf5
from pipeline.files.limits import CHUNK_BYTES, PRODUCT_NUMBERS
from pipeline.files.netcdf import netcdf_file
from pipeline.files.netcdf_lock import NETCDF_LOCK
from pipeline.files.regular import memory_in_words, open_regular
from pipeline.machine.screen import Shown
from pipeline.product.provenance import NUMBERS
from pipeline.scene.grid import BlockGrid
from pipeline.version import SOFTWARE
from pipeline.writers.group import Group

# The first bytes of netCDF files that are not HDF5.
_CLASSIC = b"CDF"


def is_product(path: Path) -> bool:
    """Return whether this program wrote the file."""
    if not path.is_file():
        return False
    try:
        if not has_hdf5_signature(path, SceneError):
            return False
        with open_hdf5(path, SceneError) as file:
            control = file.get("processing_control")
            is_group = isinstance(control, h5py.Group)
            return is_group and _text(control.attrs.get("software_name")) == SOFTWARE
    except DAMAGE as error:
        if why_unreadable(error) is not None:
            raise _unreadable(path.name, error) from error
        return False  # a truncated file, for which the reader has a better message


def is_damaged_netcdf(path: Path) -> bool:
    """Return whether a file that is called netCDF is empty, cut short or not readable as netCDF.

    Such a file may have been a product. A file of the classic netCDF format was never a product.

    Raises:
        SceneError: the file cannot be opened now, or it leads to other files.
    """
    with open_regular(path, SceneError) as file:
        if file.read(len(_CLASSIC)) == _CLASSIC:
            return False
    try:
        if not has_hdf5_signature(path, SceneError):
            return True
        open_hdf5(path, SceneError).close()
    except DAMAGE as error:
        if why_unreadable(error) is not None:
            raise _unreadable(path.name, error) from error
        return True
    return False


def scene_of(path: Path) -> tuple[str, str] | None:
    """Return base name and SHA-256 of a product's scene, or None if the file is not a product."""
    if not is_product(path):
        return None
    with open_hdf5(path, SceneError) as file:
        scene = file.get("processing_control/inputs/scene")
        if not isinstance(scene, h5py.Group):
            return None
        return _text(scene.attrs.get("file", "")), _text(scene.attrs.get("sha256", ""))


def _unreadable(name: str, error: Exception) -> SceneError:
    """Return the error for a product that cannot be read, because it is locked or damaged."""
    reason = why_unreadable(error)
    if reason is not None:
        return UnavailableError(f"{name}: cannot be read now: {reason}.")
    return SceneError(f"{name}: cannot be read ({error}). The product is damaged; make it again.")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class ProductFile(Shown, contextlib.AbstractContextManager["ProductFile"]):
    """An open product, to be used as a context manager.

    Raises:
        SceneError: the file is missing, damaged, or not a product of this program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise SceneError(f"{path}: {why_absent(path) or 'a folder, expected a product'}.")
        if not is_product(path):
            if path.suffix == SUFFIX and is_damaged_netcdf(path):
                size = path.stat().st_size
                what = f"cut short or damaged ({size:,} bytes)" if size else "empty"
                raise DamagedError(
                    f"{path.name}: this file is {what}. If it was a product, make it again: "
                    "ocpipe batch does this by itself."
                )
            raise SceneError(
                f"{path.name} is not a product of {SOFTWARE}. Give a file that ocpipe run wrote."
            )
        with contextlib.ExitStack() as closing:
            with NETCDF_LOCK:
                self._open(closing)
            self._closing = closing.pop_all()

    def _open(self, closing: contextlib.ExitStack) -> None:
        """Open the file and read its record; ``closing`` closes it after an error."""
        path = self.path
        try:
            self._file = netcdf_file(path, SceneError)
            closing.callback(self._close)
            self._file.set_auto_maskandscale(False)
            with memory_in_words(path.name, SceneError):
                self.root = _group(self._file, Budget(path.name))
            missing = self._missing()
        except DAMAGE as error:
            raise _unreadable(path.name, error) from error
        if missing:
            raise SceneError(
                f"{path.name}: its record lacks {', '.join(missing)}. Another version wrote "
                "the product, or it was changed later. Make the product again with this version."
            )

    def _missing(self) -> list[str]:
        """Return the names of the parts that are missing from the record."""
        expected = {
            "": ("title", "id", "date_created"),
            "processing_control": ("software_version", "key"),
            "processing_control/input_parameters": ("configuration",),
            "processing_control/inputs/scene": (
                "file", "sha256", "reader", "sensor", "scene_lines", "scene_pixels",
                "first_line", "first_pixel",
            ),
            "processing_control/networks": (),
            "processing_control/software": (),
            "processing_control/flag_percentages": ("pixels",),
            "processing_control/checksums": (),
        }  # fmt: skip
        missing = []
        for place, names in expected.items():
            group = self._find(place)
            if group is None:
                missing.append(f"group {place}")
                continue
            missing += [f"{place}/{name}" for name in names if name not in group.attributes]
        networks = self._find("processing_control/networks") or Group()
        for name, group in networks.groups.items():
            wanted = ("file", "sha256", "fingerprint", "layers", "engine", "variables", "gains")
            missing += [f"networks/{name}/{key}" for key in wanted if key not in group.attributes]
        if not missing:  # both raise an error if they are damaged
            _ = self.configuration
            datetime.datetime.fromisoformat(str(self.attributes["date_created"]))
        return missing

    def _find(self, place: str) -> Group | None:
        group: Group | None = self.root
        for part in filter(None, place.split("/")):
            group = group and group.groups.get(part)
        return group

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _close(self) -> None:
        with NETCDF_LOCK:
            self._file.close()

    def _heading(self) -> str:
        return f"{self.path.name}: {self.shape[0]} lines x {self.shape[1]} pixels"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "title", str(self.attributes["title"])
        yield "scene", f"{self.scene['file']} ({self.scene['sensor']}, {self.scene['reader']})"
        for name, group in self.networks.items():
            yield name, f"{group.attributes['file']} -> {group.attributes['variables']}"
        yield "made", f"{self.attributes['date_created']} by version {self.version}"

    @property
    def version(self) -> str:
        """Version of the program that made the product."""
        return str(self.control.attributes["software_version"])

    @property
    def numbers_version(self) -> int | None:
        """Version of the numbers; None if the record has no valid version."""
        recorded = self.control.attributes.get(NUMBERS)
        return int(recorded) if isinstance(recorded, np.integer) else None

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The global attributes."""
        return self.root.attributes

    @property
    def control(self) -> Group:
        """The group ``processing_control``."""
        return self.root.groups["processing_control"]

    @property
    def scene(self) -> Mapping[str, Any]:
        """The record of the input scene."""
        return self.control.groups["inputs"].groups["scene"].attributes

    @property
    def networks(self) -> Mapping[str, Group]:
        """The record of each network, by its name in the configuration."""
        return self.control.groups["networks"].groups

    @property
    def configuration(self) -> dict[str, Any]:
        """The recorded science part of the configuration."""
        return dict(json.loads(self.control.groups["input_parameters"].attributes["configuration"]))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of lines, and number of pixels in a line."""
        with NETCDF_LOCK:
            return self._file.dimensions["y"].size, self._file.dimensions["x"].size

    @property
    def variables(self) -> list[str]:
        """Names of the 2-D variables, in the order of the file."""
        with NETCDF_LOCK:
            return [n for n, v in self._file.variables.items() if v.dimensions == ("y", "x")]

    @property
    def axes(self) -> list[str]:
        """Names of all other variables: the coordinates and the reference system of a map."""
        with NETCDF_LOCK:
            return [n for n, v in self._file.variables.items() if v.dimensions != ("y", "x")]

    def attributes_of(self, name: str) -> dict[str, Any]:
        """Return the attributes of a variable."""
        with NETCDF_LOCK:
            return _attributes(self._file.variables[name])

    def dtype_of(self, name: str) -> np.dtype[Any]:
        """Return the type of the stored numbers of a variable."""
        with NETCDF_LOCK:
            found: np.dtype[Any] = np.dtype(self._file.variables[name].dtype)
            return found

    def length_of(self, name: str) -> int:
        """Return how many numbers a variable has."""
        with NETCDF_LOCK:
            return int(self._file.variables[name].size)

    def storage_of(self, name: str) -> dict[str, str]:
        """Return type, storage chunks and compression of a variable, in words."""
        with NETCDF_LOCK:
            variable = self._file.variables[name]
            filters, chunk = variable.filters() or {}, variable.chunking()
            used = {key: value for key, value in filters.items() if value}
            return {
                "type": str(variable.dtype),
                "chunks": "x".join(map(str, chunk)) if isinstance(chunk, list) else "none",
                "filters": ", ".join(f"{key} {value}" for key, value in used.items()) or "none",
            }

    def stored(self, name: str, region: Any = ...) -> npt.NDArray[Any]:
        """Return the stored numbers, including fill values; raise SceneError for damaged data."""
        where = f"{self.path.name}: {name}"
        try:
            with NETCDF_LOCK, memory_in_words(where, SceneError):
                variable = self._file.variables[name]
                _check_chunk(variable, where)
                return np.asarray(variable[region])
        except DAMAGE as error:
            raise SceneError(
                f"{self.path.name}: {name} cannot be read ({error}). The product is damaged; "
                "make it again."
            ) from error

    def blocks(self, chunk: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
        """Yield a slice of lines and a slice of pixels for each block, in the order of the file."""
        grid = BlockGrid((0, 0), self.shape, chunk)
        yield from map(grid.region, range(grid.count))


def _attributes(stored: Any) -> dict[str, Any]:
    return {name: stored.getncattr(name) for name in stored.ncattrs()}


class Budget:
    """Counts the numbers of a record, because the file may state any size for a variable."""

    def __init__(self, name: str) -> None:
        self._name, self._read = name, 0

    def take(self, variable: Any) -> None:
        """Before a variable is read, raise SceneError if it is too large or has no numbers."""
        where = f"{self._name}: {variable.name}"
        if getattr(variable.dtype, "kind", "no") not in "iuf":
            raise SceneError(
                f"{where} has the type {variable.dtype}, expected numbers. The product is damaged; "
                "make it again."
            )
        self._read += max(1, variable.size)
        PRODUCT_NUMBERS.check(self._read, where, SceneError)
        _check_chunk(variable, where)


def _check_chunk(variable: Any, where: str) -> None:
    """Refuse a huge storage chunk, which the library decompresses as a whole."""
    chunk = variable.chunking()
    if not isinstance(chunk, str) and chunk is not None and variable.dtype is not str:
        nbytes = math.prod(chunk) * variable.dtype.itemsize
        CHUNK_BYTES.check(nbytes, f"a storage chunk of {where}", SceneError)


def _group(stored: Any, budget: Budget) -> Group:
    """Read the attributes, 1-D variables and subgroups of a group."""
    variables = {}
    if stored.parent is not None:
        for name, variable in stored.variables.items():
            budget.take(variable)
            values = np.asarray(variable[...])
            variables[name] = (variable.dimensions[0], values, _attributes(variable))
    return Group(
        attributes=_attributes(stored),
        variables=variables,
        groups={name: _group(child, budget) for name, child in stored.groups.items()},
    )
