"""The onnxruntime engine, the fastest on a CPU: one graph per network, one thread per call."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.description import Network
from pipeline.networks.engines.onnx_graph import INPUT, OUTPUT, build_graph

# Rows per call: the signals between layers (100 numbers a row) stay in the cache.
ROWS = 2048
# The last call of a block is padded to a multiple: the library rounds rows differently if their
# number is not a multiple of 4, and a row must have the same bits wherever it is.
MULTIPLE = 64


class OnnxEngine:
    """Runs the network in float32 on the CPU."""

    name = "onnxruntime"

    def __init__(self, network: Network) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Blocks run in parallel; three or more threads in a call would also change the last bits.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            build_graph(network).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = len(network.outputs)

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return outputs (n, outputs), float32, of inputs (n, inputs) in physical units.

        Inputs with contiguous columns are fastest; the columns of the result are contiguous.
        """
        columns = np.asarray(x, dtype=np.float32).T
        out = np.empty((self._outputs, len(x)), dtype=np.float32)
        for start in range(0, len(x), ROWS):
            part = np.ascontiguousarray(columns[:, start : start + ROWS])
            count = part.shape[1]
            if count % MULTIPLE:
                ones = np.ones((len(part), -count % MULTIPLE), dtype=np.float32)
                part = np.concatenate([part, ones], axis=1)
            (made,) = self._session.run([OUTPUT], {INPUT: part})
            out[:, start : start + count] = made[:, :count]
        return out.T
