"""The float64 reference: the forward pass spelled out in NumPy, by which engines are judged."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.activations import activation_function
from pipeline.networks.description import Array, Network, Variable
from pipeline.networks.retrieval import Retrieval


def forward(network: Network, x: npt.ArrayLike) -> Array:
    """Outputs in physical units, float64.

    Args:
        network: the description.
        x: inputs in physical units with shape (n, inputs).

    Returns:
        Array with shape (n, outputs). A negative input of log10, ln or sqrt gives NaN.
    """
    rows = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        signal = scaled(network.inputs, rows)
        for layer in network.layers:
            signal = activation_function(layer.activation)(signal @ layer.kernel + layer.bias)
        return _physical(network.outputs, _unscale(network.outputs, signal))


def transformed(variables: tuple[Variable, ...], physical: Array) -> Array:
    """Each column through its variable's transform; shapes (n, variables)."""
    columns = [
        variable.transform.forward(physical[:, index]) for index, variable in enumerate(variables)
    ]
    return np.stack(columns, axis=1)


def limits(variables: tuple[Variable, ...]) -> tuple[Array, Array]:
    """Minimum and maximum of the transformed variables, each with shape (variables,).

    An end that is not known is infinite.
    """
    minimum = np.array([variable.minimum for variable in variables])
    return minimum, np.array([variable.maximum for variable in variables])


def scale_factors(variables: tuple[Variable, ...]) -> tuple[Array, Array]:
    """Centre and width of each variable's scaling, each with shape (variables,).

    What the network sees is ``(transformed - centre) / width``.
    """
    centre = np.array([variable.scaling.centre(variable) for variable in variables])
    return centre, np.array([variable.scaling.width(variable) for variable in variables])


def scaled(variables: tuple[Variable, ...], physical: Array) -> Array:
    """What a network sees of physical values with shape (n, variables)."""
    with np.errstate(all="ignore"):
        return _scale(variables, transformed(variables, physical))


def _physical(variables: tuple[Variable, ...], values: Array) -> Array:
    columns = [
        variable.transform.inverse(values[:, index]) for index, variable in enumerate(variables)
    ]
    return np.stack(columns, axis=1)


def _scale(variables: tuple[Variable, ...], values: Array) -> Array:
    centre, width = scale_factors(variables)
    return (values - centre) / width


def _unscale(variables: tuple[Variable, ...], signal: Array) -> Array:
    centre, width = scale_factors(variables)
    return signal * width + centre


# Of the engine, at a time: what is between two layers stays in the cache, and memory small.
ROWS = 8192


class NumpyEngine:
    """Runs the float64 reference."""

    name = "numpy"

    def __init__(self, network: Retrieval) -> None:
        self._network = network

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Outputs (n, outputs), float64, of inputs (n, inputs) in physical units."""
        out = np.empty((len(self._network.outputs), len(x)), dtype=np.float64)
        for start in range(0, len(x), ROWS):
            out[:, start : start + ROWS] = self._network.reference(x[start : start + ROWS]).T
        return out.T
