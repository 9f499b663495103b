"""Read ``configs/formats/foreign.yaml``: formats that ocpipe does not read, and advice for each."""

import functools
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.files.archive import open_archive
from pipeline.files.regular import first_bytes

# Bytes at the start of a file, and members of an archive or folder, that are compared.
START = 1024
MOST_MEMBERS = 1000


class _NotReadError(PipelineError):
    """Raised in this module if a file cannot be examined; the reader reports the cause later."""


@dataclass(frozen=True)
class ForeignFormat:
    """The name of a format that ocpipe does not read, and advice for the user."""

    what: str
    """The format in a few words, such as ``a tar archive``."""
    way_out: str
    """The advice, in one or more whole sentences."""

    def __str__(self) -> str:
        return f"this is {self.what}, which ocpipe does not read. {self.way_out}"


@dataclass(frozen=True)
class _Conditions:
    """One entry of the table; a file has this format if all conditions of the entry hold."""

    what: str
    way_out: str
    start: str | None = None
    name: str | None = None
    container: str | None = None
    member: str | None = None

    def match(self, found: "_Content") -> ForeignFormat | None:
        """Return the format of this entry if all conditions of the entry hold, otherwise None."""
        if self.container not in (None, found.container):
            return None
        if self.start and re.match(self.start, found.start, re.DOTALL) is None:
            return None
        if self.name and re.fullmatch(self.name, found.path.name.lower()) is None:
            return None
        matches = (re.fullmatch(self.member or "", member) for member in found.members)
        member = next(filter(None, matches), None)
        if self.member and member is None:
            return None
        text = self.way_out.format(
            name=found.path.name,
            stem=found.path.stem,
            member=member.group(1) if member and member.re.groups else "",
        )
        return ForeignFormat(self.what, " ".join(text.split()))


@dataclass(frozen=True)
class _Content:
    path: Path
    start: str
    """First bytes as Latin-1; empty for a folder."""
    container: str | None
    """``zip``, ``folder``, ``hdf5`` or None."""
    members: tuple[str, ...]


def foreign_format(path: Path, hdf5_members: Iterable[str] = ()) -> ForeignFormat | None:
    """Return the format of a file or folder that ocpipe does not read; None if it is not known.

    Args:
        path: the file or folder; if it cannot be read, its format is not known.
        hdf5_members: names in the root group, if the caller has opened the file as HDF5.
    """
    try:
        content = _content_of(path, tuple(hdf5_members))
    except (OSError, _NotReadError):
        return None
    return next(filter(None, (entry.match(content) for entry in _table())), None)


def _content_of(path: Path, hdf5_members: tuple[str, ...]) -> _Content:
    if path.is_dir():
        names = (each.name for each, _ in zip(path.iterdir(), range(MOST_MEMBERS), strict=False))
        return _Content(path, "", "folder", tuple(names))
    start = first_bytes(path, START, _NotReadError).decode("latin-1")
    if hdf5_members:
        return _Content(path, start, "hdf5", hdf5_members)
    if start.startswith("PK"):
        return _Content(path, start, "zip", _members_of_zip(path))
    return _Content(path, start, None, ())


def _members_of_zip(path: Path) -> tuple[str, ...]:
    try:
        with open_archive(path, _NotReadError) as archive:
            return tuple(archive.namelist()[:MOST_MEMBERS])
    except (zipfile.BadZipFile, ValueError, NotImplementedError, _NotReadError):
        return ()


@functools.cache
def _table() -> tuple[_Conditions, ...]:
    table = read_shipped(shipped_configs() / "formats" / "foreign.yaml")
    return tuple(_Conditions(**entry) for entry in table["formats"])
