"""Operators between constants only, such as the transpose of a kernel."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.call import as_whole
from pipeline.networks.reading.onnx.model import STANDARD, Node, Numbers, tensor
from pipeline.networks.reading.onnx.signal import Made

_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": np.reciprocal,
}
_SHAPES = ("Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Concat")
CONSTANT_OPERATORS = ("Constant", *_ELEMENTWISE, *_SHAPES)


def constant_value(node: Node, values: list[Numbers], made: Made) -> Numbers:
    """Return the output of an operator whose inputs are all constants.

    Args:
        node: the operator.
        values: its inputs.
        made: checks the size of the output before the output is made.

    Raises:
        NetworkError: the operator is not read, its inputs do not fit, or its output is too large.
    """
    if node.domain != STANDARD or node.operator not in CONSTANT_OPERATORS:
        raise NetworkError("works only on constants; ocpipe reads this only for simple operators.")
    if node.operator == "Constant":
        stored = _stored(node)
        made.count(stored.size)
        return stored
    if not values:
        raise NetworkError("takes no tensor.")
    try:
        if node.operator in _ELEMENTWISE:
            return _elementwise(_ELEMENTWISE[node.operator], values, made)
        made.count(sum(value.size for value in values))
        return _reshaped(node, values)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise NetworkError(f"its constants do not fit together ({error}).") from None


def _stored(node: Node) -> Numbers:
    if "value" in node.attributes:
        stored = tensor(node.attributes["value"].message(5), node.outputs[0])
        if isinstance(stored, list):
            raise NetworkError("is a constant text, expected numbers.")
        return stored
    if "value_float" in node.attributes:
        return np.array(node.number("value_float", 0.0))
    if "value_floats" in node.attributes:
        return node.numbers("value_floats")
    if "value_int" in node.attributes:
        return np.array(node.integer("value_int", 0))
    if "value_ints" in node.attributes:
        return np.array(node.integers("value_ints"), dtype=np.int64)
    raise NetworkError("has no numbers.")


def _elementwise(function: Callable[..., Any], values: list[Numbers], made: Made) -> Numbers:
    made.count(math.prod(np.broadcast_shapes(*(value.shape for value in values))))
    are_whole = all(value.dtype.kind == "i" for value in values)
    if are_whole and function not in (np.add, np.subtract, np.multiply, np.negative):
        raise NetworkError("divides whole numbers.")
    with np.errstate(all="ignore"):
        return np.asarray(function(*values))


def _reshaped(node: Node, values: list[Numbers]) -> Numbers:
    first = values[0]
    if node.operator == "Identity":
        return first
    if node.operator == "Cast":
        return first.astype(np.int64 if node.integer("to", 1) in (6, 7) else np.float64)
    if node.operator == "Transpose":
        return np.transpose(first, node.integers("perm"))
    if node.operator == "Concat":
        return np.concatenate(values, axis=node.integer("axis", 0))
    given = as_whole(values[1]) if len(values) > 1 else None
    if node.operator == "Reshape":
        sizes = given or node.integers("shape") or []
        return first.reshape([first.shape[i] if n == 0 else n for i, n in enumerate(sizes)])
    axes = given if given is not None else node.integers("axes")
    if node.operator == "Squeeze":
        return np.squeeze(first, None if axes is None else tuple(axes))
    return np.expand_dims(first, tuple(axes or ()))
