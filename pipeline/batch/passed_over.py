"""Reports what a search for scenes skips, and the inputs that name no scene.

An empty folder may be a disk that is not mounted, so an input without a scene is an error, unless
the call says that inputs may be empty.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import NoSceneError
from pipeline.facts.foreign_formats import foreign_format
from pipeline.machine.refusal import refused_by_machine, said_of

log = logging.getLogger(__name__)

# Endings of folders with one array in many files; a search in them would take a long time.
STORES = (".zarr",)
# Endings of folders that may have scenes and also files that ocpipe does not read.
_AROUND = (".safe",)
# Endings of files and folders that may contain a scene in a format that ocpipe does not read.
_PACKED = (
    ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".z", ".zst", ".7z", ".rar",
    ".dim", ".n1", *STORES, *_AROUND,
)  # fmt: skip
# Endings that programs give to files while they fetch them.
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".filepart", ".tmp")
_MOUNT = "If scenes should be there, mount the disk or correct the path."
# Largest number of files that a message describes, and of other files that it names.
_DESCRIBED, _NAMED = 3, 5


def is_packed(name: str) -> bool:
    """Return whether a name belongs to an archive, or to a scene that ocpipe cannot read."""
    return name.lower().endswith(_PACKED)


@dataclass
class PassedOver:
    """The contents of a call's inputs that are not scenes."""

    may_be_empty: bool = False
    """Whether an input may be without scenes if it can be searched."""
    _packed: list[str] = field(default_factory=list)
    """Paths of archives that must be unpacked, and of data in formats that ocpipe cannot read."""
    _nothing: list[str] = field(default_factory=list)
    """A sentence for each input that names no scene."""
    _empty: list[str] = field(default_factory=list)
    """A sentence for each input that has no scene and may be without scenes."""
    _notes: list[str] = field(default_factory=list)
    """Sentences about inputs that name scenes."""

    def empty_list(self, name: str) -> None:
        """Record that a list contains no paths."""
        self._without_scene(f"{name} contains no paths.")

    def unreadable(self, error: OSError) -> None:
        """Record that a folder cannot be searched.

        Raises:
            MachineError: the reason is the machine (for example, too many open files), so other
                folders may be missed, too.
        """
        refused = refused_by_machine(error)
        if refused is not None:
            raise refused from error
        why = f"{error.filename}: this folder cannot be searched ({said_of(error)})."
        self._nothing.append(f"{why} Check its permissions and its disk.")

    def in_folder(
        self, folder: str, others: Sequence[str], unsearched: Sequence[str], *, has_scenes: bool
    ) -> None:
        """Record the contents of a folder that are not scenes.

        Args:
            folder: the folder, for messages.
            others: paths of files and folders that are not scenes.
            unsearched: paths of hidden files, hidden folders and links to folders.
            has_scenes: whether the folder has scenes too.
        """
        links = [path for path in unsearched if _leads_out_of(folder, path)]
        if links:
            (self._notes if has_scenes else self._nothing).append(
                f"{folder} has links to folders, which are not searched: {_listed(links)}. To "
                "process their scenes, give these folders as inputs."
            )
        packed = [path for path in others if is_packed(path) and not _is_unpacked(path)]
        if has_scenes:
            packed = [path for path in packed if not path.lower().endswith(_AROUND)]
        self._packed += packed
        if has_scenes:
            return
        unfinished = [path for path in others if path.lower().endswith(_UNFINISHED)]
        if not others and not links:
            but = f" but hidden ones ({_listed(unsearched)})" if unsearched else ""
            self._without_scene(f"{folder} has no files{but}. {_MOUNT}")
        elif unfinished:
            self._without_scene(
                f"{folder} has files that are not fetched completely ({_listed(unfinished)}). "
                "Wait until they are complete, or fetch them again."
            )
        elif packed:
            self._nothing.append(f"{folder} has no scene that ocpipe can read as it is.")
        elif others:
            self._without_scene(
                f"{folder} has {_counted(others)}, and none is a scene. Scenes end in .nc, .h5, "
                ".hdf, .tif or .SEN3; a file with another ending must be given by its own path."
            )

    def unmatched(self, pattern: str, folder: str) -> None:
        """Record that a pattern matches nothing, and which files are in ``folder``."""
        if not os.path.isdir(folder):
            self._nothing.append(f"no path matches {pattern}, and there is no folder {folder}.")
            return
        try:
            names = [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
        except OSError as error:
            self.unreadable(error)
            return
        if names:
            self._without_scene(
                f"no path matches {pattern}; {folder} has {_counted(names)}. Correct the pattern."
            )
        else:
            self._without_scene(f"no path matches {pattern}; {folder} has no files. {_MOUNT}")

    def tell(self, found_scenes: bool) -> list[str]:
        """Report the files that are not scenes.

        Returns:
            A sentence for each input that names no scene; each was logged as an error.

        Raises:
            NoSceneError: no input names a scene.
        """
        packed = list(self._about_packed())
        for sentence in self._empty:
            log.info("nothing to process: %s", sentence)
        if not found_scenes and (self._nothing or not self._empty):
            sentences = " ".join((*self._nothing, *self._notes, *packed))
            raise NoSceneError(f"no scene was found: {sentences}")
        for sentence in self._nothing:
            log.error("an input names no scene: %s", sentence)
        for sentence in (*self._notes, *packed):
            log.warning("%s", sentence)
        return list(self._nothing)

    def _without_scene(self, sentence: str) -> None:
        (self._empty if self.may_be_empty else self._nothing).append(sentence)

    def _about_packed(self) -> Iterator[str]:
        for path in self._packed[:_DESCRIBED]:
            foreign = foreign_format(Path(path))
            yield f"{path}: {foreign or 'not a scene that ocpipe reads. Unpack it.'}"
        more = self._packed[_DESCRIBED:]
        if more:
            yield f"The same applies to {_counted(more)}."


def _leads_out_of(folder: str, path: str) -> bool:
    """Return whether ``path`` is a visible link to a folder that is not inside ``folder``."""
    if os.path.basename(path).startswith(".") or not os.path.isdir(path):
        return False
    return not os.path.realpath(path).startswith(f"{os.path.realpath(folder)}/")


def _is_unpacked(path: str) -> bool:
    """Return whether an archive was unpacked in its folder; such an archive is not reported."""
    stem = os.path.splitext(path)[0].removesuffix(".tar")
    return any(os.path.exists(f"{stem}{ending}") for ending in ("", ".SEN3", ".nc", ".h5"))


def _counted(paths: Sequence[str]) -> str:
    """Return the number of files and the first names: ``7 files (a.txt, b.txt and 5 others)``."""
    return f"{len(paths)} file{'s' * (len(paths) != 1)} ({_listed(paths)})"


def _listed(paths: Sequence[str]) -> str:
    """Return the first names: ``a.txt, b.txt and 5 others``."""
    names = [os.path.basename(path) for path in paths[:_NAMED]]
    more = f" and {len(paths) - _NAMED} others" if len(paths) > _NAMED else ""
    return f"{', '.join(names)}{more}"
