"""A network rebuilt as a Keras model; transforms and scaling are part of the model.

Weights are set with ``set_weights``; a kernel has the shape (inputs, units). A ``Constant``
initializer cannot be used, because it takes one value and not a matrix.
"""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.networks.activations import keras_activation
from pipeline.networks.description import Layer, Network
from pipeline.networks.engines.folding import columns_of, fold
from pipeline.networks.engines.tensorflow_setup import tensorflow

if TYPE_CHECKING:
    import keras


def build_model(network: Network) -> "keras.Model":
    """Return a Keras model (n, inputs) -> (n, outputs) in physical units, float32."""
    keras = _keras()
    folded = fold(network)

    def columnwise(tensor: Any, functions: Any, way: str) -> Any:
        parts = [
            getattr(function, way)(keras.ops, tensor[:, columns])
            for function, columns in columns_of(functions)
        ]
        return parts[0] if len(parts) == 1 else keras.ops.concatenate(parts, axis=1)

    inputs = keras.Input((len(network.inputs),), name="physical_inputs")
    signal = columnwise(inputs, folded.input_functions, "keras")
    dense = [_dense(keras, layer, number) for number, layer in enumerate(folded.layers, start=1)]
    for made in dense:
        signal = made(signal)
    outputs = columnwise(signal, folded.output_functions, "keras_inverse")
    model = keras.Model(inputs, outputs, name=_model_name(network.name))
    for made, layer in zip(dense, folded.layers, strict=True):
        made.set_weights([layer.kernel.astype(np.float32), layer.bias.astype(np.float32)])
    return model


def dense_model(network: Network) -> "keras.Model":
    """Return a float64 Keras model of the layers alone, from scaled inputs to scaled outputs."""
    keras = _keras()
    model = keras.Sequential(name=_model_name(network.name))
    model.add(keras.Input((len(network.inputs),), dtype="float64"))
    for number, layer in enumerate(network.layers, start=1):
        made = _dense(keras, layer, number, dtype="float64")
        model.add(made)
        made.set_weights([layer.kernel, layer.bias])
    return model


def _keras() -> Any:
    """Import Keras; if its backend is TensorFlow, set up TensorFlow first."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        tensorflow()
    import keras

    return keras


def _dense(keras: Any, layer: Layer, number: int, **options: Any) -> Any:
    activation = keras_activation(layer.activation, keras)
    name = f"layer_{number}"
    return keras.layers.Dense(layer.bias.size, activation=activation, name=name, **options)


def _model_name(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name)
