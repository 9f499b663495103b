"""(b) The network alone, against other ways to evaluate it, and (f) what the machine allows."""

import importlib.util
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inputs
import numpy as np
from commands import python
from report import Table, median

ROUNDS = 3
SCRIPT = inputs.HERE / "peers" / "networks.py"

# Way -> (what it is, rows, calls): slow ones get fewer rows.
WAYS = {
    "numpy_float64": ("NumPy float64, whole array (OC-SMART's manner)", 500_000, 1),
    "keras_predict_32": ("Keras predict, batch 32", 50_000, 1),
    "keras_predict_8192": ("Keras predict, batch 8192", 1_000_000, 1),
    "tf_function": ("tf.function, whole array", 1_000_000, 3),
    "torch": ("PyTorch, inference mode", 1_000_000, 3),
    "onnxruntime": ("ONNX Runtime, default session", 1_000_000, 3),
    "ours_numpy": ("ocpipe, engine numpy, 2 threads", 500_000, 1),
    "ours_tensorflow": ("ocpipe, engine tensorflow, 2 threads", 1_000_000, 3),
    "ours_onnxruntime": ("ocpipe, engine onnxruntime, 2 threads", 1_000_000, 5),
    "ours_onnxruntime_1": ("ocpipe, engine onnxruntime, 1 thread", 1_000_000, 5),
}


def throughput() -> tuple[Table, float]:
    """Pixels per second of each way; with it, of the default engine on one thread."""
    network = inputs.aph_network()
    table = Table(
        "(b) Network alone",
        "Physical float32 inputs to physical outputs, 7-100-75-50-25-7 tanh, one warm call before; "
        f"medians of {ROUNDS} alternating rounds.",
        ("way", "million pixels per second", "largest relative difference to float64"),
    )
    drawn = np.random.default_rng(0).uniform(-3.4, -2.0, (1_000_000, 7))
    measured: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npy"
        np.save(rows, (10**drawn).astype(np.float32))
        ways = [way for way in WAYS if way != "torch" or importlib.util.find_spec("torch")]
        for _ in range(ROUNDS):
            for way in ways:
                _, count, calls = WAYS[way]
                said = python(SCRIPT, way, rows, network, count, calls).output.split()
                measured.setdefault(way, []).append((count / float(said[0]) / 1e6, float(said[1])))
    speed = {}
    for way, runs in measured.items():
        speed[way] = median(rate for rate, _ in runs)
        table.add(WAYS[way][0], speed[way], median(worst for _, worst in runs))
    if "torch" not in measured:
        table.note("PyTorch is not installed here (pip install torch)")
    ours = speed["ours_onnxruntime"]
    table.note(f"{ours / speed['numpy_float64']:.1f} times NumPy float64")
    table.note(f"{ours / speed['ours_tensorflow']:.2f} times the tensorflow engine")
    table.note(f"{ours / speed['onnxruntime']:.2f} times ONNX Runtime with its default session")
    return table, speed["ours_onnxruntime_1"]


def roofline(reached: float) -> Table:
    """What this machine's matrix product and tanh allow on one core, and how much is reached."""
    sizes = (7, 100, 75, 50, 25, 7)
    flops = 2 * sum(a * b for a, b in itertools.pairwise(sizes))
    tanhs = sum(sizes[1:-1])
    table = Table(
        "(f) Roofline of one core",
        f"A pixel costs {flops} floating-point operations in matrix products and {tanhs} tanh.",
        ("what", "rate"),
    )
    product, tanh = _sgemm(), _tanh()
    table.add("sgemm, 2048 x 2048 (Gflop/s)", product / 1e9)
    table.add("tanh, float32, in cache (G/s)", tanh / 1e9)
    allowed = 1 / (flops / product + tanhs / tanh) / 1e6
    table.add("allowed (million pixels per second)", allowed)
    table.add("reached by the onnxruntime engine, 1 thread", reached)
    table.note(f"{100 * reached / allowed:.0f} % of what both allow one after the other")
    table.note(
        "what is missing lies in the thin layers (7 x 100 and 25 x 7), where a matrix product "
        "waits for memory; wider ones run near the limit. Half precision, where a processor has "
        "it, would raise the limit itself, and cost digits."
    )
    return table


def _sgemm() -> float:
    """Floating-point operations per second of a large matrix product on one thread."""
    a = np.random.default_rng(0).standard_normal((2048, 2048)).astype(np.float32)
    session = _operator("MatMul", (2048, 2048), 2)
    return 2 * 2048**3 / _best(lambda: session.run(["y"], {"x0": a, "x1": a}), 5)


def _tanh() -> float:
    """Per second, of ONNX Runtime or NumPy, whichever is faster here."""
    x = np.random.default_rng(0).standard_normal((512, 250)).astype(np.float32)
    session, out = _operator("Tanh", (512, 250), 1), np.empty_like(x)
    numpy = _best(lambda: np.tanh(x, out=out), 50)
    return x.size / min(numpy, _best(lambda: session.run(["y"], {"x0": x}), 50))


def _operator(name: str, shape: tuple[int, int], operands: int) -> Any:
    """One operator on one thread."""
    import onnxruntime
    from onnx import TensorProto, helper

    names = [f"x{index}" for index in range(operands)]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in (*names, "y")]
    graph = helper.make_graph([helper.make_node(name, names, ["y"])], "one", ends[:-1], ends[-1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _best(call: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
