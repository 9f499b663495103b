"""The result of one check of a product."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

NOTE: Literal["note"] = "note"
NOT_CHECKED: Literal["not checked"] = "not checked"


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    passed: bool
    """False if something is wrong, or if it could not be checked."""
    text: str
    kind: Literal["", "note", "not checked"] = ""
    """``note``: a difference that is not an error. ``not checked``: the check was not possible, so
    ``passed`` is False."""

    @classmethod
    def of(cls, what: str, problem: str, good: str) -> "Finding":
        """Return a failed finding about ``problem``; without a problem, return a passed finding."""
        return cls(what, not problem, problem or good)

    @classmethod
    def note(cls, what: str, text: str) -> "Finding":
        """Return a finding about a difference that is not an error."""
        return cls(what, True, text, NOTE)

    @classmethod
    def not_checked(cls, what: str, text: str) -> "Finding":
        """Return a finding about something that could not be checked."""
        return cls(what, False, text, NOT_CHECKED)

    @property
    def word(self) -> str:
        """The result in a word: ``ok``, ``FAILED``, ``note`` or ``not checked``."""
        return self.kind or ("ok" if self.passed else "FAILED")


@dataclass(frozen=True)
class Result:
    """The result of all checks of a product."""

    code: int
    """Exit code of a program: 0 right, 1 wrong, 3 not everything could be checked."""
    text: str


def result_of(found: Sequence[Finding]) -> Result:
    """Return the result of all checks of a product."""
    if any(not finding.passed and finding.kind != NOT_CHECKED for finding in found):
        return Result(1, "NOT verified")
    missed = dict.fromkeys(finding.what for finding in found if finding.kind == NOT_CHECKED)
    if missed:
        checked = [finding.what for finding in found if finding.word == "ok"]
        only = f"; only checked: {', '.join(dict.fromkeys(checked))}" if checked else ""
        return Result(3, f"nothing is wrong, but not verified without {', '.join(missed)}{only}")
    return Result(0, "verified")
