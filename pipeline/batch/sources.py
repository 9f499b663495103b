"""Finds the scenes of a batch: files, folders, patterns, lists, or standard input.

An input that names no scene is an error, whose message lists the files that exist instead. An empty
folder may be a disk that is not mounted. The scenes of the other inputs are still found.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.batch.passed_over import STORES, PassedOver, is_packed
from pipeline.errors import ConfigError
from pipeline.files.identity import stamp_of
from pipeline.files.inputs import Inputs, is_visible

# In a folder, a file with one of these endings is treated as a scene. If its format is unknown, the
# scene fails with a message. A file that is given by name may have any ending.
ENDINGS = (".nc", ".nc4", ".h5", ".hdf5", ".he5", ".hdf", ".tif", ".tiff")
# Endings of folders that are scenes themselves.
SCENE_FOLDERS = (".sen3",)
log = logging.getLogger(__name__)

# Files that a batch writes next to its products.
_RECORDS = re.compile(r"ocpipe-ledger.*|(quality|failures|summary)[^.]*\.(jsonl|csv|json)")


@dataclass(frozen=True)
class FoundScene:
    """A scene that was found."""

    path: str
    """Absolute path; links are not resolved."""
    size: int | None
    """Size of the file in bytes, or None if the file does not exist."""
    mtime_ns: int | None
    ctime_ns: int = 0
    """Latest time at which the file, its name or its permissions changed."""

    @property
    def exists(self) -> bool:
        """Whether the file exists."""
        return self.size is not None


@dataclass(frozen=True)
class SearchResult:
    """The scenes that the inputs of a call name."""

    scenes: list[FoundScene]
    """Each scene once, sorted by path; paths without a file are included."""
    nothing: list[str] = field(default_factory=list)
    """A sentence for each folder, pattern or list that names no scene."""


def find_scenes(
    inputs: Iterable[str], output: Path, config_name: str, shard: tuple[int, int] | None = None
) -> list[FoundScene]:
    """Return the scenes that ``search`` finds; each input that names none is logged as an error."""
    return search(inputs, output, config_name, shard).scenes


def search(
    inputs: Iterable[str],
    output: Path,
    config_name: str,
    shard: tuple[int, int] | None = None,
    may_be_empty: bool = False,
) -> SearchResult:
    """Return all scenes, and a sentence for each input that names no scene.

    Args:
        inputs: files, folders or patterns. ``@file`` stands for a list with one file, folder or
            pattern per line. ``-`` reads such a list from standard input.
        output: the output folder, which is not searched for scenes.
        config_name: name of the configuration; it identifies products in the output folder.
        shard: two numbers; (2, 8) means that only the second of eight parts of the scenes is
            returned. A scene's file name alone decides which part the scene belongs to.
        may_be_empty: whether inputs without scenes are allowed, except inputs that cannot be
            searched.

    Raises:
        ConfigError: a list cannot be read, or an input is the address of a remote file.
        NoSceneError: no input names a scene.
    """
    looking = _Search(output, config_name, PassedOver(may_be_empty))
    paths = {os.path.abspath(path) for item in inputs for path in looking.expanded(item)}
    nothing = looking.passed_over.tell(bool(paths))
    if shard is not None:
        number, count = shard
        found, paths = paths, {path for path in paths if shard_of(path, count) == number}
        if found and not paths:
            log.info("none of the %d scenes belongs to shard %d/%d", len(found), number, count)
    return SearchResult([found_at(path) for path in sorted(paths)], nothing)


def paths_of_scenes(inputs: Iterable[str], output: Path, config_name: str) -> list[str]:
    """Return the paths of all scenes, each once, in the order of the inputs.

    The arguments and errors are those of ``find_scenes``.
    """
    search = _Search(output, config_name)
    paths = dict.fromkeys(path for item in inputs for path in search.expanded(item))
    search.passed_over.tell(bool(paths))
    return list(paths)


def find_files(inputs: Iterable[str]) -> list[str]:
    """Return the paths of scenes, products, networks and other files, as for ``find_scenes``.

    In a folder, the files with the ending of a scene, a product or a network are found.

    Raises:
        ConfigError: the errors of ``find_scenes``, or nothing was found.
    """
    # No folder can have this name, so no products are skipped.
    found = paths_of_scenes(inputs, Path(os.devnull), "")
    if not found:
        raise ConfigError(f"{' '.join(inputs)}: no file was found. Correct the paths.")
    return found


def shard_of(path: str, count: int) -> int:
    """Return the number of a scene's shard, from 1.

    The shard depends only on the file name, because folders may move.
    """
    digest = hashlib.blake2b(os.path.basename(path).encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def found_at(path: str) -> FoundScene:
    """Look at the file or folder at a path."""
    stamp = stamp_of(path)
    if stamp is None:
        return FoundScene(path, None, None)
    return FoundScene(path, stamp.size, stamp.mtime_ns, stamp.ctime_ns)


@dataclass(frozen=True)
class _Search(Inputs):
    """Expands the inputs of a call into paths, and notes the files that are not scenes."""

    output: Path
    """The output folder, which is not searched for scenes."""
    config_name: str
    passed_over: PassedOver = field(default_factory=PassedOver)

    def is_one(self, folder: str) -> bool:
        """Return whether a folder is a scene."""
        return _is_scene_folder(folder)

    def empty_list(self, name: str) -> None:
        """Note that a list contains no paths."""
        self.passed_over.empty_list(name)

    def unmatched(self, pattern: str, folder: str) -> None:
        """Note that a pattern matches nothing, and which files exist instead."""
        self.passed_over.unmatched(pattern, folder)

    def in_folder(self, folder: str) -> Iterator[str]:
        """Yield scenes at any depth; skip hidden files, hidden folders and products."""
        root, products = os.path.realpath(folder), os.path.realpath(self.output)
        # If scenes are in the output folder itself, only the names distinguish products from
        # scenes.
        mixed = root == products or root.startswith(f"{products}/")
        own_ending = f".{self.config_name}.nc"
        count, others, unsearched = 0, [], []
        unreadable: list[OSError] = []
        for here, folders, files in os.walk(root, onerror=unreadable.append):
            kept = []
            for name in sorted(folders):
                path = os.path.join(here, name)
                if _is_scene_folder(name):
                    count += 1
                    yield path
                elif name.lower().endswith(STORES):
                    others.append(path)
                elif not is_visible(name) or os.path.islink(path):
                    unsearched.append(path)
                elif mixed or path != products:
                    kept.append(name)
                    others += [path] * is_packed(name)
            folders[:] = kept
            unsearched += [os.path.join(here, name) for name in files if not is_visible(name)]
            for name in filter(is_visible, files):
                if not name.lower().endswith(ENDINGS):
                    if not (mixed and _RECORDS.match(name)):
                        others.append(os.path.join(here, name))
                elif not (mixed and name.endswith(own_ending)):
                    count += 1
                    yield os.path.join(here, name)
        for error in unreadable:
            self.passed_over.unreadable(error)
        if count or others or unsearched or not unreadable:
            self.passed_over.in_folder(folder, others, unsearched, has_scenes=count > 0)


def _is_scene_folder(path: str) -> bool:
    return path.rstrip("/").lower().endswith(SCENE_FOLDERS)
