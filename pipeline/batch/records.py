"""Writes the files next to the products of a batch: quality lines, failures and a summary.

Several configurations may write to one folder, with one ledger or with several. So each function
replaces only the parts about the given configurations. A file is not written if its content would
stay the same. All functions raise an OutputError if they cannot write the file.
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
from pipeline.errors import OutputError, PipelineError
from pipeline.files.contents import read_text
from pipeline.files.names import as_text, as_texts
from pipeline.files.replacing import open_to_append, replacing
from pipeline.files.spreadsheet import csv_line, csv_rows
from pipeline.machine.refusal import said_of
from pipeline.product.delivery import check_folder

FAILURE_COLUMNS = ("configuration", "scene", "kind", "reason", "attempts", "finished")
# Ending of the name of a record that was renamed because it was too large.
_ROTATED = re.compile(r"-\d{8}T\d{6}Z(_\d+)?$")
_ENDS = ("", *(f"_{number}" for number in range(1, 1000)))


def append_line(path: Path, record: Mapping[str, Any], most_bytes: int | None = None) -> None:
    """Append a line of JSON in one write, because other processes may append to the same file.

    If the file would get larger than ``most_bytes``, it is renamed and a new file begins. The new
    name contains the time.
    """
    line = json.dumps(as_texts(record), separators=(",", ":")).encode() + b"\n"
    try:
        while not _appended(path, line, most_bytes):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def rotated_records(folder: Path) -> list[Path]:
    """Return the renamed files with quality lines, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if _ROTATED.search(path.stem))


def _appended(path: Path, line: bytes, most_bytes: int | None) -> bool:
    """Append a line; return False if the file was renamed and a new file is needed."""
    number = open_to_append(path)
    try:
        with contextlib.suppress(OSError):  # some network disks cannot lock
            fcntl.flock(number, fcntl.LOCK_EX)
        found = os.fstat(number)
        try:
            is_current = os.path.samestat(found, path.stat())
        except FileNotFoundError:
            is_current = False
        if not is_current:  # another process has just renamed the file
            return False
        if most_bytes is not None and 0 < found.st_size > most_bytes - len(line):
            path.rename(_free_name(path))
            return False
        _append(number, line)
        return True
    finally:
        os.close(number)


def _free_name(path: Path) -> Path:
    """Return an unused name with the present time, for a record that is too large."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = (path.with_stem(f"{path.stem}-{now}{end}") for end in _ENDS)
    return next(name for name in names if not name.exists())


def _append(number: int, line: bytes) -> None:
    """Append a whole line or nothing, although a full disk may accept only a part of the line."""
    end = os.fstat(number).st_size
    if os.write(number, line) < len(line):
        os.ftruncate(number, end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_failures(path: Path, failures: Mapping[str, Iterable[LedgerEntry]]) -> None:
    """Write a table of the failed scenes of each configuration, with a header.

    Rows of other configurations, which another ledger wrote, are kept.
    """
    kept = [row for row in _rows(path) if row[0] not in failures]
    rows = [
        (name, e.path, e.kind, e.reason, e.attempts, e.finished)
        for name, entries in failures.items()
        for e in entries
    ]
    table = "".join(f"{csv_line(row)}\n" for row in (FAILURE_COLUMNS, *kept, *rows))
    _replace(path, as_text(table))


def _rows(path: Path) -> list[list[str]]:
    """Return the rows of a table of failures; no rows if it has other columns or is damaged."""
    head, *rows = csv_rows(_present(path)) or [[]]
    is_ours = head == list(FAILURE_COLUMNS)
    return [row for row in rows if is_ours and len(row) == len(FAILURE_COLUMNS)]


def write_summary(path: Path, configuration: str, summary: Mapping[str, Any]) -> None:
    """Write the summary of a configuration as JSON; the summaries of others are kept."""
    summaries = {**_summaries(path), configuration: as_texts(summary)}
    content = {"configurations": dict(sorted(summaries.items()))}
    _replace(path, json.dumps(content, indent=2) + "\n")


def summary_of(path: Path, configuration: str) -> dict[str, Any]:
    """Return the last written summary of a configuration; empty if there is none."""
    found = _summaries(path).get(configuration)
    return found if isinstance(found, dict) else {}


def _summaries(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_present(path))
    except (ValueError, RecursionError):
        return {}
    found = content.get("configurations") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _present(path: Path) -> str:
    """Return the present text of a file; no text if the file is missing or cannot be read."""
    try:
        return read_text(path)
    except (OSError, PipelineError):
        return ""


def _replace(path: Path, text: str) -> None:
    """Write a file completely, or leave it unchanged."""
    if path.is_file() and not path.is_symlink() and _present(path) == text:
        return
    try:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    check_folder(path.parent)
    return OutputError(f"{path}: cannot be written ({said_of(error)}). Check the disk.")
