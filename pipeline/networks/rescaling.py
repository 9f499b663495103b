"""The same function of the physical quantities with other scalings, in float64."""

import dataclasses

import numpy as np

from pipeline.networks.description import Layer, Network
from pipeline.networks.variable import Variable, scale_factors


def rescaled(
    network: Network, inputs: tuple[Variable, ...], outputs: tuple[Variable, ...]
) -> Network:
    """The network with other scalings and training ranges, which gives the same numbers.

    The first and the last layer take up the difference; where the last one is not linear, a linear
    one is appended, if there is a difference.

    Args:
        network: any.
        inputs: its inputs, scaled otherwise.
        outputs: its outputs, scaled otherwise.
    """
    layers = list(network.layers)
    (old_centre, old_width), (centre, width) = map(scale_factors, (network.inputs, inputs))
    first = layers[0]
    layers[0] = Layer(
        (width / old_width)[:, np.newaxis] * first.kernel,
        first.bias + ((centre - old_centre) / old_width) @ first.kernel,
        first.activation,
    )
    (old_centre, old_width), (centre, width) = map(scale_factors, (network.outputs, outputs))
    slope, shift = old_width / width, (old_centre - centre) / width
    if np.any(slope != 1) or np.any(shift != 0):
        if layers[-1].activation != "linear":
            size = layers[-1].bias.size
            layers.append(Layer(np.eye(size), np.zeros(size), "linear"))
        last = layers[-1]
        layers[-1] = Layer(last.kernel * slope, last.bias * slope + shift, "linear")
    return dataclasses.replace(network, inputs=inputs, outputs=outputs, layers=tuple(layers))


def scaled_as(variables: tuple[Variable, ...], scaling: str) -> tuple[Variable, ...]:
    """Variables with another scaling that needs their training range alone."""
    return tuple(
        dataclasses.replace(v, scaling_name=scaling, scaling_parameters=None) for v in variables
    )


def with_outputs(network: Network, columns: list[int]) -> Network:
    """The network with some of its outputs only, in this order."""
    last = network.layers[-1]
    kept = Layer(np.ascontiguousarray(last.kernel[:, columns]), last.bias[columns], last.activation)
    return dataclasses.replace(
        network,
        outputs=tuple(network.outputs[column] for column in columns),
        layers=(*network.layers[:-1], kept),
        golden=None,
    )
