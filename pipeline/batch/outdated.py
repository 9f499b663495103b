"""Decides whether outdated scenes are processed again, and says how many there are and why."""

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.batch.ledger import Ledger, SceneQueue
from pipeline.batch.reasons import CONFIGURATION, NETWORK, NUMBERS, VERSION
from pipeline.batch.request import BatchRequest
from pipeline.config.batch import Reprocess
from pipeline.errors import UnavailableError
from pipeline.files.names import as_text
from pipeline.machine.words import counted

log = logging.getLogger(__name__)

_ALL = frozenset((CONFIGURATION, NUMBERS, NETWORK, VERSION))
# The setting batch.reprocess -> outdated scenes with one of these reasons stay done.
KEEPS: Mapping[Reprocess, frozenset[str]] = {
    "changed": frozenset((VERSION,)),
    "ask-first": frozenset((VERSION,)),
    "all": frozenset(),
    "new-only": _ALL,
}


def decided(queue: SceneQueue, request: BatchRequest, ledger: Ledger) -> SceneQueue:
    """Return a queue in which some outdated scenes stay done, as the configuration says.

    If the configuration says to ask, and there is a terminal, this function asks.
    """
    reprocess = request.config.batch.reprocess
    keeps = KEEPS[reprocess]
    if reprocess == "ask-first":
        outdated = _beyond(keeps, ledger.outdated(queue))
        is_allowed = request.ask is not None and request.ask(_question(outdated))
        keeps = keeps if not outdated or is_allowed else _ALL
    return replace(queue, keeps=keeps)


def tell_again(counts: Mapping[str, int]) -> None:
    """Log how many scenes must be processed again, and why."""
    if counts:
        total = sum(counts.values())
        log.info("%s must be processed again: %s", counted(total, "scene"), _reasons(counts))


def tell_kept(counts: Mapping[str, int], reprocess: Reprocess, is_busy: bool) -> None:
    """Log how many finished scenes are outdated and stay as they are.

    If the call has nothing else to do (``is_busy`` is false), it logs this only if a person must
    decide.
    """
    same = counts.get(VERSION, 0)
    level = logging.INFO if is_busy else logging.DEBUG
    if same:
        what = counted(same, "scene was", "scenes were")
        text = "%s made by another version that computes the same numbers; the products stay"
        log.log(level, text, what)
    others = _beyond(KEEPS["changed"], counts)
    what = counted(sum(others.values()), "scene is", "scenes are")
    if others and reprocess == "ask-first":
        log.warning(
            "%s outdated (%s) and nobody could be asked; the products stay. Call again with "
            "--reprocess changed to process these scenes again, or --reprocess new-only to keep "
            "the products.", what, _reasons(others),
        )  # fmt: skip
    elif others:
        log.log(level, "%s outdated (%s); the products stay", what, _reasons(others))


def changed_products(ledger: Ledger, run: str, stop: threading.Event) -> frozenset[str]:
    """Return the paths of finished products whose numbers do not have their checksums."""
    from pipeline.product.wholeness import is_unchanged

    products = ledger.products(run)
    log.info("comparing the numbers of %d products with their checksums", len(products))
    changed = set()
    for path in products:
        if stop.is_set():
            break
        try:
            if os.path.exists(path) and not is_unchanged(Path(path)):
                log.warning("%s: the product was changed or is damaged", as_text(path))
                changed.add(path)
        except UnavailableError as error:
            log.warning("%s", error)
    return frozenset(changed)


def _beyond(kept: frozenset[str], counts: Mapping[str, int]) -> dict[str, int]:
    return {why: count for why, count in counts.items() if why not in kept}


def _question(outdated: Mapping[str, int]) -> str:
    what = counted(sum(outdated.values()), "scene is", "scenes are")
    return f"{what} outdated ({_reasons(outdated)}). Process again, and replace the products?"


def _reasons(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{why}: {count}" for why, count in counts.items())
