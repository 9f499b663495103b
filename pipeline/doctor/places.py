"""Checks folders: networks, products and temporary files."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.batch.filesystem import file_system, is_network
from pipeline.doctor.check import Check
from pipeline.errors import NetworkError
from pipeline.machine.resources import in_words
from pipeline.networks.reading.folder_contents import networks_in
from pipeline.networks.reading.library import ENVIRONMENT_VARIABLE, network_folders

# Bytes that are written and read to measure a disk.
MEASURED = 64 * 1024**2
_PART = 4 * 1024**2
LEAST_FREE = 2_000_000_000
_SET = f"Give it with --networks, or correct {ENVIRONMENT_VARIABLE}."


def check_network_folders(first: Sequence[Path]) -> Iterator[Check]:
    """Yield a check of each folder with networks."""
    folders = network_folders(tuple(first))
    if not folders:
        text = f"no folder; set {ENVIRONMENT_VARIABLE}, or give --networks to each command"
        yield Check("networks", "ok", text)
    for folder in folders:
        yield _network_folder(folder)


def _network_folder(folder: Path) -> Check:
    if not folder.is_dir():
        return Check("networks", "failed", f"{folder}: no such folder. {_SET}")
    try:
        found = list(networks_in([folder]))
    except NetworkError as error:
        return Check("networks", "failed", str(error))
    broken = [each for each in found if each.retrieval is None]
    good = [each.retrieval for each in found if each.retrieval is not None]
    sensors = sorted({sensor for network in good for sensor in network.sensors})
    text = f"{folder}: {len(good)} networks for {', '.join(sensors) or 'no sensor'}"
    if broken:
        text = f"{text}; {len(broken)} cannot be read, the first is {broken[0].problem}"
    return Check("networks", "ok" if good and not broken else "warning", text)


def check_output(folder: Path) -> Iterator[Check]:
    """Yield checks of a folder for products: its space, file system, and speed of its disk."""
    if not folder.is_dir():
        yield Check("output", "warning", f"{folder}: no such folder yet; a run makes it.")
        return
    folder = folder.absolute()
    kind = file_system(folder)
    free = shutil.disk_usage(folder).free
    text = f"{folder}: {in_words(free)} free, file system {kind or 'unknown'}"
    if is_network(kind):
        text += "; a batch needs --ledger on a local disk"
    yield Check("output", "warning" if free < LEAST_FREE else "ok", text)
    yield _speed(folder, free)


def _speed(folder: Path, free: int) -> Check:
    """Write and read a file without a name, so that no file is left behind."""
    if free < 2 * MEASURED:
        return Check("disk", "failed", f"{folder}: the disk is full. Free space on it.")
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            part = os.urandom(_PART)
            start = time.perf_counter()
            for _ in range(MEASURED // _PART):
                file.write(part)
            os.fsync(file.fileno())
            written = time.perf_counter()
            with contextlib.suppress(OSError, AttributeError):  # read the disk, not memory
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            begin = time.perf_counter()
            while file.read(_PART):
                pass
            read = time.perf_counter()
    except OSError as error:
        reason = f"{folder}: cannot be written ({error.strerror or error})"
        return Check("disk", "failed", f"{reason}. Choose another folder, or change permissions.")
    rates = [in_words(MEASURED / seconds) for seconds in (written - start, read - begin)]
    return Check("disk", "ok", f"{folder}: writes {rates[0]} per second, reads {rates[1]}")


def check_temporary() -> Check:
    """Check whether the folder for temporary files can be used."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"\0" * 4096)
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        advice = "Set TMPDIR to a folder that can be written."
        return Check("temporary", "failed", f"{error.strerror or error}. {advice}")
    return Check("temporary", "ok", f"{folder}: {in_words(free)} free")
