"""Writes the files next to the products of a batch: quality lines, failures and a summary.

All functions raise an OutputError if they cannot write the file.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.batch.ledger import LedgerEntry
from pipeline.errors import OutputError
from pipeline.files.names import as_text, as_texts
from pipeline.files.replacing import open_to_append, replacing
from pipeline.files.spreadsheet import csv_line
from pipeline.machine.refusal import said_of
from pipeline.product.delivery import check_folder

# How the name of a record ends that was put aside.
_ROTATED = re.compile(r"-\d{8}T\d{6}Z(_\d+)?$")
_ENDS = ("", *(f"_{number}" for number in range(1, 1000)))
FAILURE_COLUMNS = ("scene", "kind", "reason", "attempts", "finished")


def append_line(path: Path, record: Mapping[str, Any], most_bytes: int | None = None) -> None:
    """Append a line of JSON in one write, because other processes may append to the same file.

    A file that would get larger than ``most_bytes`` is put aside, under a name with the time.
    """
    line = json.dumps(as_texts(record), separators=(",", ":")).encode() + b"\n"
    try:
        while not _appended(path, line, most_bytes):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def rotated_records(folder: Path) -> list[Path]:
    """Return the files with quality lines that were put aside, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if _ROTATED.search(path.stem))


def _appended(path: Path, line: bytes, most_bytes: int | None) -> bool:
    """Append a line; return False if the file was put aside, so that a new one is needed."""
    number = open_to_append(path)
    try:
        with contextlib.suppress(OSError):  # some network disks cannot lock
            fcntl.flock(number, fcntl.LOCK_EX)
        found = os.fstat(number)
        try:
            is_current = os.path.samestat(found, path.stat())
        except FileNotFoundError:
            is_current = False
        if not is_current:  # another process has just put it aside
            return False
        if most_bytes is not None and 0 < found.st_size > most_bytes - len(line):
            path.rename(_free_name(path))
            return False
        _append(number, line)
        return True
    finally:
        os.close(number)


def _free_name(path: Path) -> Path:
    """Return a name with the time that no file has, under which a record is put aside."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = (path.with_stem(f"{path.stem}-{now}{end}") for end in _ENDS)
    return next(name for name in names if not name.exists())


def _append(number: int, line: bytes) -> None:
    """Append a line completely, or nothing of it: a full disk may take a part."""
    end = os.fstat(number).st_size
    if os.write(number, line) < len(line):
        os.ftruncate(number, end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_failures(path: Path, failures: Iterable[LedgerEntry]) -> None:
    """Write a table of all failed scenes, with a header."""
    rows = ((e.path, e.kind, e.reason, e.attempts, e.finished) for e in failures)
    table = "".join(f"{csv_line(row)}\n" for row in (FAILURE_COLUMNS, *rows))
    _replace(path, as_text(table))


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the summary of a batch as JSON."""
    _replace(path, json.dumps(as_texts(summary), indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write a file completely, or leave it unchanged."""
    try:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    check_folder(path.parent)
    return OutputError(f"{path}: cannot be written ({said_of(error)}). Check the disk.")
