"""Refuses to make an archive again because the disk of its products or its ledger is not mounted.

If a disk is not mounted, its folder is missing or empty.
"""

import os
from pathlib import Path

from pipeline.batch.ledger import Ledger
from pipeline.batch.request import BatchRequest
from pipeline.errors import LedgerError, OutputError


def check_mounted(request: BatchRequest) -> None:
    """Check that the ledger exists if it must, and that the output folder has its products.

    Raises:
        LedgerError: the call demands a ledger that exists, and there is none; or the ledger cannot
            be read.
        OutputError: the ledger has products in the output folder, but the folder is empty or
            missing.
    """
    path, output = request.ledger_path, request.output
    if request.ledger_must_exist and not path.exists():
        raise LedgerError(
            f"{path}: there is no ledger, and --ledger-must-exist is given. If its disk is not "
            "mounted, mount it. If this is the first call, make the ledger with one call without "
            "--ledger-must-exist."
        )
    if request.remake_missing or not path.is_file() or _has_content(output):
        return
    with Ledger.read(path) as ledger:
        made = ledger.counts(request.config.name).done
        here = os.path.abspath(output)
        was_used = any(os.path.abspath(holder.output) == here for holder in ledger.holders())
    if made and was_used:
        raise OutputError(
            f"{output}: the ledger {path} has {made} products, but this output folder "
            f"{'is empty' if output.is_dir() else 'does not exist'}. If its disk is not mounted, "
            "mount it. If you removed the products, --remake-missing makes them again."
        )


def _has_content(folder: Path) -> bool:
    """Return whether a folder has a visible file or folder that a user made."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a later check of the folder reports the cause
        return True
    return any(not name.startswith(".") and name != "lost+found" for name in names)
