"""Says why a file that is not damaged cannot be read: for example, it is missing or locked."""

import errno
import os
import re
from pathlib import Path

# ``Path("s3://bucket/key")`` has one slash after the colon. With one slash, only a known scheme
# makes it an address. With two slashes, any scheme makes it an address.
_ADDRESS = re.compile(r"(?:.*/)?(?P<scheme>[a-z][a-z0-9+.-]+):(?P<slashes>/+)[^/]", re.IGNORECASE)
_SCHEMES = (
    "s3", "s3a", "s3n", "gs", "gcs", "az", "abfs", "abfss", "wasbs", "http", "https", "ftp", "ftps",
    "sftp", "scp", "ssh", "file", "swift", "hdfs", "dav", "davs", "webdav", "dap", "dap2", "dap4",
)  # fmt: skip
# Prefixes that GDAL uses for remote files and for files in archives.
_VSI = re.compile(r"/vsi(?P<scheme>\w+)/")

_LOCKED = (
    "another process has locked the file, probably to write it. Wait until that process has "
    "finished, then call again. If no process writes the file, the disk of the file does not "
    "support locks. Then set HDF5_USE_FILE_LOCKING=FALSE and call again"
)
_FORBIDDEN = (
    "you have no permission to read it. Change the permissions (chmod u+r), or call as a user who "
    "may read it"
)
_TOO_MANY = (
    "too many files are open. Raise the limit (ulimit -n), or process fewer scenes at a time"
)
_NOT_UTF8 = (
    "its name, or that of a folder, is not UTF-8, and the library for this format cannot open "
    "such a file. Rename it"
)
_REASONS = {
    errno.EAGAIN: _LOCKED,
    errno.EBUSY: _LOCKED,
    errno.EDEADLK: _LOCKED,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EMFILE: _TOO_MANY,
    errno.ENFILE: _TOO_MANY,
    errno.ENOENT: "it was removed or renamed during the call. Check the path",
}
# The disk or the network failed; the file itself may be undamaged.
DISK_FAILURES = (
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.ENODEV,
)
# HDF5 writes this message if the writer of a file is still at work, or did not close the file.
_BEING_WRITTEN = "file is already open for"
_LEFT_OPEN = (
    "another process is writing it, or a process ended before it closed the file. Wait until no "
    "process writes the file, then call again. If you get this error again, make or fetch a new "
    "copy of the file"
)


def why_unreadable(error: BaseException) -> str | None:
    """Return why a file cannot be read now, and what to do.

    Return None if the file may be damaged. The text has no full stop at its end.
    """
    text = str(error)
    if isinstance(error, UnicodeEncodeError):
        return _NOT_UTF8
    if _BEING_WRITTEN in text:
        return _LEFT_OPEN
    number = number_of(error)
    if number in _REASONS:
        return _REASONS[number]
    if number in DISK_FAILURES:
        return (
            f"its disk or network failed ({os.strerror(number)}). Check the disk, then call again"
        )
    return None


def number_of(error: BaseException) -> int:
    """Return the number of the system's error, or 0; HDF5 may have it only in its text."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return error.errno
    match = re.search(r"errno = (\d+)", str(error))
    return int(match.group(1)) if match else 0


def address_of(path: str | Path) -> str | None:
    """Return the scheme (``s3``, ``https`` ...) of a path that is the address of a remote file."""
    match = _ADDRESS.match(str(path))
    if match:
        scheme = match.group("scheme").lower()
        return scheme if scheme in _SCHEMES or match.group("slashes") == "//" else None
    virtual = _VSI.match(str(path))
    return f"vsi{virtual.group('scheme')}" if virtual else None


def why_absent(path: str | Path) -> str | None:
    """Return why nothing exists at this path, and what to do.

    Return None if a file or folder exists. The text has no full stop at its end.
    """
    error: OSError | ValueError
    try:
        Path(path).stat()
    except PermissionError:
        return "you have no permission to look into its folder. Change the permissions (chmod u+rx)"
    except (OSError, ValueError) as failure:  # a name with a null byte is a ValueError
        error = failure
    else:
        return None
    scheme = address_of(path)
    if scheme == "file":
        return "this is an address (file). Give the path alone, without file://"
    if scheme is not None:
        return (
            f"this is an address ({scheme}), and ocpipe reads files on this machine only. Fetch "
            "the file first, for example with curl, wget or aws s3 cp, and give its path"
        )
    if isinstance(error, OSError) and error.errno in DISK_FAILURES:
        return why_unreadable(error)
    if Path(path).is_symlink():
        return (
            f"this is a link to {Path(path).readlink()}, but no file exists there. "
            "Correct the link, or mount the disk to which it points"
        )
    bare = str(path).strip(" \t\r\n\"'")
    if bare != str(path) and Path(bare).exists():
        return f"no such file, but there is {bare}. Remove the quotes or blanks around the path"
    return "no such file. Check the path"
