"""The engine of an ensemble: the engines of its networks, one after the other."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.ensemble import Ensemble
from pipeline.networks.retrieval import Engine

# Number of rows at a time: the outputs of one member are freed before the next member runs.
ROWS = 131072


class EnsembleEngine:
    """Runs every member and error network of an ensemble on the same rows."""

    def __init__(self, ensemble: Ensemble, engines: list[Engine], errors: list[Engine]) -> None:
        self.name = engines[0].name
        self._ensemble, self._engines, self._errors = ensemble, engines, errors

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return mean outputs (n, outputs) of inputs (n, inputs), both in physical units."""
        return self._joined(x, [])[0]

    def predict_with_uncertainty(
        self, x: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return mean outputs and their standard deviations, see :meth:`Ensemble.joined`."""
        return self._joined(x, self._errors)

    def _joined(
        self, x: npt.NDArray[Any], errors: list[Engine]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        parts = [
            self._ensemble.joined(
                (engine.predict(rows) for engine in self._engines),
                (engine.predict(rows) for engine in errors),
            )
            for rows in np.split(x, list(range(ROWS, len(x), ROWS)))
        ]
        if len(parts) == 1:
            return parts[0]
        means, deviations = zip(*parts, strict=True)
        return _stacked(means), _stacked(deviations)


def _stacked(parts: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[Any]:
    """Join the rows of all arrays; each column of the result is contiguous in memory."""
    return np.concatenate([part.T for part in parts], axis=1).T
