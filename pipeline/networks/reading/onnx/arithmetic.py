"""Operators that are linear in the pixel's values: products, sums, scaling."""

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.call import (
    Call,
    Operator,
    Value,
    as_float64,
    as_matrix,
    as_row,
)
from pipeline.networks.reading.onnx.signal import Signal, joined


def _add(call: Call) -> Signal:
    return _sum(call.values[0], call.values[1])


def _sum(left: Value | None, right: Value | None) -> Signal:
    if isinstance(left, Signal) and isinstance(right, Signal):
        return _sum_of_signals(left, right)
    if isinstance(left, np.ndarray):
        left, right = right, left
    if not isinstance(left, Signal) or not isinstance(right, np.ndarray):
        raise NetworkError("expected two tensors of numbers.")
    signal, row = as_row(right, left)
    return signal.plus(row)


def _sum_of_signals(left: Signal, right: Signal) -> Signal:
    if left.rank != right.rank:
        raise NetworkError(f"adds tensors with {left.rank} and {right.rank} axes, expected equal.")
    if left.width != right.width:
        raise NetworkError(
            f"adds tensors with {left.width} and {right.width} columns, expected equal numbers."
        )
    both, width = joined([left, right]), left.width
    return both.through(np.concatenate([np.eye(width), np.eye(width)])).with_rank(left.rank)


def _subtract(call: Call) -> Signal:
    left, right = call.values[:2]
    if isinstance(right, Signal):
        return _sum(left, right.times(-np.ones(right.width)))
    return _sum(left, np.asarray(-call.constant(1)))


def _multiply(call: Call) -> Signal:
    place = 0 if isinstance(call.values[0], Signal) else 1
    signal, row = as_row(call.constant(1 - place), call.signal(place))
    return signal.times(row)


def _divide(call: Call) -> Signal:
    divisor = call.constant(1)
    signal, row = as_row(divisor, call.signal())
    return signal.times(1 / row)


def _negative(call: Call) -> Signal:
    signal = call.signal()
    return signal.times(-np.ones(signal.width))


def _all_summed(call: Call) -> Signal:
    total = call.values[0]
    for value in call.values[1:]:
        total = _sum(total, value)
    if not isinstance(total, Signal):
        raise NetworkError("does not depend on the pixel.")
    return total


def _matmul(call: Call) -> Signal:
    signal, weights = as_matrix(call.signal()), as_float64(call.constant(1))
    if weights.ndim == 1:
        return signal.through(weights[:, np.newaxis]).with_rank(1)
    return signal.through(weights)


def _gemm(call: Call) -> Signal:
    node, signal = call.node, as_matrix(call.signal())
    if node.integer("transA", 0):
        raise NetworkError("transposes the pixels.")
    weights = as_float64(call.constant(1))
    weights = weights.T if node.integer("transB", 0) else weights
    made = signal.through(node.number("alpha", 1.0) * weights)
    bias = call.optional(2)
    if bias is None:
        return made
    made, row = as_row(bias, made)
    return made.plus(node.number("beta", 1.0) * row)


def _batch_normalization(call: Call) -> Signal:
    if call.node.integer("training_mode", 0):
        raise NetworkError("is in the mode of training. Export the network for prediction.")
    scale, shift, mean, variance = (as_float64(call.constant(place)) for place in range(1, 5))
    slope = scale / np.sqrt(variance + call.node.number("epsilon", 1e-5))
    signal, slope = as_row(slope, as_matrix(call.signal()))
    return signal.times(slope).plus(as_row(shift - mean * slope, signal)[1])


ARITHMETIC: dict[str, Operator] = {
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": _negative,
    "Sum": _all_summed,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "BatchNormalization": _batch_normalization,
}
