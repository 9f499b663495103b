"""Table of the transforms, which convert a physical quantity before a network scales it.

Keras and ONNX are passed as arguments, so that this module imports nothing heavy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LN10 = float(np.log(10.0))
DEGREES = np.float32(180 / np.pi)
RADIANS = np.float32(np.pi / 180)


@dataclass(frozen=True)
class GraphFunction:
    """A float32 function of columns, and its inverse, as operations of Keras and of ONNX."""

    keras: Callable[[Any, Any], Any]
    """``keras(keras.ops, tensor) -> tensor``."""
    keras_inverse: Callable[[Any, Any], Any]
    """The inverse of ``keras``, with the same arguments."""
    onnx: Callable[[Any, str], str]
    """``onnx(operator, tensor) -> tensor`` adds operators and constants to a graph."""
    onnx_inverse: Callable[[Any, str], str]
    """The inverse of ``onnx``, with the same arguments."""


IDENTITY = GraphFunction(lambda _, x: x, lambda _, y: y, lambda _, x: x, lambda _, y: y)
LOG = GraphFunction(
    lambda ops, x: ops.log(x),
    lambda ops, y: ops.exp(y),
    lambda op, x: op("Log", x),
    lambda op, y: op("Exp", y),
)
SQRT = GraphFunction(
    lambda ops, x: ops.sqrt(x),
    lambda ops, y: ops.square(y),
    lambda op, x: op("Sqrt", x),
    lambda op, y: op("Pow", y, 2.0),
)
COS_DEGREES = GraphFunction(
    lambda ops, x: ops.cos(x * RADIANS),
    lambda ops, y: ops.arccos(ops.clip(y, -1, 1)) * DEGREES,
    lambda op, x: op("Cos", op("Mul", x, math.pi / 180)),
    lambda op, y: op("Mul", op("Acos", op("Min", op("Max", y, -1.0), 1.0)), 180 / math.pi),
)
# Converts a relative azimuth (sensor - 180 - sun) to the difference of the azimuths, 0 to 180
# degrees.
AZIMUTH_DIFFERENCE = GraphFunction(
    lambda ops, x: ops.abs(ops.abs(x) - 180.0),
    lambda _, y: 180.0 - y,
    lambda op, x: op("Abs", op("Sub", op("Abs", x), 180.0)),
    lambda op, y: op("Neg", op("Sub", y, 180.0)),
)


@dataclass(frozen=True)
class Transform:
    """A function of float64 arrays of any shape, with its inverse and its derivative."""

    forward: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    derivative: Callable[[Any], Any]
    """The derivative of ``forward``, as a function of the physical quantity."""
    graph: GraphFunction
    """The function for float32 graphs; it equals ``forward`` divided by ``graph_factor``."""
    graph_factor: float = 1.0
    """A factor that ``graph`` lacks; the weights include this factor (computed in float64)."""
    needs_positive: bool = False
    """True if the function is undefined at zero and below."""
    needs_non_negative: bool = False
    """True if the function is defined at zero but undefined below zero."""
    increasing: bool = True
    """True if the function is increasing."""
    ln_per_unit: float | None = None
    """For logarithms, the change of ln(physical) per unit of the transformed quantity."""


TRANSFORMS: dict[str, Transform] = {
    "none": Transform(lambda x: x, lambda y: y, np.ones_like, IDENTITY),
    "log10": Transform(
        np.log10,
        lambda y: 10.0**y,
        lambda x: 1 / (x * LN10),
        LOG,
        graph_factor=1.0 / LN10,
        needs_positive=True,
        ln_per_unit=LN10,
    ),
    "ln": Transform(np.log, np.exp, lambda x: 1 / x, LOG, needs_positive=True, ln_per_unit=1.0),
    "sqrt": Transform(
        np.sqrt, np.square, lambda x: 0.5 / np.sqrt(x), SQRT, needs_non_negative=True
    ),
    "cos_degrees": Transform(
        lambda x: np.cos(np.radians(x)),
        lambda y: np.degrees(np.arccos(np.clip(y, -1, 1))),
        lambda x: -np.radians(1.0) * np.sin(np.radians(x)),
        COS_DEGREES,
        increasing=False,
    ),
    "azimuth_difference": Transform(
        lambda x: np.abs(np.abs(x) - 180.0),
        lambda y: 180.0 - y,
        lambda x: np.sign(np.abs(x) - 180.0) * np.sign(x),
        AZIMUTH_DIFFERENCE,
        increasing=False,
    ),
}
