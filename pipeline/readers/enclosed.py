"""Whether an HDF5 file holds all that it shows, and its groups lead to an end.

HDF5 lets a file name others, whose numbers then look like its own: by links, as storage, as parts
of a virtual variable. A product records the hash of one file, so nothing else may be read for it.
A group that holds itself sends whoever walks through the groups round in a circle, and a recursion
that breaks off inside h5py leaves its lock taken for good.
"""

from dataclasses import dataclass, field
from pathlib import Path

import h5py
from h5py import h5d, h5l, h5o

from pipeline.errors import SceneError

# Groups within groups; readers look no deeper than three.
DEEPEST = 32


def check_enclosed(file: h5py.File) -> None:
    """Refuse a file that leads out of itself, or in circles; reads no numbers.

    Raises:
        SceneError: it does; the message names the place.
    """
    walk = _Walk(file, {h5o.get_info(file.id).addr})
    found = file.id.links.visit(walk.of_link, info=True)
    found = found or next(filter(None, map(walk.of_soft_link, walk.soft)), None)
    found = found or walk.of_root() or h5o.visit(file.id, walk.of_object, info=True)
    if found is not None:
        raise SceneError(f"{Path(file.filename).name}: {found}")


@dataclass
class _Walk:
    """Through the links of a file, then through its objects, each once; says what is wrong."""

    file: h5py.File
    addresses: set[int]
    """Where objects lie that have a name."""
    again: set[int] = field(default_factory=set)
    """Where objects lie that have several."""
    soft: list[bytes] = field(default_factory=list)

    def of_link(self, name: bytes, link: h5l.LinkInfo) -> str | None:
        """Of any link."""
        if link.type == h5l.TYPE_SOFT:
            self.soft.append(name)
        elif link.type == h5l.TYPE_HARD:
            (self.again if link.u in self.addresses else self.addresses).add(link.u)
        else:
            to = self.file.get(name, getlink=True)
            is_known = isinstance(to, h5py.ExternalLink)
            return _leads_out(
                name, f"is {to.path} of {to.filename}" if is_known else "is elsewhere"
            )
        if name.count(b"/") >= DEEPEST:
            return (
                f"groups lie within groups, more than {DEEPEST} deep ({_shown(name)}). The file is "
                "damaged, or not what it seems to be."
            )
        return None

    def of_soft_link(self, name: bytes) -> str | None:
        """Of a link within the file, which may lead to nothing; nothing leads out by now."""
        try:
            is_group = self.file.get(name, getclass=True) is h5py.Group
        except (KeyError, RuntimeError):
            return None
        return _second_name(name) if is_group else None

    def of_root(self) -> str | None:
        """Of the group that has no name."""
        return _second_name(b"/") if h5o.get_info(self.file.id).addr in self.again else None

    def of_object(self, name: bytes, found: h5o.ObjInfo) -> str | None:
        """Of a group or a variable."""
        if found.type == h5o.TYPE_GROUP:
            return _second_name(name) if found.addr in self.again else None
        if found.type != h5o.TYPE_DATASET:
            return None
        stored = h5d.open(self.file.id, name).get_create_plist()
        if stored.get_layout() == h5d.VIRTUAL:
            return _leads_out(name, "is virtual, put together from other variables")
        if stored.get_external_count():
            return _leads_out(name, f"is stored in {_shown(stored.get_external(0)[0])}")
        return None


def _leads_out(name: bytes, how: str) -> str:
    return (
        f"{_shown(name)} {how}. Only what the file itself holds is read, for a product records the "
        "hash of one file. Copy the numbers into the file."
    )


def _second_name(name: bytes) -> str:
    return (
        f"the group {_shown(name)} has a second name, so that groups may lie within themselves. "
        "The file is damaged, or not what it seems to be."
    )


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
