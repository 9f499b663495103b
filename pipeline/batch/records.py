"""Writes the files next to the products of a batch: quality lines, failures and a summary.

All functions raise an OutputError if they cannot write the file.
"""

import contextlib
import errno
import fcntl
import json
import os
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

FAILURE_COLUMNS = ("scene", "kind", "reason", "attempts", "finished")


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append a line of JSON in one write, because other processes may append to the same file."""
    line = json.dumps(as_texts(record), separators=(",", ":")).encode() + b"\n"
    try:
        number = open_to_append(path)
        try:
            with contextlib.suppress(OSError):  # some network disks cannot lock
                fcntl.flock(number, fcntl.LOCK_EX)
            _append(number, line)
        finally:
            os.close(number)
    except OSError as error:
        raise _unwritable(path, error) from error


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
