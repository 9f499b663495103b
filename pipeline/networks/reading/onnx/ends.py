"""The functions before the first layer and after the last one, as transforms of variables.

Each must be a function of a single input or output: a logarithm, a square root, or the cosine of
an angle in degrees, as in ``pipeline/networks/transforms.py``.
"""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.signal import LINEAR, Stage
from pipeline.networks.variable import Array

_OF_INPUTS = {LINEAR: "none", "log": "ln", "sqrt": "sqrt", "cos": "cos_degrees"}
# The inner function is the last one. A graph must limit a cosine before it takes the angle.
_OF_OUTPUTS = {
    (): "none",
    ("exp",): "ln",
    ("square",): "sqrt",
    ("acos", "min(1)", "max(-1)"): "cos_degrees",
    ("acos", "max(-1)", "min(1)"): "cos_degrees",
}
# The factor may be stored as float32.
_NEAR = 1e-6
_ADVICE = "Export the network without it, and state the transform in a YAML (docs/networks.md)."


@dataclass(frozen=True)
class InputEnds:
    """The transforms of the inputs, and the factors and offsets for the first layer."""

    transforms: tuple[str, ...]
    stages: tuple[Stage, ...]
    """The stage that the transforms replace; empty if there is none."""
    _slopes: Array
    """What each transformed input (rows) contributes to each value of the stage (columns)."""
    _shifts: Array

    def folded(self, kernel: Array, bias: Array) -> tuple[Array, Array]:
        """Return kernel (inputs, units) and bias of the first layer, for transformed inputs.

        Args:
            kernel: the kernel of the first layer for the values of the stage.
            bias: its bias.
        """
        if not self.stages:
            return kernel, bias
        return self._slopes @ kernel, bias + self._shifts @ kernel


def input_ends(inputs: int, stages: list[Stage]) -> InputEnds:
    """Return the transforms of the inputs. They are in the first stage, or there are none.

    Raises:
        NetworkError: a function takes several inputs, or an input has two transforms.
    """
    functions = set(stages[0].functions) if stages else set()
    if not functions <= _OF_INPUTS.keys() or functions <= {LINEAR}:
        return InputEnds(("none",) * inputs, (), np.empty(0), np.empty(0))
    stage = stages[0]
    kernel = np.eye(inputs) if stage.kernel is None else stage.kernel
    found: dict[int, str] = {}
    slopes, shifts = np.zeros((inputs, stage.width)), np.zeros(stage.width)
    for column, function in enumerate(stage.functions):
        (used,) = np.nonzero(kernel[:, column])
        for place in used:
            if found.setdefault(int(place), function) != function:
                raise NetworkError(
                    f"the graph applies two functions to input {place + 1}, "
                    f"{found[int(place)]} and {function}, expected one. {_ADVICE}"
                )
        if function == LINEAR:
            slopes[:, column], shifts[column] = kernel[:, column], stage.bias[column]
            continue
        if used.size != 1:
            raise NetworkError(
                f"the graph applies {function} to a sum of {used.size} inputs, expected one input "
                f"at a time. {_ADVICE}"
            )
        slopes[used[0], column], shifts[column] = _folded_into_layer(
            function, kernel[used[0], column], stage.bias[column]
        )
    transforms = tuple(_OF_INPUTS[found.get(place, LINEAR)] for place in range(inputs))
    return InputEnds(transforms, (stage,), slopes, shifts)


def _folded_into_layer(function: str, factor: float, offset: float) -> tuple[float, float]:
    """Return slope and shift with ``f(factor * x + offset) = slope * transform(x) + shift``."""
    if offset == 0:
        if function == "log" and factor > 0:
            return 1.0, math.log(factor)
        if function == "sqrt" and factor > 0:
            return math.sqrt(factor), 0.0
        if function == "cos" and math.isclose(factor, math.pi / 180, rel_tol=_NEAR):
            return 1.0, 0.0
    raise NetworkError(
        f"the graph computes {function}({factor:g} * x + {offset:g}) of an input x, and ocpipe has "
        f"no such transform. {_ADVICE}"
    )


@dataclass(frozen=True)
class OutputEnds:
    """The transforms of the outputs, and the last linear step before them."""

    transforms: tuple[str, ...]
    kernel: Array
    bias: Array


def output_ends(stages: list[Stage], kernel: Array, bias: Array) -> OutputEnds:
    """Return the transforms of the outputs.

    Args:
        stages: the last stages, which are not layers; an empty list if the outputs are linear.
        kernel: weights (values of the last stage, outputs) of the outputs.
        bias: their offsets.

    Raises:
        NetworkError: the operators after the last layer are not a transform of single outputs.
    """
    if not stages:
        return OutputEnds(("none",) * bias.size, kernel, bias)
    ends = [_output(stages, kernel[:, column], bias[column]) for column in range(bias.size)]
    names, kernels, biases = zip(*ends, strict=True)
    return OutputEnds(tuple(names), np.stack(kernels, axis=1), np.array(biases))


def _output(stages: list[Stage], weights: Array, offset: float) -> tuple[str, Array, float]:
    functions: list[str] = []
    factor, shift = 1.0, 0.0
    for stage in reversed(stages):
        (used,) = np.nonzero(weights)
        if used.size != 1:
            raise NetworkError(
                f"the graph combines several values after {', '.join(sorted(set(stage.functions)))}"
                f", expected a function of single outputs at its end. {_ADVICE}"
            )
        place = int(used[0])
        function = stage.functions[place]
        if function == LINEAR:
            offset += stage.bias[place] * weights[place]
            weights = _column(stage, place) * weights[place]
            continue
        if functions and (weights[place], offset) != (1.0, 0.0):
            raise _no_transform((*functions, function))
        if not functions:
            factor, shift = float(weights[place]), float(offset)
        functions.append(function)
        weights, offset = _column(stage, place), float(stage.bias[place])
    name = _OF_OUTPUTS.get(tuple(functions))
    if name is None:
        raise _no_transform(tuple(functions))
    return name, *_folded_back(name, factor, shift, weights, offset)


def _folded_back(
    name: str, factor: float, shift: float, weights: Array, offset: float
) -> tuple[Array, float]:
    """Fold ``factor * f(...) + shift`` into the weights below the function."""
    if name == "none":
        return weights, offset
    if shift == 0:
        if name == "ln" and factor > 0:
            return weights, offset + math.log(factor)
        if name == "sqrt" and factor > 0:
            return weights * math.sqrt(factor), offset * math.sqrt(factor)
        if name == "cos_degrees" and math.isclose(factor, 180 / math.pi, rel_tol=_NEAR):
            return weights, offset
    raise NetworkError(
        f"the graph ends with {factor:g} * f(x) + {shift:g} after the transform {name}, which no "
        f"transform of ocpipe is. {_ADVICE}"
    )


def _column(stage: Stage, place: int) -> Array:
    if stage.kernel is not None:
        return stage.kernel[:, place]
    column = np.zeros(stage.width)
    column[place] = 1.0
    return column


def _no_transform(functions: tuple[str, ...]) -> NetworkError:
    return NetworkError(
        f"the graph ends with {', '.join(functions)} of an output, which no transform of ocpipe "
        f"is. {_ADVICE}"
    )
