"""The MLP rebuilt as a Keras model: transforms and scaling are part of its graph.

Weights go in by ``set_weights``, kernels as (inputs, units): ``Constant`` initializers take one
value and not a matrix.
"""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.networks.activations import parse_activation
from pipeline.networks.description import Network
from pipeline.networks.engines.folding import fold
from pipeline.networks.engines.tensorflow_setup import tensorflow

if TYPE_CHECKING:
    import keras


def build_model(network: Network) -> "keras.Model":
    """A Keras model (n, inputs) -> (n, outputs) in physical units, float32."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        tensorflow()  # set up before Keras imports it; jax and torch run the same model
    import keras

    folded = fold(network)
    inputs = keras.Input((len(network.inputs),), name="physical_inputs")
    signal = _columnwise(inputs, folded.input_functions, _input_functions())
    dense = []
    for number, layer in enumerate(folded.layers, start=1):
        made = keras.layers.Dense(
            layer.bias.size, activation=keras_activation(layer.activation), name=f"layer_{number}"
        )
        signal = made(signal)
        dense.append((made, layer))
    outputs = _columnwise(signal, folded.output_functions, _output_functions())
    model = keras.Model(inputs, outputs, name=_model_name(network.name))
    for made, layer in dense:
        made.set_weights([layer.kernel.astype(np.float32), layer.bias.astype(np.float32)])
    return model


def dense_model(network: Network) -> "keras.Model":
    """The layers alone, (n, inputs) -> (n, outputs) of scaled quantities, float64 as in files."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        tensorflow()
    import keras

    model = keras.Sequential(name=_model_name(network.name))
    model.add(keras.Input((len(network.inputs),), dtype="float64"))
    for number, layer in enumerate(network.layers, start=1):
        made = keras.layers.Dense(
            layer.bias.size,
            activation=keras_activation(layer.activation),
            dtype="float64",
            name=f"layer_{number}",
        )
        model.add(made)
        made.set_weights([layer.kernel, layer.bias])
    return model


def _model_name(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name)


def keras_activation(text: str) -> Any:
    """What a Dense layer takes as its activation; softmax is over the last axis."""
    from keras import layers

    name, parameter = parse_activation(text)
    with_parameter: dict[str, Any] = {
        "leaky_relu": lambda slope: layers.LeakyReLU(negative_slope=slope),
        "elu": lambda alpha: layers.ELU(alpha=alpha),
    }
    return name if parameter is None else with_parameter[name](parameter)


def _input_functions() -> dict[str, Any]:
    from keras import ops

    return {
        "identity": lambda x: x,
        "log": ops.log,
        "sqrt": ops.sqrt,
        "cos_degrees": lambda x: ops.cos(x * np.float32(np.pi / 180)),
    }


def _output_functions() -> dict[str, Any]:
    from keras import ops

    return {
        "identity": lambda y: y,
        "log": ops.exp,
        "sqrt": ops.square,
        "cos_degrees": lambda y: ops.arccos(ops.clip(y, -1, 1)) * np.float32(180 / np.pi),
    }


def _columnwise(tensor: Any, names: tuple[str, ...], functions: dict[str, Any]) -> Any:
    """Apply to each run of columns the function it is named for."""
    from keras import ops

    parts, start = [], 0
    for stop in range(1, len(names) + 1):
        if stop == len(names) or names[stop] != names[start]:
            parts.append(functions[names[start]](tensor[:, start:stop]))
            start = stop
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)
