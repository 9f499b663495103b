"""The stated uncertainty of the inputs of samples, as arrays."""

from collections.abc import Sequence

import numpy as np

from pipeline.config.uncertainty import SampleUncertainty
from pipeline.errors import ConfigError
from pipeline.networks import Retrieval, Variable
from pipeline.networks.sigma_points import correlation_factor
from pipeline.networks.variable import Array


def input_errors(retrieval: Retrieval, x: Array, stated: SampleUncertainty) -> tuple[Array, Array]:
    """Return the standard deviations (n, inputs), and the Cholesky factor of their correlation.

    Args:
        retrieval: the network or ensemble that takes the inputs.
        x: the inputs of the samples in physical units, with shape (n, inputs).
        stated: the uncertainty of the quantities; other quantities are exact.

    Raises:
        ConfigError: see :func:`check_input_errors`.
    """
    factor = check_input_errors(retrieval.inputs, stated)
    deviations = np.zeros_like(x)
    for column, variable in enumerate(retrieval.inputs):
        if (given := stated.inputs.get(variable.quantity)) is not None:
            relative = given.relative * np.abs(x[:, column])
            deviations[:, column] = np.hypot(relative, given.constant)
    return deviations, factor


def check_input_errors(inputs: Sequence[Variable], stated: SampleUncertainty) -> Array:
    """Return the Cholesky factor of the correlation of the inputs, with shape (inputs, inputs).

    Raises:
        ConfigError: a quantity is not an input, or the correlations contradict each other.
    """
    taken = {variable.quantity for variable in inputs}
    if unknown := sorted(set(stated.inputs) - taken):
        raise ConfigError(
            f"ensemble.input_uncertainty.inputs contains {', '.join(unknown)}, but the inputs of "
            f"the samples are {', '.join(sorted(taken))}. Choose one of these, or remove the entry."
        )
    correlated = None if stated.correlation is None else stated.correlation.between
    try:
        return correlation_factor([(v.quantity, v.wavelength_nm) for v in inputs], correlated)
    except np.linalg.LinAlgError:
        raise ConfigError(
            "ensemble.input_uncertainty.correlation: the correlations of "
            f"{', '.join(v.name for v in inputs)} contradict each other (the matrix is not "
            "positive definite). Lower them."
        ) from None
