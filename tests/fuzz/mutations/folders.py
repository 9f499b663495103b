"""A folder whose files are missing, exchanged, or elsewhere."""

import os
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from fuzz.outside import Outside

if TYPE_CHECKING:
    from fuzz.mutations import Mutation

UNREAD = ("time_coordinates.nc", "xfdumanifest.xml")


def of_member(mutation: "Mutation") -> "Mutation":
    """A mutation of one of the folder's files."""

    def mutated(path: Path, draw: Random, outside: Outside) -> str:
        member = _member(path, draw)
        return f"{member.name}: {mutation(member, draw, outside)}"

    return mutated


def _member(path: Path, draw: Random) -> Path:
    return draw.choice(sorted(p for p in path.glob("*.nc") if p.name not in UNREAD))


def delete_member(path: Path, draw: Random, _: Outside) -> str:
    """A file is missing."""
    member = _member(path, draw)
    member.unlink()
    return f"without {member.name}"


def empty_member(path: Path, draw: Random, _: Outside) -> str:
    """A file without a byte."""
    member = _member(path, draw)
    member.write_bytes(b"")
    return f"{member.name} is empty"


def rename_member(path: Path, draw: Random, _: Outside) -> str:
    """A file by another name."""
    member = _member(path, draw)
    new = draw.choice(
        (member.name.upper(), "Oa99_reflectance.nc", "Oa07_reflectance.nc", "w_aer.nc")
    )
    member.rename(path / new)
    return f"{member.name} as {new}"


def swap_members(path: Path, draw: Random, _: Outside) -> str:
    """Two files by each other's name."""
    first, second = _member(path, draw), _member(path, draw)
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    return f"{first.name} and {second.name}"


def member_of_another_kind(path: Path, draw: Random, _: Outside) -> str:
    """A text, an archive or a folder where a file was, or a pipe that nobody writes to."""
    member = _member(path, draw)
    member.unlink()
    kind = draw.choice(("text", "archive", "folder", "pipe", "itself"))
    match kind:
        case "text":
            member.write_text("not found\n")
        case "archive":
            member.write_bytes(b"PK\3\4" + draw.randbytes(100))
        case "folder":
            member.mkdir()
        case "pipe":
            os.mkfifo(member)
        case _:
            member.symlink_to(member.name)
    return f"{member.name} is a {kind}"


def link_member(path: Path, draw: Random, outside: Outside) -> str:
    """A file that is a link to one outside: whoever made the folder so wants it read."""
    member = _member(path, draw)
    elsewhere = outside.allowed / "moved.nc"
    member.rename(elsewhere)
    member.symlink_to(elsewhere)
    return f"{member.name} lies elsewhere"
