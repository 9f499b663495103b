"""The float64 reference as an engine: the one by which the others are judged."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.retrieval import Retrieval

# Of the engine, at a time: what is between two layers stays in the cache, and memory small.
ROWS = 8192


class NumpyEngine:
    """Runs the float64 reference."""

    name = "numpy"

    def __init__(self, network: Retrieval) -> None:
        self._network = network

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Outputs (n, outputs), float64, of inputs (n, inputs) in physical units."""
        out = np.empty((len(self._network.outputs), len(x)), dtype=np.float64)
        for start in range(0, len(x), ROWS):
            out[:, start : start + ROWS] = self._network.reference(x[start : start + ROWS]).T
        return out.T
