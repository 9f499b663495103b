"""Removes scenes from a ledger, and removes entries and products of scenes without a file."""

import contextlib
import datetime
import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.batch.ledger import LEDGER_STEM, LEDGER_SUFFIX, Ledger
from pipeline.batch.ledger.pruning import Kept, entries, remove
from pipeline.batch.records import rotated_records
from pipeline.batch.removed_inputs import look_at
from pipeline.errors import ConfigError, LedgerError, OutputError


@dataclass(frozen=True)
class Forgotten:
    """Which entries ``forget`` removes."""

    patterns: tuple[str, ...] = ()
    """Scenes, folders or patterns; an empty tuple stands for all scenes."""
    run: str | None = None
    """Name of a configuration, or None for all."""
    state: str | None = None
    """Only scenes in this state."""
    kind: str | None = None
    """Only failures of this kind."""

    def matches(self, entry: Kept) -> bool:
        """Return whether an entry meets these conditions."""
        if self.state not in (None, entry.state):
            return False
        if self.kind is not None and (entry.state != "failed" or entry.kind != self.kind):
            return False
        return not self.patterns or any(_matches(entry.path, each) for each in self.patterns)


@dataclass
class Pruned:
    """What ``prune`` removes, and what it keeps because it is not sure."""

    entries: list[Kept] = field(default_factory=list)
    """Entries of scenes that were never done and whose file was removed."""
    products: list[Kept] = field(default_factory=list)
    """Finished scenes whose file was removed; their products are removed, too."""
    records: list[Path] = field(default_factory=list)
    """Old quality lines."""
    unsure: dict[str, int] = field(default_factory=dict)
    """Folder -> number of missing scenes below it; perhaps its disk is not mounted."""


def ledgers_in(place: Path) -> list[Path]:
    """Return a ledger, or all ledgers of a folder; raise LedgerError if there is none."""
    if not place.is_dir():
        return [place]
    found = sorted(place.glob(f"{LEDGER_STEM}*{LEDGER_SUFFIX}"))
    if not found:
        raise LedgerError(
            f"{place}: this folder has no ledger ({LEDGER_STEM}*{LEDGER_SUFFIX}). Give the output "
            "folder of a batch, or its ledger."
        )
    return found


def forget(place: Path, which: Forgotten, dry_run: bool = False) -> list[Kept]:
    """Remove entries from the ledgers of a folder, and return them; products stay.

    Raises:
        ConfigError: a pattern matches no scene.
        LedgerError: a ledger cannot be used, or a batch works with it.
    """
    forgotten: list[Kept] = []
    matched = set[str]()
    chosen: list[tuple[Path, list[Kept]]] = []
    for path in ledgers_in(place):
        with Ledger.read(path) as ledger:
            found = [entry for entry in entries(ledger, which.run) if which.matches(entry)]
        chosen.append((path, found))
        forgotten += found
        matched |= {p for p in which.patterns if any(_matches(e.path, p) for e in found)}
    unknown = [pattern for pattern in which.patterns if pattern not in matched]
    if unknown:
        raise ConfigError(
            f"{place}: no scene in the ledger matches {', '.join(map(repr, unknown))}. Give paths, "
            "folders or patterns of scenes; ocpipe batch --dry-run lists the scenes."
        )
    for path, found in chosen if not dry_run else ():
        if found:
            with Ledger.open(path, path.parent, is_known=True) as ledger:
                remove(ledger, found)
    return forgotten


def prune(
    place: Path,
    *,
    with_products: bool = False,
    keep_days: float | None = None,
    removed_below: Sequence[Path] = (),
    output: Path | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Remove the entries, and perhaps the products, of scenes whose files were removed.

    Args:
        place: a ledger, or a folder with ledgers.
        with_products: whether products of removed scenes are removed, with their entries.
        keep_days: entries that ended within this number of days stay. Older renamed files of
            quality lines, and the entries of older calls, are removed. With None, all of these
            stay.
        removed_below: folders whose missing scenes were certainly removed.
        output: folder of the products; by default the folder of the ledger, or the folder of its
            last call if the ledger lies elsewhere.
        dry_run: whether nothing is removed.

    Raises:
        LedgerError: a ledger cannot be used, or a batch works with it.
        OutputError: a file cannot be removed.
    """
    pruned = Pruned()
    until = None if keep_days is None else _stamp_before(keep_days)
    below = [os.path.abspath(folder) for folder in removed_below]
    for path in ledgers_in(place):
        with Ledger.read(path) as ledger:
            folder = output or _output_of(ledger)
        with Ledger.read(path, folder) as ledger:
            kept = [e for e in entries(ledger) if until is None or (e.finished or "") < until]
        inputs = look_at((entry.path for entry in kept), below)
        gone = [entry for entry in kept if entry.path in inputs.removed]
        entries_gone = [entry for entry in gone if entry.state != "done"]
        products = [e for e in gone if e.state == "done"] if with_products else []
        records = _old_records(folder, keep_days)
        if not dry_run:
            with Ledger.open(path, folder, is_known=True) as ledger:
                remove(ledger, [*entries_gone, *products], until)
            _remove_files([*_existing_products(products), *records])
        pruned.entries += entries_gone
        pruned.products += products
        pruned.records += [record for record in records if record not in pruned.records]
        for folder_name, count in inputs.unsure.items():
            pruned.unsure[folder_name] = pruned.unsure.get(folder_name, 0) + count
    return pruned


def _matches(path: str, pattern: str) -> bool:
    """Return whether a scene has this path or name, lies in this folder, or fits a pattern."""
    there = os.path.abspath(pattern)
    return (
        path == there
        or path.startswith(f"{there}/")
        or fnmatch.fnmatchcase(path, pattern)
        or fnmatch.fnmatchcase(path, there)
        or fnmatch.fnmatchcase(os.path.basename(path), pattern)
    )


def _output_of(ledger: Ledger) -> Path:
    """Return the folder of the products of a ledger."""
    last = ledger.last_holder()
    if ledger.path.name.startswith(LEDGER_STEM) or last is None:
        return ledger.path.parent
    return Path(last.output)


def _stamp_before(days: float) -> str:
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _old_records(folder: Path, keep_days: float | None) -> list[Path]:
    if keep_days is None:
        return []
    oldest = datetime.datetime.now(datetime.UTC).timestamp() - keep_days * 86_400
    return [path for path in rotated_records(folder) if path.stat().st_mtime < oldest]


def _existing_products(products: Sequence[Kept]) -> Iterator[Path]:
    """Yield products that are regular files, because a batch writes no links."""
    for entry in products:
        with contextlib.suppress(OSError):
            if entry.product and stat.S_ISREG(os.lstat(entry.product).st_mode):
                yield Path(entry.product)


def _remove_files(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be removed ({error.strerror or error}). The ledger no longer has "
                "its entry, so remove the file by hand."
            ) from error
