"""A ledger on a network file system is refused."""

import pytest

from pipeline.batch import filesystem
from pipeline.batch.filesystem import file_system, is_network
from pipeline.batch.ledger import Ledger
from pipeline.errors import LedgerError

# Lines as Linux writes them (proc(5)): id, parent, device, root, place, options - type, source.
MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / {folder}/net rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
31 22 0:41 / {folder}/net/inside rw - tmpfs tmpfs rw
32 22 0:42 / {folder}/my\\040files rw - fuse.sshfs me@host:/ rw
33 22 0:43 / {folder}/over rw - ext4 /dev/vdb rw
34 33 0:44 / {folder}/over rw - lustre 10.0.0.1@tcp:/fs rw
35 22 0:45 / {folder}/overlay rw - fuse.fuse-overlayfs none rw
"""


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    """Folders, and a table that says what is mounted there."""
    for name in ("net", "net/inside", "my files", "over", "overlay", "network"):
        (tmp_path / name).mkdir()
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS.format(folder=tmp_path))
    monkeypatch.setattr(filesystem, "MOUNTS", table)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "network"),
    [
        ("", "ext4", False), ("net", "nfs4", True), ("net/inside", "tmpfs", False),
        ("my files", "fuse.sshfs", True), ("over", "lustre", True),
        ("overlay", "fuse.fuse-overlayfs", False), ("network", "ext4", False),
    ],
)  # fmt: skip
def test_the_nearest_and_last_mount_counts(mounts, name, kind, network):
    """A folder whose name only begins like a mounted one is not on it."""
    assert file_system(mounts / name) == kind
    assert is_network(kind) is network


def test_links_are_followed(mounts):
    """It is where the files are that counts."""
    (mounts / "link").symlink_to(mounts / "net")
    assert file_system(mounts / "link") == "nfs4"


def test_a_ledger_there_is_refused_with_advice(mounts):
    """Naming the file system and three ways out; nothing is made there."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open(mounts / "net" / "ledger.sqlite")
    for words in ("nfs4", "--ledger", "--shard", "--executor dask"):
        assert words in str(caught.value)
    assert list((mounts / "net").glob("ledger*")) == []


def test_this_machine_says_what_it_has():
    """The real table is read, and it names a type."""
    assert file_system(filesystem.MOUNTS.parent) == "proc"
