"""From how far networks lie apart, and how far they are off, to a standard deviation."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import ConfigError
from pipeline.evaluation.coverage import DEVIATIONS
from pipeline.networks.ensemble import Calibration
from pipeline.networks.variable import Array, Variable

# Fewer rows leave a quantile open.
FEWEST = 20
# Floors that are tried, in units of the median spread: from none to nearly nothing but the floor.
FLOORS = (0.0, *np.logspace(-1.5, 2.0, 60).tolist())


@dataclass(frozen=True)
class UnseenRows:
    """What networks make of rows that they did not learn from."""

    observed: Array
    """With shape (n, outputs), as the uncertainty is stated (log10 of what spans decades)."""
    modelled: Array
    """The same of networks that did not see the row."""
    spread: Array
    """Standard deviation of all networks."""


def calibrate(outputs: tuple[Variable, ...], unseen: UnseenRows) -> Calibration:
    """Factor and floor of each output.

    Their ratio is the most likely one if errors are normal with that standard deviation. Errors
    have longer tails than that, so their size is between the one by which 68.27 % are within one
    standard deviation and the one by which 95 % are within 1.96 (the geometric mean).

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
                f"{variable.name}: {known.sum()} rows to calibrate an ensemble on, expected "
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
    """Negative log-likelihood of normal errors of this shape, at its most likely size."""
    if not (shape > 0).all():
        return float("inf")
    size = np.sqrt(np.mean(np.square(error / shape)))
    return float(np.log(size) + np.mean(np.log(shape)))
