"""The temporary name of a product: hidden, in the same folder, and marked with its holder."""

import os
import secrets
from pathlib import Path

from pipeline.files.replacing import PARTIAL_SUFFIX, start_of_hidden


def partial_path(target: Path, lease: str = "") -> Path:
    """Return a new temporary name for a product; it contains the lease or the process number."""
    holder = lease or str(os.getpid())
    head = start_of_hidden(target.name)
    return target.with_name(f"{head}.{holder}-{secrets.token_hex(4)}{PARTIAL_SUFFIX}")


def partials_of(target: Path, lease: str) -> list[Path]:
    """Return the temporary files that a lease left behind for a product."""
    start = f"{start_of_hidden(target.name)}.{lease}-"
    try:
        found = list(target.parent.iterdir())
    except OSError:
        return []
    return [p for p in found if p.name.startswith(start) and p.name.endswith(PARTIAL_SUFFIX)]
