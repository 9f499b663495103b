"""Sigma points: a few sets of inputs that represent all inputs within their uncertainty.

Outputs at these points have the mean and the standard deviation of the outputs of uncertain inputs.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Array, in_decades

Floats = npt.NDArray[np.floating]

# Quantiles are interpolated between this many nodes, to 2e-5 of a standard deviation.
NODES = 512
_NORMAL = NormalDist()


def deviation_from_inputs(
    retrieval: Retrieval, x: Array, deviations: Array, factor: Array, engine: str = "numpy"
) -> Array:
    """Return the standard deviations (n, outputs) of outputs whose inputs are uncertain.

    If the transform of an output is a logarithm, it is the standard deviation of log10(output).

    Args:
        retrieval: a network, an ensemble or a published algorithm.
        x: inputs in physical units, with shape (n, inputs).
        deviations: standard deviations of the inputs (n, inputs); 0 for an exact input.
        factor: Cholesky factor of the correlation of the inputs, with shape (inputs, inputs).
        engine: the engine that computes the outputs.
    """
    found = RunningMoments()
    variables = retrieval.inputs
    positive = [v.transform.needs_positive or v.transform.needs_non_negative for v in variables]
    with np.errstate(all="ignore"):
        for point in sigma_points(factor):
            columns = zip(x.T, deviations.T, point, positive, strict=True)
            moved = [moved_value(value, size, float(z), cut) for value, size, z, cut in columns]
            outputs = retrieval.predict(np.stack(moved, axis=1), engine)
            found.add(in_decades(retrieval.outputs, outputs))
    return np.asarray(found.moments[0], dtype=np.float64)


def correlation_factor(
    bands: Sequence[tuple[str, float | None]], correlated: Callable[[float, float], float] | None
) -> Array:
    """Return the Cholesky factor of the correlation between bands of the same quantity.

    Args:
        bands: quantity and wavelength (nm) of each input.
        correlated: gives the correlation of two wavelengths; None if all errors are independent.

    Raises:
        numpy.linalg.LinAlgError: the correlations contradict each other.
    """
    matrix = np.eye(len(bands))
    for i, (quantity, nm) in enumerate(bands):
        for j, (other, other_nm) in enumerate(bands[:i]):
            if quantity == other and correlated is not None:
                matrix[i, j] = matrix[j, i] = correlated(nm or 0.0, other_nm or 0.0)
    return np.asarray(np.linalg.cholesky(matrix))


def sigma_points(factor: Array) -> Iterator[Array]:
    """Yield 2n points (n,) of equal weight, with mean zero and covariance ``factor @ factor.T``.

    Their directions are rows of the orthogonal matrix of the discrete Hartley transform.
    """
    size = len(factor)
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size)) / size
    for direction in np.cos(angles) + np.sin(angles):  # of length sqrt(n)
        moved = factor @ direction
        yield moved
        yield -moved


def moved_value(value: Floats, deviation: Floats, z: float, is_positive: bool) -> Floats:
    """Return values that are changed by z standard deviations.

    A changed value is a quantile of a normal distribution. For positive quantities, the
    distribution is cut off at zero, so that no changed value is below zero.
    """
    if not is_positive:
        return value + np.float32(z) * deviation
    ratios, quantiles = _truncated_quantiles(z)
    away = np.interp(value / deviation, ratios, quantiles).astype(np.float32)
    return np.asarray(value + deviation * away)


@functools.lru_cache(maxsize=4096)
def _truncated_quantiles(z: float) -> tuple[Array, Array]:
    """Tabulate the quantile z of normal distributions that are cut off at zero.

    Returns:
        Means of the distributions, and for each mean the distance of the quantile from the mean.
        Both are in standard deviations.
    """
    ratios = np.linspace(0.0, 6.0 + abs(z), NODES)
    below = _NORMAL.cdf(z)
    quantiles = []
    for ratio in ratios:
        cut = _NORMAL.cdf(-ratio)
        share = cut + below * (1 - cut)
        # Computed from the nearer end of the distribution, which keeps more digits.
        if share < 0.5:
            quantiles.append(_NORMAL.inv_cdf(share))
        else:
            quantiles.append(-_NORMAL.inv_cdf(_NORMAL.cdf(-z) * _NORMAL.cdf(ratio)))
    return ratios, np.array(quantiles)


class RunningMoments:
    """Mean and standard deviation of arrays of equal weight, updated with each array."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: Any = None
        self._squares: Any = None

    def add(self, values: Floats) -> None:
        """Add one array."""
        self._count += 1
        if self._mean is None:
            self._mean, self._squares = values, np.zeros_like(values)
            return
        away = values - self._mean
        self._mean += away / np.float32(self._count)
        away *= values - self._mean
        self._squares += away

    @property
    def moments(self) -> tuple[Any, Any]:
        """Standard deviation and mean of all arrays added so far."""
        return np.sqrt(self._squares / np.float32(self._count)), self._mean
