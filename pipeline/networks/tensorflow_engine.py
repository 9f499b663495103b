"""The tensorflow engine: one XLA-compiled function of one fixed shape per network.

One shape means one compilation and the same bits wherever a row stands: without XLA a row's last
bits depend on its position and on the number of threads.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.description import Network

# Rows per call; the last call of a block is padded with ones. Large enough that the cost of a call
# (about 0.1 ms) vanishes, small enough that padding costs little on small blocks.
ROWS = 4096


class TensorflowEngine:
    """Runs the Keras model of a network, in float32, on a GPU or the CPU."""

    name = "tensorflow"

    def __init__(self, network: Network) -> None:
        from pipeline.networks.keras_model import build_model
        from pipeline.networks.tensorflow_setup import tensorflow

        tf = tensorflow()
        model = build_model(network)
        self._outputs = len(network.outputs)

        rows = tf.TensorSpec((ROWS, len(network.inputs)), tf.float32)
        compiled = tf.function(
            lambda x: model(x, training=False), jit_compile=True, autograph=False
        )
        self._evaluate = compiled.get_concrete_function(rows)
        self._tensor = tf.constant

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Outputs (n, outputs), float32, of inputs (n, inputs) in physical units."""
        out = np.empty((len(x), self._outputs), dtype=np.float32)
        for start in range(0, len(x), ROWS):
            rows = np.ones((ROWS, x.shape[1]), dtype=np.float32)
            part = x[start : start + ROWS]
            rows[: len(part)] = part
            out[start : start + ROWS] = np.asarray(self._evaluate(self._tensor(rows)))[: len(part)]
        return out
