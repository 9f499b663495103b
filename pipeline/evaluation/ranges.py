"""Check of inputs against the range that a network was trained on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import NAN, Array
from pipeline.networks.variable import Variable


@dataclass(frozen=True)
class InputRange:
    """The values of one input, compared with its training range."""

    variable: Variable
    missing: float
    """Share of the rows that have no value of this input."""
    lowest: float
    """Lowest value in physical units."""
    highest: float
    """Highest value in physical units."""
    outside: float | None
    """Share of the values outside the training range; None if the range is unknown."""


def is_log(variable: Variable) -> bool:
    """Return True if the network uses the logarithm of a variable; then logarithms are compared."""
    return variable.transform.ln_per_unit is not None


def input_ranges(
    inputs: tuple[Variable, ...], x: Array
) -> tuple[tuple[InputRange, ...], float | None]:
    """Compare each input with its training range.

    Returns:
        The result for each input, and the share of the rows with at least one input outside its
        range. The share is None if all ranges are unknown.
    """
    outside = [outside_range(variable, x[:, i]) for i, variable in enumerate(inputs)]
    ranges = tuple(_input_range(variable, x[:, i], outside[i]) for i, variable in enumerate(inputs))
    known = [rows for rows in outside if rows is not None]
    if not known or not len(x):
        return ranges, None
    return ranges, float(np.any(known, axis=0).mean())


def outside_range(variable: Variable, values: Array) -> npt.NDArray[np.bool_] | None:
    """Return whether each value is outside the training range, or None if the range is unknown.

    Missing values are not outside. A value that cannot be transformed (such as zero, which has no
    logarithm) is outside.
    """
    if np.isinf(variable.minimum) and np.isinf(variable.maximum):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        transformed = variable.transform.forward(values)
    within = (transformed >= variable.minimum) & (transformed <= variable.maximum)
    # An unknown limit of a range is infinite. The logarithm of zero is infinite, too.
    outside: npt.NDArray[np.bool_] = np.isfinite(values) & ~(within & np.isfinite(transformed))
    return outside


def _input_range(
    variable: Variable, values: Array, outside: npt.NDArray[np.bool_] | None
) -> InputRange:
    present = np.isfinite(values)
    known = values[present]
    return InputRange(
        variable=variable,
        missing=1.0 - known.size / values.size if values.size else NAN,
        lowest=float(known.min()) if known.size else NAN,
        highest=float(known.max()) if known.size else NAN,
        outside=None if outside is None or not known.size else float(outside[present].mean()),
    )
