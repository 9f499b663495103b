"""One way to evaluate the network on the same rows; prints the median seconds of a call.

``python networks.py WAY ROWS.npy WEIGHTS.h5 ROWS REPEATS``: physical float32 in, physical float32
out. Every way is written as its library's documentation recommends: scaling inside the graph where
there is a graph, no gradient, one warm call first. Each runs in a process of its own.
"""

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import numpy as np

Array = np.ndarray
Evaluate = Callable[[Array], Array]


class Weights:
    """Kernels (inputs, units), biases and ranges of an OC-SMART file, float64."""

    def __init__(self, path: str) -> None:
        with h5py.File(path) as file:
            count = len(file["Weights"])
            self.kernels = [file[f"Weights/Layer{k + 1}"][...].T for k in range(count)]
            self.biases = [file[f"Bias/Layer{k + 1}"][...].ravel() for k in range(count)]
            self.low, self.high = self._ends(file["Norm_in"][...], len(self.kernels[0]))
            self.out_low, self.out_high = self._ends(file["Norm_out"][...], self.biases[-1].size)

    @staticmethod
    def _ends(norm: Array, count: int) -> tuple[Array, Array]:
        ends = norm if norm.shape == (2, count) else norm.T
        return ends[0], ends[1]


def numpy_float64(weights: Weights) -> Evaluate:
    """The forward pass of OC-SMART's program: the whole array in double precision."""

    def evaluate(x: Array) -> Array:
        signal = np.log10(x.astype(np.float64))
        signal = 2 * (signal - weights.low) / (weights.high - weights.low) - 1
        for index, (kernel, bias) in enumerate(zip(weights.kernels, weights.biases, strict=True)):
            signal = signal @ kernel + bias
            if index < len(weights.kernels) - 1:
                signal = np.tanh(signal)
        signal = (signal + 1) / 2 * (weights.out_high - weights.out_low) + weights.out_low
        return np.asarray(10**signal)

    return evaluate


def _keras(weights: Weights) -> object:
    import keras

    inputs = keras.Input((len(weights.low),))
    signal = inputs
    for index, bias in enumerate(weights.biases):
        last = index == len(weights.biases) - 1
        signal = keras.layers.Dense(bias.size, activation=None if last else "tanh")(signal)
    model = keras.Model(inputs, signal)
    pairs = zip(weights.kernels, weights.biases, strict=True)
    model.set_weights([array for pair in pairs for array in pair])
    return model


def _predict(batch: int) -> Callable[[Weights], Evaluate]:
    def make(weights: Weights) -> Evaluate:
        model = _keras(weights)

        def evaluate(x: Array) -> Array:
            scaled = 2 * (np.log10(x) - weights.low) / (weights.high - weights.low) - 1
            y = model.predict(scaled.astype(np.float32), batch_size=batch, verbose=0)
            return 10 ** ((y + 1) / 2 * (weights.out_high - weights.out_low) + weights.out_low)

        return evaluate

    return make


def tf_function(weights: Weights) -> Evaluate:
    """A tf.function over the whole array, scaling inside."""
    import tensorflow as tf

    model = _keras(weights)
    low, width, out_low, out_width = _as_float32(weights)

    @tf.function(input_signature=[tf.TensorSpec((None, len(weights.low)), tf.float32)])
    def graph(x: object) -> object:
        scaled = 2 * (tf.math.log(x) / float(np.log(10)) - low) / width - 1
        y = model(scaled, training=False)
        return tf.exp(((y + 1) / 2 * out_width + out_low) * float(np.log(10)))

    return lambda x: graph(tf.constant(x)).numpy()


def torch(weights: Weights) -> Evaluate:
    """A torch.nn.Sequential in inference mode, 65,536 rows at a time, scaling by tensors."""
    import torch

    layers: list[torch.nn.Module] = []
    for index, (kernel, bias) in enumerate(zip(weights.kernels, weights.biases, strict=True)):
        dense = torch.nn.Linear(*kernel.shape)
        dense.weight.data = torch.from_numpy(kernel.T.astype(np.float32).copy())
        dense.bias.data = torch.from_numpy(bias.astype(np.float32))
        layers.append(dense)
        if index < len(weights.kernels) - 1:
            layers.append(torch.nn.Tanh())
    model = torch.nn.Sequential(*layers).eval()
    low, width, out_low, out_width = (torch.from_numpy(a) for a in _as_float32(weights))

    def evaluate(x: Array) -> Array:
        out = []
        with torch.inference_mode():
            for part in torch.from_numpy(x).split(65536):
                y = model(2 * (torch.log10(part) - low) / width - 1)
                out.append(torch.pow(10.0, (y + 1) / 2 * out_width + out_low))
            return torch.cat(out).numpy()

    return evaluate


def onnxruntime(weights: Weights) -> Evaluate:
    """A plain exported graph with the session's default options: all cores, whole array."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, signal = [], [], "x"

    def constant(values: object) -> str:
        name = f"c{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(values, dtype=np.float32), name))
        return name

    def node(operator: str, *operands: str) -> str:
        name = f"t{len(nodes)}"
        nodes.append(helper.make_node(operator, list(operands), [name]))
        return name

    low, width, out_low, out_width = _as_float32(weights)
    signal = node("Mul", node("Log", signal), constant(1 / np.log(10)))
    signal = node("Div", node("Sub", signal, constant(low)), constant(width / 2))
    signal = node("Sub", signal, constant(1.0))
    for index, (kernel, bias) in enumerate(zip(weights.kernels, weights.biases, strict=True)):
        signal = node("Gemm", signal, constant(kernel), constant(bias))
        signal = node("Tanh", signal) if index < len(weights.kernels) - 1 else signal
    signal = node("Mul", node("Add", signal, constant(1.0)), constant(out_width / 2))
    signal = node("Pow", constant(10.0), node("Add", signal, constant(out_low)))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (("x", low.size), (signal, out_low.size))
    ]
    graph = helper.make_graph(nodes, "peer", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]


def _as_float32(weights: Weights) -> tuple[Array, Array, Array, Array]:
    width, out_width = weights.high - weights.low, weights.out_high - weights.out_low
    low, width, out_low, out_width = (
        a.astype(np.float32) for a in (weights.low, width, weights.out_low, out_width)
    )
    return low, width, out_low, out_width


def _ours(engine: str, threads: int) -> Callable[[Weights], Evaluate]:
    def make(_: Weights) -> Evaluate:
        from pipeline.networks import load_network
        from pipeline.networks.engines import get_engine

        built = get_engine(load_network(sys.argv[3]), engine)

        def evaluate(x: Array) -> Array:
            parts = np.array_split(np.arange(len(x)), threads)
            out: list[Array | None] = [None] * threads

            def work(index: int) -> None:
                out[index] = built.predict(x[parts[index][0] : parts[index][-1] + 1])

            workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            return np.concatenate([part for part in out if part is not None])

        return evaluate

    return make


WAYS: dict[str, Callable[[Weights], Evaluate]] = {
    "numpy_float64": numpy_float64,
    "keras_predict_32": _predict(32),
    "keras_predict_8192": _predict(8192),
    "tf_function": tf_function,
    "torch": torch,
    "onnxruntime": onnxruntime,
    "ours_onnxruntime": _ours("onnxruntime", 2),
    "ours_onnxruntime_1": _ours("onnxruntime", 1),
    "ours_tensorflow": _ours("tensorflow", 2),
    "ours_numpy": _ours("numpy", 2),
}


def main() -> None:
    """Evaluate and print."""
    way, rows, weights, count, repeats = sys.argv[1:]
    x = np.load(rows)[: int(count)]
    evaluate = WAYS[way](Weights(weights))
    evaluate(x[:20000])
    seconds = []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        y = evaluate(x)
        seconds.append(time.perf_counter() - start)
    expected = numpy_float64(Weights(weights))(x[:1000])
    worst = float(np.max(np.abs(y[:1000] / expected - 1)))
    print(statistics.median(seconds), worst)


if __name__ == "__main__":
    main()
