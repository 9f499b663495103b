"""Finds the scenes of a batch: files, folders, patterns, lists, or standard input."""

import glob
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.machine.files import identity_of

# In a folder, a file with one of these endings counts as a scene; if its format is unknown, it
# fails with a message. A file that is given by name may have any ending.
ENDINGS = (".nc", ".nc4", ".h5", ".hdf5", ".he5", ".hdf", ".tif", ".tiff")
# Endings of folders that are scenes themselves.
SCENE_FOLDERS = (".sen3",)
STDIN = "-"


@dataclass(frozen=True)
class FoundScene:
    """A scene that was found."""

    path: str
    """Absolute path; links are not resolved."""
    size: int | None
    """Size of the file in bytes, or None if the file does not exist."""
    mtime_ns: int | None

    @property
    def exists(self) -> bool:
        """Whether the file exists."""
        return self.size is not None


def find_scenes(
    inputs: Iterable[str], output: Path, config_name: str, shard: tuple[int, int] | None = None
) -> list[FoundScene]:
    """Return all scenes, each once, sorted by path.

    Args:
        inputs: files, folders or patterns. ``@file`` names a list with one file, folder or pattern
            per line. ``-`` reads such a list from standard input.
        output: the output folder, which is not searched for scenes.
        config_name: name of the configuration; it identifies products in the output folder.
        shard: the part of the scenes to return, as two numbers: the number of this part (from 1)
            and the number of all parts. The part of a scene depends only on its file name.

    Raises:
        ConfigError: a list cannot be read.
    """
    paths = {
        os.path.abspath(path) for item in inputs for path in _expanded(item, output, config_name)
    }
    if shard is not None:
        number, count = shard
        paths = {path for path in paths if shard_of(path, count) == number}
    return [_found(path) for path in sorted(paths)]


def shard_of(path: str, count: int) -> int:
    """Return the number of a scene's shard, from 1.

    The shard depends only on the file name, because folders may move.
    """
    digest = hashlib.blake2b(os.path.basename(path).encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def _found(path: str) -> FoundScene:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            return FoundScene(path, *identity_of(Path(path)))
    except OSError:
        return FoundScene(path, None, None)
    return FoundScene(path, found.st_size, found.st_mtime_ns)


def _expanded(item: str, output: Path, config_name: str) -> Iterator[str]:
    if item == STDIN:
        yield from _listed(sys.stdin, "standard input", output, config_name)
    elif item.startswith("@"):
        try:
            with Path(item[1:]).open(encoding="utf-8", errors="surrogateescape") as lines:
                yield from _listed(lines, item, output, config_name)
        except OSError as error:
            raise ConfigError(
                f"{item}: cannot read the list ({error.strerror}). Correct the path after @."
            ) from error
    elif os.path.isdir(item) and not _is_scene_folder(item):
        yield from _in_folder(item, output, config_name)
    elif os.path.exists(item) or not glob.has_magic(item):
        yield item
    else:
        yield from glob.iglob(item, recursive=True)


def _listed(lines: Iterable[str], name: str, output: Path, config_name: str) -> Iterator[str]:
    for line in lines:
        entry = line.rstrip("\n")
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        if entry == STDIN or entry.startswith("@"):
            raise ConfigError(
                f"{name}: a list cannot contain another list ({entry!r}). Give both lists "
                "on the command line."
            )
        yield from _expanded(entry, output, config_name)


def _is_scene_folder(path: str) -> bool:
    return path.rstrip("/").lower().endswith(SCENE_FOLDERS)


def _in_folder(folder: str, output: Path, config_name: str) -> Iterator[str]:
    """Yield the scenes in a folder, at any depth; skip hidden files and folders, and products."""
    root, products = os.path.realpath(folder), os.path.realpath(output)
    # If scenes are in the output folder itself, only the names tell products from scenes.
    mixed = root == products or root.startswith(f"{products}/")
    own_ending = f".{config_name}.nc"
    for here, folders, files in os.walk(root):
        kept = []
        for name in sorted(folders):
            path = os.path.join(here, name)
            if _is_scene_folder(name):
                yield path
            elif not name.startswith(".") and (mixed or path != products):
                kept.append(name)
        folders[:] = kept
        for name in files:
            is_scene = name.lower().endswith(ENDINGS) and not name.startswith(".")
            if is_scene and not (mixed and name.endswith(own_ending)):
                yield os.path.join(here, name)
