"""What kind of container a file is, found from its first bytes and its groups."""

from pathlib import Path

import h5py

from pipeline.errors import DAMAGE, SceneError
from pipeline.readers.enclosed import check_enclosed

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_SIGNATURES = {
    HDF5_SIGNATURE: "HDF5",
    b"CDF": "netCDF-3",
    b"\x0e\x03\x13\x01": "HDF4",
    **dict.fromkeys(TIFF_SIGNATURES, "TIFF"),
    b"PK\x03\x04": "a zip archive",
}


def is_hdf5(path: Path) -> bool:
    """Whether the file starts as HDF5 (and so netCDF-4) files do."""
    return _first_bytes(path).startswith(HDF5_SIGNATURE)


def is_netcdf3(path: Path) -> bool:
    """Whether the file starts as classic netCDF files do."""
    return _first_bytes(path).startswith(b"CDF")


def is_tiff(path: Path) -> bool:
    """Whether the file starts as TIFF or BigTIFF files do."""
    return _first_bytes(path).startswith(TIFF_SIGNATURES)


def describe_content(path: Path) -> str:
    """The content in words, for a message.

    Raises:
        SceneError: the file is empty, or an HDF5 file that the library cannot open or that leads
            out of itself.
    """
    if path.is_dir():
        return "a folder"
    if not path.is_file():
        raise SceneError(f"{path.name}: neither a file nor a folder. Give a scene.")
    start = _first_bytes(path)
    if not start:
        raise SceneError(f"{path.name}: the file is empty. Fetch it again.")
    if start.startswith(HDF5_SIGNATURE):
        return _describe_hdf5(path)
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return kind
    text = start.isascii() and b"\x00" not in start
    return "a text file" if text else f"of unknown kind (first bytes {start[:4].hex(' ')})"


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise SceneError(f"{path}: cannot be read: {error.strerror}.") from error


def _describe_hdf5(path: Path) -> str:
    try:
        with h5py.File(path, "r") as file:
            check_enclosed(file)
            members = ", ".join(sorted(file)[:8]) or "nothing"
    except DAMAGE as error:
        raise SceneError(
            f"{path.name}: a netCDF-4 or HDF5 file that cannot be opened, probably cut short "
            f"while it was copied ({error}). Fetch it again."
        ) from error
    return f"netCDF-4 or HDF5 with {members} at its root"
