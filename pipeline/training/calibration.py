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


def calibrate(outputs: tuple[Variable, ...], unseen: UnseenRows) -> Calibration:
    """Return the calibration, which has a factor and a floor for each output.

    The ratio of floor to factor is the most likely ratio if errors are normally distributed. Real
    errors have longer tails. So the deviation is scaled by the geometric mean of two factors: with
    the first, 68.27 % of errors are within 1 deviation; with the second, 95 % are within 1.96
    deviations.

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
        pairs.append(_factor_and_floor(error[known], spread[known]))
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


def _surprise(error: Array, shape: Array) -> float:
    """Return the negative log-likelihood of errors whose deviation is proportional to ``shape``."""
    if not (shape > 0).all():
        return float("inf")
    size = np.sqrt(np.mean(np.square(error / shape)))
    return float(np.log(size) + np.mean(np.log(shape)))
