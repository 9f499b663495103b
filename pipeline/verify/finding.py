"""The result of one check of a product."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    passed: bool
    text: str

    @classmethod
    def of(cls, what: str, problem: str, good: str) -> "Finding":
        """Return a failed finding about ``problem``; without a problem, return a passed finding."""
        return cls(what, not problem, problem or good)
