"""The result of one check of an installation."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """The subject of a check, and its result."""

    what: str
    status: Status
    text: str
    """The result in words; after a warning or a failure, it also says what to do."""
