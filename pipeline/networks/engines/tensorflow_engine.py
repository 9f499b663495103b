"""The tensorflow engine: for each network, one XLA-compiled function with one fixed shape.

With one shape, a function is compiled once, and a row's result does not depend on its position.
Without XLA, the last bits depend on the position of a row and on the number of threads. Several
threads process blocks, so that the host prepares one block while the device evaluates another.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.description import Network
from pipeline.networks.engines.keras_model import build_model
from pipeline.networks.engines.onnx_engine import OnnxEngine
from pipeline.networks.engines.tensorflow_setup import tensorflow

log = logging.getLogger(__name__)

# Rows per call; the last call of a block is padded with ones. On a CPU, calls are large enough to
# hide their cost (about 0.1 ms) and small enough that padding costs little on small blocks. A GPU
# is so fast that only large calls keep it busy.
ROWS = 4096
ROWS_ON_GPU = 131072
# All networks of a process share the device. Calls of several threads at the same time would share
# its memory, too, and would not be faster: the device evaluates one after the other.
_GPU_TURN = threading.Lock()


class TensorflowEngine:
    """Runs a network's Keras model in float32, on a GPU or on the CPU."""

    name = "tensorflow"

    def __init__(self, network: Network) -> None:
        self._tf = tensorflow()
        self._network = network
        self._inputs, self._outputs = len(network.inputs), len(network.outputs)
        model = build_model(network)
        self._compiled = self._tf.function(
            lambda x: model(x, training=False), jit_compile=True, autograph=False
        )
        self._on_gpu = bool(self._tf.config.list_logical_devices("GPU"))
        self._falling_back = threading.Lock()
        self._set_rows(ROWS_ON_GPU if self._on_gpu else ROWS)

    def _set_rows(self, rows: int) -> None:
        shape = self._tf.TensorSpec((rows, self._inputs), self._tf.float32)
        self._call: tuple[int, Callable[[Any], Any]] = (
            rows,
            self._compiled.get_concrete_function(shape),
        )

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return outputs (n, outputs), float32, of inputs (n, inputs) in physical units.

        If the device runs out of memory, calls get fewer rows; if that fails, the CPU is used.
        """
        while True:
            rows, evaluate = self._call
            try:
                return self._predict(x, rows, evaluate)
            except self._tf.errors.ResourceExhaustedError as error:
                self._fall_back(rows, error)

    def _predict(
        self, x: npt.NDArray[Any], size: int, evaluate: Callable[[Any], Any]
    ) -> npt.NDArray[np.float32]:
        out = np.empty((len(x), self._outputs), dtype=np.float32)
        for start in range(0, len(x), size):
            part = x[start : start + size]
            rows = np.empty((size, self._inputs), dtype=np.float32)
            rows[: len(part)] = part
            rows[len(part) :] = 1.0
            with _GPU_TURN if self._on_gpu else contextlib.nullcontext():
                result = np.asarray(evaluate(self._tf.constant(rows)))
            out[start : start + size] = result[: len(part)]
        return out

    def _fall_back(self, rows: int, error: Exception) -> None:
        """Give later calls fewer rows or use the CPU, unless another thread has already done so.

        Raises:
            ResourceExhaustedError: the CPU ran out of memory as well.
        """
        with self._falling_back:
            if self._call[0] != rows:
                return
            if not self._on_gpu:
                raise error
            if rows > ROWS:
                smaller = max(rows // 4, ROWS)
                log.warning("the GPU ran out of memory; each later call gets %d rows", smaller)
                self._set_rows(smaller)
                return
            log.warning("the GPU ran out of memory; the CPU is used instead")
            self._on_gpu = False
            on_cpu = OnnxEngine(self._network)
            self._call = (ROWS - 1, lambda x: on_cpu.predict(np.asarray(x)))
