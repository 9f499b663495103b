"""Masks by the values of the input bands of a run: missing, zero, negative, saturated ..."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import Request
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

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return True where any of the bands meets the condition, with shape (y, x)."""
        excluded = np.zeros((block.sizes["y"], block.sizes["x"]), dtype=bool)
        for band in self.needs:
            values, states = band.values(block), band.states(block)
            excluded |= self.condition(values, np.uint8(0) if states is None else states)
        return excluded
