"""Makes products and a ledger with the program that is imported, and packs them beside this file.

    PYTHONPATH=.:tests:tests/batch python tests/products_0_2_0/make.py FOLDER

This was run once, with version 0.2.0. It is kept to show how the archives were made; products of
another version belong into a folder of their own.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import tarfile
import time
from pathlib import Path

import numpy as np
from batches import EPOCH, start_cold, wait_for, write_scene
from faults import KNOWS_FAULTS, Gate
from miniatures.cases import CASES, Case
from small_network import write_network

import pipeline

HERE = Path(__file__).parent
# What distinguishes products that are made of the same formats.
MORE = {
    "masks_and_window": (
        "pace_oci",
        {
            "window": {"lines": (3, 19)},
            "masks": {
                "flags": ["CLDICE"],
                "expressions": {"bright": "Rrs_443 > 0.021"},
                "dilate": {"bright": 1},
            },
        },
    ),
    "onnxruntime": ("sgli", {"engine": "onnxruntime"}),
    "tensorflow": ("sgli", {"engine": "tensorflow"}),
    "algorithm": ("sgli", {"networks": [{"name": "iops", "file": "algorithm:qaa_v6"}]}),
}
BATCH = """\
name: old
science:
  networks:
  - {name: iop, file: net.h5}
  masks: {flags: [CLDICE]}
  engine: numpy
  output: {chunk: [8, 8]}
qc: {valid_fraction_min: 0.79}
"""


def network_for(case: Case, folder: Path) -> None:
    """Write a network with two bands of the format."""
    kernels = [np.array([[0.4, -0.6, 0.2], [0.5, 0.3, -0.7]]), np.array([[0.5], [-0.4], [0.3]])]
    write_network(
        folder / "net.h5",
        bands=tuple(case.named_as.get(nm, nm) for nm in case.bands[:2]),
        kernels=kernels,
        outputs=("aph",),
        sensors=(case.sensor or "MODIS-Aqua",),
    )


def make_product(case: Case, folder: Path, **science: object) -> None:
    """Write an input, its network and its product into a folder."""
    folder.mkdir(parents=True)
    written = case.written(folder)
    network_for(case, folder)
    choice = {"name": "net", "file": "net.h5", "allow_other_sensor": True}
    config = {
        "name": "old",
        "science": {
            "reader": case.choice.model_dump(),
            "networks": [choice],
            "engine": "numpy",
            "output": {"chunk": [8, 8]},
            **science,
        },
        "execution": {"output": str(folder), "network_dirs": [str(folder)]},
    }
    pipeline.process_scene(written.path, config)


def make_batch(folder: Path) -> None:
    """Leave a batch that was killed: scenes done, suspect, failed, running and pending."""
    (folder / "in").mkdir(parents=True)
    (folder / "old.yaml").write_text(BATCH)
    write_network(folder / "net.h5")
    for number in range(6):
        write_scene(folder / f"in/S{number}.nc", (10, 12), seed=number)
    whole = (folder / "in/S1.nc").read_bytes()
    (folder / "in/S1.nc").write_bytes(whole[: len(whole) // 2])
    command = ("batch", folder / "old.yaml", folder / "in", "-o", folder / "out", "--networks",
               folder, "--workers", "1", "--threads", "1")  # fmt: skip
    first = start_cold(*command, "--limit", "3")
    assert first.wait() in (0, 1)
    scene = folder / "in/S3.nc"
    good = scene.replace(folder / "good.nc")
    gate = Gate(scene, good)
    gate.close()
    second = start_cold(*command, **KNOWS_FAULTS | {"PYTHONPATH": _with_faults()})
    wait_for(gate.is_reached)
    second.send_signal(signal.SIGKILL)
    second.wait()
    time.sleep(2)  # the kernel ends its child
    scene.with_name(f"{scene.name}.happened").unlink()
    with contextlib.closing(sqlite3.connect(folder / "out/ocpipe-ledger.sqlite")) as ledger:
        ledger.execute("UPDATE holder SET host = 'old'")
        ledger.commit()
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found = ledger.execute("SELECT state FROM scene ORDER BY path").fetchall()
    assert [s for (s,) in found] == ["done", "failed", "done", "running", "pending", "pending"]


def _with_faults() -> str:
    return os.pathsep.join([os.environ["PYTHONPATH"], KNOWS_FAULTS["PYTHONPATH"]])


def pack(archive: Path, *folders: Path) -> None:
    """Pack folders, with no name of a user of this machine."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(archive, "w:xz", preset=9) as file:
        for folder in folders:
            file.add(folder, arcname=folder.name, filter=plain)


def main(folder: Path) -> None:
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    shutil.rmtree(folder, ignore_errors=True)
    for name, case in CASES.items():
        make_product(case, folder / name)
    for name, (case, science) in MORE.items():
        make_product(CASES[case], folder / name, **science)
    pack(HERE / "products.tar.xz", *sorted(folder.iterdir()))
    make_batch(folder / "batch")
    pack(HERE / "batch.tar.xz", folder / "batch")


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]).absolute())
