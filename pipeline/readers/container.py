"""The container of a file (HDF5, netCDF-3, TIFF ...), recognised by its first bytes."""

import codecs
import itertools
from pathlib import Path

from pipeline.errors import DAMAGE, DamagedError, SceneError
from pipeline.files.access import why_unreadable
from pipeline.files.hdf5 import open_hdf5
from pipeline.files.regular import first_bytes
from pipeline.files.superblock import SIGNATURE as HDF5_SIGNATURE
from pipeline.readers.damage import failed_to_read

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_SIGNATURES = {
    HDF5_SIGNATURE: "HDF5",
    b"CDF": "netCDF-3",
    **dict.fromkeys(TIFF_SIGNATURES, "TIFF"),
}


def is_hdf5(path: Path) -> bool:
    """Whether the file starts like an HDF5 (or netCDF-4) file."""
    return _first_bytes(path).startswith(HDF5_SIGNATURE)


def is_netcdf3(path: Path) -> bool:
    """Whether the file starts like a classic netCDF file."""
    return _first_bytes(path).startswith(b"CDF")


def is_tiff(path: Path) -> bool:
    """Whether the file starts like a TIFF or BigTIFF file."""
    return _first_bytes(path).startswith(TIFF_SIGNATURES)


def describe_content(path: Path) -> str:
    """Describe a file's content in words for a message; refuse a file that cannot be a scene."""
    if path.is_dir():
        scenes = sum(1 for _ in itertools.islice(path.glob("*.nc"), 1000))
        hint = f" with {scenes} .nc files (use ocpipe batch to process all scenes in a folder)"
        return f"a folder{hint if scenes else ' without .nc files'}"
    if not path.is_file():
        raise SceneError(f"{path.name}: neither a file nor a folder. Give the path of a scene.")
    start = _first_bytes(path)
    if not start:
        raise DamagedError(f"{path.name}: the file is empty. Fetch it again.")
    if start.startswith(HDF5_SIGNATURE):
        return _describe_hdf5(path)
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return kind
    line = _text_of(start)
    if line is None:
        return f"of unknown kind (first bytes {start[:4].hex(' ')})"
    return f"a text file that begins with {line!r}" if line else "a text file"


def _text_of(start: bytes) -> str | None:
    """Return the first line of a text file, or None if the file is not text."""
    if b"\x00" in start:
        return None
    try:
        # The last character may be cut in two; only the characters before it are used.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        return None
    return text.strip().partition("\n")[0].strip()


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        return b""
    try:
        return first_bytes(path, 64, SceneError)
    except OSError as error:
        raise failed_to_read(error) from error


def _describe_hdf5(path: Path) -> str:
    try:
        with open_hdf5(path, SceneError) as file:
            members = ", ".join(sorted(file)[:8]) or "nothing"
    except DAMAGE as error:
        if why_unreadable(error) is not None:
            raise failed_to_read(error) from error
        raise DamagedError(
            f"{path.name}: the netCDF-4 or HDF5 file cannot be opened ({error}). It was "
            "probably cut short while it was copied; fetch it again."
        ) from error
    return f"netCDF-4 or HDF5 with {members} at its root"


def hdf5_members(path: Path) -> tuple[str, ...]:
    """Return the names in the root group; empty for a file that is not HDF5."""
    if not is_hdf5(path):
        return ()
    with open_hdf5(path, SceneError) as file:
        return tuple(file)
