"""Check that an HDF5 file refers to no other file, contains no circle and no huge chunk.

An HDF5 file can refer to other files by links, external storage or virtual variables. The numbers
of other files then look like numbers of this file. A product records the hash of one file, so no
other file may be read for it. If a group contained itself, a walk through the groups
would never end. A recursion that fails inside h5py never releases h5py's lock.
"""

import math
from dataclasses import dataclass, field

import h5py
from h5py import h5d, h5l, h5o

from pipeline.errors import PipelineError
from pipeline.files.counts import MOST_OBJECTS
from pipeline.files.limits import CHUNK_BYTES

# Largest depth of groups within groups; readers use at most three.
DEEPEST = 32


def check_enclosed(file: h5py.File, name: str, error: type[PipelineError]) -> None:
    """Refuse a file that refers to other files or whose groups form a circle.

    No numbers of the file are read. The exception is of class ``error``; its message contains
    ``name``.
    """
    walk = _Walk(file, {h5o.get_info(file.id).addr})
    found = file.id.links.visit(walk.of_link, info=True)
    found = found or next(filter(None, map(walk.of_soft_link, walk.soft)), None)
    found = found or walk.of_root() or h5o.visit(file.id, walk.of_object, info=True)
    if found is not None:
        raise error(f"{name}: {found}")


@dataclass
class _Walk:
    """Visits the links and objects of a file; each step returns a complaint or None."""

    file: h5py.File
    addresses: set[int]
    """Addresses of the objects for which a name was found."""
    again: set[int] = field(default_factory=set)
    """Addresses of the objects that have several names."""
    soft: list[bytes] = field(default_factory=list)
    """Names of soft links, whose targets may be missing."""
    links: int = 0
    """Number of links so far."""

    def of_link(self, name: bytes, link: h5l.LinkInfo) -> str | None:
        """Check a link. Keep the name of a soft link, and the target address of a hard link."""
        self.links += 1
        if self.links > MOST_OBJECTS:
            return f"the file has more than {MOST_OBJECTS:,} names of objects. Remove some"
        if link.type == h5l.TYPE_SOFT:
            self.soft.append(name)
        elif link.type == h5l.TYPE_HARD:
            (self.again if link.u in self.addresses else self.addresses).add(link.u)
        else:
            to = self.file.get(name, getlink=True)
            is_known = isinstance(to, h5py.ExternalLink)
            place = f"points to {to.path} in {to.filename}" if is_known else "is in another file"
            return _leads_out(name, place)
        if name.count(b"/") >= DEEPEST:
            return (
                f"groups are nested more than {DEEPEST} deep ({_shown(name)}). The file is "
                "damaged, or not of this format."
            )
        return None

    def of_soft_link(self, name: bytes) -> str | None:
        """Check a link within the file; links to other files were refused before."""
        try:
            is_group = self.file.get(name, getclass=True) is h5py.Group
        except (KeyError, RuntimeError):
            return None
        return _second_name(name) if is_group else None

    def of_root(self) -> str | None:
        """Check the root group; no link should point to it."""
        return _second_name(b"/") if h5o.get_info(self.file.id).addr in self.again else None

    def of_object(self, name: bytes, found: h5o.ObjInfo) -> str | None:
        """Check a group or a variable."""
        if found.type == h5o.TYPE_GROUP:
            return _second_name(name) if found.addr in self.again else None
        if found.type != h5o.TYPE_DATASET:
            return None
        dataset = h5d.open(self.file.id, name)
        stored = dataset.get_create_plist()
        if stored.get_layout() == h5d.VIRTUAL:
            return _leads_out(name, "is a virtual variable, composed of other variables")
        if stored.get_external_count():
            return _leads_out(name, f"is stored in {_shown(stored.get_external(0)[0])}")
        if stored.get_layout() == h5d.CHUNKED:
            # The libraries allocate a whole chunk; if memory is too small for it, some end the
            # process.
            nbytes = math.prod(stored.get_chunk()) * dataset.get_type().get_size()
            return CHUNK_BYTES.complaint(nbytes, f"a storage chunk of {_shown(name)}")
        return None


def _leads_out(name: bytes, how: str) -> str:
    return (
        f"{_shown(name)} {how}. Numbers in other files are not read, because a product records the "
        "hash of one file. Copy the numbers into this file."
    )


def _second_name(name: bytes) -> str:
    return (
        f"the group {_shown(name)} can be reached under two names. This is refused, because a "
        "group could then contain itself. The file is damaged, or not of this format."
    )


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
