"""Whether an input is still what it was: size and time of change, and the hash of its bytes."""

import hashlib
from pathlib import Path


def sha256_of(source: Path) -> str:
    """Of a file's bytes; of a folder, of the names and bytes of all files in it."""
    if not source.is_dir():
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    together = hashlib.sha256()
    for path in _files(source):
        together.update(f"{path.relative_to(source).as_posix()}\0{sha256_of(path)}\n".encode())
    return together.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def identity_of(source: Path) -> tuple[int, int]:
    """Total size and latest change (ns)."""
    found = [path.stat() for path in (_files(source) if source.is_dir() else [source])]
    return sum(s.st_size for s in found), max((s.st_mtime_ns for s in found), default=0)
