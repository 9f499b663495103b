"""Sets the flags about training ranges, and finds where rounding could change such a flag."""

import math

import numpy as np
import numpy.typing as npt

from pipeline.networks import Retrieval, Variable
from pipeline.networks.engines import SELF_CHECK_TOLERANCE
from pipeline.networks.variable import limits, transformed
from pipeline.scene.quality import (
    AT_LIMIT_LN,
    INPUT_OUT_OF_RANGE,
    OUTPUT_AT_LIMIT,
    OUTPUT_OUT_OF_RANGE,
)

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]


def range_flags(retrieval: Retrieval, inputs_outside: Bool, y: Floats) -> npt.NDArray[np.uint8]:
    """Return the range bits (n,): bits of the inputs, and bits of the outputs ``y``."""
    flags = np.zeros(len(y), dtype=np.uint8)
    flags[inputs_outside.any(axis=1)] |= INPUT_OUT_OF_RANGE
    outputs = transformed(retrieval.outputs, y.astype(np.float64))
    outputs_outside = _outside_limits(retrieval.outputs, outputs)
    if retrieval.may_fail:
        outputs_outside |= np.isnan(y)
    flags[outputs_outside.any(axis=1)] |= OUTPUT_OUT_OF_RANGE
    minimum, maximum = limits(retrieval.outputs)
    distance = np.minimum(np.abs(outputs - minimum), np.abs(outputs - maximum))
    flags[(distance <= at_limit_widths(retrieval.outputs)).any(axis=1)] |= OUTPUT_AT_LIMIT
    return flags


def outside_range(variables: tuple[Variable, ...], physical: Floats) -> Bool:
    """Return whether values are outside their training ranges, with shape (n, variables)."""
    return _outside_limits(variables, transformed(variables, physical.astype(np.float64)))


def _outside_limits(variables: tuple[Variable, ...], values: Float64) -> Bool:
    minimum, maximum = limits(variables)
    return np.asarray((values < minimum) | (values > maximum))


def at_limit_widths(variables: tuple[Variable, ...]) -> Float64:
    """Return how close to a limit a transformed output must be to set OUTPUT_AT_LIMIT.

    Variables without a logarithm get a distance of -1, so that the bit is never set.
    """
    per_unit = [variable.transform.ln_per_unit for variable in variables]
    return np.array([-1.0 if ln is None else AT_LIMIT_LN / ln for ln in per_unit])


def near_limits(variables: tuple[Variable, ...], physical: Floats) -> Bool:
    """Return the rows (n,) where rounding could change a range bit of these variables."""
    values = transformed(variables, physical.astype(np.float64))
    margin = SELF_CHECK_TOLERANCE * np.maximum(1.0, np.abs(values))
    widths = at_limit_widths(variables)
    near = np.zeros(len(values), dtype=bool)
    for limit in limits(variables):
        distance = np.abs(values - limit)
        near |= ((distance <= margin) | (np.abs(distance - widths) <= margin)).any(axis=1)
    return near


def well_inside(
    variables: tuple[Variable, ...], margin: float, widths: Float64 | None = None
) -> list[tuple[float, float]]:
    """Return, for each variable, a range of physical values that certainly do not set a range bit.

    Args:
        variables: the inputs or the outputs of a network.
        margin: distance from a limit within which rounding of a transformed value could matter.
            For limits above 1, ``margin`` is a share of the limit.
        widths: for each variable, the distance from a limit below which OUTPUT_AT_LIMIT is set.
    """
    ranges = []
    for index, variable in enumerate(variables):
        beside = 0.0 if widths is None else max(float(widths[index]), 0.0)
        low = variable.minimum + margin * max(1.0, abs(variable.minimum)) + beside
        high = variable.maximum - margin * max(1.0, abs(variable.maximum)) - beside
        if low >= high:
            ranges.append((math.inf, -math.inf))
            continue
        ends = [
            float(variable.transform.inverse(np.float64(end))) if math.isfinite(limit) else limit
            for end, limit in ((low, variable.minimum), (high, variable.maximum))
        ]
        if variable.transform.needs_non_negative and low < 0:
            ends[0] = 0.0  # a square root is never negative
        if not variable.transform.increasing:
            # A cosine falls only between 0 and 180 degrees.
            first, last = (-end if math.isinf(end) else end for end in reversed(ends))
            ends = [max(first, 0.0), min(last, 180.0)]
        # Round inwards to float32.
        least = float(np.nextafter(np.float32(ends[0]), np.float32(np.inf)))
        ranges.append((least, float(np.nextafter(np.float32(ends[1]), np.float32(-np.inf)))))
    return ranges
