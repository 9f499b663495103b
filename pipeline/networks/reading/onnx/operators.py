"""The operators that ocpipe reads. Each has a function from its input tensors to its outputs.

A tensor that depends on the pixel is a :class:`Signal`; constants are arrays. Anything that would
make the network more than a chain of layers on single pixels is refused.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.arithmetic import ARITHMETIC
from pipeline.networks.reading.onnx.call import Call, Operator, Value
from pipeline.networks.reading.onnx.constants import CONSTANT_OPERATORS, constant_value
from pipeline.networks.reading.onnx.functions import FUNCTIONS
from pipeline.networks.reading.onnx.machine_learning import CLASSES, MODELS
from pipeline.networks.reading.onnx.model import MACHINE_LEARNING, STANDARD
from pipeline.networks.reading.onnx.shapes import SHAPES

OPERATORS: dict[tuple[str, str], Operator] = {
    **{
        (STANDARD, name): made for name, made in (ARITHMETIC | FUNCTIONS | SHAPES | CLASSES).items()
    },
    **{(MACHINE_LEARNING, name): made for name, made in MODELS.items()},
}
"""By domain and name."""
# The largest number of inputs of an operator, if it is not 1. Sum and Concat have no limit.
_MOST_INPUTS = {
    **dict.fromkeys(("Sum", "Concat"), 8192),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "MatMul", "Pow", "Max", "Min", "Greater"), 2),
    **dict.fromkeys(("PRelu", "Reshape", "Squeeze", "Unsqueeze", "Gather", "Split"), 2),
    **dict.fromkeys(("Gemm", "Clip", "Where", "Dropout"), 3),
    **dict.fromkeys(("Slice", "BatchNormalization"), 5),
    "ArrayFeatureExtractor": 2,
}
KNOWN = OPERATORS.keys() | {(STANDARD, name) for name in CONSTANT_OPERATORS}
"""Operators that also work on constants."""


def followed(call: Call) -> tuple[Value, ...]:
    """Return the outputs of an operator.

    Raises:
        NetworkError: the operator does something that a chain of layers does not.
    """
    most = _MOST_INPUTS.get(call.node.operator, 1)
    if len(call.values) > most:
        raise NetworkError(f"takes {len(call.values)} tensors, expected at most {most}.")
    if all(isinstance(value, np.ndarray) for value in call.values):
        constants: list[npt.NDArray[Any]] = [v for v in call.values if isinstance(v, np.ndarray)]
        return (constant_value(call.node, constants, call.found.made),)
    operator = OPERATORS.get((call.node.domain, call.node.operator))
    if operator is None:
        raise NetworkError("takes values of pixels; ocpipe reads it only for constants.")
    made = operator(call)
    return made if isinstance(made, tuple) else (made,)
