"""Derivatives of the outputs of a network with respect to its inputs, in float64."""

import numpy as np
import numpy.typing as npt

from pipeline.networks.activations import activation_derivative, activation_function
from pipeline.networks.description import Network
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.transforms import LN10
from pipeline.networks.variable import Array, in_decades, scale_factors, scaled

# Limit on the numbers in memory between two layers.
NUMBERS_AT_ONCE = 1_000_000
# Step relative to the input, for published algorithms: their formulas have kinks and tables.
STEP = 1e-4


def jacobian(retrieval: Retrieval, x: npt.ArrayLike) -> Array:
    """Return derivatives of outputs with respect to inputs.

    If the transform of an output is a logarithm, log10(output) is differentiated.

    Args:
        retrieval: a network, an ensemble or a published algorithm.
        x: inputs in physical units with shape (n, inputs).

    Returns:
        Derivatives per physical unit of the input, with shape (n, outputs, inputs).

    Raises:
        NetworkError: the network is a classifier.
    """
    rows = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        if isinstance(retrieval, Network):
            return _by_layers(retrieval, rows)
        if isinstance(retrieval, Ensemble):
            found = np.mean([_by_layers(member, rows) for member in retrieval.members], axis=0)
            return np.asarray(found)
        return _by_differences(retrieval, rows)


def _by_layers(network: Network, x: Array) -> Array:
    """Compute derivatives backwards, from the outputs to the inputs, some rows at a time."""
    widest = max(layer.kernel.shape[0] for layer in network.layers)
    step = max(NUMBERS_AT_ONCE // (widest * len(network.outputs)), 1)
    out = np.empty((len(x), len(network.outputs), len(network.inputs)))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        out[part] = _derivatives(network, x[part])
    return out


def _derivatives(network: Network, x: Array) -> Array:
    signal, slopes = scaled(network.inputs, x), []
    for layer in network.layers:
        signal = activation_function(layer.activation)(signal @ layer.kernel + layer.bias)
        slopes.append(activation_derivative(layer.activation)(signal))
    derivatives = np.broadcast_to(np.eye(len(network.outputs)), (len(x), *(signal.shape[1],) * 2))
    for layer, slope in zip(reversed(network.layers), reversed(slopes), strict=True):
        derivatives = (derivatives * slope[:, np.newaxis, :]) @ layer.kernel.T
    _, width_in = scale_factors(network.inputs)
    by_inputs = [v.transform.derivative(x[:, i]) for i, v in enumerate(network.inputs)]
    derivatives = derivatives * (np.stack(by_inputs, axis=1) / width_in)[:, np.newaxis, :]
    return np.asarray(_output_derivatives(network, signal)[:, :, np.newaxis] * derivatives)


def _output_derivatives(network: Network, signal: Array) -> Array:
    """Return derivatives of the network's outputs with respect to the last layer's outputs."""
    centre, width = scale_factors(network.outputs)
    values = signal * width + centre
    columns = []
    for column, variable in enumerate(network.outputs):
        if variable.transform.ln_per_unit is not None:
            columns.append(np.full(len(values), variable.transform.ln_per_unit / LN10))
        else:
            physical = variable.transform.inverse(values[:, column])
            columns.append(1 / variable.transform.derivative(physical))
    return np.stack(columns, axis=1) * width


def _by_differences(retrieval: Retrieval, x: Array) -> Array:
    columns = []
    for column in range(x.shape[1]):
        step = np.zeros_like(x)
        step[:, column] = STEP * np.abs(x[:, column])
        ends = (retrieval.reference(rows) for rows in (x + step, x - step))
        above, below = (in_decades(retrieval.outputs, end) for end in ends)
        columns.append((above - below) / (2 * step[:, column, np.newaxis]))
    return np.stack(columns, axis=2)
