"""Scaling folded into the first and last layer, in float64, before anything is rounded to float32.

An unfolded float32 graph loses half of its digits in ``(x - min) / (max - min)``; folded, the worst
relative error of OC-SMART's networks falls from 6e-5 to about 1.4e-5.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.networks.description import Layer, Network
from pipeline.networks.variable import Array, Variable, scale_factors

LN10 = float(np.log(10.0))

# Graphs compute natural logarithms and exponentials: log10(x) = ln(x) / ln(10) is folded, too.
# Transform -> (function of the graph, factor such that transform = factor * function).
GRAPH_FUNCTIONS: dict[str, tuple[str, float]] = {
    "none": ("identity", 1.0),
    "log10": ("log", 1.0 / LN10),
    "ln": ("log", 1.0),
    "sqrt": ("sqrt", 1.0),
    "cos_degrees": ("cos_degrees", 1.0),
}


@dataclass(frozen=True)
class Folded:
    """A network as functions of the inputs, dense layers, and inverse functions of the outputs."""

    input_functions: tuple[str, ...]
    layers: tuple[Layer, ...]
    output_functions: tuple[str, ...]


def fold(network: Network) -> Folded:
    """The same mapping with the scaling inside the first and the last layer.

    The last layer must be linear to take up the scaling of the outputs; otherwise an identity layer
    that does so is appended, unless the outputs are not scaled at all (probabilities of classes).
    """
    layers = list(network.layers)
    layers[0] = _fold_input(network, layers[0])
    slope, shift = _output_scaling(network)
    if np.any(slope != 1) or np.any(shift != 0):
        if layers[-1].activation != "linear":
            size = layers[-1].bias.size
            layers.append(Layer(np.eye(size), np.zeros(size), "linear"))
        last = layers[-1]
        layers[-1] = Layer(last.kernel * slope, last.bias * slope + shift, last.activation)
    return Folded(
        tuple(GRAPH_FUNCTIONS[v.transform_name][0] for v in network.inputs),
        tuple(layers),
        tuple(GRAPH_FUNCTIONS[v.transform_name][0] for v in network.outputs),
    )


def _factors(variables: tuple[Variable, ...]) -> Array:
    return np.array([GRAPH_FUNCTIONS[variable.transform_name][1] for variable in variables])


def _fold_input(network: Network, layer: Layer) -> Layer:
    centre, width = scale_factors(network.inputs)
    kernel = (_factors(network.inputs) / width)[:, np.newaxis] * layer.kernel
    return Layer(kernel, layer.bias - (centre / width) @ layer.kernel, layer.activation)


def _output_scaling(network: Network) -> tuple[Array, Array]:
    """Slope and shift (outputs,) from what the last layer gives to what the graph undoes."""
    centre, width = scale_factors(network.outputs)
    factor = _factors(network.outputs)
    return width / factor, centre / factor
