"""The numpy engine: the float64 reference, against which the other engines are checked."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.retrieval import Retrieval

# Rows per call: the signals between layers stay in the cache, and memory stays small.
ROWS = 8192


class NumpyEngine:
    """Runs the float64 reference."""

    name = "numpy"

    def __init__(self, network: Retrieval) -> None:
        self._network = network

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return outputs in float64, shape (n, outputs), for inputs of shape (n, inputs).

        Inputs and outputs are in physical units.
        """
        out = np.empty((len(self._network.outputs), len(x)), dtype=np.float64)
        for start in range(0, len(x), ROWS):
            out[:, start : start + ROWS] = self._network.reference(x[start : start + ROWS]).T
        return out.T
