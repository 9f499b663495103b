"""Converts the layers and weights of a Keras model to dense layers; refuses unknown classes.

Layers without effect on a prediction (dropout) are left out; a linear layer is merged in float64
into the dense layer beside it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.errors import NetworkError
from pipeline.files.limits import NETWORK_NUMBERS
from pipeline.networks.activations import ACTIVATIONS, parse_activation
from pipeline.networks.description import Layer
from pipeline.networks.reading.keras_config import (
    WAYS_OUT,
    Config,
    KerasLayer,
    class_text,
    is_of_keras,
    model_layers,
)
from pipeline.networks.variable import Array

WeightsOf = Callable[[KerasLayer], list[Array]]

# A network for single pixels never has so many units in a layer.
MOST_WIDTH = 8192
WITHOUT_EFFECT = (
    "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization",
)  # fmt: skip
# Keras' Normalization divides by this number where the standard deviation is smaller.
SMALLEST_STD = 1e-7


def dense_layers(model: Config, weights_of: WeightsOf) -> tuple[Layer, ...]:
    """Return dense layers that compute the same as a Keras model.

    Args:
        model: the configuration of a Sequential model, or of a Functional model that is a chain.
        weights_of: function that returns the arrays of a layer in the order of the file.
    """
    chain, readers = _Chain(), _readers()
    for layer in model_layers(model, readers):
        try:
            readers[layer.class_name](chain, layer, weights_of)
        except NetworkError as error:
            raise NetworkError(f"layer {layer.name!r} ({layer.class_name}): {error}") from None
    return chain.finish()


class _Chain:
    """Builds dense layers; linear steps wait until an activation completes the layer."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._waiting: list[tuple[Array, Array]] = []
        """Linear steps since the last activation: (kernel, bias) or (slope, shift) of each step."""
        self._width: int | None = None
        self._made = 0
        """Numbers in the kernels of the finished layers."""

    def expect_width(self, width: int | None) -> None:
        """Refuse a width that does not fit the previous layer or is implausible."""
        if width is not None and not 1 <= width <= MOST_WIDTH:
            raise NetworkError(f"takes {width:,} values, expected 1 to {MOST_WIDTH:,}.")
        if width is not None and self._width is not None and width != self._width:
            raise NetworkError(f"takes {width} values, but the layer before gives {self._width}.")
        self._width = self._width if width is None else width

    def dense(self, kernel: Array, bias: Array) -> None:
        self.expect_width(kernel.shape[0])
        self._waiting.append((kernel, bias))
        self._width = None
        self.expect_width(kernel.shape[1])

    def linear(self, slope: Array, shift: Array) -> None:
        """Multiply by ``slope`` and add ``shift``, each with shape (), (1,) or (width,)."""
        for array in (slope, shift):
            if array.ndim > 1:
                raise NetworkError(f"has numbers with shape {array.shape}, expected one row.")
            self.expect_width(array.size if array.size > 1 else None)
        self._waiting.append((slope, shift))

    def activation(self, text: str) -> None:
        if text != "linear":
            self._close(text)

    def finish(self) -> tuple[Layer, ...]:
        if self._waiting:
            self._close("linear")
        return tuple(self._layers)

    def _close(self, activation: str) -> None:
        kernel, bias = self._merged()
        self._made += kernel.size
        self._layers.append(Layer(kernel, bias, activation))
        self._waiting = []

    def _merged(self) -> tuple[Array, Array]:
        """Return one kernel (inputs, units) and bias (units,) for all waiting steps."""
        width = next((step.shape[0] for step, _ in self._waiting if step.ndim == 2), self._width)
        if width is None:
            raise NetworkError(
                "the model does not say how many values it takes. Give it an Input layer and save "
                "it again."
            )
        # Until the first dense step, the kernel is diagonal; only the numbers on the diagonal are
        # kept.
        diagonal, kernel, bias = np.ones(width), None, np.zeros(width)
        for step, shift in self._waiting:
            if step.ndim < 2:
                diagonal = diagonal * step if kernel is None else diagonal
                kernel = None if kernel is None else kernel * step
                bias = bias * step + shift
                continue
            self._check_size(width, step.shape[1])
            kernel = diagonal[:, np.newaxis] * step if kernel is None else kernel @ step
            bias = bias @ step + shift
        if kernel is None:
            self._check_size(width, width)
            kernel = np.diag(diagonal)
        return kernel, bias

    def _check_size(self, inputs: int, units: int) -> None:
        """Refuse a large kernel before it is made: a few stored numbers can describe one."""
        what = "the model, with linear layers merged,"
        NETWORK_NUMBERS.check(self._made + inputs * units, what, NetworkError)


def _input(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    shape = layer.config.get("batch_shape", layer.config.get("batch_input_shape"))
    if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        raise NetworkError(f"has shape {shape}, expected (None, inputs): one row for each pixel.")
    chain.expect_width(shape[1])


def _dense(chain: _Chain, layer: KerasLayer, weights_of: WeightsOf) -> None:
    config = layer.config
    if config.get("quantization_config") or config.get("lora_rank"):
        raise NetworkError("is quantized or has LoRA weights. Save the plain model.")
    has_bias = config.get("use_bias", True)
    arrays = _arrays(layer, weights_of, 2 if has_bias else 1)
    kernel, units = arrays[0], config["units"]
    bias = arrays[1] if has_bias else np.zeros(arrays[0].shape[-1])
    if kernel.ndim != 2 or kernel.shape[1] != units or bias.shape != (units,):
        raise NetworkError(
            f"kernel has shape {kernel.shape}, expected (inputs, {units}); bias has shape "
            f"{bias.shape}, expected ({units},)."
        )
    chain.dense(kernel, bias)
    chain.activation(_activation_text(config.get("activation")))


def _activation(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    chain.activation(_activation_text(layer.config["activation"]))


def _activation_layer(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    chain.activation(_layer_activation(layer.class_name, layer.config))


def _activation_text(stored: Any) -> str:
    """Return the activation that a configuration states by name or as an activation layer."""
    if stored is None:
        return "linear"
    if isinstance(stored, str) and stored in ACTIVATIONS:
        return stored
    if isinstance(stored, dict) and stored.get("class_name") in _activation_layers():
        if not is_of_keras(stored):
            raise NetworkError(f"activation {class_text(stored)} is not Keras' own. {WAYS_OUT}")
        return _layer_activation(stored["class_name"], stored["config"])
    found = stored.get("class_name") if isinstance(stored, dict) else stored
    raise NetworkError(
        f"activation {found!r} cannot be read, expected one of {', '.join(ACTIVATIONS)}. {WAYS_OUT}"
    )


def _activation_layers() -> dict[str, str]:
    """Map each Keras class of activation layers to the name of its activation."""
    return {layer: name for name, row in ACTIVATIONS.items() for layer in row.keras_layers}


def _layer_activation(class_name: str, config: Config) -> str:
    if config.get("max_value") is not None or config.get("threshold"):
        raise NetworkError(f"has a maximum or a threshold, expected neither. {WAYS_OUT}")
    _check_axis(config.get("axis", -1))
    if class_name == "ReLU" and config.get("negative_slope"):
        class_name = "LeakyReLU"
    name = _activation_layers()[class_name]
    parameter = ACTIVATIONS[name].keras_layers[class_name](config)
    text = name if parameter is None else f"{name}({_numbers(parameter).item()!r})"
    parse_activation(text)
    return text


def _nothing(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    """Leave out a layer that has no effect on a prediction."""


def _rescaling(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    config = layer.config
    chain.linear(_numbers(config["scale"]), _numbers(config.get("offset", 0.0)))


def _normalization(chain: _Chain, layer: KerasLayer, weights_of: WeightsOf) -> None:
    config = layer.config
    if config.get("axis", -1) not in (None, []):  # without an axis, one mean serves all columns
        _check_axis(config.get("axis", -1))
    if config.get("mean") is not None:  # set by the author, not learned
        mean, variance = _numbers(config["mean"]), _numbers(config["variance"])
    else:
        mean, variance, _ = _arrays(layer, weights_of, 3)
    mean, variance = mean.reshape(-1), variance.reshape(-1)
    std = np.maximum(np.sqrt(variance), SMALLEST_STD)
    if config.get("invert"):
        chain.linear(std, mean)
    else:
        chain.linear(1 / std, -mean / std)


def _batch_normalization(chain: _Chain, layer: KerasLayer, weights_of: WeightsOf) -> None:
    config = layer.config
    _check_axis(config.get("axis", -1))
    has_gamma, has_beta = config.get("scale", True), config.get("center", True)
    arrays = _arrays(layer, weights_of, 2 + bool(has_gamma) + bool(has_beta))
    mean, variance = arrays[-2:]
    gamma = arrays[0] if has_gamma else np.ones_like(mean)
    beta = arrays[-3] if has_beta else np.zeros_like(mean)
    slope = gamma / np.sqrt(variance + float(config.get("epsilon", 1e-3)))
    chain.linear(slope, beta - mean * slope)


def _arrays(layer: KerasLayer, weights_of: WeightsOf, expected: int) -> list[Array]:
    arrays = weights_of(layer)
    if len(arrays) != expected:
        raise NetworkError(f"has {len(arrays)} arrays of weights, expected {expected}.")
    return arrays


def _check_axis(axis: Any) -> None:
    """Refuse every axis except the last one; the arrays have the shape (pixels, values)."""
    listed = axis if isinstance(axis, list) else [axis]
    if listed not in ([-1], [1]):
        raise NetworkError(f"works along axis {axis}, expected the last. {WAYS_OUT}")


def _numbers(stored: Any) -> Array:
    """Return numbers as an array; Keras stores them as a number, a list or a mapping."""
    if isinstance(stored, dict) and stored.get("class_name") == "__numpy__":
        stored = stored["config"]["value"]
    numbers = np.array(stored, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise NetworkError("has numbers that are not finite. The file is damaged; fetch it again.")
    return numbers


Reader = Callable[[_Chain, KerasLayer, WeightsOf], None]

READERS: dict[str, Reader] = {
    "InputLayer": _input,
    "Dense": _dense,
    "Activation": _activation,
    "BatchNormalization": _batch_normalization,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    **dict.fromkeys(WITHOUT_EFFECT, _nothing),
}


def _readers() -> dict[str, Reader]:
    """Map each allowed class of layers, including activation layers, to its reader."""
    return READERS | dict.fromkeys(_activation_layers(), _activation_layer)
