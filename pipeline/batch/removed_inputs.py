"""Distinguishes removed scenes from scenes whose disk is not mounted now."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Inputs:
    """Missing scenes: scenes that were removed, and scenes whose disk may not be mounted."""

    removed: set[str] = field(default_factory=set)
    """Paths of scenes that were removed: their folder or other folders on the disk exist."""
    unsure: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Folder -> number of missing scenes below it; the disk of the folder may not be mounted."""


def look_at(paths: Iterable[str], removed_below: Sequence[str] = ()) -> Inputs:
    """Look for the files of scenes; each folder is listed once.

    A scene was removed if its folder still has other files. If the folder is missing, too, the
    scene was removed if another scene exists below the nearest existing parent folder, on the same
    disk. An empty folder may be the mount point of a disk that is not mounted.

    Args:
        paths: absolute paths of scenes.
        removed_below: folders whose missing scenes were certainly removed.
    """
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, name = os.path.split(path)
        by_folder[folder].append(name)
    listed = {folder: _names_in(folder) for folder in by_folder}
    disks = {
        folder: _disk_of(folder)
        for folder, names in by_folder.items()
        if not listed[folder].isdisjoint(names)
    }
    found = Inputs()
    for folder, names in by_folder.items():
        missing = [name for name in names if name not in listed[folder]]
        if not missing:
            continue
        above = _first_existing(folder)
        is_sure = any(_is_below(folder, each) for each in removed_below)
        is_sure |= bool(listed[folder]) if above == folder else _has_scene(above, disks)
        if is_sure:
            found.removed |= {os.path.join(folder, name) for name in missing}
        else:
            found.unsure[above] += len(missing)
    return found


def _names_in(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _disk_of(folder: str) -> int | None:
    try:
        return os.stat(folder).st_dev
    except OSError:
        return None


def _first_existing(folder: str) -> str:
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _has_scene(above: str, disks: dict[str, int | None]) -> bool:
    """Return whether a scene exists below a folder, on the disk of this folder."""
    disk = _disk_of(above)
    return any(other == disk and _is_below(folder, above) for folder, other in disks.items())


def _is_below(folder: str, above: str) -> bool:
    return folder == above or folder.startswith(above.rstrip("/") + "/")
