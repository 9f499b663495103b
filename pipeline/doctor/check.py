"""The result of one check of an installation."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """What was looked at, and what was found."""

    what: str
    status: Status
    text: str
    """What was found; after a warning or a failure also what to do."""
