"""Masks by the values of the input bands of a run: missing, zero, negative, saturated ..."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import Request, Verdict
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED
from pipeline.scene.scene import Band

# Returns True for excluded pixels, from the values and states of one band.
Condition = Callable[[npt.NDArray[Any], Any], npt.NDArray[np.bool_]]

VALUE_RULES: dict[str, Condition] = {
    "missing": lambda values, _: np.isnan(values),
    "zero": lambda values, _: values == 0,
    "negative": lambda values, _: values < 0,
    "saturated": lambda _, states: (states & STATE_SATURATED) != 0,
    "outside_valid_range": lambda _, states: (states & STATE_OUTSIDE_VALID_RANGE) != 0,
}
# These rules are decided for missing values as well. The other rules need a number: they are
# undecided where a band is missing and no other band meets the condition.
ALWAYS_DECIDED = frozenset(("missing", "outside_valid_range"))


@dataclass(frozen=True)
class ValueRule:
    """Excludes pixels at which any input band of the run meets a condition."""

    name: str
    condition: Condition
    needs: tuple[Band, ...]

    @classmethod
    def requested(cls, request: Request) -> Iterator["ValueRule"]:
        """Yield a rule for each condition that a configuration names."""
        for name in request.rules.values:
            yield cls(name, VALUE_RULES[name], request.inputs)

    def judge(self, block: xr.Dataset) -> Verdict:
        """For each pixel, find out whether any band meets the condition there."""
        met = np.zeros((block.sizes["y"], block.sizes["x"]), dtype=bool)
        missing = met.copy()
        for band in self.needs:
            values, states = band.values(block), band.states(block)
            met |= self.condition(values, np.uint8(0) if states is None else states)
            if self.name not in ALWAYS_DECIDED:
                missing |= np.isnan(values)
        undecided = missing & ~met
        return Verdict(met | missing, undecided) if undecided.any() else Verdict(met)
