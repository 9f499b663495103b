"""Calibrate an ensemble, so that its standard deviation agrees with the errors of its networks."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError
from pipeline.evaluation.coverage import DEVIATIONS
from pipeline.networks.ensemble import Calibration
from pipeline.networks.variable import Array, Variable

# Smallest number of rows from which a quantile is estimated.
FEWEST = 20
# Floors to try, in units of the median spread. With the largest floor, the spread hardly matters.
FLOORS = (0.0, *np.logspace(-1.5, 2.0, 60).tolist())
# Sizes to try beside the uncertainty of inputs, in units of the errors.
SIZES = np.linspace(0.02, 1.4, 40)
# The ratio of floor to factor is chosen with about this many rows.
MOST_TO_CHOOSE = 5000


@dataclass(frozen=True)
class UnseenRows:
    """Results for rows that some networks did not learn from.

    If the transform of an output is a logarithm, the numbers are log10 of the output.
    """

    observed: Array
    """Observed values, with shape (n, outputs)."""
    modelled: Array
    """Mean of the networks that did not learn from the row, with shape (n, outputs)."""
    spread: Array
    """Standard deviation over all networks, with shape (n, outputs)."""
    from_inputs: Array | None = None
    """Standard deviation that the uncertainty of the inputs causes, with shape (n, outputs); None
    if it is not known, or if it is to be part of the calibrated deviation."""


def calibrate(outputs: tuple[Variable, ...], unseen: UnseenRows) -> Calibration:
    """Return the calibration, which has a factor and a floor for each output.

    The ratio of floor to factor is the most likely ratio if errors are normally distributed. Real
    errors have longer tails. So the deviation is scaled by the geometric mean of two factors: with
    the first, 68.27 % of errors are within 1 deviation; with the second, 95 % are within 1.96
    deviations.

    If ``unseen.from_inputs`` is given, it is no part of the calibrated deviation: the errors agree
    with the root of the sum of both squares. Then the deviation is scaled by the mean of the two
    factors, because one of them may be zero.

    Raises:
        ConfigError: an output has too few rows.
    """
    pairs = []
    for column, variable in enumerate(outputs):
        error = unseen.modelled[:, column] - unseen.observed[:, column]
        spread = unseen.spread[:, column]
        known = np.isfinite(error) & np.isfinite(spread)
        if known.sum() < FEWEST:
            raise ConfigError(
                f"{variable.name}: found {known.sum()} rows to calibrate the ensemble, expected "
                f"{FEWEST} or more. Give more samples, or train a single network."
            )
        if unseen.from_inputs is None:
            pairs.append(_factor_and_floor(error[known], spread[known]))
            continue
        from_inputs = unseen.from_inputs[:, column]
        known &= np.isfinite(from_inputs)
        pairs.append(_beside_inputs(error[known], spread[known], from_inputs[known]))
    factor, floor = zip(*pairs, strict=True)
    return Calibration(factor, floor)


def _factor_and_floor(error: Array, spread: Array) -> tuple[float, float]:
    middle = float(np.median(spread)) or float(np.std(error))
    shapes = [np.hypot(spread, floor * middle) for floor in FLOORS]
    best = int(np.argmin([_surprise(error, shape) for shape in shapes]))
    ratio = np.abs(error) / shapes[best]
    sizes = [np.quantile(ratio, share) / times for share, times in DEVIATIONS.items()]
    size = float(np.sqrt(np.prod(sizes)))
    return size, size * FLOORS[best] * middle


def _beside_inputs(error: Array, spread: Array, from_inputs: Array) -> tuple[float, float]:
    middle = float(np.median(spread)) or float(np.std(error))
    some = slice(None, None, max(len(error) // MOST_TO_CHOOSE, 1))
    sizes = np.sqrt(np.mean(np.square(error))) * SIZES
    best, least = 0, np.inf
    for number, floor in enumerate(FLOORS):
        shape = np.hypot(spread, floor * middle)[some]
        for size in sizes / np.sqrt(np.mean(np.square(shape))):
            surprise = _surprise_of(error[some], np.hypot(size * shape, from_inputs[some]))
            if surprise < least:
                best, least = number, surprise
    shape = np.hypot(spread, FLOORS[best] * middle)
    # An error is within t deviations if (error / t)^2 - from_inputs^2 <= (size * shape)^2.
    squares = [
        np.quantile((np.square(error / times) - np.square(from_inputs)) / np.square(shape), share)
        for share, times in DEVIATIONS.items()
    ]
    size = float(np.mean(np.sqrt(np.maximum(squares, 0.0))))
    return size, size * FLOORS[best] * middle


def _surprise_of(error: Array, deviation: Array) -> float:
    """Return the negative log-likelihood of normal errors, without its constant part."""
    if not (deviation > 0).all():
        return float("inf")
    return float(np.mean(np.log(deviation) + np.square(error / deviation) / 2))


def _surprise(error: Array, shape: Array) -> float:
    """Return the negative log-likelihood of errors whose deviation is proportional to ``shape``."""
    if not (shape > 0).all():
        return float("inf")
    size = np.sqrt(np.mean(np.square(error / shape)))
    return float(np.log(size) + np.mean(np.log(shape)))
