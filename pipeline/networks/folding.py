"""Scaling folded into the first and last layer, in float64, before anything is rounded to float32.

An unfolded float32 graph loses half of its digits in ``(x - min) / (max - min)``; folded, the worst
relative error of OC-SMART's networks falls from 6e-5 to about 1.4e-5.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.networks.description import Array, Layer, Network
from pipeline.networks.reference import limits

LN10 = float(np.log(10.0))

# Graphs compute natural logarithms and exponentials: log10(x) = ln(x) / ln(10) is folded, too.
# Transform -> (function of the graph, factor such that transform = factor * function).
GRAPH_FUNCTIONS: dict[str, tuple[str, float]] = {
    "none": ("identity", 1.0),
    "log10": ("log", 1.0 / LN10),
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
    that does so is appended.
    """
    layers = list(network.layers)
    if layers[-1].activation != "linear":
        size = layers[-1].bias.size
        layers.append(Layer(np.eye(size), np.zeros(size), "linear"))
    layers[0] = _fold_input(network, layers[0])
    layers[-1] = _fold_output(network, layers[-1])
    return Folded(
        tuple(GRAPH_FUNCTIONS[v.transform_name][0] for v in network.inputs),
        tuple(layers),
        tuple(GRAPH_FUNCTIONS[v.transform_name][0] for v in network.outputs),
    )


def _factors(network_variables: tuple[str, ...]) -> Array:
    return np.array([GRAPH_FUNCTIONS[name][1] for name in network_variables])


def _fold_input(network: Network, layer: Layer) -> Layer:
    minimum, maximum = limits(network.inputs)
    factor = _factors(tuple(v.transform_name for v in network.inputs))
    slope = 2 / (maximum - minimum)
    shift = -2 * minimum / (maximum - minimum) - 1
    kernel = (slope * factor)[:, np.newaxis] * layer.kernel
    return Layer(kernel, layer.bias + shift @ layer.kernel, layer.activation)


def _fold_output(network: Network, layer: Layer) -> Layer:
    minimum, maximum = limits(network.outputs)
    factor = _factors(tuple(v.transform_name for v in network.outputs))
    slope = (maximum - minimum) / 2 / factor
    kernel = layer.kernel * slope
    bias = (layer.bias + 1) * slope + minimum / factor
    return Layer(kernel, bias, layer.activation)
