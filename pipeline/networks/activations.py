"""Activation functions of a layer, one line each, stable in float64 NumPy.

A layer names its activation in text: ``tanh``, or with a parameter ``leaky_relu(0.3)``.
"""

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.errors import NetworkError


def _softmax(x: Any) -> Any:
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# NaN stays NaN in each of them: it marks what was not measured.
ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    # exp of what is never positive cannot overflow.
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x >= 0, x, slope * x),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softmax": _softmax,
}

# Their derivatives, from what comes out of them; softmax mixes units and has none here.
DERIVATIVES: dict[str, Callable[..., Any]] = {
    "linear": np.ones_like,
    "tanh": lambda y: 1 - np.square(y),
    "sigmoid": lambda y: y * (1 - y),
    "relu": lambda y: np.where(y > 0, 1.0, 0.0),
    "leaky_relu": lambda y, slope: np.where(y >= 0, 1.0, slope),
    "elu": lambda y, alpha: np.where(y > 0, 1.0, y + alpha),
    "softplus": lambda y: -np.expm1(-y),
}

# Those that take a parameter, with its value where none is written: what Keras' functions take.
DEFAULT_PARAMETERS: dict[str, float] = {"leaky_relu": 0.2, "elu": 1.0}

_WRITTEN = re.compile(r"(?P<name>[A-Za-z_]\w*)(\((?P<parameter>[^()]*)\))?")


def parse_activation(text: str) -> tuple[str, float | None]:
    """Name and parameter of an activation; None for one that takes no parameter.

    Raises:
        NetworkError: the name is unknown, or the parameter is not a finite number or not wanted.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or match["name"] not in ACTIVATIONS:
        raise NetworkError(
            f"unknown activation {text!r}; known are {', '.join(ACTIVATIONS)}, of which "
            f"{' and '.join(DEFAULT_PARAMETERS)} take a number: leaky_relu(0.3)."
        )
    name, written = match["name"], match["parameter"]
    if written is None:
        return name, DEFAULT_PARAMETERS.get(name)
    if name not in DEFAULT_PARAMETERS:
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


def activation_function(text: str) -> Callable[[Any], Any]:
    """The function of an activation: (n, units) -> (n, units), float64.

    Raises:
        NetworkError: as :func:`parse_activation`.
    """
    name, parameter = parse_activation(text)
    function = ACTIVATIONS[name]
    if parameter is None:
        return function
    return functools.partial(_with_parameter, function, parameter)


def activation_derivative(text: str) -> Callable[[Any], Any]:
    """The derivative of an activation by what goes into it, as a function of what comes out.

    Raises:
        NetworkError: it has none of this kind (softmax), or as :func:`parse_activation`.
    """
    name, parameter = parse_activation(text)
    if name not in DERIVATIVES:
        raise NetworkError(f"activation {name} has no derivative unit by unit. Use sigma_points.")
    derivative = DERIVATIVES[name]
    if parameter is None:
        return derivative
    return functools.partial(_with_parameter, derivative, parameter)


def _with_parameter(function: Callable[..., Any], parameter: float, x: Any) -> Any:
    return function(x, parameter)
