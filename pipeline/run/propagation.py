"""Uncertain inputs through the networks of a run, chains included, pixel by pixel."""

import functools
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.after import gained
from pipeline.networks.engines import get_engine
from pipeline.networks.jacobian import jacobian
from pipeline.networks.transforms import LN10
from pipeline.networks.variable import in_decades
from pipeline.run.step import RetrievalStep, take_columns
from pipeline.run.uncertainty import InputUncertainty

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# Derivatives that are kept of a batch of rows.
DERIVATIVES_AT_ONCE = 1_000_000
# Nodes between which quantiles are interpolated: they are right to 2e-5 of a standard deviation.
NODES = 512
_NORMAL = NormalDist()


def propagate(
    uncertainty: InputUncertainty,
    steps: Sequence[RetrievalStep],
    rows: Float32,
    deviations: Float32,
) -> dict[str, Float32]:
    """Standard deviations of what networks make, of log10 for what spans decades.

    Args:
        uncertainty: which inputs are not exact, and by which method.
        steps: the networks of the run.
        rows: a row of numbers for each pixel (n, layers), see ``Plan.layer_names``.
        deviations: of the uncertain inputs, with shape (inputs, n).

    Returns:
        For each network whose uncertainty is written, and others, an array (n, outputs).
    """
    method = _by_derivatives if uncertainty.method == "jacobian" else _by_sigma_points
    return method(uncertainty, _needed(uncertainty.reached(steps)), rows, deviations)


def _needed(steps: Sequence[RetrievalStep]) -> tuple[RetrievalStep, ...]:
    """Those whose uncertainty is written, and those before them in the chain."""
    needed: list[RetrievalStep] = []
    for step in reversed(steps):
        made = range(step.output_columns.start, step.output_columns.stop)
        if step.uncertainties or any(c in made for later in needed for c in later.columns):
            needed.insert(0, step)
    return tuple(needed)


# Sigma points


def _by_sigma_points(
    uncertainty: InputUncertainty,
    steps: Sequence[RetrievalStep],
    rows: Float32,
    deviations: Float32,
) -> dict[str, Float32]:
    """The spread of outputs over 2n points that have mean and covariance of the inputs.

    The spherical cubature rule of Arasaratnam and Haykin 2009 (IEEE Trans. Autom. Control 54,
    1254), turned so that every point moves every input a little and none of them far: along an
    axis a point is the square root of n deviations away, where Rrs is often negative.
    """
    spreads = {step.name: _Spread() for step in steps}
    moved = np.array(rows, order="K")
    with np.errstate(all="ignore"):
        for point in sigma_points(uncertainty.factor):
            for z, each, deviation in zip(point, uncertainty.inputs, deviations, strict=True):
                value = rows[:, each.column]
                moved[:, each.column] = moved_value(value, deviation, float(z), each.is_positive)
            for step in steps:
                made = _evaluated(step, moved)
                moved[:, step.output_columns] = made
                spreads[step.name].add(in_decades(step.retrieval.outputs, made))
    return {name: spread.deviation for name, spread in spreads.items()}


def sigma_points(factor: Float64) -> Iterator[Float64]:
    """2n points (n,) of equal weight whose mean is zero and whose covariance is factor factor'.

    Their directions are rows of the orthogonal matrix of the discrete Hartley transform.
    """
    size = len(factor)
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size)) / size
    for direction in np.cos(angles) + np.sin(angles):  # of length sqrt(n)
        moved = factor @ direction
        yield moved
        yield -moved


def moved_value(value: Float32, deviation: Float32, z: float, is_positive: bool) -> Float32:
    """Values z standard deviations away, by the quantiles of their distribution.

    It is normal; of what can only be positive, normal as far as it is above zero, so that no point
    is below.
    """
    if not is_positive:
        return value + np.float32(z) * deviation
    ratios, quantiles = _truncated_quantiles(z)
    away = np.interp(value / deviation, ratios, quantiles).astype(np.float32)
    return np.asarray(value + deviation * away)


@functools.lru_cache(maxsize=4096)
def _truncated_quantiles(z: float) -> tuple[Float64, Float64]:
    """What becomes of z where a normal distribution is cut off at zero.

    First the mean in standard deviations, then how many of them the value is away that has the same
    share of the distribution below it.
    """
    ratios = np.linspace(0.0, 6.0 + abs(z), NODES)
    below = _NORMAL.cdf(z)
    quantiles = []
    for ratio in ratios:
        cut = _NORMAL.cdf(-ratio)
        share = cut + below * (1 - cut)
        # From the end that has the digits.
        if share < 0.5:
            quantiles.append(_NORMAL.inv_cdf(share))
        else:
            quantiles.append(-_NORMAL.inv_cdf(_NORMAL.cdf(-z) * _NORMAL.cdf(ratio)))
    return ratios, np.array(quantiles)


def _evaluated(step: RetrievalStep, rows: Float32) -> Float32:
    x = gained(take_columns(rows, step.columns), step.input_gains)
    made = get_engine(step.retrieval, step.engine).predict(x)
    return np.asarray(gained(made, step.gains).astype(np.float32, copy=False))


class _Spread:
    """Standard deviation of arrays that come one after the other, each of the same weight."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: Any = None
        self._squares: Any = None

    def add(self, values: Float32) -> None:
        """One more array."""
        self._count += 1
        if self._mean is None:
            self._mean, self._squares = values, np.zeros_like(values)
            return
        away = values - self._mean
        self._mean += away / np.float32(self._count)
        away *= values - self._mean
        self._squares += away

    @property
    def deviation(self) -> Float32:
        """Of all of them."""
        return np.asarray(np.sqrt(self._squares / np.float32(self._count)))


# Derivatives


def _by_derivatives(
    uncertainty: InputUncertainty,
    steps: Sequence[RetrievalStep],
    rows: Float32,
    deviations: Float32,
) -> dict[str, Float32]:
    """Linear in the inputs, by the chain rule in float64, some rows at a time."""
    found = {
        step.name: np.empty((len(step.retrieval.outputs), len(rows)), dtype=np.float32).T
        for step in steps
    }
    made = sum(len(step.retrieval.outputs) for step in steps)
    size = max(DERIVATIVES_AT_ONCE // (made * len(uncertainty.inputs)), 1)
    with np.errstate(all="ignore"):
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            moves = deviations[:, part].T.astype(np.float64)
            moves = moves[:, :, np.newaxis] * uncertainty.factor  # (n, inputs, directions)
            for name, values in _linear(uncertainty, steps, rows[part], moves):
                found[name][part] = values
    return found


def _linear(
    uncertainty: InputUncertainty, steps: Sequence[RetrievalStep], rows: Float32, moves: Float64
) -> Iterator[tuple[str, Float64]]:
    """Name and standard deviations (n, outputs) of each network."""
    # How each layer moves along each direction of the inputs' errors; others do not move.
    moved: dict[int, Float64] = {
        each.column: moves[:, number] for number, each in enumerate(uncertainty.inputs)
    }
    for step in steps:
        x = take_columns(rows, step.columns).astype(np.float64)
        factors = np.ones_like(x) if step.input_gains is None else step.input_gains.factors(x)
        derivatives = jacobian(step.retrieval, x * factors) * factors[:, np.newaxis, :]
        still = np.zeros(moves.shape[::2])
        taken = np.stack([moved.get(column, still) for column in step.columns], axis=1)
        by_direction = derivatives @ taken
        made = rows[:, step.output_columns].astype(np.float64)
        gains = 1.0 if step.gains is None else step.gains.factors(made)
        for column, variable in enumerate(step.retrieval.outputs):
            gain = gains if isinstance(gains, float) else gains[:, column, np.newaxis]
            if not variable.spans_decades:
                by_direction[:, column] *= gain
            size = made[:, column, np.newaxis] * LN10 if variable.spans_decades else 1.0
            moved[step.output_columns.start + column] = by_direction[:, column] * size
        yield step.name, np.sqrt(np.square(by_direction).sum(axis=2))
