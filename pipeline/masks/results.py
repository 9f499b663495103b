"""Masks by results: expressions over the variables of a product, applied after all networks.

The expressions use only values that the product stores. So a product can be masked again without
being computed again, and has the same bytes as if it had been computed with the mask.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config.science import ResultMask
from pipeline.errors import ConfigError, repeated
from pipeline.scene.quality import MOST_MASK_RULES, NO_CLASS, QUALITY_FLAGS, FlagTable
from pipeline.tables.evaluation import PIXELS
from pipeline.tables.expressions import Expression, near

MASKED = "masked_"

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Source:
    """The variable or flag that a name in an expression means."""

    variable: str
    mask: int | None = None
    """Bits of a flag; None for the values of the variable."""

    def array(self, arrays: Arrays) -> npt.NDArray[np.generic]:
        """Return the values (NaN if missing), or whether the flag is set, with shape (y, x)."""
        stored = np.asarray(arrays[self.variable])
        if self.mask is not None:
            unsigned = stored.view(f"u{stored.dtype.itemsize}")
            return np.asarray((unsigned & unsigned.dtype.type(self.mask)) != 0)
        if stored.dtype.kind == "f":
            return np.where(np.isfinite(stored), stored, np.float32(np.nan))
        return np.where(stored == NO_CLASS, np.float32(np.nan), stored.astype(np.float32))


@dataclass(frozen=True)
class ResultRule:
    """Removes the results of pixels where an expression is true or undecided."""

    name: str
    expression: Expression
    sources: Mapping[str, Source]
    """The source of each name in the expression."""

    def judge(self, arrays: Arrays) -> npt.NDArray[np.bool_]:
        """Return where the expression is true or cannot be decided, with shape (y, x)."""
        found = {name: source.array(arrays) for name, source in self.sources.items()}
        return np.asarray(self.expression.truth(found).possible)

    @property
    def description(self) -> str:
        """The variables that the rule reads, for the record."""
        return f"results: {','.join(self.sources)}"


def sources_of(
    values: Iterable[str], flags: Mapping[str, FlagTable], networks: Iterable[str]
) -> dict[str, Source]:
    """Return all sources of names that an expression may use.

    The flags of a network are called ``<network>_<flag>``; all other flags have their own names,
    and a variable comes before a flag of the same name.

    Args:
        values: names of the variables with numbers.
        flags: the bits of each flag variable, by its name.
        networks: names of the networks.
    """
    of_networks = {f"{name}_flags": f"{name}_" for name in networks}
    known: dict[str, Source] = {}
    for variable, table in flags.items():
        bits = 8 * table.dtype.itemsize
        for flag, mask in zip(table.names, table.masks, strict=True):
            if not (variable == QUALITY_FLAGS and flag.startswith(MASKED)):
                name = f"{of_networks.get(variable, '')}{flag}"
                known.setdefault(name, Source(variable, mask % (1 << bits)))
    return known | {name: Source(name) for name in values}


def make_result_rules(
    masks: Sequence[ResultMask], known: Mapping[str, Source], others: Iterable[str]
) -> tuple[ResultRule, ...]:
    """Return the rules of a configuration.

    Args:
        masks: the masks by results, in the order in which they are applied.
        known: the sources of names that an expression may use.
        others: names of the rules about the scene.

    Raises:
        ConfigError: an expression is wrong or names something that the product lacks, two rules
            share a name, or there are more rules than bits.
    """
    names = [*others, *(mask.name for mask in masks)]
    twice = repeated(names) if masks else ""
    if twice:
        raise ConfigError(
            f"two mask rules are called {twice}, but every rule must have its own name. Choose "
            "another name."
        )
    if masks and len(names) > MOST_MASK_RULES:
        raise ConfigError(
            f"found {len(names)} mask rules, but at most {MOST_MASK_RULES} fit into quality_flags. "
            "Join some of them in one expression."
        )
    return tuple(_parsed(mask, known) for mask in masks)


def parse_result_mask(mask: ResultMask) -> Expression:
    """Parse the condition of a mask, as far as this is possible without a product.

    Raises:
        ConfigError: the syntax is wrong, or the condition uses no variable.
    """
    try:
        expression = Expression.parse(mask.where, PIXELS)
        if not expression.names:
            raise ConfigError(f"{mask.where!r} uses no variable of the product")
    except ConfigError as error:
        raise ConfigError(f"the mask {mask.name}: {error}.") from None
    return expression


def _parsed(mask: ResultMask, known: Mapping[str, Source]) -> ResultRule:
    expression = parse_result_mask(mask)
    try:
        unknown = [name for name in expression.names if name not in known]
        if unknown:
            hint = near(unknown[0], list(known)).replace("the columns are", "the product has")
            raise ConfigError(
                f"{unknown[0]!r} is not in the product{hint} A mask by other variables of the "
                "scene belongs to masks.expressions, and needs a new run"
            )
        sources = {name: known[name] for name in expression.names}
        # An evaluation without pixels finds errors before the first block is computed.
        empty = {n: np.empty((0, 0), float if s.mask is None else bool) for n, s in sources.items()}
        expression.truth(empty)
    except ConfigError as error:
        raise ConfigError(f"the mask {mask.name}: {error}.") from None
    return ResultRule(mask.name, expression, sources)
