"""Golden spectra: inputs a network file carries with the outputs they must give."""

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.description import Network
from pipeline.networks.engines.numpy_engine import forward

# The outputs are stored as decimal text of float64, computed by whoever wrote the file.
TOLERANCE = 1e-9


def check_golden(network: Network) -> None:
    """Run the float64 reference on the file's golden spectra, if it has any.

    Raises:
        NetworkError: an output differs from the stored one.
    """
    if network.golden is None:
        return
    found = forward(network, network.golden.inputs)
    expected = network.golden.outputs
    # An output may be zero: what counts there is its size in the other spectra.
    scale = np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max(axis=0))
    wrong = ~(np.abs(found - expected) <= TOLERANCE * scale)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise NetworkError(
            f"{network.file_name}: golden spectrum {row} gives {network.outputs[column].name} = "
            f"{found[row, column]:.9g}, the file says {expected[row, column]:.9g}. "
            "The weights or their description were changed; fetch the file again."
        )
