"""Operators that apply a function to each value of a pixel, or a softmax to all of them."""

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.call import (
    Above,
    Call,
    Operator,
    as_float64,
    as_matrix,
    check_columns,
)
from pipeline.networks.reading.onnx.signal import SOFTMAX, Signal

# Above this number, PyTorch takes x instead of softplus(x); the two differ by less than 2e-9.
SOFTPLUS_THRESHOLD = 20.0
_POWERS = {2.0: "square", 0.5: "sqrt"}


def _activation(text: str) -> Operator:
    return lambda call: call.signal().function(text)


def _with_number(text: str, name: str, default: float) -> Operator:
    return lambda call: call.signal().function(f"{text}({_short(call.node.number(name, default))})")


def _short(number: float) -> str:
    """Return the shortest text of a float32: 0.07 instead of 0.07000000029802322."""
    return str(np.float32(number))


def _selu(call: Call) -> Signal:
    alpha = call.node.number("alpha", 1.6732632)
    made = call.signal().function(f"elu({_short(alpha)})")
    return made.times(np.full(made.width, call.node.number("gamma", 1.0507010)))


def _prelu(call: Call) -> Signal:
    slopes = np.unique(as_float64(call.constant(1)))
    if slopes.size != 1:
        raise NetworkError("has several slopes, expected one slope for all units.")
    return call.signal().function(f"leaky_relu({_short(float(slopes[0]))})")


def _softmax(call: Call) -> Signal:
    check_columns(call.node.integer("axis", -1))
    return as_matrix(call.signal()).function(SOFTMAX)


def _clip(call: Call) -> Signal:
    node = call.node
    low = call.single(1, node.number("min", -np.inf))
    high = call.single(2, node.number("max", np.inf))
    if low != 0 or high < np.finfo(np.float32).max:
        raise NetworkError(
            f"limits values to {low:g} ... {high:g}, expected 0 without an upper end."
        )
    return call.signal().function("relu")


def _extreme(name: str) -> Operator:
    """Return Max or Min with one number; Max with 0 is ReLU."""

    def limited(call: Call) -> Signal:
        if len(call.values) != 2:
            raise NetworkError(f"takes {len(call.values)} tensors, expected one and a number.")
        place = 0 if isinstance(call.values[0], Signal) else 1
        number = call.single(1 - place)
        text = "relu" if (name, number) == ("max", 0) else f"{name}({number:g})"
        return call.signal(place).function(text)

    return limited


def _power(call: Call) -> Signal:
    if isinstance(call.values[0], Signal):
        exponent = call.single(1)
        if exponent == 1:
            return call.signal()
        return call.signal().function(_POWERS.get(exponent, f"pow({exponent:g})"))
    base = call.single(0)
    if not base > 0:
        raise NetworkError(f"is a power of {base:g}, expected a power of a number above 0.")
    signal = call.signal(1)
    return signal.times(np.full(signal.width, np.log(base))).function("exp")


def _greater(call: Call) -> Above:
    return Above(call.signal(), call.single(1))


def _where(call: Call) -> Signal:
    """Read PyTorch's softplus: a large value is not changed, any other value gets softplus."""
    condition, value, otherwise = (*call.values, None, None, None)[:3]
    if (
        isinstance(condition, Above)
        and isinstance(otherwise, Signal)
        and condition.signal is value
        and condition.threshold >= SOFTPLUS_THRESHOLD
        and otherwise.kernel is None
        and otherwise.stage.previous is condition.signal.stage
        and otherwise.stage.kernel is condition.signal.kernel
        and set(otherwise.stage.functions) == {"softplus"}
    ):
        return otherwise
    raise NetworkError("chooses between values, but not as in the softplus of PyTorch.")


# A function that may follow or precede the layers, see ends.py.
_BY_NAME = {
    "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Cos": "cos", "Acos": "acos",
    "Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Softplus": "softplus",
}  # fmt: skip

FUNCTIONS: dict[str, Operator] = {
    **{name: _activation(text) for name, text in _BY_NAME.items()},
    "LeakyRelu": _with_number("leaky_relu", "alpha", 0.01),
    "Elu": _with_number("elu", "alpha", 1.0),
    "Selu": _selu,
    "PRelu": _prelu,
    "Softmax": _softmax,
    "Clip": _clip,
    "Max": _extreme("max"),
    "Min": _extreme("min"),
    "Pow": _power,
    "Greater": _greater,
    "Where": _where,
}
