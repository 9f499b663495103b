"""Products and a ledger that version 0.2.0 made; ``products_0_2_0/README.md`` says how."""

import contextlib
import os
import sqlite3
import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).parent / "products_0_2_0"
# Where the batch of the ledger ran.
WAS_AT = "/tmp/ocpipe-0.2.0/batch"  # noqa: S108 - nothing is written there


def unpacked_products(folder: Path) -> Path:
    """A folder with a folder for each product, which holds its input and its network, too."""
    _unpack("products", folder)
    return folder


def unpacked_batch(folder: Path) -> Path:
    """The batch that was killed, as if it had run in this folder."""
    _unpack("batch", folder)
    batch = folder / "batch"
    (batch / "good.nc").replace(batch / "in/S3.nc")
    with contextlib.closing(sqlite3.connect(batch / "out/ocpipe-ledger.sqlite")) as ledger:
        for path, mtime in ledger.execute("SELECT path, mtime_ns FROM scene").fetchall():
            if not path.endswith("S3.nc"):
                os.utime(path.replace(WAS_AT, str(batch)), ns=(mtime, mtime))
        for column in ("scene.path", "holder.output"):
            table, _, name = column.partition(".")
            statement = f"UPDATE {table} SET {name} = replace({name}, ?, ?)"
            ledger.execute(statement, (WAS_AT, str(batch)))
        ledger.commit()
    return batch


def _unpack(name: str, folder: Path) -> None:
    with tarfile.open(ARCHIVES / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
