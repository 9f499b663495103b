"""Changes the scalings of a network, in float64; its physical outputs stay the same."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipeline.networks.description import Layer, Network
from pipeline.networks.variable import Array, Variable, scale_factors


def rescaled(
    network: Network, inputs: tuple[Variable, ...], outputs: tuple[Variable, ...]
) -> Network:
    """Return the network with other scalings and training ranges; its outputs stay the same.

    The weights of the first and the last layer are adapted. If the outputs are scaled differently
    and the last layer is not linear, a linear layer is appended.

    Args:
        network: any network.
        inputs: the network's inputs with the new scalings.
        outputs: the network's outputs with the new scalings.
    """
    (old_centre, old_width), (centre, width) = map(scale_factors, (network.inputs, inputs))
    first, *others = network.layers
    first = Layer(
        (width / old_width)[:, np.newaxis] * first.kernel,
        first.bias + ((centre - old_centre) / old_width) @ first.kernel,
        first.activation,
    )
    (old_centre, old_width), (centre, width) = map(scale_factors, (network.outputs, outputs))
    layers = with_output_scaling([first, *others], old_width / width, (old_centre - centre) / width)
    return dataclasses.replace(network, inputs=inputs, outputs=outputs, layers=layers)


def with_output_scaling(layers: Sequence[Layer], slope: Array, shift: Array) -> tuple[Layer, ...]:
    """Return layers whose outputs are multiplied by ``slope`` and shifted by ``shift``.

    If the last layer is linear, its weights are adapted; otherwise a linear layer is appended.
    """
    if np.all(slope == 1) and np.all(shift == 0):
        return tuple(layers)
    *others, last = layers
    if last.activation != "linear":
        size = last.bias.size
        others, last = [*layers], Layer(np.eye(size), np.zeros(size), "linear")
    return (*others, Layer(last.kernel * slope, last.bias * slope + shift, "linear"))


def scaled_as(variables: tuple[Variable, ...], scaling: str) -> tuple[Variable, ...]:
    """Replace the scaling of all variables by one that needs no mean or standard deviation."""
    return tuple(
        dataclasses.replace(v, scaling_name=scaling, scaling_parameters=None) for v in variables
    )


def with_outputs(network: Network, columns: list[int]) -> Network:
    """Return the network with only these output columns, in this order."""
    last = network.layers[-1]
    kept = Layer(np.ascontiguousarray(last.kernel[:, columns]), last.bias[columns], last.activation)
    return dataclasses.replace(
        network,
        outputs=tuple(network.outputs[column] for column in columns),
        layers=(*network.layers[:-1], kept),
        golden=None,
    )
