"""Finds the scenes of a batch: files, folders, patterns, lists, or standard input.

An input that names no scene is an error, whose message lists what is there instead. An empty folder
may be a disk that is not mounted. The scenes of the other inputs are found nevertheless.
"""

import glob
import hashlib
import io
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.batch.passed_over import STORES, PassedOver, is_packed
from pipeline.errors import ConfigError
from pipeline.files.access import address_of, why_absent
from pipeline.files.contents import read_text
from pipeline.files.identity import stamp_of

# In a folder, a file with one of these endings counts as a scene; if its format is unknown, it
# fails with a message. A file that is given by name may have any ending.
ENDINGS = (".nc", ".nc4", ".h5", ".hdf5", ".he5", ".hdf", ".tif", ".tiff")
# Endings of folders that are scenes themselves.
SCENE_FOLDERS = (".sen3",)
log = logging.getLogger(__name__)

# Files that a batch writes next to its products.
_RECORDS = re.compile(r"ocpipe-ledger.*|(quality|failures|summary)[^.]*\.(jsonl|csv|json)")
STDIN = "-"
# A list that standard input brings may begin with this mark; Windows programs write it.
BYTE_ORDER_MARK = "\ufeff"


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
    """What the inputs of a call name."""

    scenes: list[FoundScene]
    """Each scene once, sorted by path; also paths at which nothing exists."""
    nothing: list[str] = field(default_factory=list)
    """A sentence for each folder, pattern or list that names no scene."""


def find_scenes(
    inputs: Iterable[str], output: Path, config_name: str, shard: tuple[int, int] | None = None
) -> list[FoundScene]:
    """Return the scenes that ``search`` finds; each input that names none is logged as an error."""
    return search(inputs, output, config_name, shard).scenes


def search(
    inputs: Iterable[str], output: Path, config_name: str, shard: tuple[int, int] | None = None
) -> SearchResult:
    """Return all scenes, and what is said about inputs that name no scene.

    Args:
        inputs: files, folders or patterns. ``@file`` stands for a list with one file, folder or
            pattern per line. ``-`` reads such a list from standard input.
        output: the output folder, which is not searched for scenes.
        config_name: name of the configuration; it identifies products in the output folder.
        shard: two numbers; (2, 8) means that only the second of eight parts of the scenes is
            returned. A scene's file name alone decides which part the scene belongs to.

    Raises:
        ConfigError: a list cannot be read, or an input is the address of a remote file.
        NoSceneError: no input names a scene.
    """
    looking = _Search(output, config_name)
    paths = {os.path.abspath(path) for item in inputs for path in looking.expanded(item)}
    nothing = looking.passed_over.tell(bool(paths))
    if shard is not None:
        number, count = shard
        found, paths = paths, {path for path in paths if shard_of(path, count) == number}
        if found and not paths:
            log.info("none of the %d scenes belongs to shard %d/%d", len(found), number, count)
    return SearchResult([found_at(path) for path in sorted(paths)], nothing)


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
class _Search:
    """Expands the inputs of a call into paths, and notes the files that are not scenes."""

    output: Path
    """The output folder, which is not searched for scenes."""
    config_name: str
    passed_over: PassedOver = field(default_factory=PassedOver)

    def expanded(self, item: str) -> Iterator[str]:
        """Yield the paths of an input of the command line."""
        if not item:
            raise ConfigError(
                "one of the inputs is an empty text, expected a path. Perhaps a variable of the "
                "shell is not set; correct the call."
            )
        if item == STDIN:
            if isinstance(sys.stdin, io.TextIOWrapper):  # names of files need not be UTF-8
                sys.stdin.reconfigure(errors="surrogateescape")
            yield from self._listed(sys.stdin, "standard input")
        elif item.startswith("@"):
            try:
                text = read_text(Path(item[1:]))
            except OSError as error:
                raise ConfigError(
                    f"{item}: cannot read the list ({error.strerror}). Correct the path after @."
                ) from error
            yield from self._listed(text.splitlines(), item)
        elif address_of(item) is not None and not os.path.exists(item):
            raise ConfigError(f"{item}: {why_absent(item)}.")
        elif os.path.isdir(item) and not _is_scene_folder(item):
            yield from self._in_folder(item)
        elif os.path.exists(item) or not glob.has_magic(item):
            yield item
        else:
            yield from self._matching(item)

    def _listed(self, lines: Iterable[str], name: str) -> Iterator[str]:
        entries = [line.rstrip("\n").removeprefix(BYTE_ORDER_MARK) for line in lines]
        entries = [each for each in entries if each.strip() and not each.lstrip().startswith("#")]
        if not entries:
            self.passed_over.empty_list(name)
        for entry in entries:
            if entry[0] == entry[-1] and entry[0] in "\"'" and not os.path.exists(entry):
                raise ConfigError(f"{name}: found {entry}. Remove the quotes around the path.")
            if entry == STDIN or entry.startswith("@"):
                raise ConfigError(
                    f"{name}: a list cannot contain another list ({entry!r}). Give both "
                    "lists on the command line."
                )
            yield from self.expanded(entry)

    def _matching(self, pattern: str) -> Iterator[str]:
        found = sorted(glob.iglob(pattern, recursive=True))
        yield from found
        if not found:
            plain = pattern[: re.search(r"[*?[]", pattern).start()]  # type: ignore[union-attr]
            self.passed_over.unmatched(pattern, os.path.dirname(plain) or ".")

    def _in_folder(self, folder: str) -> Iterator[str]:
        """Yield scenes at any depth; skip hidden files, hidden folders and products."""
        root, products = os.path.realpath(folder), os.path.realpath(self.output)
        # If scenes are in the output folder itself, only the names tell products from scenes.
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
                elif not _is_visible(name) or os.path.islink(path):
                    unsearched.append(path)
                elif mixed or path != products:
                    kept.append(name)
                    others += [path] * is_packed(name)
            folders[:] = kept
            unsearched += [os.path.join(here, name) for name in files if not _is_visible(name)]
            for name in filter(_is_visible, files):
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


def _is_visible(name: str) -> bool:
    # The root of a disk has the second one, which only the administrator can read.
    return not name.startswith(".") and name != "lost+found"


def _is_scene_folder(path: str) -> bool:
    return path.rstrip("/").lower().endswith(SCENE_FOLDERS)
