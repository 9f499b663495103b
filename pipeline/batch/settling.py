"""Keeps a batch from reading files that another program is still copying.

A file is ready when it has not changed for some seconds. The time of the last change of status
(ctime) is used, because programs that copy files set the modification time back. A copy may
pause for longer, and a network disk may show an old size. So a file that looks damaged a short time
after its last change is not a failure yet.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.batch.sources import FoundScene, found_at
from pipeline.files.identity import stamp_of
from pipeline.machine.words import counted

log = logging.getLogger(__name__)

# Longest pause of a copy (seconds). A file that looks damaged may still be incomplete until this
# time has passed since its last change.
LONGEST_PAUSE = 600.0


@dataclass(frozen=True)
class Settled:
    """The scenes of a call, divided by whether their files are ready."""

    ready: list[FoundScene]
    changing: list[str]
    """Paths of files that changed while this call looked at them."""


def settled(found: Sequence[FoundScene], seconds: float, stop: threading.Event) -> Settled:
    """Wait until recently changed files are ``seconds`` old; separate those that change again.

    The wait takes at most ``seconds``, however many files there are. Setting ``stop`` ends it.
    """
    ages = {scene: _age(scene.ctime_ns) for scene in found if scene.exists and seconds > 0}
    young = [scene for scene, age in ages.items() if age < seconds]
    if not young:
        return Settled(list(found), [])
    # An age is negative if the clock of the disk is ahead.
    wait = seconds - max(min(ages[scene] for scene in young), 0.0)
    log.info("waiting %.1f s: %s changed a moment ago", wait, counted(len(young), "file"))
    stop.wait(wait)
    changing = {scene.path for scene in young if found_at(scene.path) != scene}
    return Settled([s for s in found if s.path not in changing], sorted(changing))


def may_be_incomplete(source: Path, settle: float) -> bool:
    """Return whether a damaged file may be a copy in progress; if ``settle`` is 0, it never is."""
    stamp = stamp_of(source)
    return settle > 0 and stamp is not None and _age(stamp.ctime_ns) < LONGEST_PAUSE


def _age(changed_ns: int) -> float:
    return (time.time_ns() - changed_ns) / 1e9
