"""Finds the type of a file system, because a ledger must not be on a network file system."""

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

# SQLite's write-ahead log shares memory between processes, so they must be on one machine.
NETWORK_TYPES = frozenset(
    (
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs",
        "gpfs", "lustre", "mmfs", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2",
        "smb3", "smbfs", "stornext", "virtiofs", "vxfs", "wekafs",
    )
)  # fmt: skip
# File systems in user space have a type such as fuse.sshfs: "fuse." and one of these names.
FUSE_NETWORK = (
    "beegfs", "ceph", "cvmfs", "davfs", "gcsfuse", "glusterfs", "goofys", "juicefs", "mount-s3",
    "rclone", "s3fs", "smbnetfs", "sshfs", "weka",
)  # fmt: skip


def file_system(path: Path) -> str:
    """Return the file system type of an existing folder, or an empty text if it is unknown.

    Bind mounts and links are followed. If two file systems are mounted at one folder, the type
    of the last one in the table of mounts is returned.
    """
    try:
        mounts = MOUNTS.read_text()
    except OSError:
        return ""
    real, found, longest = os.path.realpath(path), "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mounted_at = _unescaped(fields[4])
        inside = real == mounted_at or real.startswith(mounted_at.rstrip("/") + "/")
        if inside and len(mounted_at) >= longest:
            longest, found = len(mounted_at), after.split()[0]
    return found


def is_network(kind: str) -> bool:
    """Return whether several machines can share a file system of this type."""
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.").startswith(FUSE_NETWORK)
    return kind in NETWORK_TYPES


def _unescaped(text: str) -> str:
    """Replace the octal codes in the table of mounts by the characters that they stand for."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
