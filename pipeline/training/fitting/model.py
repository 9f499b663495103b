"""Make Keras models (new ones, or from the layers of a network); turn models into layers.

A model is a chain of dense layers from scaled inputs to scaled outputs. Batch normalisation and
decorrelation of the inputs are folded into these layers when the model becomes a network.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.training import Architecture
from pipeline.networks.activations import keras_activation
from pipeline.networks.description import Layer
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.networks.variable import Array

if TYPE_CHECKING:
    import keras

DENSE, NORMALISATION, ACTIVATION, DROPOUT = "dense", "normalisation", "activation", "dropout"
DECORRELATION = "decorrelation"
# Variances of principal components are raised to at least this share of the largest variance.
SMALLEST_VARIANCE = 1e-6


def decorrelation(x: Array) -> Layer:
    """Return a layer that turns inputs into principal components of variance 1."""
    mean = x.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(x - mean, rowvar=False).reshape(2 * x.shape[1:]))
    kernel = directions / np.sqrt(np.maximum(variances, SMALLEST_VARIANCE * variances.max()))
    return Layer(kernel, -mean @ kernel, "linear")


def new_model(
    inputs: int,
    outputs: int,
    architecture: Architecture,
    *,
    seed: int,
    dtype: str,
    first: Layer | None = None,
) -> "keras.Model":
    """Make a model with random weights (Glorot and Bengio 2010; for ReLU: He et al. 2015).

    Args:
        inputs: number of inputs.
        outputs: number of units of the last layer, which is linear.
        architecture: hidden layers.
        seed: seed of initial weights and dropout.
        dtype: float32 or float64.
        first: layer that decorrelates the inputs and does not learn.
    """
    hidden = zip(architecture.hidden, architecture.activations, strict=True)
    return _stacked(
        inputs,
        [*hidden, (outputs, "linear")],
        seed=seed,
        dtype=dtype,
        first=first,
        dropout=architecture.dropout,
        l2=architecture.l2,
        normalised=architecture.batch_normalisation,
    )


def model_of(
    layers: Sequence[Layer],
    *,
    new: Sequence[tuple[int, str]] = (),
    dropout: float = 0.0,
    seed: int = 1,
    dtype: str = "float64",
    first: Layer | None = None,
) -> "keras.Model":
    """Make a model from existing layers, which keep their weights; new layers may follow.

    Args:
        layers: existing layers, from first to last.
        new: units and activation of each new layer; weights of new layers are random.
        dropout: share of units that dropout leaves out after every hidden layer.
        seed: seed of new weights and dropout.
        dtype: float32 or float64; only float64 keeps the exact weights of the existing layers.
        first: layer that decorrelates the inputs; ``layers[0]`` then undoes the decorrelation.
    """
    if first is not None:
        layers = [_unfolded(first, layers[0]), *layers[1:]]
    known = [(layer.bias.size, layer.activation) for layer in layers]
    model = _stacked(
        len(layers[0].kernel), [*known, *new], seed=seed, dtype=dtype, first=first, dropout=dropout
    )
    for layer, made in zip(layers, dense_layers(model), strict=False):
        made.set_weights([layer.kernel, layer.bias])
    return model


def _stacked(
    inputs: int,
    layers: Sequence[tuple[int, str]],
    *,
    seed: int,
    dtype: str,
    first: Layer | None,
    dropout: float,
    l2: float = 0.0,
    normalised: bool = False,
) -> "keras.Model":
    """Make a model of layers with these units and activations; each layer has its own seed."""
    tensorflow()  # set up before Keras is imported
    import keras

    make, kinds = keras.layers, keras.initializers
    stack: list[Any] = [keras.Input((inputs,), dtype=dtype, name="scaled_inputs")]
    if first is not None:
        stack.append(make.Dense(inputs, dtype=dtype, trainable=False, name=DECORRELATION))
    for number, (units, activation) in enumerate(layers, start=1):
        kind = kinds.HeNormal if "relu" in activation else kinds.GlorotUniform
        own_seed, is_hidden = 1000 * seed + number, number < len(layers)
        dense = make.Dense(
            units,
            kernel_initializer=kind(seed=own_seed),
            kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            dtype=dtype,
            name=f"{DENSE}_{number}",
        )
        stack.append(dense)
        if normalised and is_hidden:
            stack.append(make.BatchNormalization(dtype=dtype, name=f"{NORMALISATION}_{number}"))
        name = f"{ACTIVATION}_{number}_{_plain(activation)}"
        stack.append(make.Activation(keras_activation(activation, keras), dtype=dtype, name=name))
        if dropout and is_hidden:
            name = f"{DROPOUT}_{number}"
            stack.append(make.Dropout(dropout, seed=own_seed, dtype=dtype, name=name))
    model = keras.Sequential(stack, name="network")
    if first is not None:
        model.get_layer(DECORRELATION).set_weights([first.kernel, first.bias])
    return model


def _plain(activation: str) -> str:
    """Return the name of an activation in a form that is allowed in a layer's name."""
    return "".join(char if char.isalnum() else "_" for char in activation)


def dense_layers(model: "keras.Model") -> list[Any]:
    """Return the dense layers of a model, from first to last."""
    return [layer for layer in model.layers if layer.name.startswith(f"{DENSE}_")]


def layers_of(model: "keras.Model", activations: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers of a model in float64, without dropout and with folded normalisation.

    Args:
        model: model made by this module.
        activations: activations of the dense layers, with the names that networks use.
    """
    by_number: dict[int, list[Any]] = {}
    for layer in model.layers:
        kind, _, rest = layer.name.partition("_")
        if kind in (DENSE, NORMALISATION):
            by_number.setdefault(int(rest), []).append(layer)
    made = []
    for (dense, *others), activation in zip(by_number.values(), activations, strict=True):
        kernel, bias = (np.asarray(w, dtype=np.float64) for w in dense.get_weights())
        for normalisation in others:
            kernel, bias = _folded(kernel, bias, normalisation)
        made.append(Layer(kernel, bias, activation))
    if model.layers[0].name == DECORRELATION:
        turned, shift = (np.asarray(w, dtype=np.float64) for w in model.layers[0].get_weights())
        kernel, bias = made[0].kernel, made[0].bias
        made[0] = Layer(turned @ kernel, bias + shift @ kernel, made[0].activation)
    return tuple(made)


def _unfolded(first: Layer, layer: Layer) -> Layer:
    """Return a layer such that ``first`` and this layer compute the same as ``layer`` alone."""
    kernel = np.asarray(np.linalg.solve(first.kernel, layer.kernel), dtype=np.float64)
    return Layer(kernel, layer.bias - first.bias @ kernel, layer.activation)


def _folded(kernel: Array, bias: Array, normalisation: Any) -> tuple[Array, Array]:
    """Fold the normalisation (x - mean) / sqrt(variance + epsilon) * gamma + beta into a layer."""
    gamma, beta, mean, variance = (
        np.asarray(w, dtype=np.float64) for w in normalisation.get_weights()
    )
    slope = gamma / np.sqrt(variance + normalisation.epsilon)
    return kernel * slope, (bias - mean) * slope + beta
