"""Counts the pixels on which mask rules cannot be decided.

A rule that cannot be decided on any pixel is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import SceneError
from pipeline.masks.rule import MaskRule


@dataclass
class UndecidedPixels:
    """Counts of undecided pixels. Pixels without data are not counted: they have no result."""

    with_data: int = 0
    """Number of pixels that have a value in every input band of the run."""
    by_rule: dict[str, int] = field(default_factory=dict)
    """For each rule name, the number of pixels that have data, but leave the rule undecided."""

    def add(self, with_data: int, by_rule: Mapping[str, int]) -> None:
        """Add the counts of some pixels."""
        self.with_data += with_data
        for name, count in by_rule.items():
            self.by_rule[name] = self.by_rule.get(name, 0) + count

    def refuse_useless(self, rules: Sequence[MaskRule]) -> None:
        """Refuse rules that cannot be decided on any pixel.

        Raises:
            SceneError: there are such rules; the message names what is missing.
        """
        useless = [rule for rule, count in self._counts(rules) if count == self.with_data]
        if useless:
            masks = " and ".join(f"{rule.name} (it needs {_needs(rule)})" for rule in useless)
            one = len(useless) == 1
            raise SceneError(
                f"the mask{'' if one else 's'} {masks} cannot be decided on any of the "
                f"{self.with_data} pixels that have data: the values are missing, or are outside "
                "the valid range that the file states. Give a scene that has these values, or "
                f"remove the mask{'' if one else 's'} from the configuration."
            )

    def warnings(self, rules: Sequence[MaskRule]) -> Iterator[str]:
        """Yield a warning for each rule that cannot be decided on some of the pixels."""
        for rule, count in self._counts(rules):
            yield (
                f"the mask {rule.name} cannot be decided on {count} of {self.with_data} pixels "
                f"that have data, because values of {_needs(rule)} are missing; these pixels are "
                "masked"
            )

    def _counts(self, rules: Sequence[MaskRule]) -> Iterator[tuple[MaskRule, int]]:
        for rule in rules:
            count = self.by_rule.get(rule.name, 0)
            if count:
                yield rule, count


def _needs(rule: MaskRule) -> str:
    """Return the names of up to five layers that a rule reads, and the number of further layers."""
    names = [band.name for band in getattr(rule, "rule", rule).needs]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
