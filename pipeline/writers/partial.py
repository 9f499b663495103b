"""The temporary name of a product: in the same folder, hidden, telling whose it is."""

import os
import secrets
from pathlib import Path

PARTIAL_SUFFIX = ".partial"


def partial_path(target: Path, lease: str = "") -> Path:
    """A new temporary name for a product; without a lease it bears the number of this process."""
    holder = lease or str(os.getpid())
    return target.with_name(f".{target.name}.{holder}-{secrets.token_hex(4)}{PARTIAL_SUFFIX}")


def partials_of(target: Path, lease: str) -> list[Path]:
    """What a lease has left of a product."""
    start = f".{target.name}.{lease}-"
    try:
        found = list(target.parent.iterdir())
    except OSError:
        return []
    return [p for p in found if p.name.startswith(start) and p.name.endswith(PARTIAL_SUFFIX)]
