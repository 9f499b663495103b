"""Folds the scaling into the first and last layer in float64, before float32 is used.

A float32 graph that computes ``(x - min) / (max - min)`` loses half of the digits. With folding,
the worst relative error of OC-SMART's networks falls from 6e-5 to about 1.4e-5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from pipeline.networks.description import Layer, Network
from pipeline.networks.rescaling import with_output_scaling
from pipeline.networks.transforms import GraphFunction
from pipeline.networks.variable import Array, Variable, scale_factors


@dataclass(frozen=True)
class Folded:
    """Layers that include the scaling, and functions that transform the inputs and outputs."""

    input_functions: tuple[GraphFunction, ...]
    layers: tuple[Layer, ...]
    output_functions: tuple[GraphFunction, ...]


def fold(network: Network) -> Folded:
    """Return the network with its scaling folded into the first and the last layer.

    If the last layer is linear, the scaling of the outputs is folded into it. Otherwise a linear
    layer is appended, except for outputs without scaling (probabilities of classes).
    """
    first, *others = network.layers
    layers = [_fold_input(network, first), *others]
    centre, width = scale_factors(network.outputs)
    factor = _factors(network.outputs)
    return Folded(
        tuple(v.transform.graph for v in network.inputs),
        with_output_scaling(layers, width / factor, centre / factor),
        tuple(v.transform.graph for v in network.outputs),
    )


def columns_of(functions: tuple[GraphFunction, ...]) -> Iterator[tuple[GraphFunction, slice]]:
    """Yield each function and the adjacent columns to which it is applied."""
    start = 0
    for function, run in groupby(functions):
        stop = start + len(list(run))
        yield function, slice(start, stop)
        start = stop


def _factors(variables: tuple[Variable, ...]) -> Array:
    return np.array([variable.transform.graph_factor for variable in variables])


def _fold_input(network: Network, layer: Layer) -> Layer:
    centre, width = scale_factors(network.inputs)
    kernel = (_factors(network.inputs) / width)[:, np.newaxis] * layer.kernel
    return Layer(kernel, layer.bias - (centre / width) @ layer.kernel, layer.activation)
