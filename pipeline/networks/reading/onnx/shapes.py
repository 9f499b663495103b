"""Operators that do not change the values of a pixel, and operators that choose or join values."""

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.call import (
    Call,
    Label,
    Operator,
    Value,
    as_matrix,
    as_whole,
    check_columns,
)
from pipeline.networks.reading.onnx.signal import Signal, joined

_FLOATS = (1, 10, 11, 16)


def _unchanged(call: Call) -> Value:
    return call.value()


def _dropout(call: Call) -> Value:
    mode = call.optional(2)
    if mode is not None and np.any(mode):
        raise NetworkError("is in the mode of training. Export the network for prediction.")
    return _unchanged(call)


def _cast(call: Call) -> Value:
    value, kind = _unchanged(call), call.node.integer("to", 1)
    if isinstance(value, Signal) and kind not in _FLOATS:
        raise NetworkError(f"changes numbers to the type {kind} of ONNX, expected a float type.")
    return value


def _reshape(call: Call) -> Value:
    value = call.values[0]
    if isinstance(value, Label):
        return value
    signal, shape = call.signal(), call.whole_numbers("shape", 1)
    if call.is_last and shape in ([-1, 1], [-1]):
        #         # skl2onnx writes the values of a pixel into one column; the pixel still has the
        # same values.
        return signal
    pixels = (-1, 0, 1, call.found.batch)
    if shape is not None and len(shape) == 1 and signal.width == 1 and shape[0] in pixels:
        return signal.with_rank(1)
    if shape is not None and len(shape) == 2 and shape[0] in pixels:
        columns = signal.width if shape[1] in (-1, 0) and shape[0] != -1 else shape[1]
        if columns == signal.width:
            return signal.with_rank(2)
    raise NetworkError(
        f"changes the shape of (pixels, {signal.width}) to {shape}, expected (pixels, "
        f"{signal.width})."
    )


def _flatten(call: Call) -> Signal:
    if call.node.integer("axis", 1) not in (1, -1):
        raise NetworkError("joins the pixels.")
    return call.signal().with_rank(2)


def _squeeze(call: Call) -> Value:
    signal, axes = call.signal(), call.whole_numbers("axes", 1)
    if signal.rank != 2 or signal.width != 1 or axes not in ([1], [-1]):
        raise NetworkError(f"removes the axes {axes} of (pixels, {signal.width}).")
    return signal.with_rank(1)


def _unsqueeze(call: Call) -> Value:
    signal, axes = call.signal(), call.whole_numbers("axes", 1)
    if signal.rank != 1 or axes not in ([1], [-1]):
        raise NetworkError(f"adds the axes {axes}, expected (pixels,) to become (pixels, 1).")
    return signal.with_rank(2)


def _concatenate(call: Call) -> Signal:
    check_columns(call.node.integer("axis", -1))
    return joined([as_matrix(call.signal(place)) for place in range(len(call.values))])


def _slice(call: Call) -> Signal:
    signal = as_matrix(call.signal())
    starts, ends = call.whole_numbers("starts", 1), call.whole_numbers("ends", 2)
    axes, steps = call.whole_numbers("axes", 3), call.whole_numbers("steps", 4)
    if starts is None or ends is None or len(starts) != 1 or len(ends) != 1:
        raise NetworkError("cuts several axes, expected the columns only.")
    if axes not in ([1], [-1]) or (steps is not None and (len(steps) != 1 or steps[0] == 0)):
        raise NetworkError(f"cuts the axes {axes}, expected 1, the columns of a pixel.")
    step = 1 if steps is None else steps[0]
    return _chosen(signal, range(signal.width)[slice(starts[0], ends[0], step)])


def _gather(call: Call) -> Signal:
    signal, places = as_matrix(call.signal()), call.constant(1)
    check_columns(call.node.integer("axis", 0))
    if places.ndim > 1:
        raise NetworkError("chooses columns and makes a tensor with more axes.")
    made = _chosen(signal, as_whole(places))
    return made.with_rank(places.ndim + 1)


def _chosen(signal: Signal, places: "range | list[int]") -> Signal:
    if not places or not all(-signal.width <= place < signal.width for place in places):
        raise NetworkError(f"chooses columns that do not exist; the tensor has {signal.width}.")
    return signal.columns(list(places))


def _split(call: Call) -> tuple[Value, ...]:
    signal, count = as_matrix(call.signal()), len(call.node.outputs)
    check_columns(call.node.integer("axis", 0))
    sizes = call.whole_numbers("split", 1)
    if sizes is None:
        size = -(-signal.width // count)
        sizes = [size] * (count - 1) + [signal.width - size * (count - 1)]
    if len(sizes) != count or sum(sizes) != signal.width or min(sizes) < 1:
        raise NetworkError(f"splits {signal.width} columns into {sizes}.")
    ends = np.cumsum(sizes)
    places = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return tuple(signal.columns(each) for each in places)


SHAPES: dict[str, Operator] = {
    "Identity": _unchanged,
    "Dropout": _dropout,
    "Cast": _cast,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concatenate,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
}
