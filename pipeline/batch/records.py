"""What a batch leaves beside its products: a line per scene, what failed, and a summary."""

import contextlib
import csv
import io
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.batch.ledger import LedgerEntry
from pipeline.errors import OutputError
from pipeline.product.delivery import check_folder

FAILURE_COLUMNS = ("scene", "kind", "reason", "attempts", "finished")


def names(ledger: Path) -> dict[str, str]:
    """File names of the records beside products; those of a shard bear its numbers."""
    part = ledger.stem.partition("ocpipe-ledger")[2] if "-of-" in ledger.stem else ""
    return {
        "quality": f"quality{part}.jsonl",
        "failures": f"failures{part}.csv",
        "summary": f"summary{part}.json",
    }


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add a line of JSON, whole or not at all, whoever else adds lines.

    Raises:
        OutputError: the file cannot be written.
    """
    line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(number, line)
        finally:
            os.close(number)
    except OSError as error:
        check_folder(path.parent)
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error


def write_failures(path: Path, failures: Iterable[LedgerEntry]) -> None:
    """Every scene that failed, as a table with a header.

    Raises:
        OutputError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(FAILURE_COLUMNS)
    for entry in failures:
        table.writerow((entry.path, entry.kind, entry.reason, entry.attempts, entry.finished))
    _replace(path, text.getvalue())


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """What a batch came to.

    Raises:
        OutputError: the file cannot be written.
    """
    _replace(path, json.dumps(summary, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    """Complete under its name, or not at all."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        check_folder(path.parent)
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error
