"""The recipe of a product, a text in the ledger: configuration and versions.

A recipe names the configuration (by a hash), the version of the numbers and the version of the
program. A finished scene with another configuration, or with a version whose numbers may differ, is
outdated. If only the version of the program differs, the numbers are the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline.batch.reasons import CONFIGURATION, NUMBERS, VERSION
from pipeline.config import RunConfig, hash_of
from pipeline.version import NUMBERS_VERSION, __version__

# Versions that had no version of the numbers recorded one hash of all three parts.
FIRST_VERSION, FIRST_NUMBERS = "0.2.0", 1

# Keys of the section science that a version after 0.2.0 added, each with the value that changes
# nothing; * stands for each element of a list. With this value, a key is left out of the hash, so
# that a new option does not make every product outdated.
LATER_KEYS: Sequence[tuple[str, Any]] = ()

_RECIPE = re.compile(r"configuration=([0-9a-f]{64}) numbers=(\d{1,9}) version=(\S{1,100})")


@dataclass(frozen=True)
class Recipe:
    """The configuration and the versions with which products are made."""

    configuration: str
    """SHA-256 of the section science and of the template of product names."""
    as_first: str
    """The recipe that the first version recorded for this configuration."""
    numbers: int = NUMBERS_VERSION
    version: str = __version__

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """Return the recipe of a configuration with this version of the program."""
        science, product = config.science_record(), config.execution.product
        for path, default in LATER_KEYS:
            _leave_out(science["science"], path.split("."), default)
        record = {"science": science, "product": product}
        return cls(hash_of(record), hash_of(record | {"version": FIRST_VERSION}))

    def __str__(self) -> str:
        return f"configuration={self.configuration} numbers={self.numbers} version={self.version}"

    def change_since(self, recorded: str) -> str | None:
        """Return why a product with the recorded recipe is outdated; None if it is not."""
        if recorded == str(self):
            return None
        configuration, numbers, version = self.configuration, FIRST_NUMBERS, FIRST_VERSION
        found = _RECIPE.fullmatch(recorded)
        if found is not None:
            configuration, numbers, version = found[1], int(found[2]), found[3]
        elif recorded != self.as_first:
            return CONFIGURATION
        if configuration != self.configuration:
            return CONFIGURATION
        if numbers != self.numbers:
            return NUMBERS
        return VERSION if version != self.version else None


def _leave_out(record: Any, path: Sequence[str], default: Any) -> None:
    """Remove a key from plain data if its value is the default."""
    first, *rest = path
    if first == "*":
        for each in record:
            _leave_out(each, rest, default)
    elif isinstance(record, dict) and first in record:
        if rest:
            _leave_out(record[first], rest, default)
        elif record[first] == default:
            del record[first]
