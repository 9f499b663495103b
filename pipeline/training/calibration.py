"""Calibrate an ensemble, so that its standard deviation agrees with the errors of its networks."""

from collections.abc import Sequence
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
# Sizes to try in addition to the uncertainty of inputs, in units of the errors.
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
    typical: Array | None = None
    """Typical error according to error networks that did not learn from the row, with shape (n,
    outputs). The floor is then a factor of the typical error. None without error networks."""
    from_inputs: Array | None = None
    """Standard deviation that the uncertainty of the inputs causes, with shape (n, outputs); None
    if it is not known, or if it is to be part of the calibrated deviation."""


def calibrate(outputs: tuple[Variable, ...], unseen: UnseenRows) -> Calibration:
    """Return the calibration, which has a factor and a floor for each output.

    The ratio of floor to factor is the most likely ratio if errors are normally distributed. Real
    errors have longer tails. So the deviation is scaled by the geometric mean of two factors: with
    the first, 68.27 % of errors are within 1 deviation; with the second, 95 % are within 1.96
    deviations.

    If ``unseen.from_inputs`` is given, it is not part of the calibrated deviation: the square root
    of the sum of both squares agrees with the errors. Then the deviation is scaled by the mean of
    the two factors, because one factor may be zero.

    Raises:
        ConfigError: an output has too few rows.
    """
    pairs = []
    for column, variable in enumerate(outputs):
        error = unseen.modelled[:, column] - unseen.observed[:, column]
        spread = unseen.spread[:, column]
        typical = np.ones_like(error) if unseen.typical is None else unseen.typical[:, column]
        known = np.isfinite(error) & np.isfinite(spread) & np.isfinite(typical)
        from_inputs = None
        if unseen.from_inputs is not None:
            known &= np.isfinite(unseen.from_inputs[:, column])
            from_inputs = unseen.from_inputs[known, column]
        if known.sum() < FEWEST:
            raise ConfigError(
                f"{variable.name}: found {known.sum()} rows to calibrate the ensemble, expected "
                f"{FEWEST} or more. Give more samples, or train a single network."
            )
        pairs.append(_factor_and_floor(error[known], spread[known], typical[known], from_inputs))
    factor, floor = zip(*pairs, strict=True)
    return Calibration(factor, floor)


def _factor_and_floor(
    error: Array, spread: Array, typical: Array, from_inputs: Array | None
) -> tuple[float, float]:
    middle = float(np.median(spread)) or float(np.std(error))
    floors = [floor * middle / float(np.median(typical)) for floor in FLOORS]
    shapes = [np.hypot(spread, floor * typical) for floor in floors]
    if from_inputs is None:
        best = int(np.argmin([_surprise(error, shape) for shape in shapes]))
        ratio = np.abs(error) / shapes[best]
        sizes = [np.quantile(ratio, share) / times for share, times in DEVIATIONS.items()]
        size = float(np.sqrt(np.prod(sizes)))
        return size, size * floors[best]
    best = _likeliest_beside(error, shapes, from_inputs)
    # An error is within t deviations if (error / t)^2 - from_inputs^2 <= (size * shape)^2.
    own = [np.square(error / times) - np.square(from_inputs) for times in DEVIATIONS.values()]
    squares = [
        np.quantile(square / np.square(shapes[best]), share)
        for square, share in zip(own, DEVIATIONS, strict=True)
    ]
    size = float(np.mean(np.sqrt(np.maximum(squares, 0.0))))
    return size, size * floors[best]


def _likeliest_beside(error: Array, shapes: Sequence[Array], from_inputs: Array) -> int:
    """Return the most likely shape of the deviations that are added to those from the inputs."""
    some = slice(None, None, max(len(error) // MOST_TO_CHOOSE, 1))
    sizes = np.sqrt(np.mean(np.square(error))) * SIZES
    best, least = 0, np.inf
    for number, whole in enumerate(shapes):
        shape = whole[some]
        for size in sizes / np.sqrt(np.mean(np.square(shape))):
            surprise = _surprise_of(error[some], np.hypot(size * shape, from_inputs[some]))
            if surprise < least:
                best, least = number, surprise
    return best


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
