"""Layers of a scene that travel: another process opens the file again when it reads them.

An open file cannot be pickled. So a layer is pickled as the path of its file, the file's size and
modification time, the reader and the layer's name. A process opens each file once, when the first
of its layers is read, and keeps the most recently used files open. A file that has changed is
refused. After a fork, the new process shares no open file with the old process.
"""

import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import ChangedError
from pipeline.files.identity import files_of
from pipeline.readers.chunk_cache import ChunkCache
from pipeline.scene.lazy import (
    Constant,
    LazyArray,
    Region,
    StoredChunks,
    is_as_opened,
    lazy,
    lazy_array_of,
)

# Number of files that a process keeps open although no thread reads them now.
MOST_OPEN = 8
# The files of a folder are checked again after this time (s); a single file is checked after each
# read.
_PATIENCE = 0.05

# Key of a scene's encoding.
_OPENED = "opened"


@dataclass(frozen=True)
class SceneFile:
    """A scene file in one state of its content, and the reader that opens it."""

    path: str
    """Absolute path of the file, or of the folder of a scene."""
    size: int
    """Bytes of all files."""
    mtime_ns: int
    """Latest time at which the content of a file changed."""
    reader: str
    """Format and options of the reader, as JSON."""
    files: tuple[str, ...]
    """Names of the files in a folder; a single file has the name ""."""

    @classmethod
    def of(cls, path: Path, reader: str) -> "SceneFile":
        """Look at a file."""
        found = files_of(path)
        size, changed = _state([each for _, each in found])
        names = tuple(name for name, _ in found)
        return cls(os.path.abspath(path), size, changed, reader, names)  # noqa: PTH100 - keeps links

    def check(self) -> None:
        """Raise ChangedError if the files are no longer in this state."""
        try:
            files = [os.path.join(self.path, name) if name else self.path for name in self.files]  # noqa: PTH118
            is_same = _state(files) == (self.size, self.mtime_ns)
        except OSError:
            is_same = False
        if not is_same:
            name = Path(self.path).name
            raise ChangedError(
                f"{name} was replaced, changed or removed after it was opened as a scene. Open it "
                "again."
            )


def _state(files: Sequence[str | Path]) -> tuple[int, int]:
    found = [os.stat(path) for path in files]  # noqa: PTH116 - read for every block
    return sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)


class OpenedScene:
    """The open files of a scene in this process; a pickled copy has no files."""

    def __init__(self, file: SceneFile, scene: xr.Dataset) -> None:
        self.file = file
        self.layers = _layers_of(scene)
        self.caches: list[ChunkCache] = list(scene.encoding.get("chunk_caches", ()))
        self._close = scene.close
        self._process = os.getpid()
        self.centres = {
            str(dim): axis.values for dim, axis in scene.coords.items() if axis.dims == (dim,)
        }
        self._checked = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether the files are open, and this process has opened them."""
        return bool(self.layers) and self._process == os.getpid()

    def read(self, name: str, region: Region) -> npt.NDArray[Any]:
        """Read a region of a layer, and check that the file is still the same."""
        try:
            values = self.layers[name].read(region)
        except OSError:
            self.file.check()  # a file that was cut short meanwhile looks damaged
            raise
        now = time.monotonic()
        if len(self.file.files) == 1 or now - self._checked > _PATIENCE:
            self.file.check()
            self._checked = now
        return values

    def close(self) -> None:
        """Close the files; layers that are read later open them again."""
        is_mine = self.is_usable
        self.layers = {}
        if is_mine:
            self._close()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _elsewhere, (self.file,)


def _elsewhere(file: SceneFile) -> OpenedScene:
    opened = OpenedScene.__new__(OpenedScene)
    opened.file, opened.layers, opened.caches = file, {}, []
    return opened


def _layers_of(scene: xr.Dataset) -> dict[str, LazyArray]:
    found = {str(name): lazy_array_of(variable) for name, variable in scene.variables.items()}
    return {name: layer for name, layer in found.items() if layer is not None}


@dataclass(frozen=True, eq=False)
class FromFile:
    """A layer of a scene that any process can read."""

    file: SceneFile
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    opened: OpenedScene = field(repr=False)

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read a region; a process that has not opened the file does so now.

        Raises:
            ChangedError: the file is not the one that was opened as a scene.
            SceneError: the file cannot be opened.
        """
        if self.opened.is_usable:
            return self.opened.read(self.name, region)
        with _files.using(self.file) as opened:
            return opened.read(self.name, region)

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks of some bands."""
        if self.opened.is_usable:
            return self.opened.layers[self.name].storage(bands)
        with _files.using(self.file) as opened:
            return iter([*opened.layers[self.name].storage(bands)])

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        file = self.file
        return "ocpipe", file.path, file.size, file.mtime_ns, file.reader, self.name


def to_travel(scene: xr.Dataset, file: SceneFile) -> xr.Dataset:
    """Return a scene whose lazy layers can be pickled; closing it closes the files of ``scene``."""
    opened = OpenedScene(file, scene)
    made = {
        name: lazy(
            FromFile(file, name, layer.shape, layer.dtype, opened),
            tuple(str(dim) for dim in scene[name].dims),
            scene[name].attrs,
        ).variable
        for name, layer in opened.layers.items()
    }
    moved = scene.assign(made)
    moved.encoding = {k: v for k, v in scene.encoding.items() if k != "chunk_caches"}
    moved.encoding[_OPENED] = opened
    moved.set_close(opened.close)
    return moved


def file_of(scene: xr.Dataset) -> SceneFile | None:
    """Return the file of a scene that ``open_scene`` returned, or of a part of such a scene."""
    opened = scene.encoding.get(_OPENED)
    return opened.file if isinstance(opened, OpenedScene) else None


def is_of_file(scene: xr.Dataset, names: Iterable[str]) -> bool:
    """Whether these variables are whole layers of the scene's file, at their own wavelengths."""
    opened = scene.encoding.get(_OPENED)
    if not isinstance(opened, OpenedScene):
        return False
    for name in names:
        layer = lazy_array_of(scene[name])
        if isinstance(layer, Constant):
            continue
        if not isinstance(layer, FromFile) or not is_as_opened(scene[name]):
            return False
        if (layer.file, layer.name) != (opened.file, name):
            return False
    if not opened.is_usable:
        with _files.using(opened.file) as again:
            return _has_centres(scene, again.centres)
    return _has_centres(scene, opened.centres)


def _has_centres(scene: xr.Dataset, centres: Mapping[str, npt.NDArray[Any]]) -> bool:
    return all(
        dim in scene.coords and np.array_equal(scene[dim].values, values)
        for dim, values in centres.items()
    )


def chunk_caches(scene: xr.Dataset) -> list[ChunkCache]:
    """Return the caches that keep the storage chunks of an opened scene."""
    opened = scene.encoding.get(_OPENED)
    return opened.caches if isinstance(opened, OpenedScene) else []


class _Entry:
    """A file of the registry, which is opened once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.opened: OpenedScene | None = None
        self.users = 0


class _Files:
    """The files that this process has opened to read layers from elsewhere."""

    def __init__(self) -> None:
        self._entries: OrderedDict[SceneFile, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def using(self, file: SceneFile) -> Iterator[OpenedScene]:
        """Open the file if it is not open; it stays open during the ``with`` block."""
        with self._lock:
            entry = self._entries.setdefault(file, _Entry())
            self._entries.move_to_end(file)
            entry.users += 1
        try:
            with entry.lock:
                if entry.opened is None:
                    entry.opened = _open(file)
            yield entry.opened
        finally:
            for unused in self._left(entry):
                unused.close()

    def _left(self, entry: _Entry) -> list[OpenedScene]:
        """Note that one user has left, and return the unused files that should be closed."""
        with self._lock:
            entry.users -= 1
            unused = [file for file, each in self._entries.items() if each.users == 0]
            failed = [file for file in unused if self._entries[file].opened is None]
            dropped = failed or unused[: max(0, len(self._entries) - MOST_OPEN)]
            entries = [self._entries.pop(file) for file in dropped]
        return [each.opened for each in entries if each.opened is not None]


def _open(file: SceneFile) -> OpenedScene:
    """Open the file of a layer again, by the reader that opened it first."""
    from pipeline.config import ReaderChoice
    from pipeline.readers import open_scene  # which imports this module

    choice = ReaderChoice.model_validate_json(file.reader)
    scene = open_scene(file.path, choice)
    opened: OpenedScene = scene.encoding[_OPENED]
    try:
        file.check()
    except BaseException:
        opened.close()
        raise
    return opened


_files = _Files()
# A forked process keeps its references to these files. Otherwise it would close them for the other
# process, too.
_inherited: list[Any] = []


def _after_fork() -> None:
    global _files  # noqa: PLW0603
    _inherited.append(_files)
    _files = _Files()


os.register_at_fork(after_in_child=_after_fork)
