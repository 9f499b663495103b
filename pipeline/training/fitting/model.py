"""Make Keras models, new or from the layers of a network, and turn them back into layers.

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
# Smaller variances of principal components are raised to this share of the largest one.
SMALLEST_VARIANCE = 1e-6


def keras_module() -> Any:
    """Import Keras after TensorFlow is set up."""
    tensorflow()
    import keras

    return keras


def decorrelation(x: Array) -> Layer:
    """Return the layer from inputs (n, inputs) to principal components with variance 1."""
    mean = x.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(x - mean, rowvar=False).reshape(2 * x.shape[1:]))
    kernel = directions / np.sqrt(np.maximum(variances, SMALLEST_VARIANCE * variances.max()))
    return Layer(kernel, -mean @ kernel, "linear")


def new_model(
    inputs: int,
    outputs: int,
    architecture: Architecture,
    *,
    last: str,
    seed: int,
    dtype: str,
    first: Layer | None = None,
) -> "keras.Model":
    """Make a model with random weights (Glorot and Bengio 2010; for ReLU: He et al. 2015).

    Args:
        inputs: number of inputs.
        outputs: number of outputs or classes.
        architecture: hidden layers.
        last: activation of the last layer, ``linear`` or ``softmax``.
        seed: seed of initial weights and dropout.
        dtype: float32 or float64.
        first: decorrelation of the inputs, a layer that does not learn.
    """
    builder = _Builder(inputs, dtype, seed, first)
    for units, activation in zip(architecture.hidden, architecture.activations, strict=True):
        builder.dense(units, activation, architecture.l2, architecture.batch_normalisation)
        builder.dropout(architecture.dropout)
    builder.dense(outputs, last, architecture.l2)
    return builder.model()


def model_of(
    layers: Sequence[Layer],
    *,
    new: Sequence[tuple[int, str]] = (),
    dropout: float = 0.0,
    seed: int = 1,
    dtype: str = "float64",
    first: Layer | None = None,
) -> "keras.Model":
    """Make a model with the weights of existing layers and, if asked, new layers behind them.

    Args:
        layers: existing layers, from the input on.
        new: units and activation of each new layer, whose weights are random.
        dropout: share of units that dropout leaves out behind every hidden layer.
        seed: seed of new weights and dropout.
        dtype: float32, or float64 to keep the weights bit by bit.
        first: decorrelation of the inputs; the first layer is changed to undo it.
    """
    if first is not None:
        layers = [_unfolded(first, layers[0]), *layers[1:]]
    builder = _Builder(layers[0].kernel.shape[0], dtype, seed, first)
    count = len(layers) + len(new)
    for number, layer in enumerate(layers, start=1):
        builder.dense(layer.bias.size, layer.activation)
        builder.dropout(dropout if number < count else 0.0)
    for number, (units, activation) in enumerate(new, start=len(layers) + 1):
        builder.dense(units, activation)
        builder.dropout(dropout if number < count else 0.0)
    model = builder.model()
    for layer, made in zip(layers, dense_layers(model), strict=False):
        made.set_weights([layer.kernel, layer.bias])
    return model


class _Builder:
    """Stacks layers, each with a descriptive name and a seed of its own."""

    def __init__(self, inputs: int, dtype: str, seed: int, first: Layer | None) -> None:
        self._keras = keras_module()
        self._dtype, self._seed, self._first = dtype, seed, first
        self._stack: list[Any] = [self._keras.Input((inputs,), dtype=dtype, name="scaled_inputs")]
        self._number = 0
        if first is not None:
            self._stack.append(
                self._keras.layers.Dense(inputs, dtype=dtype, trainable=False, name=DECORRELATION)
            )

    def dense(self, units: int, activation: str, l2: float = 0.0, normalised: bool = False) -> None:
        """Add a dense layer and its activation."""
        layers, self._number = self._keras.layers, self._number + 1
        initializers, regularizers = self._keras.initializers, self._keras.regularizers
        kind = initializers.HeNormal if "relu" in activation else initializers.GlorotUniform
        self._stack.append(
            layers.Dense(
                units,
                kernel_initializer=kind(seed=1000 * self._seed + self._number),
                kernel_regularizer=regularizers.L2(l2) if l2 else None,
                dtype=self._dtype,
                name=f"{DENSE}_{self._number}",
            )
        )
        if normalised:
            self._stack.append(
                layers.BatchNormalization(dtype=self._dtype, name=f"{NORMALISATION}_{self._number}")
            )
        self._stack.append(
            layers.Activation(
                keras_activation(activation, self._keras),
                dtype=self._dtype,
                name=f"{ACTIVATION}_{self._number}_{_plain(activation)}",
            )
        )

    def dropout(self, share: float) -> None:
        """Add dropout of a share of the units of the layer before."""
        if share:
            self._stack.append(
                self._keras.layers.Dropout(
                    share,
                    seed=1000 * self._seed + self._number,
                    dtype=self._dtype,
                    name=f"{DROPOUT}_{self._number}",
                )
            )

    def model(self) -> "keras.Model":
        """Return the model of all layers so far."""
        model = self._keras.Sequential(self._stack, name="network")
        if self._first is not None:
            model.get_layer(DECORRELATION).set_weights([self._first.kernel, self._first.bias])
        return model


def _plain(activation: str) -> str:
    """Return an activation as part of a layer's name."""
    return "".join(char if char.isalnum() else "_" for char in activation)


def dense_layers(model: "keras.Model") -> list[Any]:
    """Return the dense layers of a model, from the input on."""
    return [layer for layer in model.layers if layer.name.startswith(f"{DENSE}_")]


def layers_of(model: "keras.Model", activations: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers of a network, in float64: normalisation folded in, without dropout.

    Args:
        model: model made by this module.
        activations: activations of its dense layers, as networks name them.
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
    for layer in model.layers[:1]:
        if layer.name == DECORRELATION:
            turned, shift = (np.asarray(w, dtype=np.float64) for w in layer.get_weights())
            first = made[0]
            made[0] = Layer(
                turned @ first.kernel, first.bias + shift @ first.kernel, first.activation
            )
    return tuple(made)


def _unfolded(first: Layer, layer: Layer) -> Layer:
    """Return a layer that gives, behind the first one, the same numbers as ``layer`` alone."""
    kernel = np.asarray(np.linalg.solve(first.kernel, layer.kernel), dtype=np.float64)
    return Layer(kernel, layer.bias - first.bias @ kernel, layer.activation)


def _folded(kernel: Array, bias: Array, normalisation: Any) -> tuple[Array, Array]:
    """Fold batch normalisation into dense: (x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    gamma, beta, mean, variance = (
        np.asarray(w, dtype=np.float64) for w in normalisation.get_weights()
    )
    slope = gamma / np.sqrt(variance + normalisation.epsilon)
    return kernel * slope, (bias - mean) * slope + beta
