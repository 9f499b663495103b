"""Propagates the uncertainty of inputs through all steps of a run, pixel by pixel."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.combined import Combination
from pipeline.networks.after import gained
from pipeline.networks.engines import get_engine
from pipeline.networks.jacobian import jacobian
from pipeline.networks.sigma_points import RunningMoments, moved_value, sigma_points
from pipeline.networks.transforms import LN10
from pipeline.networks.variable import in_decades
from pipeline.run.step import RetrievalStep, take_columns
from pipeline.run.uncertainty import InputUncertainty

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Steps = Sequence[RetrievalStep]

# How many derivatives are in memory at a time.
DERIVATIVES_AT_ONCE = 1_000_000


class Propagated(NamedTuple):
    """Moments of outputs, or of log10(output) if the transform is a logarithm: (n, outputs)."""

    deviation: Float32
    """Standard deviations."""
    mean: Float32 | None
    """Means; None if they are the values, as in a linear approximation."""


def propagate(
    uncertainty: InputUncertainty, steps: Steps, rows: Float32, deviations: Float32
) -> dict[str, Propagated]:
    """Return the moments of outputs whose inputs are uncertain.

    Args:
        uncertainty: the uncertain inputs and the method.
        steps: the steps of the run.
        rows: a row of numbers for each pixel (n, layers), see ``Plan.layer_names``.
        deviations: standard deviations of the uncertain inputs, with shape (inputs, n).

    Returns:
        Moments for each step whose uncertainty is written, and for each step that feeds such a
        step.
    """
    method = _by_derivatives if uncertainty.method == "jacobian" else _by_sigma_points
    return method(uncertainty, _needed(uncertainty.reached(steps)), rows, deviations)


def _needed(steps: Steps) -> tuple[RetrievalStep, ...]:
    """Return the steps whose uncertainty is written, and the earlier steps that feed them."""
    needed: list[RetrievalStep] = []
    for step in reversed(steps):
        outputs = range(step.output_columns.start, step.output_columns.stop)
        if step.uncertainties or any(c in outputs for later in needed for c in later.columns):
            needed.insert(0, step)
    return tuple(needed)


# Sigma points


def _by_sigma_points(
    uncertainty: InputUncertainty, steps: Steps, rows: Float32, deviations: Float32
) -> dict[str, Propagated]:
    """Return moments of outputs at 2n points, which have the mean and covariance of the inputs.

    Uses the spherical cubature rule of Arasaratnam and Haykin 2009 (IEEE Trans. Autom. Control 54,
    1254), rotated so that every point moves every input a little. Without rotation, a point would
    move one input by sqrt(n) standard deviations, so that Rrs would often be negative.
    """
    spreads = {step.name: RunningMoments() for step in steps}
    moved = np.array(rows, order="K")
    with np.errstate(all="ignore"):
        for point in sigma_points(uncertainty.factor):
            for z, each, deviation in zip(point, uncertainty.inputs, deviations, strict=True):
                value = rows[:, each.column]
                moved[:, each.column] = moved_value(value, deviation, float(z), each.is_positive)
            for step in steps:
                outputs = _outputs(step, rows, moved)
                moved[:, step.output_columns] = outputs
                spreads[step.name].add(in_decades(step.retrieval.outputs, outputs))
    return {name: Propagated(*spread.moments) for name, spread in spreads.items()}


def _outputs(step: RetrievalStep, rows: Float32, moved: Float32) -> Float32:
    """Return outputs of changed rows; combined products still decide by the unchanged rows."""
    x = gained(take_columns(moved, step.columns), step.input_gains)
    if isinstance(step.retrieval, Combination):
        held = step.retrieval.held(take_columns(rows, step.columns), x)
        return held.astype(np.float32)
    outputs = get_engine(step.retrieval, step.engine).predict(x)
    return np.asarray(gained(outputs, step.gains).astype(np.float32, copy=False))


# Derivatives


def _by_derivatives(
    uncertainty: InputUncertainty, steps: Steps, rows: Float32, deviations: Float32
) -> dict[str, Propagated]:
    """Propagate uncertainty linearly by the chain rule, in float64; rows are taken in portions."""
    sizes = {step.name: len(step.retrieval.outputs) for step in steps}
    found = {name: np.empty((n, len(rows)), dtype=np.float32).T for name, n in sizes.items()}
    size = max(DERIVATIVES_AT_ONCE // (sum(sizes.values()) * len(uncertainty.inputs)), 1)
    with np.errstate(all="ignore"):
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            moves = deviations[:, part].T.astype(np.float64)
            moves = moves[:, :, np.newaxis] * uncertainty.factor  # (n, inputs, directions)
            for name, values in _linear(uncertainty, steps, rows[part], moves):
                found[name][part] = values
    return {name: Propagated(deviation, None) for name, deviation in found.items()}


def _linear(
    uncertainty: InputUncertainty, steps: Steps, rows: Float32, moves: Float64
) -> Iterator[tuple[str, Float64]]:
    """Yield the name and the standard deviations (n, outputs) of each step."""
    #     # How each layer changes along each direction of the input errors. Missing layers do not
    # change.
    moved = {each.column: moves[:, number] for number, each in enumerate(uncertainty.inputs)}
    for step in steps:
        x = take_columns(rows, step.columns).astype(np.float64)
        factors = np.ones_like(x) if step.input_gains is None else step.input_gains.factors(x)
        if isinstance(step.retrieval, Combination):
            derivatives = step.retrieval.derivatives(x)
        else:
            derivatives = jacobian(step.retrieval, x * factors) * factors[:, np.newaxis, :]
        still = np.zeros(moves.shape[::2])
        taken = np.stack([moved.get(column, still) for column in step.columns], axis=1)
        if step.is_combined:
            taken = np.nan_to_num(taken)  # a missing candidate must not change the others
        by_direction = derivatives @ taken
        outputs = rows[:, step.output_columns].astype(np.float64)
        gains = 1.0 if step.gains is None else step.gains.factors(outputs)
        for column, variable in enumerate(step.retrieval.outputs):
            gain = gains if isinstance(gains, float) else gains[:, column, np.newaxis]
            if not variable.spans_decades:
                by_direction[:, column] *= gain
            size = outputs[:, column, np.newaxis] * LN10 if variable.spans_decades else 1.0
            moved[step.output_columns.start + column] = by_direction[:, column] * size
        yield step.name, np.sqrt(np.square(by_direction).sum(axis=2))
