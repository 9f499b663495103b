"""A Keras model's configuration and weights -> dense layers, by an allow-list of layer classes.

The configuration is data: nothing of it is imported, called or deserialised. What has no effect on
a prediction (dropout) falls away, what is linear is merged in float64 into a dense layer beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.activations import ACTIVATIONS, parse_activation
from pipeline.networks.description import Layer
from pipeline.networks.variable import Array

Config = dict[str, Any]
WeightsOf = Callable[["KerasLayer"], list[Array]]

# Widths are squared when linear layers are merged: 8192 x 8192 numbers are 0.5 GB.
MOST_WIDTH = 8192
# What Keras' Normalization divides by, where a variance is smaller than its square.
SMALLEST_STD = 1e-7
# Reduced precision changes the last digits only; anything else (int8) changes what is computed.
FLOATS = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
WAYS_OUT = (
    "Rebuild the model of the layers that can be read and save it again, or write its kernels and "
    "biases as CSV tables (docs/networks.md)."
)


@dataclass(frozen=True)
class KerasLayer:
    """One layer of a model: its class, its name, its configuration."""

    class_name: str
    name: str
    config: Config
    index: int
    """How many layers of the same class come before it."""


def dense_layers(model: Config, weights_of: WeightsOf) -> tuple[Layer, ...]:
    """The dense layers that a model's configuration and weights amount to.

    Args:
        model: the configuration of a Sequential model, or of a Functional one that is a chain.
        weights_of: the arrays of a layer, in the order in which Keras saves them.

    Raises:
        NetworkError: a layer is not in the allow-list, layers branch, or a shape is wrong.
    """
    chain = _Chain()
    for layer in model_layers(model):
        try:
            READ[layer.class_name](chain, layer, weights_of)
        except NetworkError as error:
            raise NetworkError(f"layer {layer.name!r} ({layer.class_name}): {error}") from None
    return chain.finish()


def model_layers(model: Config) -> list[KerasLayer]:
    """The layers of a model from input to output, each of an allowed class.

    Raises:
        NetworkError: a layer is not in the allow-list, or the layers are not one chain.
    """
    class_name = model["class_name"]
    if class_name not in ("Sequential", "Functional", "Model") or not _is_of_keras(model):
        raise NetworkError(
            f"the model is a {_class_text(model)}, expected Sequential or Functional. {WAYS_OUT}"
        )
    config = model["config"]
    # The first versions of Keras 2 stored a Sequential model as the list of its layers.
    entries = config if isinstance(config, list) else config["layers"]
    named = []
    counts: dict[str, int] = {}
    for entry in entries:
        _check_allowed(entry)
        name = entry["class_name"]
        named.append(
            KerasLayer(
                name, str(entry["config"].get("name", "")), entry["config"], counts.get(name, 0)
            )
        )
        counts[name] = counts.get(name, 0) + 1
    if class_name == "Sequential":
        return named
    return [named[position] for position in _chain_order(config, entries)]


def _class_text(entry: Config) -> str:
    """``Lambda``, ``MyDense of my_package``."""
    is_foreign = entry.get("module") and not _is_of_keras(entry)
    return f"{entry.get('class_name')}" + (f" of {entry['module']}" if is_foreign else "")


def _is_of_keras(entry: Config) -> bool:
    module, registered = entry.get("module"), entry.get("registered_name")
    is_module = module is None or module == "keras" or str(module).startswith("keras.")
    return is_module and registered in (None, entry.get("class_name"))


def _check_allowed(entry: Config) -> None:
    class_name = entry["class_name"]
    if class_name in READ and _is_of_keras(entry):
        _check_dtype(entry)
        return
    reasons = {
        "Lambda": "which carries program code, and nothing in a network file is run",
        "Sequential": "a model within the model",
        "Functional": "a model within the model",
        "Model": "a model within the model",
    }
    reason = reasons.get(class_name, "which is not among those that can be read")
    if not _is_of_keras(entry):
        reason = "a class of somebody's own, whose code is not here and would not be run"
    name = entry.get("config", {}).get("name", "")
    raise NetworkError(
        f"layer {name!r} is a {_class_text(entry)}, {reason}: {', '.join(READ)}. {WAYS_OUT}"
    )


def _check_dtype(entry: Config) -> None:
    dtype = entry["config"].get("dtype")
    policy = dtype["config"]["name"] if isinstance(dtype, dict) else dtype
    if policy is not None and policy not in FLOATS:
        raise NetworkError(
            f"layer {entry['config'].get('name', '')!r} computes in {policy}, expected one of "
            f"{', '.join(FLOATS)}. Save the model without quantization."
        )


# The order of a Functional model


def _chain_order(config: Config, entries: list[Config]) -> list[int]:
    """Positions of the layers from the one input to the one output."""
    names = [entry["name"] for entry in entries]
    child: dict[str, str] = {}
    for entry in entries:
        for parent in _parents(entry):
            if parent in child:
                raise NetworkError(_branched(f"the output of {parent!r} goes into two layers"))
            child[parent] = entry["name"]
    (first,) = _ends(config["input_layers"], "inputs")
    (last,) = _ends(config["output_layers"], "outputs")
    order = [first]
    while order[-1] in child and len(order) <= len(names):
        order.append(child[order[-1]])
    if sorted(order) != sorted(names) or order[-1] != last:
        raise NetworkError(_branched(f"{first!r} to {last!r} does not lead through every layer"))
    return [names.index(name) for name in order]


def _branched(what: str) -> str:
    return f"the layers are not one chain: {what}. {WAYS_OUT}"


def _ends(stored: Any, what: str) -> list[str]:
    """Names of the input or output layers; Keras 3 stores a single one without a list around."""
    listed = [stored] if isinstance(stored[0], str) else stored
    if len(listed) != 1:
        raise NetworkError(_branched(f"the model has {len(listed)} {what}, expected one"))
    return [str(listed[0][0])]


def _parents(entry: Config) -> list[str]:
    """Names of the layers whose outputs a layer takes: none for an input, else one."""
    name, nodes = entry["name"], entry["inbound_nodes"]
    if entry["class_name"] == "InputLayer" and not nodes:
        return []
    if len(nodes) != 1:
        raise NetworkError(_branched(f"layer {name!r} is used {len(nodes)} times"))
    histories = list(_histories(name, nodes[0]))
    if len(histories) != 1 or list(histories[0][1:]) != [0, 0]:
        raise NetworkError(_branched(f"layer {name!r} takes {len(histories)} inputs"))
    return [str(histories[0][0])]


def _histories(name: str, node: Any) -> Iterator[list[Any]]:
    """(layer, node, tensor) of each input of a node, as Keras 2 and Keras 3 write it."""
    if isinstance(node, dict):
        _check_arguments(name, node.get("kwargs") or {})
        for tensor in node["args"]:
            if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
                raise NetworkError(f"layer {name!r} takes something else than a layer. {WAYS_OUT}")
            yield tensor["config"]["keras_history"]
        return
    for layer, node_index, tensor_index, *arguments in node:
        _check_arguments(name, arguments[0] if arguments else {})
        yield [layer, node_index, tensor_index]


def _check_arguments(name: str, arguments: Config) -> None:
    """``training=True`` would keep dropout at work, a mask would hide inputs."""
    given = [key for key, value in arguments.items() if value is not None and value is not False]
    if given:
        raise NetworkError(f"layer {name!r} is called with {', '.join(given)}. {WAYS_OUT}")


# What each layer does


class _Chain:
    """Dense layers under construction: what is linear waits until an activation closes it."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._waiting: list[tuple[Array, Array]] = []
        """Linear steps that no activation followed yet: matrices, or slopes and shifts."""
        self._width: int | None = None

    def expect_width(self, width: int | None) -> None:
        """Refuse what does not fit to the values that come from before, or is not plausible."""
        if width is not None and not 1 <= width <= MOST_WIDTH:
            raise NetworkError(f"takes {width:,} values, expected 1 to {MOST_WIDTH:,}.")
        if width is not None and self._width is not None and width != self._width:
            raise NetworkError(f"takes {width} values, but {self._width} come from before.")
        self._width = self._width if width is None else width

    def dense(self, kernel: Array, bias: Array) -> None:
        self.expect_width(kernel.shape[0])
        self._waiting.append((kernel, bias))
        self._width = None
        self.expect_width(kernel.shape[1])

    def linear(self, slope: Array, shift: Array) -> None:
        """Multiply and add, each with shape (), (1,) or (width,)."""
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
        self._layers.append(Layer(kernel, bias, activation))
        self._waiting = []

    def _merged(self) -> tuple[Array, Array]:
        """One kernel (inputs, units) and bias (units,) for all that waits."""
        width = next((step.shape[0] for step, _ in self._waiting if step.ndim == 2), self._width)
        if width is None:
            raise NetworkError(
                "nothing says how many values it takes. Give the model an Input layer and save it "
                "again."
            )
        kernel, bias = np.eye(width), np.zeros(width)
        for step, shift in self._waiting:
            if step.ndim == 2:
                kernel, bias = kernel @ step, bias @ step + shift
            else:
                kernel, bias = kernel * step, bias * step + shift
        return kernel, bias


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
            f"kernel has shape {kernel.shape} and bias {bias.shape}, expected (inputs, {units}) "
            f"and ({units},)."
        )
    chain.dense(kernel, bias)
    chain.activation(_activation_text(config.get("activation")))


def _activation(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    chain.activation(_activation_text(layer.config["activation"]))


def _activation_text(stored: Any) -> str:
    """What a configuration says under ``activation``: a name, or an activation layer."""
    if stored is None:
        return "linear"
    if isinstance(stored, str) and stored in ACTIVATIONS:
        return stored
    if isinstance(stored, dict) and stored.get("class_name") in ACTIVATION_LAYERS:
        if not _is_of_keras(stored):
            raise NetworkError(f"activation is a {_class_text(stored)}. {WAYS_OUT}")
        return ACTIVATION_LAYERS[stored["class_name"]](stored["config"])
    found = stored.get("class_name") if isinstance(stored, dict) else stored
    raise NetworkError(
        f"activation {found!r} is not among those that can be read: {', '.join(ACTIVATIONS)}. "
        f"{WAYS_OUT}"
    )


def _activation_layer(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    chain.activation(ACTIVATION_LAYERS[layer.class_name](layer.config))


def _relu(config: Config) -> str:
    if config.get("max_value") is not None or config.get("threshold"):
        raise NetworkError(f"has a maximum or a threshold, expected neither. {WAYS_OUT}")
    slope = config.get("negative_slope")
    return _with_number("leaky_relu", slope) if slope else "relu"


def _leaky_relu(config: Config) -> str:
    return _with_number("leaky_relu", config.get("negative_slope", config.get("alpha", 0.3)))


def _elu(config: Config) -> str:
    return _with_number("elu", config.get("alpha", 1.0))


def _softmax(config: Config) -> str:
    _check_axis(config.get("axis", -1))
    return "softmax"


def _with_number(name: str, stored: Any) -> str:
    text = f"{name}({_numbers(stored).item()!r})"
    parse_activation(text)
    return text


def _nothing(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    """Has no effect on a prediction."""


def _rescaling(chain: _Chain, layer: KerasLayer, _: WeightsOf) -> None:
    config = layer.config
    chain.linear(_numbers(config["scale"]), _numbers(config.get("offset", 0.0)))


def _normalization(chain: _Chain, layer: KerasLayer, weights_of: WeightsOf) -> None:
    config = layer.config
    if config.get("axis", -1) not in (None, []):  # else one mean for all
        _check_axis(config.get("axis", -1))
    if config.get("mean") is not None:  # given when the layer was made, not learned
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
    """Rows have one axis beside that of pixels: the last."""
    listed = axis if isinstance(axis, list) else [axis]
    if listed not in ([-1], [1]):
        raise NetworkError(f"works along axis {axis}, expected the last. {WAYS_OUT}")


def _numbers(stored: Any) -> Array:
    """Numbers in a configuration: one, a list, or an array as Keras writes it."""
    if isinstance(stored, dict) and stored.get("class_name") == "__numpy__":
        stored = stored["config"]["value"]
    numbers = np.array(stored, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise NetworkError("has numbers that are not finite. The file is damaged; fetch it again.")
    return numbers


ACTIVATION_LAYERS: dict[str, Callable[[Config], str]] = {
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
}

READ: dict[str, Callable[[_Chain, KerasLayer, WeightsOf], None]] = {
    "InputLayer": _input,
    "Dense": _dense,
    "Activation": _activation,
    **dict.fromkeys(ACTIVATION_LAYERS, _activation_layer),
    "BatchNormalization": _batch_normalization,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "Dropout": _nothing,
    "GaussianNoise": _nothing,
    "GaussianDropout": _nothing,
    "AlphaDropout": _nothing,
    "ActivityRegularization": _nothing,
}
