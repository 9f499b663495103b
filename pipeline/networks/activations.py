"""Table of the activation functions of layers, with one row for each function.

A layer states its activation as a text, such as ``tanh`` or (with a parameter) ``leaky_relu(0.3)``.
The NumPy functions are stable in float64. Keras and ONNX are passed as arguments, so that this
module imports nothing heavy.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.errors import NetworkError

Function = Callable[..., Any]
"""A function of an array and, if the activation has a parameter, of this parameter."""


@dataclass(frozen=True)
class Activation:
    """An activation: its function, its derivative, and how Keras and ONNX express it."""

    function: Function
    """The NumPy function of an array (n, units); NaN marks missing values and stays NaN."""
    onnx: Function
    """``onnx(operator, tensor) -> tensor`` adds the activation's operators to an ONNX graph."""
    derivative: Function | None = None
    """The derivative as a function of the activation's output, or None for softmax."""
    default: float | None = None
    """The default of the parameter, as in Keras; None if the activation has no parameter."""
    keras: Function | None = None
    """Function ``keras(module, parameter) -> activation``; None if Keras has the same name."""
    keras_layers: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    """Classes of Keras layers that compute this activation. For each class, a function reads the
    parameter from the configuration of the layer."""


def _softmax(x: Any) -> Any:
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x: x, onnx=lambda _, x: x, derivative=np.ones_like),
    "tanh": Activation(
        np.tanh, onnx=lambda op, x: op("Tanh", x), derivative=lambda y: 1 - np.square(y)
    ),
    "sigmoid": Activation(
        # The argument of exp is never positive, so exp cannot overflow.
        lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
        onnx=lambda op, x: op("Sigmoid", x),
        derivative=lambda y: y * (1 - y),
    ),
    "relu": Activation(
        lambda x: np.maximum(x, 0),
        onnx=lambda op, x: op("Relu", x),
        derivative=lambda y: np.where(y > 0, 1.0, 0.0),
        keras_layers={"ReLU": lambda _: None},
    ),
    "leaky_relu": Activation(
        lambda x, slope: np.where(x >= 0, x, slope * x),
        onnx=lambda op, x, slope: op("LeakyRelu", x, alpha=slope),
        derivative=lambda y, slope: np.where(y >= 0, 1.0, slope),
        default=0.2,
        keras=lambda keras, slope: keras.layers.LeakyReLU(negative_slope=slope),
        keras_layers={
            "LeakyReLU": lambda config: config.get("negative_slope", config.get("alpha", 0.3))
        },
    ),
    "elu": Activation(
        lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        onnx=lambda op, x, alpha: op("Elu", x, alpha=alpha),
        derivative=lambda y, alpha: np.where(y > 0, 1.0, y + alpha),
        default=1.0,
        keras=lambda keras, alpha: keras.layers.ELU(alpha=alpha),
        keras_layers={"ELU": lambda config: config.get("alpha", 1.0)},
    ),
    "softplus": Activation(
        lambda x: np.logaddexp(x, 0),
        onnx=lambda op, x: op("Softplus", x),
        derivative=lambda y: -np.expm1(-y),
    ),
    "softmax": Activation(
        _softmax, onnx=lambda op, x: op("Softmax", x), keras_layers={"Softmax": lambda _: None}
    ),
}

_WRITTEN = re.compile(r"(?P<name>[A-Za-z_]\w*)(\((?P<parameter>[^()]*)\))?")


def parse_activation(text: str) -> tuple[str, float | None]:
    """Return the name and the parameter (None if there is none) of an activation.

    Raises:
        NetworkError: the name is unknown, or the activation does not take this parameter.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or match["name"] not in ACTIVATIONS:
        with_number = " and ".join(n for n, row in ACTIVATIONS.items() if row.default is not None)
        raise NetworkError(
            f"unknown activation {text!r}, expected one of {', '.join(ACTIVATIONS)}. "
            f"{with_number} take a number, as in leaky_relu(0.3)."
        )
    name, written = match["name"], match["parameter"]
    default = ACTIVATIONS[name].default
    if written is None:
        return name, default
    if default is None:
        raise NetworkError(f"activation {text!r}: {name} takes no number. Write {name}.")
    return name, _number(written, text)


def _number(written: str, text: str) -> float:
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NetworkError(
            f"activation {text!r}: {written!r} is not a finite number. Write leaky_relu(0.3)."
        )
    return number


def activation_function(text: str) -> Function:
    """Return the function that applies an activation to float64 arrays (n, units)."""
    row, parameter = _row(text)
    return lambda x: row.function(x, *parameter)


def activation_derivative(text: str) -> Function:
    """Return the function that computes an activation's derivative from the activation's output.

    Raises:
        NetworkError: the activation is unknown, or it is softmax, which combines the values of all
            units.
    """
    row, parameter = _row(text)
    derivative = row.derivative
    if derivative is None:
        raise NetworkError(
            f"activation {text} combines all units of a layer, so single units have no derivative. "
            "Set the method of the uncertainty to sigma_points."
        )
    return lambda y: derivative(y, *parameter)


def keras_activation(text: str, keras: Any) -> Any:
    """Return the activation in the form that a layer of the module ``keras`` takes."""
    row, parameter = _row(text)
    return text.strip() if row.keras is None else row.keras(keras, *parameter)


def onnx_activation(text: str, operator: Function, tensor: str) -> str:
    """Add an activation to an ONNX graph; return the name of its output tensor."""
    row, parameter = _row(text)
    return str(row.onnx(operator, tensor, *parameter))


def _row(text: str) -> tuple[Activation, tuple[float, ...]]:
    name, parameter = parse_activation(text)
    return ACTIVATIONS[name], () if parameter is None else (parameter,)
