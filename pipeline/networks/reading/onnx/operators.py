"""The operators that are read: each gives the tensors that it makes of the tensors that it takes.

A tensor that depends on the pixel is a :class:`Signal`; constants are arrays. Anything that would
make the network more than a chain of layers on single pixels is refused.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

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
KNOWN = OPERATORS.keys() | {(STANDARD, name) for name in CONSTANT_OPERATORS}
"""Operators on constants, too."""


def followed(call: Call) -> tuple[Value, ...]:
    """Return the outputs of an operator.

    Raises:
        NetworkError: the operator does something that a chain of layers does not.
    """
    if all(isinstance(value, np.ndarray) for value in call.values):
        constants: list[npt.NDArray[Any]] = [v for v in call.values if isinstance(v, np.ndarray)]
        return (constant_value(call.node, constants, call.found.made),)
    made = OPERATORS[call.node.domain, call.node.operator](call)
    return made if isinstance(made, tuple) else (made,)
