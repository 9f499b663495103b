"""Operators of scikit-learn's models: scalers, linear models, and the ends of classifiers."""

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.call import (
    Above,
    Call,
    Label,
    Operator,
    Value,
    as_matrix,
    as_row,
    as_whole,
    check_columns,
)
from pipeline.networks.reading.onnx.model import Node
from pipeline.networks.reading.onnx.signal import SOFTMAX, Signal


def _scaler(call: Call) -> Signal:
    node, signal = call.node, as_matrix(call.signal())
    for name, change in (("offset", "plus"), ("scale", "times")):
        numbers = node.numbers(name)
        if numbers.size:
            signal, row = as_row(-numbers if name == "offset" else numbers, signal)
            signal = getattr(signal, change)(row)
    return signal


def _linear(call: Call, units: int) -> Signal:
    """Return ``x @ coefficients + intercepts``, for the models of scikit-learn."""
    node, signal = call.node, as_matrix(call.signal())
    weights, shifts = node.numbers("coefficients"), node.numbers("intercepts")
    if weights.size != units * signal.width or shifts.size not in (0, units):
        raise NetworkError(
            f"has {weights.size} coefficients and {shifts.size} intercepts for {signal.width} "
            f"inputs and {units} outputs."
        )
    made = signal.through(weights.reshape(units, signal.width).T)
    return made.plus(shifts) if shifts.size else made


def _linear_regressor(call: Call) -> Signal:
    if call.node.text("post_transform", "NONE") != "NONE":
        raise NetworkError("transforms its outputs, expected post_transform NONE.")
    targets = call.node.integer("targets", 1)
    if targets < 1:
        raise NetworkError(f"has {targets} targets.")
    return _linear(call, targets)


def _linear_classifier(call: Call) -> tuple[Value, ...]:
    names, after = _class_names(call.node, "classlabels_ints"), call.node.text("post_transform")
    made = _linear(call, len(names))
    is_pair = len(names) == 2 and made.kernel is not None and _are_opposite(made)
    if after == "LOGISTIC" and is_pair:
        # logistic(-z), logistic(z) are the softmax of 0, z
        made = made.times(np.array([0.0, 1.0]))
    elif after != "SOFTMAX":
        raise NetworkError(
            f"makes probabilities of {len(names)} classes by {after or 'nothing'}, expected "
            "softmax."
        )
    call.found.class_names = names
    made = made.function(SOFTMAX)
    return Label(made), made


def _are_opposite(signal: Signal) -> bool:
    kernel = signal.matrix()
    scale = np.abs(kernel).max(initial=0)
    is_kernel = np.allclose(kernel[:, 0], -kernel[:, 1], rtol=1e-6, atol=1e-6 * scale)
    return bool(is_kernel and np.isclose(signal.bias[0], -signal.bias[1], rtol=1e-6))


def _normalizer(call: Call) -> Signal:
    signal = call.signal()
    if not is_probability(signal) or call.node.text("norm") != "L1":
        raise NetworkError("normalises other values than the probabilities of a softmax.")
    return signal


def is_probability(signal: Signal) -> bool:
    """Return whether a signal is the output of a softmax, or two columns that add up to 1."""
    if signal.kernel is None:
        return SOFTMAX in signal.stage.functions
    return is_pair_of_sigmoid(signal)


def is_pair_of_sigmoid(signal: Signal) -> bool:
    """Return whether a signal is ``1 - p, p`` of one sigmoid p."""
    return (
        signal.stage.functions == ("sigmoid",)
        and np.array_equal(signal.matrix(), [[-1.0, 1.0]])
        and np.array_equal(signal.bias, [1.0, 0.0])
    )


def _class_of_pixel(call: Call) -> Label:
    check_columns(call.node.integer("axis", 0))
    return Label(as_matrix(call.signal()))


def _feature(call: Call) -> Value:
    names, label = (*call.values, None, None)[:2]
    if not isinstance(label, Label) or isinstance(names, Signal | Label | Above | None):
        raise NetworkError("takes features, but not of the classes.")
    found = names if isinstance(names, list) else [str(n) for n in as_whole(names)]
    call.found.class_names = call.found.class_names or found
    return label


def _zip_map(call: Call) -> Signal:
    call.found.class_names = _class_names(call.node, "classlabels_int64s")
    return call.signal()


def _class_names(node: Node, numbers: str) -> list[str]:
    return node.texts("classlabels_strings") or [str(n) for n in node.integers(numbers) or ()]


CLASSES: dict[str, Operator] = {"ArgMax": _class_of_pixel}
MODELS: dict[str, Operator] = {
    "Scaler": _scaler,
    "LinearRegressor": _linear_regressor,
    "LinearClassifier": _linear_classifier,
    "Normalizer": _normalizer,
    "ArrayFeatureExtractor": _feature,
    "ZipMap": _zip_map,
}
